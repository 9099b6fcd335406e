"""Portfolios in which every customer but a few has exactly one thing that forbids contact."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

AS_OF = pd.Timestamp("2026-06-02T14:00:00Z")  # a Tuesday; morning in the Americas
CHANNELS = ("call_agent", "call_bot", "sms", "rcs", "whatsapp", "email", "letter", "visit")
SLOTS = (9, 10, 11, 14, 16, 17, 18)

Rows = dict[str, list[dict[str, Any]]]
#: which actions a case forbids: channel, local hour (-1 none), slot start (NaT none)
Forbidden = Callable[[str, int, pd.Timestamp], bool]

COLUMNS = {
    "customers": "customer_id jurisdiction",
    "debts": "debt_id customer_id product creditor ownership currency principal opened_at"
    " delinquent_since",
    "debt_snapshots": "debt_id observed_at balance past_due days_past_due status",
    "contact_points": "contact_point_id customer_id kind place valid_from",
    "consents": "customer_id channel changed_at status",
    "holds": "hold_id customer_id kind starts_at",
    "touches": "touch_id customer_id direction channel started_at outcome",
    "promises": "promise_id debt_id made_at due_at amount",
    "payments": "payment_id debt_id paid_at amount",
}


def strategy(**more: Any) -> dict[str, Any]:
    """Strategy settings: no control group, every channel, cautious where no pack is."""
    return {
        "channels": {c: ({"like": "sms"} if c == "rcs" else {}) for c in CHANNELS},
        "slots": list(SLOTS),
        "fallback": "cautious",
        "holdout_share": 0.0,
        "exploration": {"share": 0.9, "money_per_batch": 1e6, "floor": 1e-5},
        **more,
    }


def everything(channel: str, hour: int, start: pd.Timestamp) -> bool:
    """Every action."""
    return True


def only(*channels: str) -> Forbidden:
    """Every action of these channels."""
    return lambda channel, hour, start: channel in channels


def ago(days: float = 0.0, *, hours: float = 0.0) -> pd.Timestamp:
    return AS_OF - pd.Timedelta(days=days, hours=hours)


def clean(
    c: str, *, jurisdiction: str = "GT", zone: str | None = "America/Guatemala",
    ownership: str = "first_party", as_of: pd.Timestamp = AS_OF,
) -> Rows:  # fmt: skip
    """One customer with a late debt, three points and consent: who may be contacted."""
    long_ago = as_of - pd.Timedelta(days=20)
    return {
        "customers": [{"customer_id": c, "jurisdiction": jurisdiction, "time_zone": zone}],
        "debts": [debt(c, f"{c}-d1", ownership=ownership)],
        "debt_snapshots": [snapshot(f"{c}-d1", as_of)],
        "contact_points": [
            {
                **{"contact_point_id": f"{c}-{kind}", "customer_id": c, "kind": kind},
                **{"place": "home", "holder": "customer"},
                "valid_from": as_of - pd.Timedelta(days=800),
            }
            for kind in ("mobile", "email", "postal")
        ],
        "consents": [
            {"customer_id": c, "channel": ch, "changed_at": long_ago, "status": "granted"}
            for ch in CHANNELS
        ],
        **{name: [] for name in ("holds", "touches", "promises", "payments")},
    }


def debt(c: str, debt_id: str, *, ownership: str = "first_party", **more: Any) -> dict[str, Any]:
    return {
        **{"debt_id": debt_id, "customer_id": c, "product": "credit_card", "creditor": "bank"},
        **{"ownership": ownership, "currency": "USD", "principal": 2000.0},
        **{"opened_at": "2024-01-01", "delinquent_since": "2026-04-20", **more},
    }


def snapshot(debt_id: str, as_of: pd.Timestamp = AS_OF, **more: Any) -> dict[str, Any]:
    return {
        **{"debt_id": debt_id, "observed_at": as_of - pd.Timedelta(days=1), "balance": 1800.0},
        **{"past_due": 900.0, "days_past_due": 42, "status": "open", **more},
    }


def touch(c: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        **{"touch_id": f"{c}-t", "customer_id": c, "direction": "outbound"},
        **{"channel": "call_agent", "started_at": ago(10), "outcome": outcome, **more},
    }


def hold(c: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        **{"hold_id": f"{c}-h", "customer_id": c, "kind": kind, "starts_at": ago(30), **more},
    }


def merged(parts: Iterable[Rows]) -> dict[str, pd.DataFrame]:
    """Frames of the contract from the rows of many customers."""
    parts = list(parts)
    names = {**dict.fromkeys(COLUMNS), **{n: None for p in parts for n in p}}
    frames = {}
    for name in names:
        rows = [row for part in parts for row in part.get(name, [])]
        frame = pd.DataFrame(rows)
        for column in COLUMNS.get(name, "").split():
            if column not in frame:
                frame[column] = pd.Series(dtype=object)
        frames[name] = frame
    return frames
