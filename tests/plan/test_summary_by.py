"""The plan's summary by segment, channel, pool, hour: totals are those of the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scored import make_batch

from contactopt.errors import ConfigError
from contactopt.plan import ContactPlan, rank
from contactopt.policy import ContactPolicy

CAPACITY = pd.DataFrame(
    {"pool": ["call_agent", "email"], "date": "2026-06-02", "units": [40, 0]}
)  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> ContactPlan:
    batch = make_batch(300, seed=2)
    segment = np.where(np.arange(300) % 3 == 0, "late · low balance", "early · high balance")
    segment = np.where(np.arange(300) % 11 == 0, None, segment)
    batch = replace(
        batch,
        segment=segment.astype(object),
        reason_sets=((), ("us.cap", "us.hours")),
        template=np.where(batch.pool == 1, 0, -1).astype(np.int16),
        template_ids=("hello",),
    )
    policy = ContactPolicy(holdout_share=0.1, exploration_share=0.3)
    return rank(batch, policy=policy, capacity=CAPACITY, random_state=3)


ALL = ["segment", "time_zone", "language", "channel", "slot_local_hour", "action_id", "pool",
       "template_id", "offer_id"]  # fmt: skip


@pytest.mark.parametrize("by", ALL)
def test_totals_are_those_of_the_whole(plan: ContactPlan, by: str) -> None:  # 000-10
    whole, found = plan.summary(), plan.summary(by=by)
    assert found.columns[0] == by
    for name in ("customers", "planned", "control"):
        assert found[name].sum() == whole[name], name
    assert found["expected_value"].sum() == pytest.approx(whole["expected_value"])
    frame = plan.to_frame()
    for name, column in (("planned_value", "expected_value"), ("cost", "cost"), ("harm", "harm")):
        assert found[name].sum() == pytest.approx(frame[column].sum()), name
    n, m = plan.batch.allowed.shape
    assert found["pairs"].sum() == n * m
    blocked = whole["blocked_by_rule"]
    # both rules stand in one set of reasons
    assert found["blocked_pairs"].sum() == sum(blocked.values()) - blocked["us.cap"]
    odds = (found["mean_propensity"] * found["planned"]).sum()
    assert odds == pytest.approx(frame["propensity"].sum())


def test_groups_of_customers(plan: ContactPlan) -> None:
    found = plan.summary(by="segment").set_index("segment")
    assert found.index.tolist() == ["early · high balance", "late · low balance", "(none)"]
    frame, segment = plan.to_frame(), plan.batch.segment
    for name in found.index[:2]:
        mine = segment == name
        row = found.loc[name]
        planned = frame[frame["segment"] == name]
        assert row["customers"] == mine.sum() and row["planned"] == len(planned)
        assert row["share_contacted"] == pytest.approx(len(planned) / mine.sum())
        assert row["planned_value"] == pytest.approx(planned["expected_value"].sum())
        assert row["mean_propensity"] == pytest.approx(planned["propensity"].mean())
        is_open = plan.eligible(np.flatnonzero(mine)).sum()
        assert row["pairs"] - row["blocked_pairs"] == is_open
        assert row["top_rules"].startswith("us.cap ")


def test_groups_of_actions(plan: ContactPlan) -> None:
    found = plan.summary(by="channel").set_index("channel")
    assert found.index.tolist() == ["call_agent", "sms", "email", "letter", "wait"]
    assert found["planned"].drop("wait").to_dict() == plan.summary()["planned_by_channel"]
    assert found.loc["wait", ["planned", "pairs"]].tolist() == [0, 0]
    assert found.loc["wait", "control"] == plan.control.sum() > 0
    assert np.isnan(found.loc["wait", "blocked_share"])
    assert found.loc["email", "blocked_share"] == 1.0
    assert "capacity.closed" in found.loc["email", "top_rules"]
    assert found["share_contacted"].sum() == pytest.approx(len(plan.to_frame()) / 300)
    hours = plan.summary(by="slot_local_hour")["slot_local_hour"].tolist()
    assert hours == ["9", "11", "13", "15", "17", "(none)", "wait"]
    templates = plan.summary(by="template_id").set_index("template_id")["planned"]
    assert templates["hello"] == found.loc["sms", "planned"]


def test_other_columns_and_values_of_your_own(plan: ContactPlan) -> None:
    found = plan.summary(by="priority")
    assert found["planned"].sum() == len(plan.to_frame()) and found["pairs"].isna().all()
    assert found["expected_value"].isna().all()
    ids = plan.batch.customer_ids
    own = pd.Series(["a", "b"] * 100, index=ids[:200], name="branch")
    found = plan.summary(by=own).set_index("branch")
    assert found["customers"].to_dict() == {"a": 100, "b": 100, "(none)": 100}
    pd.testing.assert_frame_equal(
        plan.summary(by=own.to_dict()).drop(columns="group"),
        plan.summary(by=own).drop(columns="branch"),
    )
    with pytest.raises(ConfigError, match="twice"):
        plan.summary(by=pd.concat([own, own]))
    with pytest.raises(ConfigError, match="no column 'shoe_size'"):
        plan.summary(by="shoe_size")


def test_an_empty_plan_and_a_batch_without_segments() -> None:
    nobody = rank(make_batch(0), policy=ContactPolicy())
    for by in ALL:
        found = nobody.summary(by=by)
        assert found["customers"].sum() == 0 and found["expected_value"].sum() == 0
    bare = rank(make_batch(20), policy=ContactPolicy()).summary(by="segment")
    assert bare["segment"].tolist() == ["(none)"] and bare["customers"].tolist() == [20]
