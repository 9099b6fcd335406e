"""Small random portfolios in which every rule has something to say, and hand-made ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.journal.journal import Journal

#: grounds with their zones; None leaves the zone to the jurisdiction
GROUNDS = (
    ("US-NY", "America/New_York"),
    ("US-FL", None),
    ("US-AZ", "America/Phoenix"),
    ("US", None),
    ("CO", "America/Bogota"),
    ("CO", None),
    ("MX", "America/Mexico_City"),
    ("IN", "Asia/Kolkata"),
    ("AU", "Australia/Lord_Howe"),
    ("XX", None),
    ("XX", "Europe/Berlin"),
)
DAY_US = 86_400_000_000
INSTANT_COLUMNS = {
    "opened_at",
    "delinquent_since",
    "observed_at",
    "valid_from",
    "valid_to",
    "changed_at",
    "starts_at",
    "ends_at",
    "started_at",
    "outcome_at",
    "made_at",
    "due_at",
    "cancelled_at",
    "paid_at",
    "decided_at",
    "dispatched_at",
    "slot_start",
    "closed_at",
    "recalled_at",
    "occurred_at",
    "recorded_at",
    "sent_at",
    "ended_at",
}


def table(rows: list[dict[str, Any]], columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """A loaded contract table: instants in UTC microseconds."""
    frame = pd.DataFrame(rows, columns=None if rows else list(columns))
    for name in INSTANT_COLUMNS & set(frame.columns):
        stamps = [pd.NaT if x is None else pd.Timestamp(x) for x in frame[name]]
        stamps = [
            s.tz_localize("UTC") if s is not pd.NaT and s.tzinfo is None else s for s in stamps
        ]
        frame[name] = pd.Series(pd.to_datetime(stamps, utc=True)).astype("datetime64[us, UTC]")
    return frame


def view_of(tables: dict[str, list[dict[str, Any]]], as_of: str) -> Any:
    """Journal view of hand-made tables; customers and debts get what the contract requires."""
    full = {k: list(rows) for k, rows in tables.items()}
    for d in full.get("debts", []):
        d.setdefault("ownership", "third_party")
        for key, value in (
            ("product", "other"),
            ("creditor", "Bank"),
            ("currency", "USD"),
            ("principal", 100.0),
            ("opened_at", "2020-01-01"),
            ("delinquent_since", "2020-02-01"),
        ):
            d.setdefault(key, value)
    frames = {name: table(rows) for name, rows in full.items() if rows}
    return Journal(frames).as_of(as_of)


def simple(
    jurisdiction: str = "US-NY",
    time_zone: str | None = "America/New_York",
    *,
    ownership: str = "third_party",
    debts: tuple[str, ...] = ("A",),
    **more: list[dict[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
    """One customer with one point of each kind and a snapshot per debt."""
    tables: dict[str, list[dict[str, Any]]] = {
        "customers": [{"customer_id": "C", "jurisdiction": jurisdiction, "time_zone": time_zone}],
        "debts": [{"debt_id": d, "customer_id": "C", "ownership": ownership} for d in debts],
        "debt_snapshots": [
            {
                "debt_id": d,
                "observed_at": "2020-03-01",
                "balance": 100.0,
                "past_due": 50.0,
                "days_past_due": 30.0,
                "status": "open",
            }
            for d in debts
        ],
        "contact_points": [
            {
                "contact_point_id": k,
                "customer_id": "C",
                "kind": k,
                "place": "home",
                "valid_from": "2020-01-01",
            }
            for k in ("mobile", "email", "postal")
        ],
    }
    tables.update(more)
    return tables


def touch(
    at: str, channel: str = "call_agent", outcome: str = "no_answer", **more: Any
) -> dict[str, Any]:
    """A touch of customer C."""
    out = {
        "customer_id": "C",
        "started_at": at,
        "channel": channel,
        "outcome": outcome,
        "direction": "outbound",
        **more,
    }
    out.setdefault("touch_id", f"{at}-{channel}-{outcome}-{len(str(more))}")
    return out


def random_world(  # noqa: C901  (one reading, in one piece)
    seed: int,
    as_of: str,
    n: int = 8,
    *,
    ahead: bool = True,
    few: bool = False,
    grounds: tuple[tuple[Any, ...], ...] | None = None,
) -> dict[str, pd.DataFrame]:
    """Random tables around an instant.

    Parameters
    ----------
    grounds : tuple of (jurisdiction, time zone[, locality]), optional
        Where the customers are; then notices, arrangements and further parties come too.
    ahead : bool
        Also holds that begin in the window, agreed windows, named hours and open plans.
    few : bool
        Fewer standing facts, so that counting rules decide.
    """
    rng = np.random.default_rng(seed)
    now = pd.Timestamp(as_of).value // 1000
    rare = 0.25 if few else 1.0

    def when(days: float, late: float = 0.0) -> pd.Timestamp:
        us = now - int(rng.uniform(-late, days) * DAY_US)
        if rng.random() < 0.5:
            us = us // (1800 * 10**6) * (1800 * 10**6)
        return pd.Timestamp(us, unit="us", tz="UTC")

    def some(share: float) -> bool:
        return bool(rng.random() < share)

    def pick(*words: Any) -> Any:
        return words[int(rng.integers(len(words)))]

    t: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in (
            "customers",
            "debts",
            "debt_snapshots",
            "contact_points",
            "touches",
            "touch_debts",
            "touch_events",
            "consents",
            "holds",
            "promises",
            "payments",
            "decisions",
        )
    }
    for i in range(n):
        who = f"C{i}"
        ground, zone, *town = pick(*(grounds or GROUNDS))
        t["customers"].append(
            {
                "customer_id": who,
                "jurisdiction": None if some(0.03) else ground,
                "time_zone": zone if some(0.8) else None,
                "locality": town[0] if town else None,
                "language": pick("en", "es-CO", None),
            }
        )
        debts = [f"D{i}{k}" for k in range(int(rng.choice([0, 1, 2, 3], p=[0.05, 0.5, 0.3, 0.15])))]
        for d in debts:
            t["debts"].append(
                {
                    "debt_id": d,
                    "customer_id": who,
                    "product": "other",
                    "creditor": pick("X", "Y"),
                    "ownership": pick("first_party", "third_party", "debt_buyer", None),
                    "currency": "USD",
                    "principal": 9.0,
                    "opened_at": when(400, -300),
                    "delinquent_since": when(200, -100),
                    "closed_at": when(30) if some(0.05 * rare) else None,
                    "recalled_at": None,
                    "margin_share": pick(None, 0.2, 0.9),
                    "book": pick(None, "b1"),
                }
            )
            if some(0.97):
                t["debt_snapshots"].append(
                    {
                        "debt_id": d,
                        "observed_at": when(9, -1),
                        "balance": 90.0,
                        "past_due": float(rng.integers(1, 50)),
                        "days_past_due": float(pick(0, 5, 40, 99) if some(0.2 * rare) else 40),
                        "status": pick(*v.DEBT_STATUSES) if some(0.2 * rare) else "open",
                    }
                )
            if some(0.1 * rare):
                t["promises"].append(
                    {
                        "promise_id": f"R{d}",
                        "debt_id": d,
                        "made_at": when(9),
                        "due_at": when(5, 5),
                        "amount": 5.0,
                        "cancelled_at": when(2) if some(0.2) else None,
                    }
                )
            if some(0.1):
                t["payments"].append(
                    {
                        "payment_id": f"Y{d}",
                        "debt_id": d,
                        "paid_at": when(9),
                        "amount": float(rng.integers(1, 60)),
                    }
                )
        points = []
        for kind in ("mobile", "mobile", "landline", "email", "postal"):
            if some(0.75):
                points.append(f"P{i}{len(points)}")
                t["contact_points"].append(
                    {
                        "contact_point_id": points[-1],
                        "customer_id": who,
                        "kind": kind,
                        "place": pick("home", "home", "home", "work", "unknown"),
                        "quality_share": pick(None, 0.2, 0.5, 0.9),
                        "time_zone": pick("America/Los_Angeles", "Europe/London", "Asia/Kolkata")
                        if some(0.1)
                        else None,
                        "jurisdiction": pick("US-CA", "CO", "ES") if some(0.05) else None,
                        "holder": pick("third_party", "unknown")
                        if some(0.1 * rare)
                        else pick("customer", None),
                        "address_key": f"s{rng.integers(n // 4 + 1)}"
                        if some(0.04)
                        else pick(f"k{i}", None),
                        "valid_from": when(300, -100),
                        "valid_to": when(50, 50) if some(0.1) else None,
                    }
                )
        for k in range(int(rng.integers(0, 14))):
            touch_id = f"T{i}{k}"
            outcome = (
                pick(*v.OUTCOMES)
                if some(0.3)
                else pick(
                    "no_answer", "voicemail", "busy", "delivered", "refused", "hung_up", "unknown"
                )
            )
            if outcome in v.HOLDING_OUTCOMES and some(1 - 0.3 * rare):
                outcome = "no_answer"
            t["touches"].append(
                {
                    "touch_id": touch_id,
                    "customer_id": who,
                    "debt_id": pick(*debts) if debts and some(0.4) else None,
                    "direction": pick("outbound", "outbound", "outbound", "inbound", None)
                    if some(0.5)
                    else "outbound",
                    "channel": pick(
                        "call_agent",
                        "call_agent",
                        "call_bot",
                        "sms",
                        "email",
                        "whatsapp",
                        "letter",
                        "portal",
                    ),
                    "started_at": when(pick(2, 8, 35)),
                    "outcome": outcome,
                    "contact_point_id": pick(*points) if points and some(0.7) else None,
                    "collector": pick(None, None, "us", "other"),
                }
            )
            if debts and some(0.2):
                t["touch_debts"] += [{"touch_id": touch_id, "debt_id": d} for d in debts[:2]]
            if some(0.05):
                t["touch_events"].append(
                    {
                        "touch_id": touch_id,
                        "occurred_at": when(2),
                        "event": pick("opened", "opted_out"),
                        "machine": some(0.5),
                    }
                )
        for channel in ("call_agent", "call_bot", "sms", "email", "whatsapp"):
            for _ in range(int(rng.integers(0, 3))):
                t["consents"].append(
                    {
                        "customer_id": who,
                        "channel": channel,
                        "changed_at": when(pick(5, 62, 200)),
                        "contact_point_id": pick(*points) if points and some(0.3) else None,
                        "status": "revoked" if some(0.12) else "granted",
                    }
                )
        for k in range(int(rng.poisson(0.6 * rare))):
            t["holds"].append(_hold(f"H{i}{k}", who, debts, points, when, some, pick, ahead=ahead))
        if ahead and some(0.3):
            decided = when(0.9)
            t["decisions"].append(
                {
                    "decision_id": f"X{i}",
                    "decided_at": decided,
                    "customer_id": who,
                    "channel": pick("call_agent", "sms", "wait"),
                    "propensity": 0.5,
                    "slot_start": when(0.5, 2.5) if some(0.8) else None,
                    "dispatch_status": pick("pending", None, "vendor_error"),
                }
            )
    if grounds:
        t |= _papers(t, when, some, pick)
    return {name: table(rows) for name, rows in t.items() if rows}


def _papers(t: dict[str, list[dict[str, Any]]], when: Any, some: Any, pick: Any) -> dict[str, Any]:
    """Notices, arrangements and further parties of some debts."""
    out: dict[str, list[dict[str, Any]]] = {"notices": [], "arrangements": [], "debt_parties": []}
    people = [c["customer_id"] for c in t["customers"]]
    for i, d in enumerate(t["debts"]):
        for k in range(2 if some(0.5) else 0):
            out["notices"].append(
                {
                    "notice_id": f"N{i}{k}",
                    "customer_id": d["customer_id"],
                    "debt_id": d["debt_id"] if some(0.6) else None,
                    "kind": pick(
                        "written_notice", "payment_demand", "written_notice", "validation"
                    ),
                    "sent_at": when(pick(4, 9, 60)),
                    "channel": pick("letter", "letter", "email", None),
                }
            )
        if some(0.15):
            out["arrangements"].append(
                {
                    "arrangement_id": f"A{i}",
                    "debt_id": d["debt_id"],
                    "starts_at": when(20, 5),
                    "frequency": "weekly",
                    "instalment": pick(1.0, 50.0),
                    "n_instalments": 6,
                    "ended_at": when(2) if some(0.2) else None,
                    "end_reason": None,
                }
            )
        if some(0.1):
            out["debt_parties"].append(
                {
                    "debt_id": d["debt_id"],
                    "customer_id": pick(*people),
                    "role": pick("representative", "heir", "guarantor", "co_obligor"),
                    "valid_from": when(90),
                    "valid_to": when(5, 5) if some(0.3) else None,
                }
            )
    return out


def _hold(
    name: str, who: str, debts: Any, points: Any, when: Any, some: Any, pick: Any, *, ahead: bool
) -> dict[str, Any]:
    kinds = (
        v.HOLD_KINDS
        if ahead
        else tuple(k for k in v.HOLD_KINDS if k not in ("inconvenient_time", "callback_agreed"))
    )
    start = when(20, 0.9 if ahead else 0.0)
    details = [None, None, "{}"]
    if ahead:
        details += [
            '{"start": "12:00", "end": "15:00", "days": ["MON", "tue", "SAT"]}',
            '{"place": "work"}',
            '{"start": "22:00", "end": "09:30"}',
            '{"refused": ["sms"]}',
            '{"only": ["email"]}',
            f'{{"from": "{when(0, 1).isoformat()}", "to": "{when(-1, 2).isoformat()}"}}',
        ]
    return {
        "hold_id": name,
        "customer_id": who,
        "kind": pick(*kinds),
        "debt_id": pick(*debts) if debts and some(0.3) else None,
        "channel": pick("sms", "call_agent", "call_bot") if some(0.2) else None,
        "contact_point_id": pick(*points) if points and some(0.2) else None,
        "starts_at": start,
        "ends_at": when(10, 10) if some(0.6) else None,
        "detail": pick(*details),
        "recorded_at": start if start.value // 1000 < 0 else when(20, 0.0),
    }
