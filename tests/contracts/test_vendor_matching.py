"""Whose row it is: by address, by debt, by the only open debt; and rows of nobody."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest
from contract_tables import T0, days, small_tables

from contactopt.contracts import Portfolio, read_vendor_file

PHONE = "573001112233"
SHARED = "573009998877"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def small() -> Portfolio:
    tables = small_tables()
    points = tables["contact_points"]
    points["address_key"] = [sha(PHONE), sha("ana@example.org"), sha(SHARED), sha(SHARED)]
    return Portfolio.from_frames(tables)


def calls(numbers: list[str], outcomes: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tel": numbers,
            "at": [(T0 - days(k + 1)).isoformat() for k in range(len(numbers))],
            "code": outcomes or ["no_answer"] * len(numbers),
        }
    ).astype("str")


def by_address(**options: object) -> dict:
    return {
        "table": "touches",
        "columns": {"started_at": "at", "outcome": "code"},
        "constants": {"channel": "call_agent", "vendor": "v"},
        "match": {"address_key": "tel", **options},
    }


def test_numbers_are_hashed_and_their_signs_do_not_matter(small):
    spelt = [PHONE, "+57 300 111-2233", "(57) 300.111.2233", " Ana@Example.org "]
    file = read_vendor_file(calls(spelt), by_address(hash="sha256"), portfolio=small)
    touches = file.tables["touches"].sort_values("started_at", ascending=False)
    assert touches["customer_id"].tolist() == ["C1"] * 4
    assert touches["contact_point_id"].tolist() == ["P1", "P1", "P1", "P1e"]
    strict = read_vendor_file(calls(spelt), by_address(hash="sha256", strip=False), portfolio=small)
    assert strict.report.unmatched == 3
    keys = read_vendor_file(calls([sha(PHONE).upper()]), by_address(), portfolio=small)
    assert keys.tables["touches"]["customer_id"].tolist() == ["C1"]


def test_an_address_of_several_counts_for_each_of_them(small):
    frame = calls([SHARED, SHARED], ["promise", "opted_out"])
    file = read_vendor_file(frame, by_address(hash="sha256"), portfolio=small)
    touches = file.tables["touches"].sort_values(["customer_id", "started_at"])
    assert touches["customer_id"].tolist() == ["C2", "C2", "C3", "C3"]
    # who promised nobody knows; the stop holds for both
    assert touches["outcome"].tolist() == ["opted_out", "unknown"] * 2
    assert touches["contact_point_id"].tolist() == ["P2", "P2", "P3", "P3"]
    assert touches["touch_id"].is_unique and file.report.shared == 2
    assert not len(file.report.faults)
    once = small.with_vendor_file(file)
    again = read_vendor_file(frame, by_address(hash="sha256"), portfolio=once)
    assert once.with_vendor_file(again) is once


def test_who_had_the_address_then_is_who_is_meant():
    tables = small_tables()
    points = tables["contact_points"]
    points["address_key"] = "k"
    points["valid_from"] = [T0 - days(300), T0 - days(900), T0 - days(900), T0 - days(900)]
    points["valid_to"] = [None, T0 - days(900), T0 - days(300), T0 - days(800)]
    portfolio = Portfolio.from_frames(tables)
    frame = calls(["k", "k"])
    frame["at"] = [(T0 - days(10)).isoformat(), (T0 - days(400)).isoformat()]
    touches = read_vendor_file(frame, by_address(), portfolio=portfolio).tables["touches"]
    assert touches.sort_values("started_at")["customer_id"].tolist() == ["C2", "C1"]


def test_a_file_of_nobody_asks_for_the_hash(small):
    file = read_vendor_file(calls([PHONE]), by_address(), portfolio=small)
    assert "no row at all leads to a customer" in repr(file)


def test_touches_by_debt_and_by_contact_point(small):
    frame = calls(["D2", "D1b", "D9"])
    mapping = by_address()
    mapping["match"] = {"debt_id": "tel"}
    mapping["columns"] = {**mapping["columns"], "debt_id": "tel"}
    file = read_vendor_file(frame, mapping, portfolio=small)
    touches = file.tables["touches"].set_index("customer_id")
    assert touches["debt_id"].to_dict() == {"C2": "D2", "C1": "D1b"}
    assert file.report.unmatched == 1
    mapping = by_address()
    mapping["match"] = {"contact_point_id": "tel"}
    file = read_vendor_file(calls(["P1e"]), mapping, portfolio=small)
    row = file.tables["touches"].iloc[0]
    assert (row["customer_id"], row["contact_point_id"]) == ("C1", "P1e")


def test_a_payment_without_a_debt_goes_to_the_only_open_one(small):
    tables = dict(small.tables)
    tables["debts"] = tables["debts"].assign(
        closed_at=pd.Series([pd.NaT, T0 - days(20), pd.NaT, T0 - days(9)])
    )
    portfolio = Portfolio.from_frames(tables)
    rows = [
        ("C1", 5, "10"),  # only D1 is open by then
        ("C1", 30, "10"),  # two were
        ("C3", 5, "10"),  # closed before
        ("C3", 12, "10,5"),
        ("C2", 12, "0"),
        ("C2", 13, "7"),
        ("C8", 13, "7"),
    ]
    frame = pd.DataFrame(rows, columns=["who", "days", "sum"])
    frame["at"] = [(T0 - days(d)).isoformat() for d in frame["days"]]
    mapping = {
        "table": "payments",
        "read": {"decimal": ","},
        "columns": {"customer_id": "who", "paid_at": "at", "amount": "sum"},
        "constants": {"kind": "direct_debit", "vendor": "bank"},
    }
    file = read_vendor_file(frame, mapping, portfolio=portfolio)
    made = file.tables["payments"].sort_values("amount")
    assert made[["debt_id", "amount"]].values.tolist() == [["D2", 7.0], ["D1", 10.0], ["D3", 10.5]]
    assert set(made["kind"]) == {"direct_debit"} and made["payment_id"].is_unique
    told = file.report.quarantine[["row", "check"]].values.tolist()
    assert told == [
        [2, "customer has several open debts"],
        [3, "customer has no open debt then"],
        [5, "not above zero"],
        [7, "not in customers"],
    ]
    # with the debt in the file nothing is guessed
    frame["loan"] = ["D1", "D1b", "", "", "", "", ""]
    mapping["columns"]["debt_id"] = "loan"
    file = read_vendor_file(frame, mapping, portfolio=portfolio)
    assert "D1b" in set(file.tables["payments"]["debt_id"])


def test_a_promise_is_due_at_the_end_of_the_customers_day(small):
    frame = pd.DataFrame(
        {"loan": ["D2", "D1"], "made": "01/03/2026 10:00", "due": ["11/03/2026"] * 2, "sum": "50"}
    )
    mapping = {
        "table": "promises",
        "time_zone": "America/Bogota",
        "format": "%d/%m/%Y %H:%M",
        "columns": {"debt_id": "loan", "made_at": "made", "due_at": "due", "amount": "sum"},
    }
    file = read_vendor_file(frame, mapping, portfolio=small)
    due = file.tables["promises"].set_index("debt_id")["due_at"]
    last = pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
    assert due["D2"] == pd.Timestamp("2026-03-11", tz="America/Bogota") + last
    assert due["D1"] == pd.Timestamp("2026-03-11", tz="America/New_York") + last
    assert small.with_vendor_file(file).tables["promises"]["due_at"].isin(due).sum() == 2


def test_a_payment_of_a_kind_nobody_knows_is_not_taken(small):
    frame = pd.DataFrame({"d": ["D1", "D2"], "t": T0.isoformat(), "a": "5", "k": ["caja", "?"]})
    mapping = {
        "table": "payments",
        "columns": {"debt_id": "d", "paid_at": "t", "amount": "a", "kind": "k"},
        "codes": {"Caja": "voluntary"},
    }
    file = read_vendor_file(frame, mapping, portfolio=small)
    assert file.tables["payments"][["debt_id", "kind"]].values.tolist() == [["D1", "voluntary"]]
    assert file.report.faults.values.tolist() == [["kind", "unknown word", 1]]
