"""Promises, debts, holds, consents, arrangements, decisions and labels by hand."""

import numpy as np
import pytest
from worlds import at, customers, debt, frame, journal, touch

from contactopt.errors import ContractError
from contactopt.journal import Journal, payment_labels
from contactopt.journal.local_time import to_us

DUE = at("03-11 03:59:59.999999")  # end of 10 March in New York


def promise(**more):
    given = {"promise_id": "R", "debt_id": "D", "made_at": at("03-01"), "due_at": DUE,
             "amount": 100.0}  # fmt: skip
    return {**given, **more}


def payment(payment_id, paid_at, amount, **more):
    return {
        "payment_id": payment_id, "debt_id": "D", "paid_at": paid_at, "amount": amount, **more
    }  # fmt: skip


def state(instant, *payments, grace=0, **more):
    tables = {"promises": frame(promise(**more)), "payments": frame(*payments)}
    found = journal(tables, promise_grace_days=grace).as_of(instant).promises
    return found["state"].tolist()[0]


def test_a_promise_is_open_until_its_day_and_grace_are_over():  # 003-17
    assert state(at("03-11 03:59")) == "open"
    assert state(at("03-11 04:00")) == "broken"
    assert state(at("03-13 12:00"), grace=3) == "open"
    assert state(at("03-14 04:00"), grace=3) == "broken"


def test_payments_keep_promises():
    early = payment("Y", at("03-05"), 100.0)
    assert state(at("03-04"), early) == "open"
    assert state(at("03-06"), early) == "kept"
    half = payment("Y", at("03-05"), 50.0)
    assert state(at("03-06"), half) == "open"
    assert state(at("03-12"), half) == "partial"
    assert state(at("04-01"), payment("Y", at("02-27"), 100.0)) == "broken"  # before it was made
    assert state(at("04-01"), payment("Y", at("03-12"), 100.0)) == "broken"
    assert state(at("04-01"), payment("Y", at("03-12"), 100.0), grace=2) == "kept"


def test_what_does_not_keep_a_promise():
    assert state(at("03-12"), payment("Y", at("03-05"), 100.0, kind="legal")) == "broken"
    assert state(at("03-12"), payment("Y", at("03-05"), 100.0, promise_id="other")) == "broken"
    bounced = payment("Y", at("03-05"), 100.0, reversed_at=at("03-20"))
    assert state(at("03-12"), bounced) == "kept"
    assert state(at("03-21"), bounced) == "broken"
    late = payment("Y", at("03-05"), 100.0, recorded_at=at("03-15"))
    assert state(at("03-12"), late) == "broken"
    assert state(at("03-15"), late) == "kept"


def test_a_cancelled_promise_is_cancelled_once_that_is_known():
    assert state(at("03-03"), cancelled_at=at("03-04")) == "open"
    assert state(at("03-04"), cancelled_at=at("03-04")) == "cancelled"
    paid = payment("Y", at("03-03"), 100.0)
    assert state(at("04-01"), paid, cancelled_at=at("03-04")) == "kept"


def snapshot(observed_at, dpd, past_due=200.0, **more):
    given = {"debt_id": "D", "observed_at": observed_at, "balance": 900.0, "past_due": past_due,
             "days_past_due": float(dpd), "status": "open"}  # fmt: skip
    return {**given, **more}


def owed(instant, *snapshots, payments=(), **more):
    tables = {"debts": frame(debt(**more)), "debt_snapshots": frame(*snapshots)}
    tables["payments"] = frame(*payments)
    return journal(tables).as_of(instant).debts.iloc[0]


def test_days_past_due_count_on_by_local_days():
    # 5 March 02:00 UTC is still 4 March in New York
    assert owed(at("03-05 02:00"), snapshot(at("03-01 12:00"), 28))["days_past_due"] == 31.0
    assert owed(at("03-05 12:00"), snapshot(at("03-01 12:00"), 28))["days_past_due"] == 32.0
    assert owed(at("03-05 12:00"), snapshot(at("03-01 12:00"), 0))["days_past_due"] == 0.0
    assert owed(at("03-05"), snapshot(at("03-01"), 28))["stage"] == "mid"
    assert owed(at("03-05"), snapshot(at("03-01"), 0))["stage"] == "current"


@pytest.mark.parametrize(
    ("dpd", "stage"),
    [(1, "early"), (30, "early"), (31, "mid"), (90, "mid"), (91, "late"), (180, "late"),
     (181, "charged_off")],
)  # fmt: skip
def test_stages(dpd, stage):
    assert owed(at("03-01"), snapshot(at("03-01"), dpd))["stage"] == stage


def test_without_a_snapshot_the_debt_row_tells_since_when():
    row = owed(at("03-03 12:00"))
    assert row["days_past_due"] == 31.0  # since 31 January, local
    assert np.isnan(row["past_due"]) and np.isnan(row["past_due_now"])
    row = owed(at("01-20 12:00"))
    assert np.isnan(row["days_past_due"]) and row["stage"] == "unknown"


