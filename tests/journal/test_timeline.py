"""The conversation with one customer: complete, in order, and nothing known later."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.random_tables import random_tables
from worlds import at, frame, touch

import contactopt as co
from contactopt.cli import main
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES
from contactopt.errors import ContractError
from contactopt.journal import Journal
from contactopt.journal.timeline import KINDS, timeline_of

DELAYS = {"touches": 5.0, "payments": 30.0, "promises": 12.0, "consents": 7.0, "notices": 24.0}
CONFIG = StrategyConfig.from_mapping(
    {"data_delay": DELAYS, "orchestration": {"promise_grace_days": 2}}
)
#: the kinds that tell a row itself; the others tell what followed from one
OF_TABLE = {
    "debt": "debts", "debt_state": "debt_snapshots", "snapshot": "debt_snapshots",
    "party": "debt_parties", "contact_point": "contact_points", "consent": "consents",
    "hold": "holds", "notice": "notices", "touch": "touches", "touch_event": "touch_events",
    "promise": "promises", "payment": "payments", "arrangement": "arrangements",
    "decision": "decisions",
}  # fmt: skip


# ---- completeness ----------------------------------------------------------------------------


def more_tables(tables: dict[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """Add the tables that the random ones lack."""
    rng = np.random.default_rng(seed)
    debts = tables["debts"]["debt_id"].to_numpy(dtype=object)
    who = tables["customers"]["customer_id"].to_numpy(dtype=object)
    n = 3 * len(who)
    day = pd.to_timedelta(rng.integers(0, 110, n), unit="D")
    when = pd.Series(pd.Timestamp("2026-01-01", tz="UTC").as_unit("us") + day)
    ids = [f"N{k:05d}" for k in range(n)]
    late = (when + pd.to_timedelta(rng.integers(0, 90, n), unit="h")).where(rng.random(n) < 0.5)
    end = (when + pd.Timedelta(days=9)).where(rng.random(n) < 0.3)
    pick = rng.integers(0, len(debts), n)
    tables["notices"] = pd.DataFrame(
        {"notice_id": ids, "customer_id": rng.choice(who, n), "kind": "validation",
         "sent_at": when, "recorded_at": late}
    )  # fmt: skip
    tables["arrangements"] = pd.DataFrame(
        {"arrangement_id": ids, "debt_id": debts[pick], "starts_at": when, "frequency": "weekly",
         "instalment": 10.0, "n_instalments": 4.0, "ended_at": end, "recorded_at": late}
    )  # fmt: skip
    tables["decisions"] = pd.DataFrame(
        {"decision_id": ids, "decided_at": when, "customer_id": rng.choice(who, n),
         "channel": rng.choice(["sms", "wait", "letter"], n), "propensity": 0.25,
         "offer_id": "half", "recorded_at": late}
    )  # fmt: skip
    tables["debt_parties"] = pd.DataFrame(
        {"debt_id": debts, "customer_id": rng.choice(who, len(debts)), "role": "guarantor",
         "valid_from": when[: len(debts)]}
    )  # fmt: skip
    return tables


def known(tables, name: str, delays) -> pd.Series:
    """When each row is known, the slow way, by the words of the contract."""
    frame, event = tables[name], TABLES[name].event_time
    out = []
    for row in frame.to_dict("records"):
        recorded = row.get("recorded_at")
        if recorded is None or pd.isna(recorded):
            out.append(row[event] + pd.Timedelta(hours=delays.get(name, 0.0)))
        else:
            out.append(max(row[event], recorded))
    return pd.Series(out, index=frame.index, dtype="datetime64[us, UTC]")


def expected_keys(tables, customer: str, now, delays) -> dict[str, list[str]]:
    """Key of every row of every event table that is the customer's and known by now."""
    owner = tables["debts"].set_index("debt_id")["customer_id"]
    touches = tables["touches"].set_index("touch_id")
    known_touch = known(tables, "touches", delays).set_axis(touches.index)
    first_snapshot = known(tables, "debt_snapshots", delays).groupby(
        tables["debt_snapshots"]["debt_id"]
    ).min()  # fmt: skip
    out = {}
    for name, spec in TABLES.items():
        if spec.event_time is None:
            continue
        frame = tables[name]
        since = known(tables, name, delays)
        if spec.owner == "customer_id":
            mine = frame["customer_id"] == customer
        elif spec.owner == "debt_id":
            mine = frame["debt_id"].map(owner) == customer
        else:
            mine = frame["touch_id"].map(touches["customer_id"]) == customer
        if name == "touch_events":  # known with its touch, not before
            since = since.where(since >= frame["touch_id"].map(known_touch),
                                frame["touch_id"].map(known_touch))  # fmt: skip
        if name == "debts":  # a snapshot tells of a debt, too
            first = frame["debt_id"].map(first_snapshot)
            since = since.where(~(first < since), first)
        if name == "debt_parties":
            mine |= frame["customer_id"] == customer
        rows = frame[mine & (since <= now)]
        parts = [
            rows[c].map(lambda x: "-" if pd.isna(x) else
                        x.tz_localize(None).isoformat("T", "microseconds") + "Z"
                        if isinstance(x, pd.Timestamp) else str(x))
            for c in spec.key
        ]  # fmt: skip
        out[name] = sorted(" | ".join(k) for k in zip(*parts, strict=True))
    return out


