"""Every stage is learned, valued, judged and updated with the window that the strategy gives it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from lived_days import live

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.contracts.ladder import ladder
from contactopt.journal import payment_labels
from contactopt.journal.arrears import horizons_at, stages_at
from contactopt.journal.terms import open_journal
from contactopt.learning.safety_rows import safety_evidence
from contactopt.models.fitting.parts import payment_signs, prior_horizons
from contactopt.plan.log.reader import read_decisions
from contactopt.segments import stage_of
from contactopt.simulation import World, capacity_table, strategy_mapping
from contactopt.strategy.bundled_config import config_of_bundle
from contactopt.tuning.tasks import rows_of

SETTINGS: dict[str, Any] = {
    "fallback": "cautious", "channels": ["call_agent", "sms"], "slots": [10, 17],
    "models": {
        "max_training_rows": 1_500, "training_step_days": 5, "n_folds": 2,
        "payment": {"max_rounds": 30}, "amount": {"max_rounds": 15},
    },
    "exploration": {"share": 0.3},
}  # fmt: skip


def config(by_stage: dict[str, int] | None = None, **more: Any) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {**SETTINGS, "horizon_days_by_stage": by_stage or {}, **more}
    )


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.datasets.load_demo(n_customers=300, random_state=4, n_days=100)


@pytest.fixture(scope="module")
def now(portfolio) -> pd.Timestamp:
    return portfolio.latest_instant()


@pytest.fixture(scope="module")
def plain(portfolio, now) -> co.ContactStrategy:
    return co.ContactStrategy(config=config()).fit(portfolio, as_of=now)


@pytest.fixture(scope="module")
def short(portfolio, now) -> co.ContactStrategy:
    """Early arrears are watched for a week."""
    return co.ContactStrategy(config=config({"early": 7})).fit(portfolio, as_of=now)


def in_stage(batch: co.ScoredBatch, stage: str) -> np.ndarray:
    return stage_of(batch.segment) == stage


# ---- nothing changes where all windows are the same --------------------------------------------


def test_every_stage_named_at_the_one_horizon_is_the_same_plan(portfolio, now, plain) -> None:
    named = dict.fromkeys(("current", "early", "mid", "late", "charged off", "unknown"), 30)
    same = co.ContactStrategy(config=config(named)).fit(portfolio, as_of=now)
    assert same.version == plain.version
    plans = [s.rank(portfolio, as_of=now, random_state=1) for s in (same, plain)]
    assert plans[0].batch_id == plans[1].batch_id
    pd.testing.assert_frame_equal(plans[0].to_frame(), plans[1].to_frame(), check_exact=True)


def test_windows_by_row_that_happen_to_be_equal_give_the_same_bits(portfolio, now, plain) -> None:
    # nobody's days past due are unknown here: each row has its own window, and all are 30 days
    by_row = co.ContactStrategy(config=config({"unknown": 12})).fit(portfolio, as_of=now)
    assert by_row.config.objective.horizons.differ
    one, other = (s.score(portfolio, as_of=now) for s in (plain, by_row))
    assert not in_stage(one, "unknown").any()
    for name in ("value", "spread", "lift", "p_pay", "p_pay_wait", "amount", "harm", "allowed"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    pd.testing.assert_frame_equal(
        by_row.score_customers(portfolio, as_of=now),
        plain.score_customers(portfolio, as_of=now),
        check_exact=True,
    )


# ---- scores ------------------------------------------------------------------------------------


def test_fewer_pay_within_a_shorter_window_and_only_there(portfolio, now, plain, short) -> None:
    before, after = (s.score_customers(portfolio, as_of=now) for s in (plain, short))
    stage = stage_of(before["segment"])
    early = stage == "early"
    assert early.sum() >= 40 and (stage == "late").sum() > 60
    fall = after["p_pay"][early].mean() / before["p_pay"][early].mean()
    # what the labels of the stage say: the share that pays in 7 days over that in 30
    journal = open_journal(portfolio, plain.config)
    when = np.full(journal.n_customers, (now - pd.Timedelta(days=40)).value // 1000)
    who = np.arange(journal.n_customers)
    here = who[stages_at(journal, who, when, (30, 90, 180)) == "early"]
    seven, thirty = (
        payment_labels(journal, here, when[here], horizon_days=h, as_of=now)["paid"].mean()
        for h in (7, 30)
    )
    assert 0.2 < seven / thirty < 0.4
    assert fall < 0.6
    kept = after["p_pay"][stage == "late"].mean() / before["p_pay"][stage == "late"].mean()
    assert kept == pytest.approx(1.0, abs=0.15)
    money = after["expected_recovery"][early].sum() / before["expected_recovery"][early].sum()
    assert money < 0.6


def test_priors_without_history_are_those_of_each_window() -> None:
    portfolio = co.datasets.load_demo(n_customers=80, random_state=1, n_days=2)
    now = portfolio.latest_instant()
    own = config({"early": 7, "late": 60})
    assert prior_horizons(own) == [7.0, 7.0, 30.0, 30.0, 60.0, 30.0, 30.0, 30.0]
    assert prior_horizons(config()) == 30
    found = {}
    for name, settings in (("plain", config()), ("own", own)):
        strategy = co.ContactStrategy(config=settings).fit(portfolio, as_of=now)
        assert strategy.models_.payment.cold_start_
        found[name] = strategy.models_.payment.bucket_rates_
        again = type(strategy.models_.payment).from_state(strategy.models_.payment.to_state())
        np.testing.assert_array_equal(again.bucket_rates_, found[name])
    expected = 1 - (1 - found["plain"]) ** (np.array(prior_horizons(own)) / 30)
    np.testing.assert_allclose(found["own"], expected, rtol=1e-12)


def test_days_past_due_have_a_direction_unless_windows_lengthen_with_them(plain, short) -> None:
    falling = config({"early": 60, "late": 20, "charged off": 20})
    assert payment_signs(config()) == payment_signs(falling) == "auto"
    assert payment_signs(config({"early": 7})) == {"promises.kept_share": 1}
    assert plain.models_.payment.fit_record_["monotone"]["debt.days_past_due"] == -1
    assert short.models_.payment.fit_record_["monotone"] == {"promises.kept_share": 1}


def test_money_is_discounted_to_the_middle_of_its_own_window(portfolio, now, plain) -> None:
    """The same models, so that nothing but the discount differs."""
    lifts = {}
    for name, by_stage in (("one", {}), ("own", {"early": 10, "late": 45})):
        strategy = copy.copy(plain)
        strategy.config = config(by_stage, discount_rate_yearly=1.0)
        batch = strategy.score(portfolio, as_of=now)
        lifts[name] = batch.lift
    for stage, days in (("early", 10), ("mid", 30), ("late", 45)):
        rows = in_stage(batch, stage)
        less = 2.0 ** ((30 - days) / 2 / 365)
        np.testing.assert_allclose(lifts["own"][rows], lifts["one"][rows] * less, rtol=1e-12)
        assert np.abs(lifts["one"][rows]).sum() > 0


# ---- rows --------------------------------------------------------------------------------------


def test_rows_end_where_the_longest_window_has_closed(portfolio, now) -> None:
    own = config({"early": 7, "late": 40})
    journal = open_journal(portfolio, own)
    rows = rows_of(journal, own, now, max_rows=5_000, seed=0)
    last = now - pd.Timedelta(days=40) - pd.Timedelta(hours=journal.delay_hours("payments"))
    assert rows.instants.max() == last.value // 1000
    days = horizons_at(journal, own, rows.customers, rows.instants)
    assert {7.0, 30.0, 40.0} <= set(days)
    labels = payment_labels(journal, rows.customers, rows.instants, horizon_days=days, as_of=now)
    assert labels["mature"].all()
    np.testing.assert_array_equal(rows.paid, labels["paid"])
    one = payment_labels(journal, rows.customers, rows.instants, horizon_days=30, as_of=now)
    assert (one["paid"] != rows.paid).sum() > 50


def test_the_ladder_counts_in_the_longest_window(portfolio) -> None:
    own = portfolio.validate(config({"early": 7, "late": 40})).ladder
    pd.testing.assert_frame_equal(own, ladder(portfolio.tables, horizon_days=40.0))
    assert not own.equals(portfolio.validate(config()).ladder)


# ---- what is told and kept ---------------------------------------------------------------------


def test_card_report_and_bundle_say_the_windows(portfolio, now, short, tmp_path) -> None:
    assert short.card_.facts["data"]["horizon_days_by_stage"] == {"early": 7.0}
    assert "| Other horizons, days | early 7 |" in short.card_.to_markdown()
    short.save(tmp_path / "bundle")
    again = co.ContactStrategy.load(tmp_path / "bundle")
    assert again.config == short.config and again.version == short.version
    pd.testing.assert_frame_equal(
        again.score_customers(portfolio, as_of=now),
        short.score_customers(portfolio, as_of=now),
        check_exact=True,
    )


def test_a_report_judges_each_stage_by_its_window(portfolio, now) -> None:
    fitted = now - pd.Timedelta(days=50)
    own = co.ContactStrategy(config=config({"early": 7, "late": 40})).fit(portfolio, as_of=fitted)
    report = own.report(portfolio, as_of=now)
    assert "windows of 30 days (early 7, late 40) that had closed by" in report.to_markdown()
    assert pd.Timestamp(report.facts["last_moment"]) <= now.tz_localize(None).normalize() - (
        pd.Timedelta(days=40)
    )
    one = co.ContactStrategy(config=config()).fit(portfolio, as_of=fitted)
    found = {}
    for name, told in (("own", report), ("one", one.report(portfolio, as_of=now))):
        s = told.slices
        s = s[(s["slice"] == "stage") & (s["metric"] == "observed")].set_index("group")
        found[name] = s["value"]
    # what was observed is of another window: of later moments for the longest, of a week for early
    assert found["own"]["early"] < 0.5 * found["one"]["early"]


def test_bundles_from_before_keep_the_one_horizon_they_were_fitted_with(plain, caplog) -> None:
    state = plain._state()
    objective = state["config"]["objective"]
    for named in ({"early": 7}, {"legal": 90}):
        old = {
            **state,
            "config": {
                **state["config"],
                "objective": {**objective, "horizon_days_by_stage": named},
            },
        }
        caplog.clear()
        assert config_of_bundle(old) == plain.config
        assert "every stage keeps 30 days until it is fitted again" in caplog.text
    caplog.clear()
    assert config_of_bundle(state) == plain.config and not caplog.text


# ---- learning from plans -----------------------------------------------------------------------

N_DAYS, N_CUSTOMERS = 7, 120


class Loop(NamedTuple):
    """A week of plans and what came of them."""

    strategy: co.ContactStrategy
    log: Path
    portfolio: co.Portfolio
    as_of: pd.Timestamp


@pytest.fixture(scope="module")
def loop(tmp_path_factory) -> Loop:
    folder = tmp_path_factory.mktemp("loop")
    world = World("mixed", n_customers=N_CUSTOMERS, random_state=5, n_days=80)
    world.run(60)
    given = strategy_mapping("mixed")
    given["objective"]["horizon_days_by_stage"] = {"early": 3, "late": 45}
    settings = StrategyConfig.from_mapping(
        {**given, "models": {"max_training_rows": 600}, "exploration": {"share": 0.5},
         "safety": True}
    )  # fmt: skip
    strategy = co.ContactStrategy(config=settings).fit(world.portfolio(), as_of=world.as_of)
    live(world, strategy, folder / "log", N_DAYS)
    return Loop(strategy, folder / "log", world.portfolio(), world.as_of)


def logged(loop: Loop) -> pd.DataFrame:
    """Every decision with the stage of its segment in the log and its age in days."""
    log = read_decisions(loop.log)
    parts = []
    for batch_id in log.batch_ids:
        frame, table = log.decisions(batch_id), log.parts(batch_id)
        words = [
            table.read(first, last, ["segment"]).to_pandas()["segment"].iloc[:: table.width]
            for first, last in table.blocks()
        ]
        parts.append(frame.assign(stage=stage_of(pd.concat(words).astype(object).to_numpy())))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(age=(loop.as_of - found["decided_at"]) / pd.Timedelta(days=1))


def test_an_update_closes_the_windows_of_short_stages_first(loop: Loop) -> None:
    rows = logged(loop)
    due = (rows["stage"] == "early") & (rows["age"] >= 3)
    assert 20 < due.sum() < len(rows)
    updated = copy.copy(loop.strategy).update(loop.portfolio, as_of=loop.as_of, log=loop.log)
    record = updated.update_record_
    assert record["decisions"] == len(rows) == N_DAYS * N_CUSTOMERS
    assert record["mature"] == due.sum()
    # the money of each decision's own window, by hand
    journal = open_journal(loop.portfolio, loop.strategy.config)
    who = pd.Index(journal.customer_ids).get_indexer(rows["customer_id"].to_numpy(dtype=object))
    days = rows["stage"].map({"early": 3.0, "late": 45.0}).fillna(30.0).to_numpy()
    at = rows["decided_at"].dt.as_unit("us").astype("int64").to_numpy()
    np.testing.assert_array_equal(horizons_at(journal, loop.strategy.config, who, at), days)
    labels = payment_labels(journal, who, at, horizon_days=days, as_of=loop.as_of)
    assert record["money_seen"] == pytest.approx(labels["amount"].sum(), rel=1e-12)
    whole = payment_labels(journal, who, at, horizon_days=30, as_of=loop.as_of)
    assert labels["amount"].sum() < whole["amount"].sum()
    plan = updated.rank(
        loop.portfolio,
        as_of=loop.as_of,
        capacity=capacity_table(N_CUSTOMERS, loop.as_of.date()),
    )
    assert len(plan.to_frame()) > 0


def test_who_leads_is_judged_by_batches_whose_longest_window_has_closed(loop: Loop) -> None:
    log, since = read_decisions(loop.log), loop.strategy.as_of_
    view = open_journal(loop.portfolio, loop.strategy.config).as_of(loop.as_of)
    assert len(safety_evidence(log, view, loop.strategy.config, since=since)) == 0
    mapping = loop.strategy.config.to_mapping()
    mapping["objective"] |= {"horizon_days": 5, "horizon_days_by_stage": {"early": 3}}
    shorter = StrategyConfig.from_mapping(mapping)
    found = safety_evidence(log, view, shorter, since=since)
    rows = logged(loop)
    assert len(found) == ((rows["age"] >= 5) & ~rows["holdout"]).sum() > 0


def test_a_batch_is_not_judged_before_its_payments_are_known(loop: Loop) -> None:
    mapping = loop.strategy.config.to_mapping()
    mapping["objective"] |= {"horizon_days": 4, "horizon_days_by_stage": {"early": 3}}
    mapping["data_delay"] = {**mapping["data_delay"], "payments": 24}
    config = StrategyConfig.from_mapping(mapping)
    view = open_journal(loop.portfolio, config).as_of(loop.as_of)
    found = safety_evidence(read_decisions(loop.log), view, config, since=loop.strategy.as_of_)
    rows = logged(loop)
    # early windows of batches between four and five days of age are closed, the others' are not
    assert (rows["age"].between(4, 5, inclusive="left") & (rows["stage"] == "early")).any()
    assert len(found) == ((rows["age"] >= 5) & ~rows["holdout"]).sum() > 0


def test_the_truth_of_a_world_has_one_horizon(loop: Loop) -> None:
    world = World("mixed", n_customers=30, random_state=5, n_days=70).run(60)
    actions = loop.strategy.config.action_space
    one = loop.strategy.config.objective.model_copy(update={"horizon_days_by_stage": {}})
    np.testing.assert_array_equal(
        world.true_values(actions, objective=loop.strategy.config.objective),
        world.true_values(actions, objective=one),
    )
