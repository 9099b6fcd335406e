"""Plan, log, explanation and files: the contract's columns, exact propensities, atomic writing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scored import AS_OF, capacity, make_batch

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.errors import ConfigError
from contactopt.plan import rank, read_decisions
from contactopt.plan.frames import LOG_EXTRAS
from contactopt.policy import ContactPolicy

PLAN = [
    "decision_id",
    "batch_id",
    "decided_at",
    "customer_id",
    "rank",
    "action_id",
    "channel",
    "pool",
    "slot_start",
    "start_before",
    "slot_local_hour",
    "time_zone",
    "contact_point_id",
    "template_id",
    "language",
    "offer_id",
    "debt_id",
    "debt_ids",
    "max_attempts",
    "priority",
    "propensity",
    "expected_value",
    "price",
    "currency",
    "p_reach",
    "p_pay",
    "p_pay_wait",
    "amount",
    "lift",
    "cost",
    "harm",
    "segment",
    "policy_version",
    "rules_version",
]
DECISIONS = [
    "decision_id",
    "batch_id",
    "decided_at",
    "customer_id",
    "action_id",
    "channel",
    "slot_start",
    "slot_local_hour",
    "template_id",
    "offer_id",
    "debt_id",
    "propensity",
    "n_eligible",
    "holdout",
    "dispatch_status",
    "dispatched_at",
    "policy_version",
    "rules_version",
]
ACTIONS = [
    "decision_id",
    "action_id",
    "probability",
    "value",
    "priced_value",
    "spread",
    "p_reach",
    "p_pay",
    "p_pay_wait",
    "amount",
    "lift",
    "cost",
    "harm",
    "reasons",
    "lawful_from",
]


@pytest.fixture(scope="module")
def plan():
    batch = make_batch(200, seed=1)
    blocked = batch.allowed.copy()
    blocked[7] = False
    batch = replace(batch, allowed=blocked, reason=(~blocked).astype(np.int32))
    return rank(batch, capacity=capacity(200), random_state=5)


def test_columns_are_the_contracts_in_order(plan):
    assert list(plan.to_frame().columns) == PLAN
    assert list(plan.decisions().columns) == DECISIONS
    assert list(plan.decision_actions(0, 3).columns) == [*ACTIONS, *LOG_EXTRAS]
    assert list(plan.batches()["batch_id"]) == [plan.batch_id]


def test_plan_rows_say_what_was_drawn_and_why(plan):
    frame, batch = plan.to_frame(), plan.batch
    assert (frame["rank"] == 1).all()
    assert frame["customer_id"].is_monotonic_increasing and frame["customer_id"].is_unique
    for row in frame.itertuples():
        i = list(batch.customer_ids).index(row.customer_id)
        a = batch.actions.action_ids.index(row.action_id)
        assert plan.drawn[i] == a
        assert row.propensity == plan.allocation.probabilities[i, a] / 2**36
        assert row.expected_value == pytest.approx(row.lift - row.cost - row.harm)
        assert row.expected_value == batch.value[i, a]
        assert row.pool == row.channel
        assert row.debt_id == f"D-{i}"
        assert row.decided_at == AS_OF
        if row.channel == "letter":
            assert row.slot_start is pd.NaT and pd.isna(row.slot_local_hour)
        else:
            local = row.slot_start.tz_convert(row.time_zone)
            assert local.hour == row.slot_local_hour
            assert row.start_before > row.slot_start
            assert AS_OF < row.slot_start < AS_OF + pd.Timedelta(hours=25)


def test_priority_orders_priced_value_inside_pool_and_slot(plan):
    frame = plan.to_frame()
    frame["priced"] = frame["expected_value"] - frame["price"]
    for _, group in frame.groupby(["pool", "slot_start"], dropna=False):
        ordered = group.sort_values("priority")
        assert list(ordered["priority"]) == list(range(1, len(group) + 1))
        assert ordered["priced"].is_monotonic_decreasing


def test_further_ranks_inform_and_never_repeat_the_drawn_action(plan):  # 000-12
    frame = plan.to_frame(k=3)
    first = frame[frame["rank"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, plan.to_frame())
    assert set(frame["rank"]) == {1, 2, 3}
    assert not frame.duplicated(["customer_id", "action_id"]).any()
    assert (frame.loc[frame["rank"] > 1, "priority"].isna()).all()
    assert (frame["propensity"] > 0).all()


def test_decisions_hold_everybody_and_the_control_group_only_waits(plan):
    log = plan.decisions()
    assert list(log["customer_id"]) == list(plan.batch.customer_ids)
    assert log["decision_id"].is_unique
    control = log[log["holdout"]]
    assert len(control) == 6
    assert (control["action_id"] == "wait").all() and (control["propensity"] == 1.0).all()
    assert (control["n_eligible"] == 0).all()
    blocked = log.iloc[7]
    assert (blocked["action_id"], blocked["propensity"], blocked["n_eligible"]) == ("wait", 1.0, 0)
    waits = log["action_id"] == "wait"
    assert (log.loc[waits, "channel"] == "wait").all()
    assert log.loc[waits, ["slot_start", "debt_id", "dispatch_status"]].isna().all().all()
    assert (log.loc[~waits, "dispatch_status"] == "pending").all()
    merged = log[~waits].merge(plan.to_frame(), on="decision_id", suffixes=("", "_plan"))
    assert len(merged) == len(plan.to_frame())
    assert (merged["propensity"] == merged["propensity_plan"]).all()


def test_considered_actions_sum_to_one_and_name_their_reasons(plan):
    rows = pd.concat(plan.decision_action_blocks(70), ignore_index=True)
    assert len(rows) == 200 * (len(plan.batch.actions) + 1)
    total = rows.groupby("decision_id", observed=True)["probability"].sum()
    assert (total == 1.0).all()
    blocked = rows["reasons"] != ""
    assert (rows.loc[blocked, "probability"] == 0).all()
    eligible = rows[~blocked & (rows["action_id"] != "wait")]
    assert (eligible["probability"] > 0).all()
    law = rows["reasons"] == "us.hours"
    assert rows.loc[~law, "lawful_from"].isna().all()
    assert rows.loc[law, "lawful_from"].notna().mean() > 0.9
    assert set(rows["reasons"]) == {"", "us.hours", "plan.control_group"}


def test_why_explains_one_customer(plan):
    who = plan.to_frame()["customer_id"].iloc[3]
    why = plan.why(who)
    table = why.to_frame()
    assert table["probability"].sum() == pytest.approx(1.0)
    assert table.loc[table["drawn"], "action_id"].item() == why.action_id
    np.testing.assert_allclose(
        table["value"], table["margin_x_lift"] - table["cost"] - table["harm"], atol=1e-12
    )
    np.testing.assert_allclose(table["priced_value"], table["value"] - table["price"])
    assert who in repr(why) and why.action_id in repr(why)
    assert "<table" in why._repr_html_()
    with pytest.raises(ConfigError, match="not in this batch"):
        plan.why("nobody")
    control = plan.batch.customer_ids[plan.control][0]
    assert "control group" in repr(plan.why(control))


def test_summary_adds_up_and_prints(plan):
    s = plan.summary()
    assert s["planned"] == len(plan.to_frame()) == sum(s["planned_by_channel"].values())
    assert s["customers"] == 200 and s["control"] == 6
    assert s["exploration_and_control_cost"] == pytest.approx(
        s["greedy_bound"] - s["expected_value"]
    )
    p = plan.allocation.probabilities / 2**36
    assert s["expected_value"] == pytest.approx((p[:, :-1] * plan.batch.value).sum())
    assert s["blocked_by_rule"]["us.hours"] == int((plan.batch.reason == 1).sum())
    json.dumps(s)
    text = repr(plan)
    for part in ("200 (", "6 control", "call_agent", "USD", "us.hours", "certified gap"):
        assert part in text
    assert "<table" in plan._repr_html_()


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_writing_twice_changes_nothing_and_anew_gives_the_same_bytes(plan, tmp_path):
    first = hashes(plan.write(tmp_path / "a"))
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")}
    assert hashes(plan.write(tmp_path / "a")) == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")} == times
    again = rank(plan.batch, capacity=capacity(200).iloc[::-1], random_state=5, n_threads=2)
    assert hashes(again.write(tmp_path / "b")) == first
    name = plan.batch_id
    assert sorted(first) == [
        f"batches/{name}.parquet", f"decision_actions/{name}-00000.parquet",
        f"decisions/{name}.parquet", "plan.csv", "plan.parquet",
    ]  # fmt: skip


def test_files_read_back_as_the_frames(plan, tmp_path):
    plan.write(tmp_path)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "plan.parquet"), plan.to_frame(), check_dtype=False
    )
    log = read_decisions(tmp_path).to_frame()
    pd.testing.assert_frame_equal(log, plan.decisions(), check_dtype=False)
    text = pd.read_csv(tmp_path / "plan.csv", dtype={"slot_start": str})
    assert list(text.columns) == PLAN
    np.testing.assert_array_equal(text["propensity"], plan.to_frame()["propensity"])
    assert text["slot_start"].dropna().str.fullmatch(r"2026-06-0\dT\d\d:00:00Z").all()
    parts = pd.read_parquet(tmp_path / "decision_actions")
    assert parts.groupby("decision_id")["probability"].sum().eq(1.0).all()
    prices = json.loads(pd.read_parquet(tmp_path / "batches")["prices"][0])
    assert list(prices) == list(plan.rows.table.label)


def test_batches_stand_side_by_side_and_ids_are_not_taken_twice(plan, tmp_path):  # 003-01
    plan.write(tmp_path)
    other = rank(plan.batch, capacity=capacity(200), random_state=6)
    assert other.batch_id != plan.batch_id
    other.write(tmp_path)
    assert len(read_decisions(tmp_path)) == 400
    false = rank(plan.batch, capacity=capacity(200), random_state=6, batch_id=plan.batch_id)
    with pytest.raises(ConfigError, match="another plan was written"):
        false.write(tmp_path)
    with pytest.raises(ConfigError, match="file name"):
        rank(plan.batch, batch_id="../x").write(tmp_path)


def test_a_failed_write_leaves_no_batch_and_no_scratch(plan, tmp_path, monkeypatch):
    def fail(self):
        raise OSError("disk full")

    monkeypatch.setattr(type(plan), "batches", fail)
    with pytest.raises(OSError, match="disk full"):
        plan.write(tmp_path / "p")
    assert hashes(tmp_path / "p") == {}
    monkeypatch.undo()
    assert len(hashes(plan.write(tmp_path / "p"))) == 5


def test_batch_id_depends_on_content_capacity_and_seed(plan):
    same = rank(plan.batch, capacity=capacity(200), random_state=5)
    assert same.batch_id == plan.batch_id
    np.testing.assert_array_equal(same.drawn, plan.drawn)
    less = capacity(200)
    less.loc[0, "units"] -= 1
    others = {
        rank(plan.batch, capacity=less, random_state=5).batch_id,
        rank(plan.batch, capacity=capacity(200), random_state=4).batch_id,
        rank(plan.batch, capacity=capacity(200), random_state=5, policy_version="p2").batch_id,
        plan.batch_id,
    }
    assert len(others) == 4
    given = rank(plan.batch, batch_id="nightly-7")
    assert set(given.decisions()["batch_id"]) == {"nightly-7"}


def bare(batch, m: int):
    """Cut a batch to its first m actions."""
    names = ["allowed", "reason", "lawful_from", "value", "spread", "p_reach", "p_pay", "lift",
             "cost", "harm", "margin", "pool", "usage", "slot_start", "start_before", "debt",
             "contact_point", "template"]  # fmt: skip
    cut = {name: getattr(batch, name)[:, :m] for name in names}
    return replace(batch, actions=ActionSpace(batch.actions.actions[:m]), **cut)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("m", [0, 1, 16])
@pytest.mark.parametrize("table", [None, "some"])
def test_small_and_empty_batches_pass_through_every_door(n, m, table, tmp_path):
    batch = bare(make_batch(n), m)
    plan = rank(batch, capacity=None if table is None else capacity(10))
    assert list(plan.to_frame(k=2).columns) == PLAN
    assert len(plan.decisions()) == n
    assert len(plan.decision_actions()) == n * (m + 1)
    assert plan.summary()["customers"] == n
    assert repr(plan) and plan._repr_html_()
    assert len(plan.shadow_prices) == len(plan.rows.table)
    plan.write(tmp_path)
    assert len(read_decisions(tmp_path)) == n
    if m == 0:
        assert (plan.drawn == 0).all()


def test_nobody_eligible_all_wait_for_certain():
    batch = make_batch(30, allowed_share=0.0)
    plan = rank(batch, capacity=capacity(30))
    assert (plan.decisions()["propensity"] == 1.0).all()
    assert plan.to_frame().empty
    none = rank(make_batch(30), policy=ContactPolicy(holdout_share=1.0, exploration_share=1.0))
    assert none.to_frame().empty


def test_order_of_the_scores_does_not_matter():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        [(f"C-{k}", f"{c}@{h:02d}", c, h) for k in range(40) for c in ("sms", "email")
         for h in (14, 17)],
        columns=["customer_id", "action_id", "channel", "slot_local_hour"],
    )  # fmt: skip
    frame["allowed"], frame["reasons"] = True, ""
    frame["value"], frame["cost"] = rng.normal(1, 1, len(frame)), 0.1
    frame["slot_start"] = AS_OF.normalize() + pd.to_timedelta(frame["slot_local_hour"], unit="h")
    plans = [
        rank(ScoredBatch.from_frame(f, as_of=AS_OF, currency="USD"), capacity=capacity(40))
        for f in (frame, frame.sample(frac=1, random_state=1))
    ]
    assert plans[0].batch_id == plans[1].batch_id
    by_id = [p.to_frame().set_index("customer_id")[["action_id", "propensity"]] for p in plans]
    pd.testing.assert_frame_equal(*by_id)
