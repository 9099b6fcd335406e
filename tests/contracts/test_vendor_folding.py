"""However a vendor's rows are ordered, repeated or cut into files, the tables are the same."""

from __future__ import annotations

import pandas as pd
import pytest
from contract_tables import T0, small_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vendor_files import DIALLER, GATEWAY, dialler_file, gateway_frame, with_keys

from contactopt.contracts import TABLES, Portfolio, VendorMapping, read_vendor_file
from contactopt.contracts import vocabulary as v
from contactopt.contracts.vendors.folding import fold_rows
from contactopt.contracts.vendors.loudness import LOUDNESS, outcome_rank
from contactopt.contracts.vendors.merging import additions, with_additions
from contactopt.errors import ContractError

RECEIPTS = VendorMapping.from_mapping(GATEWAY)
STATUSES = VendorMapping.from_mapping(
    {
        "table": "touches",
        "time_zone": "America/New_York",
        "columns": {
            "customer_id": "who",
            "started_at": "start",
            "outcome": "code",
            "outcome_at": "known",
            "duration_s": "s",
            "template_id": "tpl",
        },
        "constants": {"channel": "call_agent", "vendor": "dialler"},
        "codes": {"a": "no_answer", "p": "promise", "d": "dispute", "x": "asked_to_stop"},
        "id_from": ["call"],
    }
)
PAYMENTS = VendorMapping.from_mapping(
    {
        "table": "payments",
        "columns": {
            "debt_id": "loan",
            "paid_at": "at",
            "amount": "sum",
            "reversed_at": "back",
            "method": "how",
        },
        "constants": {"vendor": "bank"},
        "id_from": ["receipt"],
    }
)
QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def small() -> Portfolio:
    return Portfolio.from_frames(small_tables())


def minute(k: int) -> str:
    return (T0 + pd.Timedelta(minutes=k)).isoformat()


receipt_rows = st.lists(
    st.tuples(
        st.sampled_from(["m1", "m2", "m3"]),
        st.sampled_from(["C1", "C2"]),
        st.integers(0, 4).map(minute),
        st.sampled_from([*map(str, GATEWAY["codes"]), "strange"]),
    ),
    min_size=1,
    max_size=14,
).map(gateway_frame)
call_rows = st.lists(
    st.tuples(
        st.sampled_from(["k1", "k2", "k3"]),
        st.sampled_from(["C1", "C2"]),
        st.integers(0, 3).map(minute),
        st.sampled_from(["a", "p", "d", "x", "new", ""]),
        st.integers(4, 7).map(minute) | st.just(""),
        st.sampled_from(["", "3", "4.5"]),
        st.sampled_from(["", "t1", "t2"]),
    ),
    min_size=1,
    max_size=14,
).map(
    lambda rows: pd.DataFrame(rows, columns=["call", "who", "start", "code", "known", "s", "tpl"])
)
payment_rows = st.lists(
    st.tuples(
        st.sampled_from(["r1", "r2"]),
        st.sampled_from(["D1", "D2"]),
        st.integers(0, 2).map(minute),
        st.sampled_from(["1", "2.5"]),
        st.integers(3, 5).map(minute) | st.just(""),
        st.sampled_from(["", "cash", "card"]),
    ),
    min_size=1,
    max_size=10,
).map(lambda rows: pd.DataFrame(rows, columns=["receipt", "loan", "at", "sum", "back", "how"]))
any_file = st.one_of(
    st.tuples(st.just(RECEIPTS), receipt_rows),
    st.tuples(st.just(STATUSES), call_rows),
    st.tuples(st.just(PAYMENTS), payment_rows),
)


def after(
    portfolio: Portfolio, mapping: VendorMapping, *frames: pd.DataFrame, **known
) -> Portfolio:
    """Return a portfolio with files read into it one after the other."""
    for frame in frames:
        file = read_vendor_file(frame, mapping, portfolio=portfolio, **known)
        portfolio = portfolio.with_vendor_file(file)
    return portfolio


def theirs(portfolio: Portfolio) -> pd.DataFrame:
    """Return the touches of the dialler."""
    touches = portfolio.tables["touches"]
    return touches[touches["vendor"] == "dialler"]


def rows_after(portfolio: Portfolio, mapping: VendorMapping, *frames: pd.DataFrame, **known):
    """Return the tables with files read into them, without checking the portfolio each time."""
    tables = portfolio.tables
    for frame in frames:
        file = read_vendor_file(frame, mapping, portfolio=portfolio, **known)
        changes = additions(tables, file)
        tables = {**tables, **{n: with_additions(tables[n], c, n) for n, c in changes.items()}}
    return {
        n: tables[n].sort_values(list(TABLES[n].key), ignore_index=True)
        for n in (mapping.table, "touch_events")
    }


