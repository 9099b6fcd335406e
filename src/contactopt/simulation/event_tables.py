"""Tables of a world that grow with every day: touches, promises, payments, snapshots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from contactopt.contracts.vocabulary import FREQUENCIES, HOLD_KINDS, OUTCOMES
from contactopt.simulation.clock import DAY_US
from contactopt.simulation.columns import days, frame, ids, instants, words
from contactopt.simulation.incumbent import TEMPLATE_CHANNELS, template_name
from contactopt.simulation.money import SNAPSHOT_US
from contactopt.simulation.population import LANGUAGES
from contactopt.simulation.presets import WORLD_CHANNELS
from contactopt.simulation.record import Recorder
from contactopt.simulation.state import NEVER, State

__all__ = ["EVENT_TABLES", "earlier_snapshots", "event_table"]

_CHANNELS = (*WORLD_CHANNELS, "portal")
_HANDLED = ("agent", "bot", "automated", "customer")
#: who handles an attempt, by channel of `_CHANNELS`
_HANDLER = (0, 1, 2, 2, 2, 2, 1, 2, 0, 3)
_VENDORS = ("dial-house", "voice-bot", "text-hub", "post-office")
_VENDOR = (-1, 1, 2, 2, 2, 2, 2, 3, 0, -1)
_STATUS = ("open", "open", "in_plan", "cured", "settled", "closed")
_METHODS = ("card", "bank_transfer", "wallet", "cash", "portal")
#: kinds of holds that outcomes bring about, in the order of contacts.py; 9 is a digital complaint
_HOLDS = ("cease_communication", "dispute", "hardship", "vulnerable")
_DIGITAL_HOLD = 9
_BATCH_EPOCH = "incumbent"
_POLICY = "incumbent-1"
EVENT_TABLES = (
    "debt_snapshots",
    "consents",
    "holds",
    "touches",
    "touch_debts",
    "touch_events",
    "promises",
    "payments",
    "arrangements",
    "decisions",
)


def _templates() -> list[str]:
    return [template_name(c) for c in range(len(TEMPLATE_CHANNELS) * len(LANGUAGES) * 2)]


def event_table(
    name: str, state: State, record: Recorder, foreign: Sequence[str], since: int = 0
) -> pd.DataFrame:
    """Return the rows of an event table from row number ``since`` on.

    Parameters
    ----------
    foreign : sequence of str
        Decision ids that were handed in with actions, by their code.
    """
    source = "touches" if name == "touch_debts" else name
    rows = record.columns(source, since)
    if rows is None:
        rows = _no_rows(source)
    rows = _by_customer(rows, name, record)
    builder = globals()[f"_{name}"]
    return builder(rows, state, foreign) if name == "touches" else builder(rows, state)


def earlier_snapshots(state: State, record: Recorder, entered_on: int) -> pd.DataFrame:
    """Return the snapshots of day 0 of debts that entered on a day."""
    rows = record.columns("debt_snapshots", upto=len(state.debts.customer))
    if rows is None:
        return pd.DataFrame()
    new = state.debts.entry[rows["debt"]] == entered_on
    return _debt_snapshots({name: values[new] for name, values in rows.items()}, state)


def _by_customer(rows: dict[str, np.ndarray], name: str, record: Recorder) -> dict[str, np.ndarray]:
    """Sort rows by customer (or debt), then as they came: cheap here, dear once they are text."""
    if name == "touch_events":
        touches = record.columns("touches")
        owner = touches["customer"][rows["touch"]] if touches else rows["touch"]
        order = np.lexsort((rows["number"], rows["touch"], owner))
    else:
        owner = rows["debt"] if name in ("debt_snapshots", "arrangements") else rows["customer"]
        order = np.argsort(owner, kind="stable")
    return {column: values[order] for column, values in rows.items()}


def _no_rows(name: str) -> dict[str, np.ndarray]:
    """Columns of a table that has no rows yet."""
    return {column: np.zeros(0, np.int64) for column in (*_COLUMNS[name], "number")}


_COLUMNS: dict[str, tuple[str, ...]] = {
    "touches": (
        "customer", "debt", "channel", "inbound", "started_us", "outcome", "outcome_us",
        "responded", "point", "template", "decision", "duration_s", "late",
    ),
    "touch_events": ("touch", "us", "event", "machine"),
    "promises": ("customer", "debt", "made_us", "due", "amount", "touch"),
    "payments": (
        "customer", "debt", "paid_us", "amount", "kind", "method", "promise", "reversed_us", "late",
    ),
    "arrangements": ("debt", "starts", "instalment", "n_instalments", "ended"),
    "debt_snapshots": (
        "debt", "observed_us", "balance", "past_due", "days_past_due", "status", "next_due",
        "instalment",
    ),
    "consents": ("customer", "channel", "status", "changed_us"),
    "holds": ("customer", "kind", "starts_us", "ends_us"),
    "decisions": (
        "customer", "decided_us", "channel", "hour", "propensity", "template", "day",
    ),
}  # fmt: skip


def _touches(rows: dict[str, np.ndarray], state: State, foreign: Sequence[str]) -> pd.DataFrame:
    channel = rows["channel"]
    many = _names_many(rows, state)
    cost = np.append(np.asarray(state.preset.unit_cost), 0.0)[channel]
    template = words(_templates(), rows["template"])
    inbound = rows["inbound"].astype(bool)
    late = rows["late"].astype(bool)
    return frame(
        {
            "touch_id": ids("T", rows["number"]),
            "customer_id": ids("C", rows["customer"], 7),
            "debt_id": ids("B", np.where(many, -1, rows["debt"]), 7),
            "direction": words(("outbound", "inbound"), inbound.astype(int)),
            "channel": words(_CHANNELS, channel),
            "started_at": instants(rows["started_us"]),
            "outcome": words(OUTCOMES, rows["outcome"]),
            "outcome_at": instants(rows["outcome_us"]),
            "responded_at": instants(rows["outcome_us"], ~rows["responded"].astype(bool)),
            "contact_point_id": ids("P", rows["point"], 7),
            "template_id": template,
            "decision_id": _decision_ids(rows["decision"], foreign),
            "handled_by": words(_HANDLED, np.asarray(_HANDLER)[channel]),
            "vendor": words(_VENDORS, np.where(inbound, -1, np.asarray(_VENDOR)[channel])),
            "duration_s": rows["duration_s"].astype(np.float64),
            "cost": np.where(inbound, 0.0, cost),
            "recorded_at": instants(_next_extract(rows["outcome_us"]), ~late),
        }
    )


def _next_extract(us: np.ndarray) -> np.ndarray:
    """Instant of the first nightly extract after each instant: late rows are known from then."""
    return ((us - SNAPSHOT_US) // DAY_US + 1) * DAY_US + SNAPSHOT_US


def _decision_ids(codes: np.ndarray, foreign: Sequence[str]) -> pa.Array:
    """Incumbent decisions are numbered from 0, decisions handed in from -2 downwards."""
    own = ids("D", np.where(codes >= 0, codes, -1), 9)
    if not len(foreign) or not (codes <= -2).any():
        return own
    theirs = words(foreign, -2 - codes)
    return pa.compute.coalesce(own, theirs)  # type: ignore[attr-defined]


def _names_many(rows: dict[str, np.ndarray], state: State) -> np.ndarray:
    """Every tenth touch of customers with several debts is about several of them."""
    starts = state.debts.starts
    several = np.diff(starts)[rows["customer"]] > 1 if len(starts) > 1 else np.zeros(0, bool)
    return several & (rows["number"] % 10 == 0)


def _touch_debts(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    pick = np.flatnonzero(_names_many(rows, state))
    starts = state.debts.starts
    customer = rows["customer"][pick]
    count = starts[customer + 1] - starts[customer] if len(pick) else np.zeros(0, np.int64)
    touch = np.repeat(rows["number"][pick], count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    debt = np.repeat(starts[customer] if len(pick) else count, count) + step
    entered = state.debts.entry[debt] <= state.day
    return frame({"touch_id": ids("T", touch[entered]), "debt_id": ids("B", debt[entered], 7)})


def _touch_events(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    return frame(
        {
            "touch_id": ids("T", rows["touch"]),
            "occurred_at": instants(rows["us"]),
            "event": words(OUTCOMES, rows["event"]),
            "machine": rows["machine"].astype(bool),
        }
    )


def _promises(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    return frame(
        {
            "promise_id": ids("R", rows["number"]),
            "debt_id": ids("B", rows["debt"], 7),
            "made_at": instants(rows["made_us"]),
            "due_at": days(state.clock.utc_midnight_us(rows["due"])),
            "amount": rows["amount"].astype(np.float64),
            "touch_id": ids("T", rows["touch"]),
        }
    )


def _payments(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    reversed_us = rows["reversed_us"]
    # a reversal that lies ahead is nothing the tables could know
    ahead = reversed_us >= state.clock.utc_midnight_us(state.day)
    return frame(
        {
            "payment_id": ids("Y", rows["number"]),
            "debt_id": ids("B", rows["debt"], 7),
            "paid_at": instants(rows["paid_us"]),
            "amount": rows["amount"].astype(np.float64),
            "kind": words(("voluntary", "direct_debit"), rows["kind"]),
            "method": words(_METHODS, rows["method"]),
            "promise_id": ids("R", rows["promise"]),
            "reversed_at": instants(reversed_us, (reversed_us < 0) | ahead),
            "recorded_at": instants(_next_extract(rows["paid_us"]), ~rows["late"].astype(bool)),
        }
    )


def _arrangements(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    a = len(rows["number"])
    ended = rows["ended"]
    over = (ended >= 0) & (ended < state.day)
    return frame(
        {
            "arrangement_id": ids("A", rows["number"]),
            "debt_id": ids("B", rows["debt"], 7),
            "starts_at": days(state.clock.utc_midnight_us(rows["starts"])),
            "frequency": words(FREQUENCIES, np.full(a, FREQUENCIES.index("monthly"))),
            "instalment": rows["instalment"].astype(np.float64),
            "n_instalments": rows["n_instalments"].astype(np.float64),
            "ended_at": instants(state.clock.utc_midnight_us(np.where(over, ended, 0)), ~over),
            "end_reason": words(("broken",), np.where(over, 0, -1)),
        }
    )


def _debt_snapshots(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    known = state.debts.entry[rows["debt"]] <= state.day
    rows = {name: values[known] for name, values in rows.items()}
    no_due = rows["next_due"] >= NEVER
    return frame(
        {
            "debt_id": ids("B", rows["debt"], 7),
            "observed_at": instants(rows["observed_us"]),
            "balance": rows["balance"].astype(np.float64),
            "past_due": rows["past_due"].astype(np.float64),
            "days_past_due": rows["days_past_due"].astype(np.float64),
            "status": words(_STATUS, rows["status"]),
            "next_due_at": days(
                state.clock.utc_midnight_us(np.where(no_due, 0, rows["next_due"])), no_due
            ),
            "instalment": rows["instalment"].astype(np.float64),
        }
    )


def _consents(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    return frame(
        {
            "customer_id": ids("C", rows["customer"], 7),
            "channel": words(_CHANNELS, rows["channel"]),
            "changed_at": instants(rows["changed_us"], np.zeros(len(rows["number"]), bool)),
            "status": words(("granted", "revoked"), (rows["status"] < 0).astype(int)),
        }
    )


def _holds(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    kind, starts = rows["kind"], rows["starts_us"]
    table = np.array([HOLD_KINDS.index(k) for k in _HOLDS])
    own = kind >= 100  # holds of day 0 carry their vocabulary code + 100
    digital = kind == _DIGITAL_HOLD
    code = np.where(own, kind - 100, table[np.clip(kind, 0, len(_HOLDS) - 1)])
    code = np.where(digital, HOLD_KINDS.index("do_not_contact"), code)
    return frame(
        {
            "hold_id": ids("H", rows["number"]),
            "customer_id": ids("C", rows["customer"], 7),
            "kind": words(HOLD_KINDS, code),
            "starts_at": instants(starts, np.zeros(len(starts), bool)),
            "ends_at": instants(rows["ends_us"]),
        }
    )


def _decisions(rows: dict[str, np.ndarray], state: State) -> pd.DataFrame:
    hour = rows["hour"]
    channel = np.where(rows["channel"] < 0, len(WORLD_CHANNELS), rows["channel"])
    last = int(rows["day"].max(initial=0))
    batches = [f"{_BATCH_EPOCH}-{state.clock.date_of(d).isoformat()}" for d in range(last + 1)]
    return frame(
        {
            "decision_id": ids("D", rows["number"], 9),
            "batch_id": words(batches, rows["day"]),
            "decided_at": instants(rows["decided_us"]),
            "customer_id": ids("C", rows["customer"], 7),
            "channel": words((*WORLD_CHANNELS, "wait"), channel),
            "slot_local_hour": pa.array(hour.astype(np.float64), mask=hour < 0),
            "template_id": words(_templates(), rows["template"]),
            "propensity": rows["propensity"].astype(np.float64),
            "policy_version": words([_POLICY], np.zeros(len(hour), np.int64)),
        }
    )
