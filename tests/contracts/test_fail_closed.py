"""Faulty rows that protect a customer take the customer out; faulty touches go on counting."""

from __future__ import annotations

import pandas as pd
import pytest
from contract_tables import small_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from contactopt.contracts import Portfolio
from contactopt.errors import ContractError

NAIVE = "2026-01-01T00:00:00"
BAD = {
    "holds": {
        "hold_id": [None, "H-copy"],
        "customer_id": [None, "nobody"],
        "kind": [None, "whim"],
        "debt_id": ["D99", "D3"],
        "channel": ["telepathy"],
        "contact_point_id": ["P99", "P3"],
        "starts_at": [None, NAIVE, "soon"],
        "ends_at": [NAIVE, "1999-01-01T00:00:00Z"],
        "detail": ["{half", "[1]"],
        "recorded_at": [NAIVE],
    },
    "consents": {
        "customer_id": [None, "nobody"],
        "channel": [None, "telepathy"],
        "changed_at": [None, NAIVE, "soon"],
        "contact_point_id": ["P99", "P3"],
        "status": [None, "maybe"],
        "recorded_at": [NAIVE],
    },
    "contact_points": {
        "contact_point_id": [None],
        "kind": [None, "pigeon"],
        "place": [None, "pub"],
        "quality_share": [-0.1, 1.5, "good"],
        "time_zone": ["Mars/Olympus"],
        "jurisdiction": ["Narnia"],
        "holder": ["dog"],
        "valid_from": [None, NAIVE],
        "valid_to": [NAIVE],
        "recorded_at": [NAIVE],
    },
}
CASES = [(t, c, v) for t, columns in BAD.items() for c, vs in columns.items() for v in vs]


def zoned(tables):
    """Write instants of the protecting tables as text, so that one cell alone can be wrong."""
    for name in BAD:
        for column, values in tables[name].items():
            if isinstance(values.dtype, pd.DatetimeTZDtype):
                texts = values.map(lambda v: None if pd.isna(v) else v.isoformat())
                tables[name][column] = texts.astype(object)
            else:
                tables[name][column] = values.astype(object)
    return tables


@settings(max_examples=25, deadline=None)
@given(case=st.sampled_from(CASES), row=st.integers(0, 5))
def test_no_corrupted_field_leaves_its_customer_in_the_portfolio(case, row):
    table, column, bad = case
    tables = zoned(small_tables())
    frame = tables[table]
    if column not in frame:
        frame[column] = None
        frame[column] = frame[column].astype(object)
    row %= len(frame)
    victim = frame.loc[row, "customer_id"]
    if bad == "H-copy":
        frame["hold_id"] = bad
    elif column in ("debt_id", "contact_point_id") and victim == "C3" and bad in ("D3", "P3"):
        return  # that is its own
    else:
        frame.loc[row, column] = bad
    try:
        got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    except ContractError as error:
        told = {(f.table, f.check) for f in error.faults if f.structural}
        assert told & {(table, "customer cannot be told")} or "naive" in str(told)
        return
    assert victim in got.quarantined_customers
    assert victim not in got.customer_ids
    for name, left in got.tables.items():
        if "customer_id" in left:
            assert victim not in set(left["customer_id"]), name
        if "debt_id" in left:
            assert not set(left["debt_id"].dropna()) & {"D" + victim[1:], "D1b"} or victim != "C1"


def test_a_hold_is_told_by_its_debt_where_the_customer_is_not():
    tables = small_tables()
    tables["holds"].loc[0, "customer_id"] = "nobody"
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(got.quarantined_customers) == ["C1"]


@pytest.mark.parametrize(("table", "row"), [("holds", 1), ("consents", 0)])
def test_no_share_allows_a_hold_or_consent_of_nobody(table, row):
    tables = small_tables()
    tables[table].loc[row, "customer_id"] = None
    with pytest.raises(ContractError, match="customer cannot be told"):
        Portfolio.from_frames(tables, max_quarantined_share=1.0)


def test_a_hold_on_somebody_elses_debt_takes_both_out_unless_a_party():
    tables = small_tables()
    tables["holds"].loc[1, "debt_id"] = "D3"
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(got.quarantined_customers) == ["C2", "C3"]
    tables["debt_parties"] = pd.DataFrame(
        {"debt_id": ["D3"], "customer_id": ["C2"], "role": ["guarantor"]}
    )
    assert list(Portfolio.from_frames(tables).customer_ids) == ["C1", "C2", "C3"]