def check_complete(tables, customer: str, found: pd.DataFrame, now, delays) -> int:
    rows = found[found["kind"].isin(list(OF_TABLE))]
    assert (rows["kind"].map(OF_TABLE) == rows["source"]).all()
    expected = expected_keys(tables, customer, now, delays)
    for name, keys in expected.items():
        assert sorted(rows.loc[rows["source"] == name, "source_id"]) == keys, name
    return len(rows)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120))
def test_every_known_row_is_one_line_and_nothing_is_known_later(seed: int, day: int) -> None:
    # 000-23
    tables = more_tables(random_tables(4, random_state=seed), seed)
    now = pd.Timestamp("2026-01-01T13:17Z") + pd.Timedelta(days=day)
    for customer in tables["customers"]["customer_id"][:2]:
        journal = Journal(tables, data_delay=DELAYS, promise_grace_days=2)
        timeline = timeline_of(journal, customer, now, CONFIG)
        found = timeline.to_frame()
        check_complete(tables, customer, found, now, DELAYS)
        assert not (found["known_at"] > now).any() and not (found["at_utc"] > now).any()
        assert not (found["at_utc"] > found["known_at"]).any()
        # order: time, kind, id
        order = [
            (t.value if t is not pd.NaT else -(2**63), KINDS.index(k), i)
            for t, k, i in found[["at_utc", "kind", "source_id"]].itertuples(index=False)
        ]
        assert order == sorted(order)
        json.dumps(timeline.to_dict(), allow_nan=False)


def test_rows_that_arrive_later_change_nothing_told_before() -> None:  # 000-23
    tables = more_tables(random_tables(3, random_state=5), 5)
    now = pd.Timestamp("2026-03-01T10:00Z")
    as_they_stand = ("customers", "debts", "contact_points", "touch_debts")
    past = {n: tables[n] if n in as_they_stand else f[known(tables, n, {}) <= now]
            for n, f in tables.items()}  # fmt: skip
    for name, later in (("payments", "reversed_at"), ("promises", "cancelled_at"),
                        ("arrangements", "ended_at")):  # fmt: skip
        past[name] = past[name].assign(**{later: past[name][later].mask(past[name][later] > now)})
    past["touch_events"] = past["touch_events"][
        past["touch_events"]["touch_id"].isin(past["touches"]["touch_id"])
    ]
    config = StrategyConfig()
    for customer in tables["customers"]["customer_id"]:
        whole = timeline_of(Journal(tables, promise_grace_days=3), customer, now, config)
        cut = timeline_of(Journal(past, promise_grace_days=3), customer, now, config)
        pd.testing.assert_frame_equal(whole.to_frame(), cut.to_frame())
        assert whole.state.to_dict() == cut.state.to_dict()