def test_a_paid_debt_is_out_at_once():  # 003-12
    snap = snapshot(at("03-01"), 40)
    row = owed(at("03-06"), snap, payments=[payment("Y", at("03-05"), 150.0)])
    assert row["past_due_now"] == 50.0 and not row["paid_since_snapshot"]
    row = owed(at("03-06"), snap, payments=[payment("Y", at("03-05"), 200.0)])
    assert row["past_due_now"] == 0.0 and row["paid_since_snapshot"]
    assert row["days_past_due"] == 0.0 and row["stage"] == "current"
    before = owed(at("03-06"), snap, payments=[payment("Y", at("02-25"), 200.0)])
    assert before["past_due_now"] == 200.0  # the snapshot has it already


def test_a_late_correction_of_an_older_day_does_not_overtake():
    rows = [
        snapshot(at("03-01"), 10, recorded_at=at("03-20")),
        snapshot(at("03-10"), 20, recorded_at=at("03-11")),
    ]
    assert owed(at("03-25"), *rows)["balance"] == 900.0
    assert owed(at("03-25 12:00"), *rows)["days_past_due"] == 36.0  # 9 March, local
    assert np.isnan(owed(at("03-09"), *rows)["balance"])


def test_dates_to_come_are_not_known():
    row = owed(at("03-05"), charged_off_at=at("03-10"), closed_at=at("04-01"))
    assert str(row["charged_off_at"]) == "NaT" and str(row["closed_at"]) == "NaT"
    assert owed(at("03-10"), charged_off_at=at("03-10"))["stage"] == "charged_off"
    early = {"debts": frame(debt(opened_at=at("03-01")))}
    assert journal(early).as_of(at("02-28")).debts.empty


def hold(hold_id, starts_at, **more):
    return {
        "hold_id": hold_id, "customer_id": "C", "kind": "attorney", "starts_at": starts_at, **more
    }  # fmt: skip


def holds(instant, *rows):
    return journal({"holds": frame(*rows)}).as_of(instant).holds["hold_id"].tolist()


def test_holds_are_known_from_their_start_or_record():
    assert holds(at("03-01"), hold("H", at("03-02"))) == []
    assert holds(at("03-02"), hold("H", at("03-02"))) == ["H"]
    assert holds(at("03-02"), hold("H", at("03-02"), recorded_at=at("03-04"))) == []
    # on record, beginning inside the day that is planned
    soon = hold("H", at("03-02 18:00"), recorded_at=at("03-01"))
    assert holds(at("03-02 12:00"), soon) == ["H"]
    assert holds(at("02-28 12:00"), soon) == []


def test_a_holds_detail_is_an_object_or_a_fault():
    rows = frame(hold("H", at("03-01"), detail='{"hours": [9, 12]}'))
    assert journal({"holds": rows}).as_of(at("03-02")).holds["detail"][0] == {"hours": [9, 12]}
    rows = frame(hold("H", at("03-01"), detail="not json"))
    with pytest.raises(ContractError, match="not JSON"):
        _ = journal({"holds": rows}).as_of(at("03-02")).holds


def test_the_latest_consent_holds_and_a_revocation_wins_a_tie():
    def row(changed, status, point=None):
        return {"customer_id": "C", "channel": "sms", "changed_at": changed, "status": status,
                "contact_point_id": point}  # fmt: skip

    points = frame({"contact_point_id": "P", "customer_id": "C", "kind": "mobile",
                    "place": "home", "valid_from": at("01-01")})  # fmt: skip
    rows = frame(
        row(at("03-01"), "granted"),
        row(at("03-02"), "revoked"),
        row(at("03-02"), "granted"),
        row(at("03-01"), "granted", "P"),
    )
    tables = {"consents": rows, "contact_points": points}
    found = journal(tables).as_of(at("03-05")).consents
    assert found[["contact_point", "status"]].values.tolist() == [[-1, "revoked"], [0, "granted"]]
    found = journal(tables).as_of(at("03-01")).consents
    assert found["status"].tolist() == ["granted", "granted"]


def arrangement(instant, *payments, **more):
    given = {"arrangement_id": "A", "debt_id": "D", "starts_at": at("03-01 05:00"),
             "frequency": "weekly", "instalment": 10.0, "n_instalments": 3.0}  # fmt: skip
    tables = {"arrangements": frame({**given, **more}), "payments": frame(*payments)}
    return journal(tables).as_of(instant).arrangements.iloc[0]


def test_arrangements_fall_due_behind_and_finish():  # 004-12
    assert arrangement(at("03-01 12:00"))["state"] == "active"  # its first day is not over
    assert arrangement(at("03-02 12:00"))["state"] == "behind"
    assert arrangement(at("03-08 12:00"))["n_due"] == 1
    assert arrangement(at("03-09 12:00"))["n_due"] == 2
    assert arrangement(at("06-01"))["n_due"] == 3
    paid = [payment("Y", at("03-01 15:00"), 10.0)]
    assert arrangement(at("03-05"), *paid)["state"] == "active"
    assert arrangement(at("03-05"), payment("Y", at("03-01 15:00"), 30.0))["state"] == "finished"
    assert arrangement(at("03-05"), ended_at=at("03-04"))["state"] == "ended"
    assert arrangement(at("03-03"), ended_at=at("03-04"))["state"] == "behind"
    monthly = arrangement(at("04-02 12:00"), frequency="monthly", starts_at=at("01-31 12:00"))
    assert monthly["n_due"] == 3  # 31 January, 28 February, 31 March