@pytest.mark.parametrize(
    ("role", "party", "breaks_point", "out"),
    [
        ("heir", "nobody", False, ["C3"]),
        ("representative", "C2", True, ["C2", "C3"]),
        ("uncle", "C2", False, ["C3"]),  # nobody knows whether that is an heir
        ("guarantor", "C2", True, ["C2"]),
        ("guarantor", "nobody", False, []),
    ],
)
def test_whoever_loses_an_heir_or_representative_is_not_planned(role, party, breaks_point, out):
    tables = small_tables()
    tables["debt_parties"] = pd.DataFrame(
        {"debt_id": ["D3"], "customer_id": [party], "role": [role]}
    )
    if breaks_point:
        points = tables["contact_points"]
        points.loc[points["customer_id"] == "C2", "kind"] = "pigeon"
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(got.quarantined_customers) == out


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("outcome", "shrug"),
        ("debt_id", "D99"),
        ("contact_point_id", "P99"),
        ("duration_s", -4.0),
        ("direction", "sideways"),
    ],
)
def test_a_faulty_touch_stays_as_unknown(column, bad):
    tables = small_tables()
    tables["touches"].loc[0, column] = bad
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    touch = got.tables["touches"].set_index("touch_id").loc["T1"]
    assert touch["outcome"] == "unknown"
    assert touch["direction"] == "outbound"
    assert touch["channel"] == "call_agent"
    assert touch["started_at"] == tables["touches"].loc[0, "started_at"]
    if column in ("debt_id", "contact_point_id", "duration_s"):
        assert pd.isna(touch[column])
    assert got.n_customers == 3
    assert got.quarantine[["table", "key", "column"]].to_numpy().tolist() == [
        ["touches", "T1", column]
    ]


@pytest.mark.parametrize(
    ("column", "bad"), [("channel", "telepathy"), ("channel", None), ("started_at", None)]
)
def test_a_touch_that_cannot_be_counted_takes_its_customer_out(column, bad):
    tables = small_tables()
    tables["touches"].loc[0, column] = bad
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(got.quarantined_customers) == ["C1"]


def test_a_touch_of_nobody_is_told_by_its_debt():
    tables = small_tables()
    tables["touches"].loc[3, "customer_id"] = "nobody"
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(got.quarantined_customers) == ["C3"]


def test_touches_that_share_an_id_all_go_on_counting():
    tables = small_tables()
    again = tables["touches"].iloc[[3]].assign(channel="sms")
    tables["touches"] = pd.concat([tables["touches"], again], ignore_index=True)
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    of_c3 = got.tables["touches"].query("customer_id == 'C3'")
    assert sorted(of_c3["touch_id"]) == ["T4#1", "T4#2"]
    assert sorted(of_c3["channel"]) == ["call_bot", "sms"]
    assert set(of_c3["outcome"]) == {"unknown"}


def test_children_go_with_a_quarantined_row_but_attempts_stay():
    tables = small_tables()
    tables["holds"] = tables["holds"].iloc[[1]]
    tables["debts"].loc[0, "product"] = "dream"
    silent = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(silent.quarantined_customers) == ["C1"]  # their promise silences all debts
    tables["promises"], tables["payments"]["promise_id"] = tables["promises"].iloc[:0], None
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert got.n_customers == 3
    assert set(got.tables["debts"]["debt_id"]) == {"D1b", "D2", "D3"}
    assert "D1" not in set(got.tables["debt_snapshots"]["debt_id"])
    assert list(got.tables["payments"]["payment_id"]) == ["Y2"]
    assert list(got.tables["touch_debts"]["debt_id"]) == ["D1b"]
    touch = got.tables["touches"].set_index("touch_id").loc["T1"]
    assert (touch["outcome"], pd.isna(touch["debt_id"])) == ("unknown", True)


def test_a_hold_on_a_quarantined_debt_takes_the_customer_out():
    tables = small_tables()
    tables["debts"].loc[1, "product"] = "dream"
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert list(got.quarantined_customers) == ["C1"]


def test_the_outcome_does_not_depend_on_row_order():
    tables = small_tables()
    tables["touches"].loc[0, "debt_id"] = "D99"
    tables["debts"].loc[2, "product"] = "dream"
    again = tables["touches"].iloc[[3]].assign(channel="sms")
    tables["touches"] = pd.concat([tables["touches"], again], ignore_index=True)
    turned = {name: frame.iloc[::-1] for name, frame in tables.items()}
    one = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    two = Portfolio.from_frames(turned, max_quarantined_share=1.0)
    assert one.content_hash == two.content_hash
    pd.testing.assert_frame_equal(one.quarantine, two.quarantine)


def test_a_promise_outlives_a_link_that_leads_nowhere() -> None:
    """The touch may arrive tomorrow: the promise silences today. 003-17."""
    tables = small_tables()
    tables["promises"]["touch_id"] = "not here yet"
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    assert len(got.tables["promises"]) == len(tables["promises"])
    assert got.tables["promises"]["touch_id"].isna().all()
    assert set(got.quarantine["value"]) == {"not here yet"}


def test_an_unreadable_promise_takes_its_customer_out() -> None:
    tables = small_tables()
    tables["promises"]["due_at"] = None
    got = Portfolio.from_frames(tables, max_quarantined_share=1.0)
    debts = tables["debts"].set_index("debt_id")["customer_id"]
    owners = set(debts[tables["promises"]["debt_id"]].astype(str))
    assert owners and set(got.quarantined_customers) == owners
