"""The stage of a moment is that of the segments of that moment, and says how long money counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from worlds import at, customers, debt, frame, journal

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.journal import payment_labels, roll_labels
from contactopt.journal.arrears import horizons_at, stages_at
from contactopt.journal.decision_labels import decision_horizons, decision_labels
from contactopt.journal.terms import open_journal
from contactopt.segments import StageSegments, customer_columns

BY_STAGE = {"horizon_days": 20, "horizon_days_by_stage": {"early": 10, "late": 45}}
CONFIG = StrategyConfig.from_mapping(BY_STAGE)


def us(*texts: str) -> np.ndarray:
    return np.array([at(text).value // 1000 for text in texts], dtype=np.int64)


def horizons(j, *texts: str, config: StrategyConfig = CONFIG) -> list[float]:
    return horizons_at(j, config, np.zeros(len(texts)), us(*texts)).tolist()


def snapshot(observed: str, days: float | None, past_due: float = 100.0, **more) -> dict:
    return {
        "debt_id": "D",
        "observed_at": at(observed),
        "balance": 900.0,
        "past_due": past_due,
        "days_past_due": days,
        "status": "open",
        **more,
    }


@pytest.mark.parametrize("settings", [{}, {"segments": {"stage_days": [10, 40, 70]}}])
def test_stages_of_many_moments_are_those_of_the_segments_of_each(settings) -> None:
    portfolio = co.datasets.load_demo(n_customers=150, random_state=3, n_days=70)
    config = StrategyConfig.from_mapping(settings)
    j, last = open_journal(portfolio, config), portfolio.latest_instant()
    when = [last - pd.Timedelta(days=d) for d in (0, 9, 30, 61)]
    wanted = [
        StageSegments(n_balance_bands=1, stage_days=config.segments.stage_days)
        .fit(columns)
        .predict(columns)
        for columns in (customer_columns(j.as_of(t)) for t in when)
    ]
    n = j.n_customers
    who = np.tile(np.arange(n), len(when))
    moments = np.repeat([t.value // 1000 for t in when], n)
    order = np.random.default_rng(0).permutation(len(who))
    found = np.empty(len(who), dtype=object)
    found[order] = stages_at(j, who[order], moments[order], config.segments.stage_days)
    assert found.tolist() == np.concatenate(wanted).tolist()
    assert {"current", "early", "mid", "late"} <= set(found)
    assert stages_at(j, who[:0], moments[:0], (30, 90, 180)).shape == (0,)


def test_a_horizon_is_that_of_the_stage_at_its_moment() -> None:
    j = journal({})  # one debt, in arrears since the 1st of February
    assert horizons(j, "02-20", "03-20", "05-20", "08-20") == [10.0, 20.0, 45.0, 20.0]
    # before there are arrears, and of customers whom nobody knows
    assert horizons(j, "01-20") == [20.0]
    assert horizons_at(j, CONFIG, [-1], us("02-20")).tolist() == [20.0]
    assert horizons_at(j, CONFIG, [], []).shape == (0,)
    # the strategy's own stages: 19 days past due are middle arrears
    own = StrategyConfig.from_mapping({**BY_STAGE, "segments": {"stage_days": [5, 30, 60]}})
    assert horizons(j, "02-04", "02-20", "03-20", config=own) == [10.0, 20.0, 45.0]
    charged = StrategyConfig.from_mapping({"horizon_days_by_stage": {"charged_off": 90}})
    off = journal({"debts": frame(debt(charged_off_at=at("02-15")))})
    assert horizons(off, "02-14", "02-16", config=charged) == [30.0, 90.0]


def test_what_became_known_later_does_not_move_a_stage() -> None:
    late = snapshot("02-10", 100.0, recorded_at=at("03-05"))
    j = journal({"debt_snapshots": frame(snapshot("02-05", 4.0), late)})
    # 100 days past due were seen on the 10th of February and recorded in March
    assert horizons(j, "02-12", "02-28", "03-06") == [10.0, 10.0, 45.0]
    # a cure after the moment, and one before it
    paid = {"payment_id": "P", "debt_id": "D", "paid_at": at("02-20"), "amount": 100.0}
    j = journal({"debt_snapshots": frame(snapshot("02-05", 4.0)), "payments": frame(paid)})
    assert horizons(j, "02-19", "02-21") == [10.0, 20.0]


def test_the_debt_with_the_largest_arrears_says_the_stage() -> None:
    debts = frame(debt("D"), debt("E"), debt("F"))
    snapshots = frame(
        snapshot("02-05", 120.0, 50.0),
        {**snapshot("02-05", 4.0, 80.0), "debt_id": "E"},
        {**snapshot("02-05", 2.0, 80.0), "debt_id": "F"},
    )
    j = journal({"debts": debts, "debt_snapshots": snapshots})
    assert horizons(j, "02-06") == [10.0]
    less = snapshots.assign(past_due=[90.0, 80.0, 80.0])
    assert horizons(journal({"debts": debts, "debt_snapshots": less}), "02-06") == [45.0]


def test_labels_end_with_the_window_of_their_stage() -> None:
    paid = [
        {"payment_id": p, "debt_id": "D", "paid_at": at(t), "amount": a}
        for p, t, a in (("a", "02-17 12:00", 7.0), ("b", "03-22 12:00", 5.0))
    ]
    snapshots = frame(snapshot("02-04", 3.0), snapshot("02-28", 27.0), snapshot("03-25", 61.0))
    j = journal({"payments": frame(*paid), "debt_snapshots": snapshots})
    when = us("02-05 12:00", "02-08 12:00", "03-05 12:00")
    own = horizons_at(j, CONFIG, [0, 0, 0], when)
    assert own.tolist() == [10.0, 10.0, 20.0]
    labels = payment_labels(j, [0, 0, 0], when, horizon_days=own, as_of=at("03-20"))
    # twelve days after the first moment; nine after the second; the third window is open
    assert labels["paid"].tolist() == [False, True, False]
    assert labels["amount"].tolist() == [0.0, 7.0, 0.0]
    assert labels["mature"].tolist() == [True, True, False]
    later = payment_labels(j, [0, 0, 0], when, horizon_days=own, as_of=at("04-20"))
    assert later["amount"].tolist() == [0.0, 7.0, 5.0]
    rolled = roll_labels(j, [0, 0, 0], when, horizon_days=own, as_of=at("04-20"))
    # the last snapshot is in a later bucket, 20 days after the third moment
    assert rolled["rolled"].tolist() == [False, False, True]


def test_decisions_are_watched_for_their_own_windows() -> None:
    decisions = pd.DataFrame(
        {
            "decision_id": ["a", "b", "x"],
            "customer_id": ["C", "B", "nobody"],
            "decided_at": pd.to_datetime([at("02-20")] * 3, utc=True).as_unit("us"),
            "channel": "sms",
        }
    )
    debts = frame(debt(), debt("E", "B", delinquent_since=at("01-05")))
    paid = [
        {"payment_id": p, "debt_id": d, "paid_at": at("03-04"), "amount": 9.0}
        for p, d in (("1", "D"), ("2", "E"))
    ]
    tables = {"customers": customers("B", "C"), "debts": debts, "payments": frame(*paid)}
    view = journal(tables).as_of(at("03-05"))
    own = decision_horizons(view, decisions, CONFIG)
    assert own.tolist() == [10.0, 20.0, 20.0]
    labels = decision_labels(view, decisions, horizon_days=own)
    # paid on the twelfth day: too late for early arrears, in time for middle ones
    assert labels["amount"].iloc[:2].tolist() == [0.0, 9.0]
    assert labels["mature"].tolist() == [True, False, False]
    assert labels["age_days"].tolist() == [10.0, 13.0, 13.0]
    one = decision_labels(view, decisions, horizon_days=20)
    assert one["amount"].iloc[:2].tolist() == [9.0, 9.0]
    pd.testing.assert_frame_equal(
        one, decision_labels(view, decisions, horizon_days=np.full(3, 20.0))
    )
