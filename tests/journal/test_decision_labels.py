"""Two ledgers: window labels by decision (intention to treat), and money that counts once."""

from __future__ import annotations

import pandas as pd
import pytest
from worlds import at, frame, journal, touch

from contactopt.errors import ContractError
from contactopt.journal.decision_labels import decision_labels
from contactopt.journal.money_ledger import money_ledger

DECIDED = at("03-01 12:00")


def decision(decision_id: str = "d1", channel: str = "call_agent", **more) -> dict:
    given = {
        "decision_id": decision_id,
        "customer_id": "C",
        "decided_at": DECIDED,
        "channel": channel,
        "slot_start": at("03-01 15:00"),
    }
    return {**given, **more}


def payment(payment_id: str, paid_at, amount: float, **more) -> dict:
    return {
        "payment_id": payment_id,
        "debt_id": "D",
        "paid_at": paid_at,
        "amount": amount,
        "kind": None,
        **more,
    }


def labelled(*decisions: dict, as_of: str, touches=(), payments=()) -> pd.DataFrame:
    tables = {}
    if touches:
        tables["touches"] = frame(*touches)
    if payments:
        tables["payments"] = frame(*payments)
    view = journal(tables).as_of(at(as_of))
    return decision_labels(view, frame(*decisions), horizon_days=30)


def call(**more) -> dict:
    return touch("t1", at("03-01 15:10"), "no_answer", decision_id="d1", cost=1.5, **more)


@pytest.mark.parametrize(
    ("touches", "as_of", "state"),
    [
        ([call()], "03-02", "executed"),
        ([], "03-02", "open"),
        # until 24 hours past the end of the slot's hour
        ([], "03-02 15:59", "open"),
        ([], "03-02 16:00", "not_executed"),
        ([call(channel="sms")], "03-02", "off_plan"),
        ([{**call(), "started_at": at("03-03 15:00")}], "03-04", "off_plan"),
    ],
)
def test_what_became_of_a_decision(touches, as_of, state) -> None:
    assert labelled(decision(), as_of=as_of, touches=touches)["state"].tolist() == [state]


def test_waiting_is_carried_out_by_itself() -> None:
    wait = decision(channel="wait", slot_start=None)
    assert labelled(wait, as_of="03-05")["state"].tolist() == ["wait"]
    # somebody called under the id of a decision to wait
    assert labelled(wait, as_of="03-05", touches=[call()])["state"].tolist() == ["off_plan"]


def test_a_decision_not_carried_out_keeps_its_label() -> None:
    paid = [payment("p", at("03-10"), 40.0)]
    row = labelled(decision(), as_of="04-05", payments=paid).iloc[0]
    assert row["state"] == "not_executed"
    assert row["paid"]
    assert row["amount"] == 40.0
    assert row["mature"]


def test_label_is_the_whole_window_whoever_was_contacted_in_it() -> None:
    """Never cut at, split by or filtered on a later contact."""
    later = touch("t2", at("03-05"), "promise", decision_id="d2", channel="sms")
    paid = [
        payment("p1", at("03-03"), 10.0),
        payment("p2", at("03-20"), 25.0),
        payment("p3", at("04-02"), 99.0),
    ]
    second = decision("d2", "sms", decided_at=at("03-04 12:00"), slot_start=at("03-05"))
    both = labelled(decision(), second, as_of="05-01", touches=[call(), later], payments=paid)
    assert both["amount"].tolist() == [35.0, 124.0]
    assert both["promises"].tolist() == [0, 1]
    assert both["first_amount"].tolist() == [10.0, 25.0]


def test_open_windows_are_not_zeros_and_reversals_count_late() -> None:
    paid = [payment("p", at("03-10"), 40.0, reversed_at=at("05-01"))]
    early = labelled(decision(), as_of="03-05", payments=paid).iloc[0]
    assert (early["mature"], early["age_days"], early["amount"]) == (False, 3.5, 0.0)
    assert labelled(decision(), as_of="04-05", payments=paid)["amount"].item() == 40.0
    assert labelled(decision(), as_of="05-02", payments=paid)["amount"].item() == 0.0


def test_cost_and_harm_are_those_of_touches_that_bear_the_id() -> None:
    harmed = touch("t2", at("03-02"), "complained", decision_id="d1", channel="sms", cost=0.1)
    other = touch("t3", at("03-02"), "opted_out", channel="sms", cost=9.0)
    row = labelled(decision(), as_of="03-09", touches=[call(), harmed, other]).iloc[0]
    assert (row["cost"], row["complaints"], row["opt_outs"]) == (1.6, 1, 0)


def test_unknown_customers_are_told_and_doubled_ids_refused() -> None:
    row = labelled(decision(customer_id="X"), as_of="04-05").iloc[0]
    assert (row["customer"], row["mature"]) == (-1, False)
    with pytest.raises(ContractError, match="stand more than once: d1"):
        labelled(decision(), decision(), as_of="04-05")
    assert labelled(decision(), as_of="04-05").iloc[:0].empty


def test_money_counts_once_and_reversals_in_the_period_they_are_known() -> None:
    tables = {
        "payments": frame(
            payment("p1", at("03-03"), 10.0),
            payment("p2", at("03-04"), 25.0, reversed_at=at("03-20")),
            payment("p3", at("03-05"), 7.0, kind="legal"),
        ),
        "touches": frame(
            call(),
            touch("t2", at("03-12"), "complained", channel="sms", cost=0.5),
        ),
    }
    view = journal(tables).as_of(at("03-25"))
    ledger = money_ledger(view, since=at("03-01"), period_days=7, cost_per_complaint=20.0)
    assert ledger["period"].tolist() == [0, 1, 2]
    assert ledger["paid"].tolist() == [35.0, 0.0, 0.0]
    assert ledger["reversed"].tolist() == [0.0, 0.0, 25.0]
    assert ledger["cost"].tolist() == [1.5, 0.5, 0.0]
    assert ledger["harm"].tolist() == [0.0, 20.0, 0.0]
    assert ledger["contacts"].tolist() == [1, 1, 0]
    assert ledger["net"].tolist() == [33.5, -20.5, -25.0]
    # labels overlap: two decisions claim the same payment, the ledger has it once
    labels = decision_labels(view, frame(decision(), decision("d2")), horizon_days=30)
    assert labels["amount"].sum() == 2 * ledger["paid"].sum() - 2 * 25.0


def test_empty_tables_have_no_money() -> None:
    view = journal({}).as_of(at("03-25"))
    assert money_ledger(view, since=at("03-01")).empty


def test_a_window_is_watched_only_as_far_as_payments_are_known():
    paid = payment("p1", at("03-29 12:00"), 50.0)
    tables = {"payments": frame(paid).drop(columns="recorded_at", errors="ignore")}
    late = journal(tables, data_delay={"payments": 48.0})
    for as_of, age, mature in (("03-31 12:00", 28.0, False), ("04-02 12:00", 30.0, True)):
        labels = decision_labels(late.as_of(at(as_of)), frame(decision()), horizon_days=30)
        assert labels["age_days"].tolist() == [age]
        assert labels["mature"].tolist() == [mature]
