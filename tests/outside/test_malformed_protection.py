"""A cease letter, revocation or dead point in a malformed row never leads to a plan row.

Every column of every table that protects, read from the contract; every way of being broken in
`malformed_rows`; as frames, as CSV and as a file that is broken itself. Each protected customer is
quarantined, refused with the whole portfolio, or planned without what the row protects from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outside.cold_line import cold, load
from outside.malformed_rows import (
    COLUMNS,
    OTHER,
    PROTECTIONS,
    SURE,
    Case,
    bystanders,
    case,
    cases,
    frames_of,
    leaks,
    loaded,
    of_nobody,
    open_actions,
    says_something_else,
    write_csv,
)
from outside.one_case_each import AS_OF, ago, clean, hold, merged, strategy, touch

from contactopt import ContactStrategy, Portfolio
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES
from contactopt.contracts.vocabulary import DEAD_POINT_OUTCOMES, HOLDING_OUTCOMES
from contactopt.errors import ContractError
from contactopt.plan import ContactPlan


@pytest.fixture(scope="module")
def cold_strategy() -> ContactStrategy:
    return cold(StrategyConfig.from_mapping(strategy()))


def plan_of(strategist: ContactStrategy, portfolio: Portfolio) -> ContactPlan:
    return strategist.rank(portfolio, as_of=AS_OF, random_state=1, batch_id="b")


def assert_no_leak(strategist: ContactStrategy, some: list[Case], portfolio: Portfolio) -> None:
    out = set(portfolio.quarantined_customers)
    assert not out & set(portfolio.customer_ids)
    plan = plan_of(strategist, portfolio)
    open_to = open_actions(plan)
    found = leaks(some, open_to)
    assert not found, f"{len(found)} leak(s):\n" + "\n".join(found[:20])
    drawn = plan.to_frame(k=100)
    assert not out & set(drawn["customer_id"])
    dead = {f"{k.customer}-mobile" for k in some if k.protection.name == "number dead"}
    dead |= {f"{k.customer}-email" for k in some if k.protection.name == "mail dead"}
    assert not dead & set(drawn["contact_point_id"].dropna())
    assert SURE in set(open_to["customer_id"])


# 002-01
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_broken_cell_of_a_frame_leads_to_contact(
    cold_strategy: ContactStrategy, table: str, column: str
) -> None:
    every = cases(table, text=False, column=column)
    assert len(every) > 100
    for some in ([k for k in every if of_nobody(k) is lost] for lost in (True, False)):
        for part, portfolio in loaded(some, lambda k: load(frames_of(k), 1.0)):
            assert_no_leak(cold_strategy, part, portfolio)


@pytest.mark.parametrize("table", sorted({t for t, _ in COLUMNS}))
def test_no_broken_cell_of_a_csv_file_leads_to_contact(
    cold_strategy: ContactStrategy, table: str, tmp_path: Path
) -> None:
    every = [k for k in cases(table, text=True) if k.protection.name in _IN_FILES]

    def read(some: list[Case]) -> Portfolio:
        return from_folder(write_csv(frames_of(some), tmp_path / "p"))

    for some in ([k for k in every if of_nobody(k) is lost] for lost in (True, False)):
        for part, portfolio in loaded(some, read):
            assert_no_leak(cold_strategy, part, portfolio)


_IN_FILES = ("cease", "debt held", "revoked", "point revoked", "number dead", "number given up")


def from_folder(folder: Path) -> Portfolio:
    return Portfolio.from_folder(folder, max_quarantined_share=1.0, extra_channels=("rcs",))


# ---- whole columns of another kind -------------------------------------------------------------

_KINDS: dict[str, Any] = {
    "float": 1.5,
    "truth": True,
    "naive": np.datetime64("2026-05-20T10:00", "us"),
    "nothing": np.nan,
}


@pytest.mark.parametrize("kind", [*_KINDS, "category"])
@pytest.mark.parametrize("name", ["point held", "point revoked", "number dead"])
def test_no_column_of_another_type_leads_to_contact(
    cold_strategy: ContactStrategy, name: str, kind: str
) -> None:
    p = next(p for p in PROTECTIONS if p.name == name)
    for column in TABLES[p.table].columns:
        one = case(p, column, kind, lambda c, column, row: None)
        frames = frames_of([one])
        frame = frames[p.table]
        if kind == "category":
            frame[column] = frame[column].astype("str").astype("category")
        else:
            frame[column] = pd.Series([_KINDS[kind]] * len(frame))
        for part, portfolio in loaded([one], lambda _, f=frames: load(f, 1.0)):
            assert not leaks(part, open_actions(plan_of(cold_strategy, portfolio)))


# ---- any value ---------------------------------------------------------------------------------

_ANY = st.one_of(
    st.text(max_size=12),
    st.text("0123456789-:TZ+. /", max_size=28),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.binary(max_size=4),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers() | st.none() | st.text(max_size=4)),
    st.dictionaries(
        st.sampled_from(["start", "end", "days", "from", "to", "refused", "only", "place"]),
        st.one_of(st.none(), st.text(max_size=3), st.integers(), st.lists(st.text(max_size=3))),
    ),
    st.none(),
)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # as many values as fit: nothing to shrink
    suppress_health_check=list(HealthCheck),
)
@given(values=st.lists(_ANY, min_size=len(COLUMNS) * 3, max_size=len(COLUMNS) * 3))
def test_no_value_whatever_leads_to_contact(
    cold_strategy: ContactStrategy, values: list[Any]
) -> None:
    some: list[Case] = []
    for i, value in enumerate(values):
        table, column = COLUMNS[i % len(COLUMNS)]
        own = [p for p in PROTECTIONS if p.table == table]
        p = own[i // len(COLUMNS) % len(own)]

        def damage(c: str, column: str, row: dict[str, Any], value: Any = value) -> None:
            row[column] = value

        if well_formed(p.name, column, value):
            continue
        some.append(case(p, column, repr(value), damage, f"c{i:04d}"))
    for group in ([k for k in some if of_nobody(k) is lost] for lost in (True, False)):
        for part, portfolio in loaded(group, lambda k: load(frames_of(k), 1.0)):
            assert_no_leak(cold_strategy, part, portfolio)


def well_formed(name: str, column: str, value: Any) -> bool:
    """Whether a value drawn at random is one the contract allows, and says another thing."""
    null = pd.api.types.is_scalar(value) and (pd.isna(value) or not str(value).strip())
    if says_something_else(next(p for p in PROTECTIONS if p.name == name), column, "null"):
        return null
    # hours that a customer asks to be spared, well-formed and others than those of the case
    return column == "detail" and name == "hours held" and isinstance(value, dict)


# ---- rows that contradict each other or somebody else's ----------------------------------------


def planned(strategist: ContactStrategy, *parts: Any) -> set[str]:
    """Customers with anything open to them; none where the portfolio is refused."""
    try:
        portfolio = load(merged([*bystanders(), *parts]), 1.0)
    except ContractError:
        return set()
    return set(open_actions(plan_of(strategist, portfolio))["customer_id"])


def test_one_hold_id_told_twice_keeps_both_customers_out(cold_strategy: ContactStrategy) -> None:
    a, b = clean("a"), clean("b")
    a["holds"].append({**hold("a", "cease_communication"), "hold_id": "same"})
    b["holds"].append({**hold("b", "preference"), "hold_id": "same", "ends_at": ago(1)})
    assert planned(cold_strategy, a, b) == {OTHER, SURE}


def test_an_end_told_twice_does_not_end_a_hold(cold_strategy: ContactStrategy) -> None:
    a = clean("a")
    a["holds"] += [hold("a", "attorney"), hold("a", "attorney", ends_at=ago(3))]
    assert planned(cold_strategy, a) == {OTHER, SURE}


def test_grant_and_revocation_of_one_instant(cold_strategy: ContactStrategy) -> None:
    a = clean("a")
    for status in ("granted", "revoked"):
        a["consents"].append(
            {"customer_id": "a", "channel": "sms", "changed_at": ago(2), "status": status}
        )
    assert "a" not in planned(cold_strategy, a)


@pytest.mark.parametrize(
    "link", [{"debt_id": f"{OTHER}-d1"}, {"contact_point_id": f"{OTHER}-mobile"}]
)
def test_a_hold_under_anothers_debt_or_point_protects_both(
    cold_strategy: ContactStrategy, link: dict[str, str]
) -> None:
    a = clean("a")
    a["holds"].append(hold("a", "cease_communication", **link))
    assert planned(cold_strategy, a) == {SURE}


def test_a_row_that_names_another_customer_protects_that_one(
    cold_strategy: ContactStrategy,
) -> None:
    a = clean("a")
    a["holds"].append({**hold("a", "cease_communication"), "customer_id": OTHER})
    assert planned(cold_strategy, a) == {"a", SURE}


@pytest.mark.parametrize(
    "ends", ["1999-01-01T00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-05-01"]
)
def test_a_hold_never_ends_before_it_begins(cold_strategy: ContactStrategy, ends: str) -> None:
    a = clean("a")
    a["holds"].append(hold("a", "deceased", ends_at=ends))
    assert "a" not in planned(cold_strategy, a)


@pytest.mark.parametrize("ends", ["1900-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_placeholder_for_both_ends_does_not_end_a_hold(
    cold_strategy: ContactStrategy, ends: str
) -> None:
    a = clean("a")
    a["holds"].append(hold("a", "deceased", starts_at="1900-01-01T00:00:00Z", ends_at=ends))
    assert "a" not in planned(cold_strategy, a)


@pytest.mark.parametrize("outcome", sorted({*HOLDING_OUTCOMES, *DEAD_POINT_OUTCOMES}))
@pytest.mark.parametrize(
    "broken", [{"debt_id": "nobody's"}, {"contact_point_id": "gone"}, {"duration_s": -1.0}]
)
def test_what_a_faulty_touch_told_is_not_forgotten(
    cold_strategy: ContactStrategy, outcome: str, broken: dict[str, Any]
) -> None:
    a = clean("a")
    a["touches"].append(touch("a", outcome, **{"contact_point_id": "a-mobile", **broken}))
    portfolio = load(merged([*bystanders(), a]), 1.0)
    assert list(portfolio.quarantined_customers) == ["a"]


def test_an_opt_out_among_faulty_events_is_not_forgotten() -> None:  # 002-11
    a, b = clean("a"), clean("b")
    for c, rows, event in (("a", a, "opted_out"), ("b", b, "opened")):
        rows["touches"].append(touch(c, "delivered", channel="sms"))
        when = "yesterday" if c == "a" else "soon"
        rows["touch_events"] = [{"touch_id": f"{c}-t", "occurred_at": when, "event": event}]
    frames = merged([*bystanders(), a, b])
    sound = {"touch_id": "sure-t", "occurred_at": "2026-05-31T14:00:00Z", "event": "delivered"}
    frames["touch_events"] = pd.concat([frames["touch_events"], pd.DataFrame([sound])])
    assert list(load(frames, 1.0).quarantined_customers) == ["a"]
