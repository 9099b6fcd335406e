"""A portfolio as a stranger's warehouse would hand it over: plain pandas and pyarrow, no library.

Jurisdictions mostly without a rule pack, integer ids, CSV with offsets, plain dates, Parquet parts,
tables that are empty, header-only or missing, optional columns left out.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

AS_OF = pd.Timestamp("2026-06-02T12:00:00Z")  # a Tuesday
PLACES = {
    "MX": ("America/Mexico_City", "es-MX"),
    "ES": ("Europe/Madrid", "es"),
    "BR-SP": ("America/Sao_Paulo", "pt-BR"),
    "PT": ("Europe/Lisbon", "pt"),
    "GB": ("Europe/London", "en-GB"),
    "CA-QC": ("America/Toronto", "fr-CA"),
    "US-TX": ("America/Chicago", "en"),
    "CO": ("America/Bogota", "es"),
}
CHANNELS = ["call_agent", "sms", "email", "letter", "rcs"]

STRATEGY = """
objective:
  horizon_days: 30
  currency: USD
  exchange_rates: {EUR: 1.08}
channels:
  call_agent: {unit_cost: 1.2}
  sms: {unit_cost: 0.04}
  rcs: {like: sms, unit_cost: 0.05}
  email: {unit_cost: 0.002}
  letter: {unit_cost: 0.9}
slots: [9, 10, 11, 15, 17]
fallback: cautious
pools:
  desk:
    time_zone: Europe/Madrid
    unit: contacts
    serves: {channels: [call_agent]}
templates:
  - {template_id: t-sms-es, channel: sms, language: es, approved: true}
  - {template_id: t-sms-en, channel: sms, language: en, approved: true}
  - {template_id: t-mail-en, channel: email, language: en, approved: true, stages: [early, mid]}
