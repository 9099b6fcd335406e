"""Roll labels by hand: buckets, worst debt, windows that were not watched are no zeros."""

import pytest
from worlds import at, debt, frame, journal

from contactopt.journal import roll_labels
from contactopt.journal.local_time import to_us

START = at("03-01")


def snapshot(observed_at, dpd, debt_id="D", **more):
    given = {"debt_id": debt_id, "observed_at": observed_at, "balance": 900.0, "past_due": 200.0,
             "days_past_due": float(dpd), "status": "open"}  # fmt: skip
    return {**given, **more}


def label(*snapshots, debts=None, as_of="06-01", horizon=30):
    tables = {"debts": frame(*(debts or [debt()])), "debt_snapshots": frame(*snapshots)}
    found = roll_labels(
        journal(tables), [0], [to_us(START)], horizon_days=horizon, as_of=at(as_of)
    ).iloc[0]
    return found["bucket"], bool(found["rolled"]), bool(found["at_risk"]), bool(found["mature"])


BEFORE = snapshot(at("02-28"), 20)


@pytest.mark.parametrize(
    ("seen", "rolled"),
    [(snapshot(at("03-28"), 30), False), (snapshot(at("03-28"), 31), True),
     (snapshot(at("03-28"), 0), False), (snapshot(at("03-28"), 400), True)],
)  # fmt: skip
def test_a_roll_is_a_later_bucket_inside_the_window(seen, rolled):
    assert label(BEFORE, seen) == ("1-30", rolled, True, True)


def test_a_roll_that_is_cured_again_is_a_roll_and_one_after_the_window_is_none():
    assert label(BEFORE, snapshot(at("03-15"), 35), snapshot(at("03-30"), 0))[1]
    assert not label(BEFORE, snapshot(at("03-30"), 25), snapshot(at("04-02"), 55))[1]
    assert label(BEFORE, snapshot(at("03-30"), 25), snapshot(at("04-02"), 55), horizon=60)[1]


def test_windows_that_are_open_or_not_watched_are_not_mature_whatever_was_seen():
    late = snapshot(at("03-28"), 31)
    assert label(BEFORE, late, as_of="03-30") == ("1-30", True, True, False)
    assert not label(BEFORE)[3]
    assert label(BEFORE, snapshot(at("03-05"), 31)) == ("1-30", True, True, False)
    recorded = snapshot(at("03-28"), 31, recorded_at=at("07-01"))
    assert label(BEFORE, recorded) == ("1-30", False, True, False)


def test_the_bucket_is_that_of_the_worst_debt_brought_forward():
    old = snapshot(at("01-31"), 20)
    assert label(old, snapshot(at("03-28"), 50))[0] == "31-60"  # 49 days by then
    two = [debt(), debt("E")]
    worse = snapshot(at("02-28"), 75, "E")
    watched = (snapshot(at("03-28"), 45), snapshot(at("03-28"), 80, "E"))
    # D rolls into its own next bucket, which is not later than the customer's
    assert label(BEFORE, worse, *watched, debts=two) == ("61-90", False, True, True)
    assert not label(BEFORE, worse, watched[0], debts=two)[3]  # nobody watched E


def test_charge_off_rolls_and_ends_the_watch():
    charged = [debt(charged_off_at=at("03-10"))]
    assert label(BEFORE, debts=charged) == ("1-30", True, True, True)
    gone = [debt(charged_off_at=at("02-10"))]
    assert label(BEFORE, snapshot(at("03-28"), 50), debts=gone)[0] == "charged_off"
    assert not label(BEFORE, snapshot(at("03-28"), 50), debts=gone)[2]
    closed = [debt(closed_at=at("03-10"))]
    assert label(BEFORE, debts=closed) == ("1-30", False, True, True)


def test_no_pairs_and_no_debts():
    empty = journal({"debts": frame(debt())})
    none = roll_labels(empty, [], [], horizon_days=30, as_of=at("06-01"))
    assert len(none) == 0 and list(none) == ["rolled", "bucket", "at_risk", "mature"]