# ---- the portfolio's own way -----------------------------------------------------------------


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.Portfolio.from_frames(more_tables(random_tables(6, random_state=3), 3))


def test_portfolio_tells_the_same_as_the_journal(portfolio) -> None:
    now = pd.Timestamp("2026-03-15T12:00Z")
    journal = Journal(portfolio, promise_grace_days=3)
    for customer in portfolio.customer_ids[:3]:
        mine = portfolio.timeline(customer, now)
        whole = timeline_of(journal, customer, now, StrategyConfig())
        pd.testing.assert_frame_equal(mine.to_frame(), whole.to_frame())
        assert mine.state == whole.state
        assert check_complete(portfolio.tables, customer, mine.to_frame(), now, {}) == sum(
            mine.to_frame()["kind"].isin(list(OF_TABLE))
        )
        text, html = repr(mine), mine._repr_html_()
        assert customer in text and "<table>" in html and len(mine.brief().splitlines()) < 45


def test_a_contact_about_somebody_elses_debt(portfolio) -> None:
    """A guarantor is called about the main obligor's debt."""
    tables = dict(portfolio.tables)
    a, b = portfolio.customer_ids[:2]
    foreign = tables["debts"].set_index("customer_id").loc[[b], "debt_id"].iloc[0]
    row = frame(touch("X", at("02-01"), "no_answer", customer_id=a, debt_id=foreign))
    tables["touches"] = pd.concat([tables["touches"], row], ignore_index=True)
    with_it = co.Portfolio.from_frames(tables)
    found = with_it.timeline(a, at("03-01")).to_frame().set_index("source_id")
    assert found.loc["X", "debt_id"] == foreign
    assert "X" not in set(with_it.timeline(b, at("03-01")).to_frame()["source_id"])


def test_nothing_known_thousands_of_lines_and_strangers(portfolio) -> None:
    early = portfolio.timeline(portfolio.customer_ids[0], "2019-01-01T00:00Z")
    assert len(early) == 0 and early.state.last_step is None and "never" in repr(early)
    assert early.to_frame().columns.tolist()[:4] == ["at_utc", "at_local", "known_at", "kind"]
    assert early._repr_html_().count("<tr>") > 5
    many = random_tables(1, touches=4_000, payments=200, random_state=1)
    long = co.Portfolio.from_frames(many).timeline("C000000", "2026-05-01T00:00Z")
    assert len(long) > 5_000 and len(repr(long).splitlines()) < 90
    assert len(long._repr_html_()) < 200_000
    with pytest.raises(ContractError, match="not in the portfolio"):
        portfolio.timeline("nobody", "2026-03-01T00:00Z")
    with pytest.raises(ContractError, match="zone"):
        portfolio.timeline(portfolio.customer_ids[0], "2026-03-01")


def test_a_customer_in_quarantine_is_named_as_such(portfolio) -> None:
    tables = dict(portfolio.tables)
    holds = tables["holds"].copy()
    victim = holds["customer_id"].iloc[0]
    holds.loc[0, "kind"] = "no such kind"
    faulty = co.Portfolio.from_frames({**tables, "holds": holds}, max_quarantined_share=0.9)
    with pytest.raises(ContractError, match="quarantine"):
        faulty.timeline(victim, "2026-03-01T00:00Z")


def test_the_command_tells_it(portfolio, tmp_path: Path) -> None:
    folder = portfolio.to_folder(tmp_path / "portfolio")
    customer, out = portfolio.customer_ids[0], {}
    for more in ([], ["--json"]):
        stream = io.StringIO()
        argv = ["contactopt", "timeline", str(folder), "--customer", customer,
                "--as-of", "2026-03-01T00:00Z", *more]  # fmt: skip
        with (
            contextlib.redirect_stdout(stream),
            mock.patch.object(sys, "argv", argv),
            contextlib.suppress(SystemExit),
        ):
            main()
        out[bool(more)] = stream.getvalue()
    found = portfolio.timeline(customer, "2026-03-01T00:00Z")
    assert out[False].strip() == repr(found).strip()
    assert json.loads(out[True]) == found.to_dict()