exploration: {share: 0.05, floor: 0.0001}
holdout_share: 0.02
random_state: 7
"""


def foreign_tables(n: int = 300, seed: int = 11) -> dict[str, pd.DataFrame]:
    """Contract tables for ``n`` customers with 120 days of history before `AS_OF`."""
    rng = np.random.default_rng(seed)
    ids = np.arange(10_001, 10_001 + n)
    place = rng.choice(list(PLACES), n)
    zone = np.array([PLACES[p][0] for p in place])
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "jurisdiction": place,
            "locality": None,
            "time_zone": np.where(rng.random(n) < 0.8, zone, None),
            "language": [PLACES[p][1] for p in place],
            "birth_year": rng.integers(1950, 2004, n),
            "x_region_index": rng.normal(size=n).round(3),
            "crm_owner": "nobody",  # not of the contract: dropped and named
        }
    )
    n_debts = rng.choice([1, 1, 1, 2, 3], n)
    owner = np.repeat(ids, n_debts)
    m = len(owner)
    debt_ids = np.arange(500_001, 500_001 + m)
    past = rng.integers(3, 260, m)
    since = (AS_OF.tz_localize(None).normalize() - pd.to_timedelta(past, unit="D")).date
    principal = rng.lognormal(6, 1, m).round(2)
    debts = pd.DataFrame(
        {
            "debt_id": debt_ids,
            "customer_id": owner,
            "product": rng.choice(["credit_card", "personal_loan", "telecom", "bnpl"], m),
            "creditor": rng.choice(["bank-a", "telco-b"], m),
            "ownership": rng.choice(["first_party", "third_party", "debt_buyer"], m),
            "currency": rng.choice(["USD", "EUR"], m),
            "principal": principal,
            "opened_at": pd.Timestamp("2024-03-01").date(),
            "delinquent_since": since,
            "book": rng.choice(["north", "south"], m),
        }
    )
    snapshots = _snapshots(rng, debt_ids, past, principal)
    points = _points(rng, ids)
    touches = _touches(rng, ids, 1_500)
    consents = pd.DataFrame(
        {
            "customer_id": np.concatenate([ids, ids, ids[::2]]),
            "channel": ["sms"] * n + ["email"] * n + ["rcs"] * len(ids[::2]),
            "changed_at": pd.Timestamp("2025-01-10T09:00:00Z"),
            "status": np.where(rng.random(2 * n + len(ids[::2])) < 0.85, "granted", "revoked"),
        }
    )
    return {
        "customers": customers,
        "debts": debts,
        "debt_snapshots": snapshots,
        "contact_points": points,
        "consents": consents,
        "holds": pd.DataFrame(columns=["hold_id", "customer_id", "kind", "starts_at"]),
        "touches": touches,
        "promises": _promises(rng, debt_ids, 40),
        "payments": _payments(rng, debt_ids, 260),
        "decisions": _decisions(rng, ids, 60),
    }


def _ago(rng: np.random.Generator, k: int, days: float) -> pd.DatetimeIndex:
    seconds = rng.integers(3_600, int(days * 86_400), k)
    return pd.DatetimeIndex(AS_OF - pd.to_timedelta(seconds, unit="s"))


def _snapshots(rng, debt_ids, past, principal) -> pd.DataFrame:
    parts = []
    for back in (90, 60, 30, 1):
        days = np.maximum(past - back, 0)
        balance = principal * rng.uniform(0.5, 1.0, len(debt_ids))
        parts.append(
            pd.DataFrame(
                {
                    "debt_id": debt_ids,
                    "observed_at": AS_OF - pd.Timedelta(days=back),
                    "balance": balance.round(2),
                    "past_due": np.where(days > 0, balance * 0.3, 0.0).round(2),
                    "days_past_due": days,
                    "status": "open",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _points(rng, ids) -> pd.DataFrame:
    rows = []
    for kind in ("mobile", "email", "postal"):
        own = ids[rng.random(len(ids)) < 0.9]
        rows.append(
            pd.DataFrame(
                {
                    "contact_point_id": [f"{kind[0]}{i}" for i in own],
                    "customer_id": own,
                    "kind": kind,
                    "place": "home",
                    "valid_from": pd.Timestamp("2024-03-01T00:00:00Z"),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _touches(rng, ids, k) -> pd.DataFrame:
    channel = rng.choice(CHANNELS, k)
    started = _ago(rng, k, 120)
    call = ["no_answer", "busy", "voicemail", "no_commitment", "promise", "third_party", "unknown"]
    digital = ["delivered", "opened", "clicked", "undelivered", "unknown"]
    outcome = np.where(
        channel == "call_agent",
        rng.choice(call, k, p=[0.5, 0.1, 0.15, 0.1, 0.05, 0.05, 0.05]),
        rng.choice(digital, k),
    )
    return pd.DataFrame(
        {
            "touch_id": np.arange(900_001, 900_001 + k),
            "customer_id": rng.choice(ids, k),
            "direction": "outbound",
            "channel": channel,
            "started_at": started,
            "outcome": np.where(channel == "letter", "unknown", outcome),
            "vendor": "dialer-x",
        }
    )


def _promises(rng, debt_ids, k) -> pd.DataFrame:
    made = _ago(rng, k, 60)
    return pd.DataFrame(
        {
            "promise_id": np.arange(1, k + 1),
            "debt_id": rng.choice(debt_ids, k),
            "made_at": made,
            "due_at": [(t + pd.Timedelta(days=10)).date() for t in made],
            "amount": rng.uniform(20, 200, k).round(2),
        }
    )


def _payments(rng, debt_ids, k) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "payment_id": np.arange(1, k + 1),
            "debt_id": rng.choice(debt_ids, k),
            "paid_at": _ago(rng, k, 100),
            "amount": rng.uniform(5, 300, k).round(2),
        }
    )


def _decisions(rng, ids, k) -> pd.DataFrame:
    """Seven columns, as a policy of somebody else logged them."""
    return pd.DataFrame(
        {
            "decision_id": [f"old-{i}" for i in range(k)],
            "decided_at": _ago(rng, k, 80) - pd.Timedelta(days=5),
            "customer_id": rng.choice(ids, k, replace=False),
            "channel": rng.choice(["sms", "call_agent", "wait"], k),
            "propensity": rng.uniform(0.05, 0.9, k).round(4),
            "slot_local_hour": rng.choice([9, 10, 15], k),
            "batch_id": "old",
        }
    )


def write_foreign(folder: Path, tables: dict[str, pd.DataFrame] | None = None) -> Path:
    """Write the portfolio in mixed formats, and ``strategy.yaml`` beside it; return its folder."""
    tables = foreign_tables() if tables is None else tables
    home = folder / "portfolio"
    home.mkdir(parents=True)
    (folder / "strategy.yaml").write_text(STRATEGY, encoding="utf-8")
    for name in ("customers", "debts", "consents", "promises", "holds", "decisions"):
        frame = tables[name].copy()
        for column in frame.columns:  # instants with an offset that is not UTC
            if isinstance(frame[column].dtype, pd.DatetimeTZDtype):
                local = frame[column].dt.tz_convert("America/Bogota")
                frame[column] = [t.isoformat() for t in local]
        frame.to_csv(home / f"{name}.csv", index=False)
    for name in ("debt_snapshots", "contact_points", "payments"):
        _write(tables[name], home / f"{name}.parquet")
    (home / "touches").mkdir()
    half = len(tables["touches"]) // 2
    _write(tables["touches"].iloc[:half], home / "touches" / "part-0.parquet")
    _write(tables["touches"].iloc[half:], home / "touches" / "part-1.parquet")
    (home / "notices.csv").write_text("notice_id,customer_id,kind,sent_at\n", encoding="utf-8")
    hours = [
        {"pool": "desk", "date": "2026-06-02", "hour": h, "units": 3} for h in (15, 16, 17, 18)
    ]
    capacity = [*hours, {"pool": "desk", "date": "2026-06-03", "hour": None, "units": 12}]
    pd.DataFrame(capacity).astype({"hour": "Int64"}).to_csv(home / "capacity.csv", index=False)
    complete = {"touches": AS_OF.isoformat(), "payments": "2026-06-02T06:00:00-05:00"}
    (home / "portfolio.json").write_text(json.dumps({"complete_to": complete}), encoding="utf-8")
    return home


def _write(frame: pd.DataFrame, path: Path) -> None:
    with warnings.catch_warnings():  # pyarrow about its own use of pandas
        warnings.simplefilter("ignore")
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
