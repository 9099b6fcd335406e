"""Bad input of every kind: one error, every fault, no value of a customer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contract_tables import T0, days, small_tables

from contactopt.contracts import Portfolio
from contactopt.errors import ContractError

MARKER = "zz-marker-value"


def faults_of(tables, **options) -> set[tuple[str, str, str, int]]:
    with pytest.raises(ContractError) as caught:
        Portfolio.from_frames(tables, **options)
    return {(f.table, f.column, f.check, f.n_rows) for f in caught.value.faults}


@pytest.mark.parametrize(
    ("table", "column", "row", "bad", "check"),
    [
        ("touches", "channel", 0, "telepathy", "unknown word"),
        ("touches", "outcome", 0, "shrug", "unknown word"),
        ("touches", "duration_s", 0, -1.0, "too small or negative"),
        ("touches", "customer_id", 0, "C99", "not in customers"),
        ("touches", "debt_id", 0, "D99", "not in debts"),
        ("customers", "jurisdiction", 0, "Narnia", "malformed"),
        ("customers", "jurisdiction", 0, None, "is null"),
        ("customers", "time_zone", 0, "Mars/Olympus", "unknown word"),
        ("debts", "customer_id", 0, "C99", "not in customers"),
        ("debts", "currency", 0, "dollars", "malformed"),
        ("debts", "opened_at", 0, "2024-01-10 13:00", "time of day without a time zone"),
        ("debts", "opened_at", 0, "soon", "not an instant or day"),
        ("debts", "principal", 0, -5.0, "too small or negative"),
        ("debt_snapshots", "balance", 0, np.inf, "not a number"),
        ("payments", "amount", 0, 0.0, "not above zero"),
        ("payments", "amount", 0, -1.0, "not above zero"),
        ("payments", "promise_id", 0, "R99", "not in promises"),
        ("promises", "debt_id", 0, "D99", "not in debts"),
        ("promises", "due_at", 0, None, "is null"),
        ("contact_points", "quality_share", 0, 1.2, "not a share in [0, 1]"),
        ("contact_points", "time_zone", 0, "Mars/Olympus", "unknown word"),
        ("contact_points", "kind", 0, "pigeon", "unknown word"),
        ("consents", "channel", 0, "telepathy", "unknown word"),
        ("consents", "contact_point_id", 1, "P99", "not in contact_points"),
        ("consents", "contact_point_id", 1, "P2", "in contact_points of another customer"),
        ("holds", "debt_id", 0, "D99", "not in debts"),
        ("holds", "debt_id", 0, "D2", "in debts of another customer"),
        ("holds", "ends_at", 1, T0 - days(60), "ends before it starts"),
        ("holds", "detail", 1, "{half", "not a JSON object"),
        ("holds", "kind", 1, "whim", "unknown word"),
        ("touch_events", "event", 0, "levitated", "unknown word"),
    ],
)
def test_one_bad_value_is_one_fault(table, column, row, bad, check):
    tables = small_tables()
    tables[table][column] = tables[table][column].astype(object)
    tables[table].loc[row, column] = bad
    assert (table, column, check, 1) in faults_of(tables)


@pytest.mark.parametrize("table", ["customers", "debts", "touches", "payments", "holds"])
def test_every_differing_copy_of_an_id_is_faulty(table):
    tables = small_tables()
    copy = tables[table].iloc[[0]].copy()
    other = {"customers": "jurisdiction", "debts": "creditor", "payments": "amount"}.get(table)
    if other:
        copy[other] = "CO" if table == "customers" else 7.0 if table == "payments" else "shop"
    else:
        copy[{"touches": "started_at", "holds": "starts_at"}[table]] = T0 - days(77)
    tables[table] = pd.concat([tables[table], copy], ignore_index=True)
    key = tables[table].columns[0]
    assert (table, key, "duplicate", 2) in faults_of(tables)


def test_an_exact_copy_is_one_fault_and_the_first_stays():
    tables = small_tables()
    for name in ("customers", "holds", "touches", "payments", "consents"):
        tables[name] = pd.concat([tables[name], tables[name].iloc[[0]]], ignore_index=True)
    assert {f[3] for f in faults_of(tables)} == {1}
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert got.content_hash == Portfolio.from_frames(small_tables()).content_hash
    assert list(got.quarantine["check"]) == ["duplicate"] * 5


def test_naive_instants_are_a_fault_of_the_column_and_no_share_allows_it():
    tables = small_tables()
    naive = tables["touches"]["started_at"].dt.tz_localize(None)
    tables["touches"]["started_at"] = naive
    tables["payments"]["paid_at"] = ["2026-02-01 10:00:00", "2026-02-02T10:00:00"]
    tables["promises"]["made_at"] = [1_772_000_000]
    found = faults_of(tables, max_quarantined_share=1.0)
    assert found == {
        ("touches", "started_at", "naive instants: no time zone", 0),
        ("payments", "paid_at", "naive instants: no time zone", 0),
        ("promises", "made_at", "numbers instead of instants", 0),
    }


def test_one_naive_instant_among_others_is_a_faulty_row():
    tables = small_tables()
    tables["payments"]["paid_at"] = ["2026-02-01T10:00:00Z", "2026-02-02T10:00:00"]
    assert faults_of(tables) == {("payments", "paid_at", "naive instant: no time zone", 1)}


def test_missing_tables_and_columns_and_all_other_faults_come_at_once():  # 003-24
    tables = small_tables()
    del tables["consents"]
    del tables["touches"]["outcome"]
    tables["paymants"] = pd.DataFrame()
    tables["payments"].loc[0, "amount"] = -1.0
    assert faults_of(tables) == {
        ("consents", "", "missing table", 0),
        ("touches", "outcome", "missing column", 0),
        ("paymants", "", "unknown table", 0),
        ("payments", "amount", "not above zero", 1),
    }


def test_optional_tables_may_be_missing_and_come_out_empty():
    tables = small_tables()
    for name in ("touch_debts", "touch_events"):
        del tables[name]
    got = Portfolio.from_frames(tables)
    assert len(got.tables["touch_debts"]) == 0
    assert list(got.tables["decisions"].columns[:3]) == ["decision_id", "decided_at", "customer_id"]


def test_a_message_names_five_ids_and_no_value():
    tables = small_tables()
    touches = pd.concat([tables["touches"]] * 4, ignore_index=True)
    touches["touch_id"] = [f"T{k:02d}" for k in range(len(touches))]
    touches["channel"] = MARKER
    touches["outcome"] = MARKER
    tables["touches"] = touches
    tables["touch_debts"], tables["touch_events"] = pd.DataFrame(), pd.DataFrame()
    tables["promises"]["touch_id"] = None
    tables["customers"].loc[0, "jurisdiction"] = MARKER
    tables["consents"].loc[0, "channel"] = MARKER
    tables["consents"].loc[1, "contact_point_id"] = MARKER
    tables["holds"].loc[0, "customer_id"] = MARKER
    tables["holds"].loc[1, "detail"] = MARKER
    tables["debts"].loc[3, "currency"] = MARKER
    tables["payments"]["amount"] = tables["payments"]["amount"].astype(object)
    tables["payments"].loc[0, "amount"] = MARKER
    tables["contact_points"].loc[0, "time_zone"] = MARKER
    tables["debt_snapshots"]["observed_at"] = MARKER
    with pytest.raises(ContractError) as caught:
        Portfolio.from_frames(tables)
    error = caught.value
    assert MARKER not in str(error) + repr(error) + repr(error.faults)
    assert error.__cause__ is None and error.__suppress_context__ in (True, False)
    assert error.__context__ is None
    assert "touches.channel unknown word in 16 rows (T00, T01, T02, T03, T04)" in str(error)
    assert "T05" not in str(error)
    assert "T03, T04)" in str(error)


def test_the_hint_names_a_share_that_is_enough():
    tables = small_tables()
    tables["holds"].loc[0, "debt_id"] = "D99"
    with pytest.raises(ContractError, match=r"max_quarantined_share=0\.3334") as caught:
        Portfolio.from_frames(tables)
    assert "1 customer(s) in quarantine" in caught.value.message
    got = Portfolio.from_frames(tables, max_quarantined_share=0.3334)
    assert list(got.quarantined_customers) == ["C1"]
    with pytest.raises(ContractError):
        Portfolio.from_frames(tables, max_quarantined_share=0.33)


def test_channels_of_the_strategy_are_allowed_by_name():
    tables = small_tables()
    tables["touches"].loc[2, "channel"] = "rcs"
    assert ("touches", "channel", "unknown word", 1) in faults_of(tables)
    got = Portfolio.from_frames(tables, extra_channels=["rcs"])
    assert sorted(got.tables["touches"]["channel"]) == ["call_agent", "call_bot", "portal", "rcs"]


def test_what_is_no_frame_is_told():
    with pytest.raises(ContractError, match="given as dict"):
        Portfolio.from_frames({"customers": {}})