def assert_same(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    for name, frame in left.items():
        pd.testing.assert_frame_equal(right[name], frame)


# 003-04, 003-08, 003-27
@QUICK
@given(any_file, st.booleans(), st.data())
def test_any_two_overlapping_files_give_what_the_whole_gives(small, file, stamped, data):
    mapping, frame = file
    known = {"received_at": "2026-03-03T06:00Z"} if stamped else {}
    whole = rows_after(small, mapping, frame, **known)
    places = st.lists(st.sampled_from("abx"), min_size=len(frame), max_size=len(frame))
    where = pd.Series(data.draw(places))
    first, second = frame[where != "b"], frame[where != "a"]
    assert_same(rows_after(small, mapping, first, second, **known), whole)
    assert_same(rows_after(small, mapping, second, first, **known), whole)
    assert_same(rows_after(small, mapping, frame, first, **known), whole)


@QUICK
@given(any_file, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_copies_of_them_mean_nothing(small, file, random):
    mapping, frame = file
    order = list(range(len(frame))) * 2
    random.shuffle(order)
    whole = read_vendor_file(frame, mapping, portfolio=small)
    again = read_vendor_file(frame.iloc[order], mapping, portfolio=small)
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)


def test_the_same_file_on_another_day_adds_nothing(small, tmp_path):
    path = dialler_file(tmp_path / "calls.csv")
    mapping = VendorMapping.from_mapping(DIALLER)
    first = after(small, mapping, path, received_at="2026-03-04T06:00Z")
    assert len(first.tables["touches"]) == len(small.tables["touches"]) + 4
    assert after(first, mapping, path, received_at="2026-03-09T06:00Z") is first
    assert after(first, mapping, path) is first


def test_a_later_status_is_not_known_before_its_own_file(small):
    early = pd.DataFrame(
        [("k1", "C1", minute(0), "", "", "", "")],
        columns=["call", "who", "start", "code", "known", "s", "tpl"],
    )
    late = early.assign(code="p", known=minute(5), s="60")
    first = after(small, STATUSES, early, received_at="2026-03-03T06:00Z")
    both = after(first, STATUSES, late, received_at="2026-03-05T06:00Z")
    row = theirs(both).iloc[0]
    assert row["outcome_at"] == pd.Timestamp("2026-03-05T06:00Z")
    assert row["recorded_at"] == pd.Timestamp("2026-03-03T06:00Z")
    assert row["duration_s"] == 60
    # read in one go, what they say of the instant stands
    whole = after(small, STATUSES, pd.concat([early, late]), received_at="2026-03-05T06:00Z")
    row = theirs(whole).iloc[0]
    assert row["outcome_at"] == pd.Timestamp(minute(5))


def test_a_later_status_never_takes_back_a_protection(small):
    columns = ["call", "who", "start", "code", "known", "s", "tpl"]
    for first, second in (("x", "p"), ("d", "a"), ("p", "a")):
        rows = [("k", "C2", minute(0), c, minute(k), "", "") for k, c in enumerate((first, second))]
        one, two = pd.DataFrame(rows[:1], columns=columns), pd.DataFrame(rows[1:], columns=columns)
        now = theirs(after(small, STATUSES, one, two))
        assert list(now["outcome"]) == [STATUSES.codes["outcome"][first].word]


def test_a_code_that_gets_a_meaning_later_mends_the_touch(small, tmp_path):
    path = dialler_file(tmp_path / "calls.csv")
    codes = {**DIALLER["codes"], "Código raro": "dispute"}
    first = after(small, VendorMapping.from_mapping(DIALLER), path)
    mended = after(first, VendorMapping.from_mapping(with_keys(DIALLER, codes=codes)), path)
    assert len(mended.tables["touches"]) == len(first.tables["touches"])
    assert "dispute" in set(mended.tables["touches"]["outcome"])


def test_every_outcome_has_its_loudness():
    assert set(LOUDNESS) == set(v.OUTCOMES)
    loud = outcome_rank(v.HOLDING_OUTCOMES)
    assert loud.min() > outcome_rank([o for o in v.OUTCOMES if o not in v.HOLDING_OUTCOMES]).max()
    assert outcome_rank(["unknown"])[0] == 0
    assert outcome_rank(["no_answer", "delivered", "promise", "bounced"]).tolist() == sorted(
        outcome_rank(["no_answer", "delivered", "promise", "bounced"]).tolist()
    )


def test_ids_of_their_own_may_not_belong_to_two_customers(small):
    mapping = VendorMapping.from_mapping(
        with_keys(GATEWAY, columns={**GATEWAY["columns"], "touch_id": "message"}, id_from=None)
    )
    frame = gateway_frame([("m", "C1", minute(0), "sent"), ("m", "C2", minute(1), "sent")])
    with pytest.raises(ContractError, match=r"touch_id.* belong to several"):
        read_vendor_file(frame, mapping, portfolio=small)
    first = after(small, mapping, frame[:1])
    assert "m" in set(first.tables["touches"]["touch_id"])
    file = read_vendor_file(frame[1:], mapping, portfolio=first)
    with pytest.raises(ContractError, match="stand in the portfolio with another customer_id"):
        first.with_vendor_file(file)


def test_a_machine_flag_needs_every_row_to_say_so():
    rows = pd.DataFrame(
        {
            "touch_id": ["t", "t", "u"],
            "occurred_at": pd.DatetimeIndex([T0, T0, T0]).as_unit("us"),
            "event": "opened",
            "machine": [True, False, True],
            "recorded_at": pd.DatetimeIndex([None] * 3).tz_localize("UTC").as_unit("us"),
        }
    ).astype({"touch_id": "str", "event": "str"})
    folded, differ = fold_rows(rows, "touch_events")
    assert folded["machine"].tolist() == [False, True] and not differ