def decisions(instant, *rows, touches=()):
    tables = {"decisions": frame(*rows), "touches": frame(*touches)}
    return journal(tables).as_of(instant).decisions.set_index("decision_id")


def decision(decision_id="N", **more):
    given = {"decision_id": decision_id, "decided_at": at("03-01 12:00"), "customer_id": "C",
             "channel": "sms", "propensity": 0.5, "slot_start": at("03-01 18:00")}  # fmt: skip
    return {**given, **more}


def test_open_plans_are_commitments():
    assert decisions(at("03-01 11:00"), decision()).empty
    assert decisions(at("03-01 13:00"), decision())["open"].tolist() == [True]
    done = touch("T", at("03-01 18:01"), "delivered", channel="sms", decision_id="N")
    found = decisions(at("03-01 19:00"), decision(), touches=[done])
    assert found["executed"].tolist() == [True] and found["open"].tolist() == [False]
    off_plan = {**done, "channel": "email"}
    assert decisions(at("03-01 19:00"), decision(), touches=[off_plan])["open"].tolist() == [True]
    # a day after the end of its hour a plan counts as not executed
    assert decisions(at("03-02 18:59"), decision())["open"].tolist() == [True]
    assert decisions(at("03-02 19:00"), decision())["open"].tolist() == [False]
    assert decisions(at("03-01 13:00"), decision(channel="wait"))["open"].tolist() == [False]


def test_a_suppressed_plan_is_no_commitment_once_that_is_known():
    row = decision(dispatch_status="suppressed_rule", dispatched_at=at("03-01 14:00"))
    assert decisions(at("03-01 13:00"), row)["open"].tolist() == [True]
    assert decisions(at("03-01 14:00"), row)["open"].tolist() == [False]
    sparse = {k: row[k] for k in ("decision_id", "decided_at", "customer_id", "channel")}
    found = decisions(at("03-01 13:00"), {**sparse, "propensity": 1.0})
    assert found["slot_end_us"].tolist() == [to_us(at("03-02 12:00"))]


START, LATER = at("03-01"), at("06-01")


def label(*payments, start=START, as_of=LATER, **settings):
    found = payment_labels(
        journal({"payments": frame(*payments)}), [0], [to_us(start)], horizon_days=30,
        as_of=as_of, **settings,
    )  # fmt: skip
    return found.iloc[0]


def test_labels_hold_the_whole_window():
    edge = [payment("A", at("03-01"), 1.0), payment("B", at("03-31"), 10.0)]
    found = label(*edge, payment("C", at("03-31 00:00:01"), 100.0))
    assert found["amount"] == 10.0 and found["paid"] and found["n_payments"] == 1
    assert found["first_delay_days"] == 30.0
    assert not label(payment("A", at("03-05"), 5.0, kind="legal"))["paid"]
    assert not label(payment("A", at("03-05"), 5.0, reversed_at=at("05-01")))["paid"]
    kept = label(payment("A", at("03-05"), 5.0, reversed_at=at("05-01")), as_of=at("04-30"))
    assert kept["amount"] == 5.0
    late = payment("A", at("03-05"), 5.0, recorded_at=at("05-01"))
    assert label(late, as_of=at("04-30"))["amount"] == 0.0


def test_labels_are_discounted_converted_and_mature():
    found = label(payment("A", at("03-31"), 100.0), discount_rate_yearly=0.1)
    assert found["amount"] == 100.0
    assert found["amount_discounted"] == pytest.approx(100.0 * 1.1 ** (-30 / 365))
    assert label(payment("A", at("03-31"), 100.0), rate_of=lambda c: 2.0)["amount"] == 200.0
    assert label(as_of=at("03-31"))["mature"] and not label(as_of=at("03-30 23:59"))["mature"]
    slow = Journal({"customers": customers("C")}, data_delay={"payments": 24.0})
    for instant, mature in ((at("03-31 23:59"), False), (at("04-01"), True)):
        found = payment_labels(slow, [0], [to_us(at("03-01"))], horizon_days=30, as_of=instant)
        assert found["mature"].tolist() == [mature]


def test_an_id_that_leads_nowhere_is_a_fault():
    with pytest.raises(ContractError, match=r"touches\.customer_id: 1 rows"):
        journal({"touches": frame(touch("T", at("03-01"), "busy", customer_id="X"))})


def test_an_empty_portfolio_has_empty_views():
    view = Journal({}).as_of(at("03-01"))
    for name in ("customers", "debts", "touches", "touch_debts", "touch_events", "promises",
                 "payments", "holds", "consents", "points", "notices", "parties", "arrangements",
                 "decisions"):  # fmt: skip
        assert len(getattr(view, name)) == 0, name
    assert view.as_of == at("03-01")
