"""Large contract tables for `bench_features.py`: random events, as many as are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from contactopt.contracts import vocabulary as v

START = pd.Timestamp("2025-01-01T00:00Z")
DAY_S = 86_400
SPAN_DAYS = 360
ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles", "America/Bogota")


def names(prefix: str, codes: Any) -> pd.Series:
    """Return ids as Arrow text, made from their distinct values once."""
    codes = np.asarray(codes, dtype=np.int64)
    n = int(codes.max(initial=-1)) + 1
    words = pa.array([f"{prefix}{k:08d}" for k in range(n)], type=pa.large_string())
    return pd.Series(words.take(pa.array(codes)), dtype="str")


def picked(words: Any, codes: Any) -> pd.Series:
    """Return words by code."""
    taken = pa.array(list(words), type=pa.large_string()).take(pa.array(np.asarray(codes)))
    return pd.Series(taken, dtype="str")


def stamps(seconds: Any) -> pd.Series:
    """Return instants from seconds after the start, NaN null."""
    seconds = np.asarray(seconds, dtype=np.float64)
    us = np.where(np.isnan(seconds), 0, seconds * 1e6).astype("int64")
    at = (START.as_unit("us").asm8.astype("int64") + us).view("datetime64[us]")
    at[np.isnan(seconds)] = np.datetime64("NaT")
    return pd.Series(at).dt.tz_localize("UTC")


def feature_tables(
    n_customers: int, *, n_touches: int, n_payments: int, random_state: int = 0
) -> dict[str, pd.DataFrame]:
    """Return tables of customers, 1.2 debts each with twelve monthly snapshots, and events."""
    rng = np.random.default_rng(random_state)
    n_debts = n_customers + n_customers // 5
    owner = np.append(np.arange(n_customers), rng.integers(0, n_customers, n_debts - n_customers))
    span = SPAN_DAYS * DAY_S
    delinquent = rng.integers(-100, SPAN_DAYS // 2, n_debts) * float(DAY_S)
    out = {
        "customers": pd.DataFrame(
            {
                "customer_id": names("C", np.arange(n_customers)),
                "jurisdiction": picked(("US-NY", "US-TX", "CO"), rng.integers(0, 3, n_customers)),
                "time_zone": picked(ZONES, rng.integers(0, 4, n_customers)),
                "language": picked(("en", "es"), rng.integers(0, 2, n_customers)),
                "kind": picked(("person",), np.zeros(n_customers, np.int64)),
            }
        ),
        "debts": pd.DataFrame(
            {
                "debt_id": names("D", np.arange(n_debts)),
                "customer_id": names("C", owner),
                "product": picked(v.PRODUCTS, rng.integers(0, len(v.PRODUCTS), n_debts)),
                "creditor": picked(("bank", "telco"), rng.integers(0, 2, n_debts)),
                "currency": picked(("USD",), np.zeros(n_debts, np.int64)),
                "principal": rng.lognormal(7, 1, n_debts).round(2),
                "opened_at": stamps(delinquent - 200.0 * DAY_S),
                "delinquent_since": stamps(delinquent),
            }
        ),
    }
    months = 12
    debt = np.repeat(np.arange(n_debts), months)
    month = np.tile(np.arange(months), n_debts) * 30.0 * DAY_S
    late = (month - delinquent[debt]) / DAY_S
    past_due = rng.lognormal(5, 1, len(debt)).round(2)
    out["debt_snapshots"] = pd.DataFrame(
        {
            "debt_id": names("D", debt),
            "observed_at": stamps(month),
            "balance": past_due * 3,
            "past_due": np.where(late > 0, past_due, 0.0),
            "days_past_due": np.maximum(late, 0.0).round(),
            "status": picked(("open",), np.zeros(len(debt), np.int64)),
            "instalment": past_due.round(0) + 1,
        }
    )
    out["touches"] = _touches(rng, n_customers, n_touches, span)
    paid = np.sort(rng.random(n_payments)) * span
    out["payments"] = pd.DataFrame(
        {
            "payment_id": names("Y", np.arange(n_payments)),
            "debt_id": names("D", rng.integers(0, n_debts, n_payments)),
            "paid_at": stamps(paid.round()),
            "amount": rng.lognormal(4, 1, n_payments).round(2),
            "kind": picked(v.PAYMENT_KINDS[:2], rng.integers(0, 2, n_payments)),
        }
    )
    made = rng.integers(0, SPAN_DAYS - 30, n_customers) * float(DAY_S)
    out["promises"] = pd.DataFrame(
        {
            "promise_id": names("R", np.arange(n_customers)),
            "debt_id": names("D", rng.integers(0, n_debts, n_customers)),
            "made_at": stamps(made),
            "due_at": stamps(made + 10.0 * DAY_S - 1e-6),
            "amount": rng.lognormal(4, 0.7, n_customers).round(2),
        }
    )
    point = np.arange(2 * n_customers)
    out["contact_points"] = pd.DataFrame(
        {
            "contact_point_id": names("P", point),
            "customer_id": names("C", point // 2),
            "kind": picked(("mobile", "email"), point % 2),
            "valid_from": stamps(np.full(len(point), -100.0 * DAY_S)),
        }
    )
    return out


def _touches(rng: Any, n_customers: int, n: int, span: float) -> pd.DataFrame:
    who = rng.integers(0, n_customers, n)
    started = np.sort(rng.random(n) * span).round()
    channels = ("call_agent", "call_bot", "sms", "email", "whatsapp")
    outcomes = ("no_answer", "delivered", "no_commitment", "promise", "refused", "replied")
    return pd.DataFrame(
        {
            "touch_id": names("T", np.arange(n)),
            "customer_id": names("C", who),
            "direction": picked(("outbound", "inbound"), (rng.random(n) < 0.1).astype(int)),
            "channel": picked(channels, rng.integers(0, len(channels), n)),
            "started_at": stamps(started),
            "outcome": picked(outcomes, rng.integers(0, len(outcomes), n)),
            "duration_s": np.where(rng.random(n) < 0.4, rng.exponential(90, n).round(), np.nan),
            "contact_point_id": names("P", who * 2 + rng.integers(0, 2, n)),
        }
    )
