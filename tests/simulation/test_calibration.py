"""The world shows the figures it was calibrated to."""

import numpy as np
import pandas as pd
import pytest

from contactopt.simulation import PRESETS, World
from contactopt.simulation.state import IN_PLAN, OPEN

PRESET = PRESETS["mixed"]


@pytest.fixture(scope="module")
def outbound(world) -> pd.DataFrame:
    touches = world.tables()["touches"]
    return touches[touches["direction"] == "outbound"]


RIGHT_PARTY = (
    "promise", "paid", "plan_agreed", "callback", "hardship", "vulnerable", "claims_paid",
    "dispute", "refused", "hung_up", "no_commitment", "asked_to_stop",
)  # fmt: skip


def test_block_share_within_two_points_of_the_setting():  # 000-02
    world = World(n_customers=4000, random_state=3, n_days=1)
    blocks, owner = world.state.latent.blocks, world.state.people.owner
    assert blocks[owner > 0].mean() == pytest.approx(PRESET.blocked_third_party, abs=0.02)
    assert blocks[owner == 0].mean() == pytest.approx(PRESET.blocked_first_party, abs=0.02)


def test_calls_to_blocking_phones_do_not_get_through(world, outbound):  # 000-02
    calls = outbound[outbound["channel"].isin(["call_agent", "call_bot"])]
    customer = calls["customer_id"].str[2:].astype(int).to_numpy()
    blocks = world.state.latent.blocks[customer]
    reached = calls["outcome"].isin(RIGHT_PARTY).to_numpy()
    assert reached[blocks].mean() < 0.02
    assert 0.12 < reached[~blocks].mean() < 0.30


@pytest.mark.parametrize(
    ("channel", "outcomes", "low", "high"),
    [
        ("call_agent", RIGHT_PARTY, 0.05, 0.20),  # fewer than 20 % are reached by phone
        ("call_bot", RIGHT_PARTY, 0.04, 0.20),
        ("email", ("opened", "clicked", "replied"), 0.14, 0.21),  # open 15-20 %
        ("email", ("clicked",), 0.008, 0.03),  # click 1.5-2 %
        ("sms", ("clicked", "replied", "paid_online"), 0.18, 0.32),  # response 20-30 %
    ],
)
def test_contact_rate_by_channel(outbound, channel, outcomes, low, high):
    rows = outbound[outbound["channel"] == channel]
    assert low < rows["outcome"].isin(outcomes).mean() < high


def test_promises_per_contact_and_kept(world, outbound):
    tables = world.tables()
    calls = outbound[(outbound["channel"] == "call_agent") & outbound["outcome"].isin(RIGHT_PARTY)]
    assert 0.10 < (calls["outcome"] == "promise").mean() < 0.45
    promises = tables["promises"].merge(
        outbound[["touch_id", "channel"]], on="touch_id", validate="many_to_one"
    )
    closed = promises[promises["due_at"] < world.as_of.tz_localize(None) - pd.Timedelta(days=4)]
    kept = closed["promise_id"].isin(tables["payments"]["promise_id"])
    assert 0.48 < kept[closed["channel"] == "call_agent"].mean() < 0.72  # 50-70 %
    mix = world.state.preset
    assert mix.bot_kept_penalty == 0.10


@pytest.mark.parametrize(
    ("low", "high", "target", "within"),
    [
        (1, 7, 0.60, 0.07),
        (8, 30, 0.40, 0.07),
        (31, 60, 0.18, 0.04),
        (61, 90, 0.08, 0.03),
        (91, 180, 0.04, 0.02),
        (181, 6000, 0.005, 0.004),
    ],
)
def test_self_cure_by_bucket(low, high, target, within):
    world = World(n_customers=12_000, random_state=2, n_days=100)
    dpd, paid = world.state.lead_dpd(), world.true_pay_wait()
    bucket = (dpd >= low) & (dpd <= high)
    assert bucket.sum() > 300
    assert paid[bucket].mean() == pytest.approx(target, abs=within)


def test_paydays_raise_payments(world):
    payments = world.tables()["payments"]
    spontaneous = payments[payments["promise_id"].isna()]
    customer = world.tables()["debts"].set_index("debt_id")["customer_id"]
    who = customer[spontaneous["debt_id"]].str[2:].astype(int).to_numpy()
    on_first = world.state.latent.cycle[who] == 0
    day = (spontaneous["paid_at"] - pd.Timedelta(hours=6)).dt.day.to_numpy()
    around = np.isin(day, [1, 2, 3, 4])
    assert (
        around[on_first].mean()
        > 1.3 * around[~on_first & (world.state.latent.cycle[who] == 1)].mean()
    )


def test_history_has_the_size_it_is_meant_to_have(world, outbound):
    per_customer = len(outbound) / world.state.n_customers
    assert 12 < per_customer < 18
    several = np.diff(world.state.debts.starts) > 1
    assert several.mean() == pytest.approx(0.25, abs=0.03)
    still_open = np.isin(world.state.debts.status, (OPEN, IN_PLAN))
    assert still_open.mean() > 0.5
    stages = np.bincount(np.digitize(world.state.lead_dpd()[world.state.lead >= 0], [31, 91, 180]))
    assert stages.min() > 0.1 * stages.sum()
