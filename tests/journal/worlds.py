"""Small portfolios by hand for the journal's tests; instants are written without a year."""

from __future__ import annotations

import pandas as pd

from contactopt.journal import Journal

UTC = "UTC"


def at(text: str) -> pd.Timestamp:
    """An instant of 2026, for example ``at("03-01 10:00")``."""
    return pd.Timestamp(f"2026-{text}", tz="UTC").as_unit("us")


def frame(*rows: dict) -> pd.DataFrame:
    """A frame whose instants are datetime64[us, UTC], None null."""
    out = pd.DataFrame(list(rows))
    for name in out.columns:
        if name.endswith(("_at", "_since", "valid_from", "valid_to", "slot_start")):
            out[name] = pd.to_datetime(out[name], utc=True).dt.as_unit("us")
    return out


def customers(*ids: str, **more) -> pd.DataFrame:
    return pd.DataFrame([{"customer_id": c, "time_zone": "America/New_York", **more} for c in ids])


def debt(debt_id: str = "D", customer_id: str = "C", **more) -> dict:
    given = {
        "debt_id": debt_id,
        "customer_id": customer_id,
        "product": "credit_card",
        "creditor": "bank",
        "ownership": "first_party",
        "currency": "USD",
        "principal": 1000.0,
        "opened_at": at("01-01"),
        "delinquent_since": at("02-01"),
    }
    return {**given, **more}


def touch(touch_id: str, started_at: pd.Timestamp, outcome: str, **more) -> dict:
    given = {
        "touch_id": touch_id,
        "customer_id": "C",
        "channel": "call_agent",
        "direction": "outbound",
        "started_at": started_at,
        "outcome": outcome,
    }
    return {**given, **more}


def journal(tables: dict[str, pd.DataFrame], **settings) -> Journal:
    """Journal of customer C with debt D, plus the tables given."""
    given = {"customers": customers("C"), "debts": frame(debt())}
    return Journal({**given, **tables}, **settings)
