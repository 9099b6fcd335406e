"""The learning loop: rank, the tables grow, update, rank; exact, idempotent, and never ahead."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from lived_days import live
from sklearn.exceptions import NotFittedError

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.errors import ContractError, LeakageError
from contactopt.simulation import World, strategy_mapping

N_DAYS, N_CUSTOMERS = 4, 140


class Loop(NamedTuple):
    """Five days of plans and what came of them."""

    bundle: Path
    log: Path
    portfolio: co.Portfolio
    as_of: pd.Timestamp


@pytest.fixture(scope="module")
def loop(tmp_path_factory) -> Loop:
    folder = tmp_path_factory.mktemp("loop")
    world = World("mixed", n_customers=N_CUSTOMERS, random_state=5, n_days=90)
    world.run(70)
    config = StrategyConfig.from_mapping(
        {
            **strategy_mapping("mixed"),
            "models": {"max_training_rows": 800},
            "exploration": {"share": 0.5},
            "random_state": 5,
        }
    )
    strategy = co.ContactStrategy(config=config).fit(world.portfolio(), as_of=world.as_of)
    strategy.save(folder / "bundle")
    live(world, strategy, folder / "log", N_DAYS)
    return Loop(folder / "bundle", folder / "log", world.portfolio(), world.as_of)


def load(loop: Loop) -> co.ContactStrategy:
    return co.ContactStrategy.load(loop.bundle)


@pytest.fixture(scope="module")
def updated(loop: Loop) -> co.ContactStrategy:
    return load(loop).update(loop.portfolio, as_of=loop.as_of, log=loop.log)


def test_what_an_update_read(loop: Loop, updated: co.ContactStrategy) -> None:
    record = updated.update_record_
    assert record["batches"] == N_DAYS
    assert record["decisions"] == N_DAYS * N_CUSTOMERS
    assert record["executed"] + record["wait"] + record["not_executed"] + record["open"] == (
        N_DAYS * N_CUSTOMERS
    )
    assert record["executed"] > 30
    assert record["mature"] == 0
    assert record["touches_of_unknown_decisions"] == 0
    assert record["residual"]["rows"] > 150
    assert updated.updated_at_ == loop.as_of
    assert updated.version != load(loop).version


# 002-13
def test_thirty_small_updates_are_one_large_one_bit_for_bit(loop: Loop, updated, tmp_path) -> None:
    step = load(loop)
    for k, hours in enumerate((24, 48)):
        step.update(
            loop.portfolio, as_of=load(loop).as_of_ + pd.Timedelta(hours=hours), log=loop.log
        )
        step.save(tmp_path / str(k))
        step = co.ContactStrategy.load(tmp_path / str(k))
    step.update(loop.portfolio, as_of=loop.as_of, log=loop.log)
    assert step.version == updated.version
    step.update(loop.portfolio, as_of=loop.as_of, log=loop.log)
    assert step.version == updated.version
    plans = [
        s.rank(loop.portfolio, as_of=loop.as_of, random_state=1).decisions()
        for s in (step, updated)
    ]
    pd.testing.assert_frame_equal(*plans)


# 000-15
def test_a_late_row_finds_its_decision(loop: Loop, updated: co.ContactStrategy) -> None:
    payments = loop.portfolio.tables["payments"]
    late = (payments["paid_at"] > load(loop).as_of_).to_numpy()
    assert late.sum() >= 3
    early = co.Portfolio.from_frames(
        {**loop.portfolio.tables, "payments": payments[~late]},
        complete_to={"payments": str(loop.as_of)},
    )
    step = load(loop).update(early, as_of=loop.as_of, log=loop.log)
    before = step.update_record_["money_seen"]
    step.update(loop.portfolio, as_of=loop.as_of, log=loop.log)
    assert step.update_record_["money_seen"] > before
    assert step.version == updated.version


def test_nothing_after_as_of_is_seen(loop: Loop) -> None:
    cut = load(loop).as_of_ + pd.Timedelta(hours=49)
    tables = {}
    for name, frame in loop.portfolio.tables.items():
        when = {"touches": "started_at", "payments": "paid_at", "promises": "made_at"}.get(name)
        tables[name] = frame if when is None else frame[(frame[when] <= cut).to_numpy()]
    for name in ("touch_debts", "touch_events"):
        kept = tables[name]["touch_id"].isin(tables["touches"]["touch_id"])
        tables[name] = tables[name][kept.to_numpy()]
    known = co.Portfolio.from_frames(tables, complete_to=loop.portfolio.complete_to)
    one = load(loop).update(loop.portfolio, as_of=cut, log=loop.log)
    other = load(loop).update(known, as_of=cut, log=loop.log)
    assert one.update_record_["batches"] == 3
    assert one.update_record_["money_seen"] == other.update_record_["money_seen"]
    np.testing.assert_array_equal(one.residual_.mean_, other.residual_.mean_)


def test_off_plan_touches_train_the_models_and_never_the_policy(loop: Loop, updated) -> None:
    touches = loop.portfolio.tables["touches"]
    out = (touches["direction"] == "outbound") & (touches["channel"] == "call_agent")
    extra = (
        touches[out.to_numpy()]
        .tail(40)
        .assign(
            decision_id=None,
            touch_id=[f"off-{k}" for k in range(40)],
            started_at=loop.as_of - pd.Timedelta(hours=30),
            outcome_at=pd.NaT,
            responded_at=pd.NaT,
        )
    )
    tables = {**loop.portfolio.tables, "touches": pd.concat([touches, extra], ignore_index=True)}
    more = co.Portfolio.from_frames(tables, complete_to=loop.portfolio.complete_to)
    strategy = load(loop).update(more, as_of=loop.as_of, log=loop.log)
    np.testing.assert_array_equal(strategy.residual_.mean_, updated.residual_.mean_)
    attempts = [s.models_.reach.fit_record_["rows"] for s in (strategy, updated)]
    assert attempts[0] > attempts[1]


def test_corrections_are_part_of_the_value_and_of_the_log(loop: Loop, updated, tmp_path) -> None:
    batch = updated.score(loop.portfolio, as_of=loop.as_of)
    np.testing.assert_allclose(
        batch.value, batch.margin * batch.lift - batch.cost - batch.harm, atol=1e-9
    )
    assert batch.adjustment is not None
    assert np.abs(batch.adjustment).max() > 0
    # without the corrections the lift is that of the same models alone
    updated_alone = co.ContactStrategy.load(loop.bundle).update(
        loop.portfolio, as_of=loop.as_of, log=loop.log
    )
    updated_alone.residual_ = None
    alone = updated_alone.score(loop.portfolio, as_of=loop.as_of)
    clipped = (batch.p_pay <= 0) | (batch.p_pay >= 1)
    np.testing.assert_allclose(
        np.where(clipped, 0, batch.lift - batch.adjustment),
        np.where(clipped, 0, alone.lift),
        atol=1e-9,
    )
    plan = updated.rank(loop.portfolio, as_of=loop.as_of)
    plan.write(tmp_path / "log")
    log = co.read_decisions(tmp_path / "log")
    assert log.replay().ok
    logged = log.actions(log.decision_of(str(batch.customer_ids[3])))
    np.testing.assert_array_equal(logged["adjustment"].to_numpy()[:-1], batch.adjustment[3])
    moved = [c for c in plan.to_frame()["customer_id"] if plan.why(c).learned]
    assert moved
    assert "of it learned since the fit" in repr(plan.why(moved[0]))


def test_the_card_tells_what_was_learned_since_the_fit(loop: Loop, updated, tmp_path) -> None:
    fitted, record = load(loop), updated.update_record_
    assert "## Since the fit" not in fitted.card_.to_markdown()
    updated.save(tmp_path / "bundle")
    text = (tmp_path / "bundle" / "MODEL_CARD.md").read_text("utf-8")
    since = text.partition("## Since the fit")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| ([^|]+?) +\| ([^|]*?) +\|$", since, re.MULTILINE))
    assert told["Decisions since the fit"].replace(",", "") == str(record["decisions"])
    assert told["Corrections learned from draws"].replace(",", "") == str(
        record["residual"]["rows"]
    )
    again = co.ContactStrategy.load(tmp_path / "bundle")
    assert again.card_.to_markdown() == text and again.version == updated.version
    again.update(loop.portfolio, as_of=loop.as_of, log=loop.log)
    assert again.card_.to_markdown().count("## Since the fit") == 1


def test_no_log_teaches_reach_and_harm_alone(loop: Loop) -> None:
    strategy = load(loop).update(loop.portfolio, as_of=loop.as_of)
    assert strategy.update_record_["decisions"] == 0
    assert strategy.update_record_["touches_of_unknown_decisions"] > 30
    np.testing.assert_array_equal(
        strategy.residual_.mean_, np.zeros(0 + strategy.residual_.nest_.size)
    )
    batch = strategy.score(loop.portfolio, as_of=loop.as_of)
    np.testing.assert_array_equal(batch.adjustment, np.zeros_like(batch.value))


def test_customers_who_left_the_tables_are_told(loop: Loop) -> None:
    fewer = loop.portfolio.subset(loop.portfolio.customer_ids[:90])
    record = load(loop).update(fewer, as_of=loop.as_of, log=loop.log).update_record_
    assert record["customers_unknown"] == N_DAYS * (N_CUSTOMERS - 90)


def test_other_models_decisions_are_left_to_them(loop: Loop) -> None:
    newer = load(loop)
    newer.as_of_ = newer.as_of_ - pd.Timedelta(hours=1)
    record = newer.update(loop.portfolio, as_of=loop.as_of, log=loop.log).update_record_
    assert (record["batches"], record["batches_of_other_models"]) == (0, N_DAYS)


def test_errors_leave_the_strategy_as_it_was(loop: Loop, tmp_path) -> None:
    with pytest.raises(NotFittedError, match="call `fit` first"):
        co.ContactStrategy().update(loop.portfolio, as_of=loop.as_of)
    strategy = load(loop)
    version = strategy.version
    with pytest.raises(LeakageError, match="load an earlier version"):
        strategy.update(loop.portfolio, as_of=strategy.as_of_ - pd.Timedelta(hours=1))
    twice = tmp_path / "twice"
    shutil.copytree(loop.log, twice)
    first, second = sorted((twice / "decisions").glob("*.parquet"))[:2]
    frame = pd.read_parquet(second)
    frame["decision_id"] = pd.read_parquet(first)["decision_id"]
    frame.to_parquet(second)
    with pytest.raises(ContractError):
        strategy.update(loop.portfolio, as_of=loop.as_of, log=twice)
    assert strategy.version == version
    assert strategy.residual_ is None
