"""The closed form of the true value agrees with lives lived many times over."""

import numpy as np
import pandas as pd
import pytest
from oracles.world_copies import copies_of, lived_value

from contactopt.config import ObjectiveConfig
from contactopt.contracts import ActionSpace
from contactopt.errors import ConfigError
from contactopt.simulation import WORLD_CHANNELS, World
from contactopt.simulation.state import NEVER

NOT_REACHED = (
    *("no_answer", "busy", "voicemail", "unreachable", "blocked", "invalid", "bounced"),
    *("undelivered", "wrong_number", "third_party", "delivered", "opted_out", "complained"),
)
SPACE = ActionSpace.from_channels(
    {"call_agent": [10, 19], "call_bot": [15], "sms": [12], "email": [18], "letter": [None]}
)


@pytest.fixture(scope="module")
def small() -> World:
    return World(n_customers=400, random_state=5, n_days=45).run()


def test_values_agree_with_many_lives(small):
    objective = ObjectiveConfig(margin_share=0.8, discount_rate_yearly=0.5)
    values = small.true_values(SPACE, objective=objective)
    state, reach = small.state, small.true_reach(SPACE)
    fit = (state.lead >= 0) & (state.scheduled_day == NEVER) & ~state.inert
    # states in which every attempt may reach, so that its effect can be seen in few lives
    fit &= (reach > 0.02).all(axis=1)
    by_stage = [np.flatnonzero(fit & (state.lead_dpd() // 45 == k)) for k in (0, 1, 3)]
    rows = np.array([group[1] for group in by_stage])
    n = 6000
    many = copies_of(state, rows, n)
    waiting = lived_value(many, None, 0, objective, seed=1)
    for k, action in enumerate(SPACE):
        hour = -1 if action.slot_local_hour is None else action.slot_local_hour
        channel = WORLD_CHANNELS.index(action.channel)
        lived = lived_value(many, channel, hour, objective, seed=1) - waiting
        lived = lived.reshape(len(rows), n)
        error = lived.std(axis=1) / np.sqrt(n)
        gap = np.abs(lived.mean(axis=1) - values[rows, k])
        assert (gap <= 4 * error + 0.02).all(), (action.action_id, gap / error)


def test_paying_without_contact_agrees_with_many_lives(small):
    state = small.state
    fit = np.flatnonzero((state.lead >= 0) & (state.scheduled_day == NEVER) & ~state.inert)
    rows = fit[::40]
    n = 4000
    paid = lived_value(copies_of(state, rows, n), None, 0, ObjectiveConfig(), seed=3) > 0
    share = paid.reshape(len(rows), n).mean(axis=1)
    # a payment taken back leaves no money
    truth = small.true_pay_wait()[rows] * (1 - state.preset.reversal_share)
    assert (np.abs(share - truth) <= 4.5 * np.sqrt(truth * (1 - truth) / n) + 1e-9).all()


def test_reach_agrees_with_outcomes():
    world = World(n_customers=4000, random_state=8, n_days=30).run(20)
    space = ActionSpace.from_channels({"call_agent": [17], "whatsapp": [17], "email": [17]})
    reach = world.true_reach(space)

    shares = {}
    for k, action in enumerate(space):
        fresh = World(n_customers=4000, random_state=8, n_days=30).run(20)
        ids = fresh.customer_ids
        frame = pd.DataFrame({"customer_id": ids, "channel": action.channel, "slot_local_hour": 17})
        touches = fresh.step(20, frame)["touches"]
        touches = touches[touches["direction"] == "outbound"]
        shares[action.channel] = (~touches["outcome"].isin(NOT_REACHED)).mean()
        expected = reach[:, k].mean()
        error = np.sqrt((reach[:, k] * (1 - reach[:, k])).sum()) / len(ids)
        assert abs(shares[action.channel] - expected) < 4 * error + 0.012, action.channel


def test_contact_helps_whom_it_can(world):
    """Waiting is worth more for the certain and the unwilling, contact for the forgetful."""
    big = world
    values = big.true_values(SPACE)
    live = big.state.lead >= 0
    assert values[~live].max() < 0  # nothing due: cost and harm only
    assert (values[live].max(axis=1) > 0).mean() > 0.4
    assert (values[live].min(axis=1) < 0).mean() > 0.4
    weights = big.state.latent.weights
    best = values.max(axis=1) / np.maximum(1.0, big.state.debts.past_due[big.state.lead])
    forgetful, unwilling = live & (weights[:, 0] > 0.6), live & (weights[:, 2] > 0.6)
    assert np.median(best[forgetful]) > 2 * np.median(best[unwilling])


def test_bot_adds_less_than_a_person(small):
    space = ActionSpace.from_channels({"call_agent": [18], "call_bot": [18]})
    free = ObjectiveConfig(cost_per_complaint=0.0, cost_per_opt_out=0.0)
    gain = small.true_values(space, objective=free) + np.array([1.5, 0.1])
    some = gain[:, 0] > 0.05
    assert some.sum() > 50
    assert gain[some, 1].mean() < 0.85 * gain[some, 0].mean()


def test_limits_are_told(small):
    with pytest.raises(ConfigError, match="30 days"):
        small.true_values(SPACE, objective=ObjectiveConfig(horizon_days=60))
    with pytest.raises(ConfigError, match="no channel rcs"):
        small.true_values(ActionSpace.from_channels({"rcs": [9]}))
    with pytest.raises(ConfigError, match="that day only"):
        small.true_values(SPACE, "2026-02-20T08:05Z")
    assert small.true_values(SPACE, small.as_of).shape == (400, 6)
