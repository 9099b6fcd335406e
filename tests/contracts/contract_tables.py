"""Raw tables for the tests of the contracts room: small ones by hand, large ones by seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

T0 = pd.Timestamp("2026-03-02T12:00:00Z")


def days(n) -> pd.Timedelta:
    return pd.Timedelta(days=n)


def small_tables() -> dict[str, pd.DataFrame]:
    """Three customers with a row of everything; C1 has all kinds, C3 shares nothing with them."""
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": ["C1", "C2", "C3"],
                "jurisdiction": ["US-NY", "CO", "US"],
                "time_zone": ["America/New_York", None, None],
                "birth_year": [1980.0, None, 1990.0],
                "x_score": [0.5, None, 1.5],
                "x_vip": [True, False, False],
                "x_grade": ["a", "b", None],
                "shoe_size": [40, 41, 42],
            }
        ),
        "debts": pd.DataFrame(
            {
                "debt_id": ["D1", "D1b", "D2", "D3"],
                "customer_id": ["C1", "C1", "C2", "C3"],
                "product": ["credit_card", "tax", "telecom", "other"],
                "creditor": "bank",
                "ownership": "first_party",
                "currency": ["USD", "USD", "COP", "USD"],
                "principal": [1000.0, 50.0, 2e6, 300.0],
                "opened_at": ["2024-01-10", "2024-01-10", "2023-05-05", "2022-07-01"],
                "delinquent_since": ["2026-01-15", "2026-02-01", "2025-12-01", "2026-02-20"],
            }
        ),
        "debt_snapshots": pd.DataFrame(
            {
                "debt_id": ["D1", "D1", "D1b", "D2", "D3"],
                "observed_at": [T0 - days(30), T0, T0, T0, T0],
                "balance": [900.0, 905.0, 50.0, 1.5e6, 280.0],
                "past_due": [100.0, 200.0, 50.0, 1e6, 30.0],
                "days_past_due": [16, 46, 29, 91, 10],
                "status": "open",
                "next_due_at": ["2026-03-15", "2026-03-15", None, "2026-03-20", "2026-03-07"],
            }
        ),
        "contact_points": pd.DataFrame(
            {
                "contact_point_id": ["P1", "P1e", "P2", "P3"],
                "customer_id": ["C1", "C1", "C2", "C3"],
                "kind": ["mobile", "email", "mobile", "mobile"],
                "place": ["home", "unknown", "work", "unknown"],
                "quality_share": [0.9, 0.5, None, 1.0],
                "time_zone": ["America/Chicago", None, None, None],
                "valid_from": T0 - days(600),
                "valid_to": [None, pd.Timestamp("9999-12-31T00:00:00Z"), None, None],
            }
        ),
        "consents": pd.DataFrame(
            {
                "customer_id": ["C1", "C1", "C2"],
                "channel": ["sms", "sms", "whatsapp"],
                "changed_at": [T0 - days(90), T0 - days(90), T0 - days(3)],
                "contact_point_id": [None, "P1", None],
                "status": ["granted", "revoked", "granted"],
            }
        ),
        "holds": pd.DataFrame(
            {
                "hold_id": ["H1", "H2"],
                "customer_id": ["C1", "C2"],
                "kind": ["dispute", "inconvenient_time"],
                "debt_id": ["D1b", None],
                "starts_at": [T0 - days(5), T0 - days(50)],
                "ends_at": [None, T0 + days(3)],
                "detail": [None, '{"from_hour": 8, "to_hour": 10}'],
            }
        ),
        "touches": pd.DataFrame(
            {
                "touch_id": ["T1", "T2", "T3", "T4"],
                "customer_id": ["C1", "C1", "C2", "C3"],
                "debt_id": ["D1", None, "D2", "D3"],
                "direction": ["outbound", "inbound", "outbound", "outbound"],
                "channel": ["call_agent", "portal", "sms", "call_bot"],
                "started_at": [T0 - days(9), T0 - days(8), T0 - days(2), T0 - days(1)],
                "outcome": ["promise", "visited", "delivered", "no_answer"],
                "contact_point_id": ["P1", None, "P2", "P3"],
                "duration_s": [120, None, None, 20],
                "cost": [1.5, None, 0.05, 0.1],
            }
        ),
        "touch_debts": pd.DataFrame({"touch_id": ["T2", "T2"], "debt_id": ["D1", "D1b"]}),
        "touch_events": pd.DataFrame(
            {
                "touch_id": ["T3", "T3"],
                "occurred_at": [T0 - days(2), T0 - days(1)],
                "event": ["delivered", "opened"],
                "machine": [None, True],
            }
        ),
        "promises": pd.DataFrame(
            {
                "promise_id": ["R1"],
                "debt_id": ["D1"],
                "made_at": [T0 - days(9)],
                "due_at": ["2026-03-08"],
                "amount": [100.0],
                "touch_id": ["T1"],
            }
        ),
        "payments": pd.DataFrame(
            {
                "payment_id": ["Y1", "Y2"],
                "debt_id": ["D1", "D2"],
                "paid_at": [T0 - days(4), T0 - days(40)],
                "amount": [60.0, 1e5],
                "promise_id": ["R1", None],
            }
        ),
    }


def large_tables(n_customers: int, n_touches: int, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Clean tables of any size."""
    rng = np.random.default_rng(seed)
    ids = pd.Series([f"C{k:07d}" for k in range(n_customers)], dtype="str")
    who = rng.integers(0, max(n_customers, 1), n_touches if n_customers else 0)
    seconds = pd.to_timedelta(rng.integers(0, 200 * 86400, len(who)), unit="s")
    outcomes = np.array(["no_answer", "voicemail", "promise", "refused", "delivered"], object)
    channels = np.array(["call_agent", "sms", "email"], object)
    debts, points = "D" + ids, "P" + ids
    zones = np.array(["America/New_York", "America/Bogota", "Europe/Madrid"], object)
    n_paid = len(who) // 5
    paid = rng.integers(0, max(n_customers, 1), n_paid)
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": ids,
                "jurisdiction": "US",
                "time_zone": zones[np.arange(n_customers) % 3],
            }
        ),
        "debts": pd.DataFrame(
            {
                "debt_id": debts,
                "customer_id": ids,
                "product": "credit_card",
                "creditor": "bank",
                "ownership": "first_party",
                "currency": "USD",
                "principal": 100.0,
                "opened_at": "2024-01-01",
                "delinquent_since": "2026-01-01",
            }
        ),
        "debt_snapshots": pd.DataFrame(
            {
                "debt_id": debts,
                "observed_at": T0,
                "balance": 90.0,
                "past_due": 10.0,
                "days_past_due": 60,
                "status": "open",
                "next_due_at": "2026-04-01",
            }
        ),
        "contact_points": pd.DataFrame(
            {
                "contact_point_id": points,
                "customer_id": ids,
                "kind": "mobile",
                "place": "home",
                "valid_from": T0 - days(900),
            }
        ),
        "consents": pd.DataFrame(
            {
                "customer_id": ids,
                "channel": "sms",
                "changed_at": T0 - days(100),
                "status": "granted",
            }
        ),
        "holds": pd.DataFrame(columns=["hold_id", "customer_id", "kind", "starts_at"]),
        "touches": pd.DataFrame(
            {
                "touch_id": pd.Series([f"T{k:08d}" for k in range(len(who))], dtype="str"),
                "customer_id": ids.to_numpy()[who] if n_customers else [],
                "debt_id": debts.to_numpy()[who] if n_customers else [],
                "direction": "outbound",
                "channel": channels[rng.integers(0, 3, len(who))],
                "started_at": T0 - seconds,
                "outcome": outcomes[rng.integers(0, 5, len(who))],
                "contact_point_id": points.to_numpy()[who] if n_customers else [],
                "duration_s": rng.integers(0, 600, len(who)),
            }
        ),
        "promises": pd.DataFrame(columns=["promise_id", "debt_id", "made_at", "due_at", "amount"]),
        "payments": pd.DataFrame(
            {
                "payment_id": pd.Series([f"Y{k:08d}" for k in range(n_paid)], dtype="str"),
                "debt_id": debts.to_numpy()[paid] if n_customers else [],
                "paid_at": T0 - pd.to_timedelta(rng.integers(0, 200 * 86400, n_paid), unit="s"),
                "amount": 10.0,
            }
        ),
    }
