"""The incumbent is random with known probabilities, decent, and misleading."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from contactopt.config import ObjectiveConfig
from contactopt.contracts import ActionSpace
from contactopt.simulation import World


@pytest.fixture(scope="module")
def log(world) -> pd.DataFrame:
    return world.tables()["decisions"]


def test_probabilities_are_positive_and_overlap(log):
    assert (log["propensity"] > 0).all()
    assert (log["propensity"] <= 1).all()
    contacted = log[log["channel"] != "wait"]
    assert contacted["propensity"].min() > 1e-4
    counts = contacted["channel"].value_counts(normalize=True)
    assert set(counts.index) == {"call_agent", "call_bot", "sms", "whatsapp", "email", "letter"}
    assert counts.min() > 0.02
    hours = contacted.loc[contacted["channel"] == "call_agent", "slot_local_hour"]
    assert set(range(8, 20)) == set(hours.astype(int))
    assert 0.5 < (hours == 10).mean() < 0.75


def test_logged_probabilities_are_those_of_the_draw(log):
    # sum of 1/p over drawn actions estimates the number of actions that had p > 0
    waits = log[(log["channel"] == "wait") & (log["propensity"] < 1)]
    contacted = log[log["channel"] != "wait"]
    n = len(waits) + len(contacted)
    estimate = (1 / waits["propensity"]).sum()
    spread = np.sqrt(((1 - waits["propensity"]) / waits["propensity"] ** 2).sum())
    assert abs(estimate - n) < 4.5 * spread
    evening = contacted[(contacted["slot_local_hour"] == 18)]
    # an evening hour is drawn with the share that its propensity says
    ten = contacted[(contacted["slot_local_hour"] == 10)]
    ratio = (1 / ten["propensity"]).sum() / (1 / evening["propensity"]).sum()
    assert ratio == pytest.approx(1.16, abs=0.25)  # ten is open on Saturdays too: 7/6


def test_decent_hours_days_and_consents(world):
    tables = world.tables()
    touches = tables["touches"][tables["touches"]["direction"] == "outbound"]
    zone = tables["customers"].set_index("customer_id")["time_zone"]
    for name, rows in touches.groupby(touches["customer_id"].map(zone)):
        local = rows["started_at"].dt.tz_convert(ZoneInfo(str(name)))
        assert local.dt.hour.between(8, 19).all()
        assert (local.dt.day_of_week < 6).all()
    revoked = tables["consents"][tables["consents"]["status"] == "revoked"]
    both = touches.merge(revoked, on=["customer_id", "channel"])
    assert not (both["started_at"] > both["changed_at"]).any()
    calls = touches[touches["channel"] == "call_agent"]
    assert calls.groupby([calls["customer_id"], calls["started_at"].dt.date]).size().max() == 1


def test_decisions_join_their_touches(world, log):
    touches = world.tables()["touches"]
    executed = touches.dropna(subset=["decision_id"]).merge(log, on="decision_id")
    contacted = (log["channel"] != "wait").sum()
    assert len(executed) == contacted
    assert (executed["channel_x"] == executed["channel_y"]).all()
    assert (executed["customer_id_x"] == executed["customer_id_y"]).all()


def test_naive_difference_overstates_the_effect():
    world = World(n_customers=8000, random_state=21).run(45)
    free = ObjectiveConfig(cost_per_complaint=0.0, cost_per_opt_out=0.0)
    hours = [*range(8, 20)]
    space = ActionSpace.from_channels(
        dict.fromkeys(("call_agent", "call_bot", "sms", "whatsapp", "email"), hours)
        | {"letter": [None]}
    )
    costs = {"call_agent": 1.5, "call_bot": 0.1, "sms": 0.05, "whatsapp": 0.06, "email": 0.003}
    money = world.true_values(space, objective=free)
    money = money + np.array([costs.get(a.channel, 0.95) for a in space])
    waits = world.true_pay_wait()
    world.run(31)
    tables = world.tables()
    day = tables["decisions"][tables["decisions"]["batch_id"] == "incumbent-2026-01-15"]
    day = day[day["propensity"] < 1]  # who could be contacted
    assert len(day) > 1000
    row = day["customer_id"].str[2:].astype(int).to_numpy()
    contacted = (day["channel"] != "wait").to_numpy()
    arm = [
        space.action_ids.index(c if h != h else f"{c}@{int(h):02d}") if c != "wait" else -1
        for c, h in zip(day["channel"], day["slot_local_hour"], strict=True)
    ]
    truth = money[row[contacted], np.array(arm)[contacted]].mean()
    # likely payers are contacted more: paying without contact differs between the two groups
    assert waits[row[contacted]].mean() > waits[row[~contacted]].mean() + 0.02
    payments = tables["payments"].merge(tables["debts"][["debt_id", "customer_id"]], on="debt_id")
    since = pd.Timestamp("2026-01-15T08:05Z")
    payments = payments[payments["paid_at"].between(since, since + pd.Timedelta(days=30))]
    paid = np.isin(row, payments["customer_id"].str[2:].astype(int))
    naive = paid[contacted].mean() - paid[~contacted].mean()
    received = payments.groupby("customer_id")["amount"].sum()
    got = received.reindex(day["customer_id"]).fillna(0).to_numpy()
    # true effect on the chance to pay: money over the mean payment
    effect = truth / got[contacted][paid[contacted]].mean()
    assert naive > effect + 0.02, (naive, effect)
    assert truth > 0
