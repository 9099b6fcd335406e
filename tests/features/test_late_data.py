"""A month replayed day by day: late files and payments give the same features in training.

The warehouse of a day is cut here row by row and cell by cell, in plain Python, by when things
arrived; it shares no code with the journal nor with its own cut.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from oracles.random_tables import random_tables

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.features import FeaturePipeline, training_instants, training_pairs
from contactopt.features.moments import Moments
from contactopt.journal import Journal, payment_labels
from contactopt.journal.local_time import DAY_US, to_us
from contactopt.journal.terms import open_journal

HOUR = pd.Timedelta(hours=1)
EVENT = {
    "touches": "started_at", "touch_events": "occurred_at", "payments": "paid_at",
    "promises": "made_at", "debt_snapshots": "observed_at", "holds": "starts_at",
    "consents": "changed_at", "contact_points": "valid_from", "debts": "opened_at",
}  # fmt: skip
#: cells that are written into a row that has arrived already
LATER = {"payments": "reversed_at", "promises": "cancelled_at"}
DELAYS = {"touches": 30.0, "touch_events": 6.0, "payments": 49.0, "promises": 20.0,
          "debt_snapshots": 12.0, "holds": 8.0, "consents": 8.0, "debts": 24.0,
          "contact_points": 24.0}  # fmt: skip
#: whole hours after the first day: many rows are known at these very instants
AS_OF = pd.Timestamp("2026-04-20T07:00Z")
HORIZON, N_DAYS = 30, 30


def config(delays: dict[str, float]) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {"data_delay": delays, "orchestration": {"promise_grace_days": 2}}
    )


def world(seed: int, *, recorded: bool, n_customers: int = 8) -> dict[str, pd.DataFrame]:
    """Tables whose rows reach the warehouse hours to days after their event, as loaded."""
    tables = random_tables(
        n_customers, random_state=seed, recorded_share=0.8, touches=20, payments=6
    )
    rng = np.random.default_rng(seed)
    # contact points and debts were there before anything that names them
    points = tables["contact_points"]
    points["valid_from"] = points["valid_from"] - pd.Timedelta(days=200)
    debts = tables["debts"]
    debts["opened_at"] = debts["opened_at"] - pd.Timedelta(days=200)
    debts["delinquent_since"] = debts["delinquent_since"] - pd.Timedelta(days=150)
    # what a payment names has arrived before it
    tables["payments"]["promise_id"] = None
    _young(tables, rng)
    for name, event in EVENT.items():
        frame = tables[name]
        if not recorded:
            tables[name] = frame.drop(columns="recorded_at", errors="ignore")
            continue
        if name in ("contact_points", "debts"):  # only the young ones come late
            young = frame[frame.columns[0]].str.startswith("young")
            frame["recorded_at"] = (frame[event] + 100 * HOUR).where(young)
            continue
        hours = rng.choice([0, 2, 26, 71, 24 * 6], len(frame))
        late = frame[event] + pd.to_timedelta(hours, unit="h")
        frame["recorded_at"] = late.where(rng.random(len(frame)) < 0.9)
    # as loaded: a day of the contract begins at the customer's midnight
    loaded = Portfolio.from_frames(tables).tables
    return {name: loaded[name] for name in tables}


def empty(frame: pd.DataFrame, *columns: str) -> None:
    for name in columns:
        frame[name] = frame[name].mask(frame[name].notna())


def _young(tables: dict[str, pd.DataFrame], rng: np.random.Generator) -> None:
    """Add a debt with snapshots and a contact point, on record during the month, to everybody."""
    n = len(tables["customers"])
    start = pd.Timestamp("2026-02-20", tz="UTC").as_unit("us")
    opened = pd.Series(start + pd.to_timedelta(rng.integers(0, 700, n), unit="h"))
    debts = tables["debts"].iloc[:n].copy()
    debts["debt_id"] = [f"young-{k}" for k in range(n)]
    debts["customer_id"] = tables["customers"]["customer_id"]
    debts["opened_at"] = debts["delinquent_since"] = opened.astype(debts["opened_at"].dtype)
    empty(debts, "charged_off_at", "closed_at")
    seen = tables["debt_snapshots"].iloc[:n].copy()
    seen["debt_id"] = debts["debt_id"].to_numpy()
    seen["observed_at"] = pd.DatetimeIndex(opened + pd.Timedelta(days=6))
    points = tables["contact_points"].iloc[:n].copy()
    points["contact_point_id"] = [f"young-{k}" for k in range(n)]
    points["customer_id"] = tables["customers"]["customer_id"].to_numpy()
    points["valid_from"] = pd.DatetimeIndex(opened)
    empty(points, "valid_to")
    for name, more in (("debts", debts), ("debt_snapshots", seen), ("contact_points", points)):
        more = more.astype(tables[name].dtypes)
        tables[name] = pd.concat([tables[name], more], ignore_index=True)


# ---- the warehouse of a day ------------------------------------------------------------------


def arrival(row: dict, event: pd.Timestamp, delay: float) -> pd.Timestamp:
    recorded = row.get("recorded_at")
    if recorded is None or pd.isna(recorded):
        return event + delay * HOUR
    return max(event, recorded)


def arrived(tables, now: pd.Timestamp, delays: dict[str, float]) -> dict[str, pd.DataFrame]:
    """Rows and cells that the warehouse held at an instant."""
    out = dict(tables)
    for name, event in EVENT.items():
        delay, frame = delays.get(name, 0.0), tables[name]
        rows = frame.to_dict("records")
        there = [arrival(row, row[event], delay) <= now for row in rows]
        frame = frame[there].copy()
        rows = [row for row, is_there in zip(rows, there, strict=True) if is_there]
        if name == "touches":
            open_ = np.array([outcome_arrival(row, delay) > now for row in rows], dtype=bool)
            frame["outcome"] = frame["outcome"].mask(open_, "unknown")
            for column in ("outcome_at", "responded_at"):  # nor is it known when it will come
                frame[column] = frame[column].mask(open_)
        if name in LATER:
            later = LATER[name]
            known = [pd.isna(r[later]) or arrival(r, r[later], delay) <= now for r in rows]
            frame[later] = frame[later].where(np.array(known, dtype=bool))
        out[name] = frame
    debts = out["debts"].copy()
    for column in ("charged_off_at", "closed_at"):
        debts[column] = debts[column].mask(debts[column] > now)
    out["debts"] = debts
    # which debts a contact was about stands in the same file as the contact
    there = tables["touch_debts"]["touch_id"].isin(out["touches"]["touch_id"])
    out["touch_debts"] = tables["touch_debts"][there]
    return out


def outcome_arrival(row: dict, delay: float) -> pd.Timestamp:
    """When a touch's outcome reaches the warehouse; until then the row stands without it."""
    seconds = 0.0 if pd.isna(row["duration_s"]) else row["duration_s"]
    when = row["started_at"] + pd.Timedelta(seconds=seconds)
    for column in ("responded_at", "outcome_at"):
        when = when if pd.isna(row[column]) else row[column]
    return arrival(row, when, delay)


def serving(tables, now: pd.Timestamp, settings: StrategyConfig) -> Journal:
    """The journal of a run on that day; receipts of messages not on record yet are set aside."""
    portfolio = Portfolio.from_frames(tables, max_quarantined_share=0.9)
    assert len(portfolio.quarantined_customers) == 0
    assert set(portfolio.quarantine["table"]) <= {"touch_events"}
    return open_journal(portfolio, settings)


def stamp(us: int) -> pd.Timestamp:
    return pd.Timestamp(np.datetime64(int(us), "us"), tz="UTC")


def assert_same(training: pd.DataFrame, served: pd.DataFrame, when: pd.Timestamp) -> None:
    pd.testing.assert_frame_equal(
        training.reset_index(drop=True), served.reset_index(drop=True), check_exact=True,
        obj=f"features of {when}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("recorded", "delays"),
    [(True, {}), (False, DELAYS), (True, DELAYS)],
    ids=["recorded_at", "data_delay", "both"],
)
def test_a_month_day_by_day(recorded: bool, delays: dict[str, float]) -> None:
    tables = world(4 + recorded, recorded=recorded)
    settings = config(delays)
    whole = open_journal(Portfolio.from_frames(tables), settings)
    customers, instants = training_pairs(
        whole, AS_OF, step_days=1, horizon_days=HORIZON, max_rows=1_000_000
    )
    days = training_instants(whole, AS_OF, step_days=1, horizon_days=HORIZON)[-N_DAYS:]
    days = days[:: 6 if delays and recorded else 1]  # the third world: every sixth day
    pipeline = FeaturePipeline(use_age=True).fit(whole, customers=customers, as_of=instants)
    keep = np.isin(instants, days)
    customers, instants = customers[keep], instants[keep]
    # training: every pair in one call; then everybody, in arrears or not
    trained = pipeline.transform(whole, customers=customers, as_of=instants)
    everybody = np.arange(whole.n_customers)
    of_all = pipeline.transform(
        whole, customers=np.tile(everybody, len(days)), as_of=np.repeat(days, len(everybody))
    )
    hidden = 0
    for k, day in enumerate(days):
        held = arrived(tables, stamp(day), delays)
        journal = serving(held, stamp(day), settings)
        assert journal.customer_ids.tolist() == whole.customer_ids.tolist()
        served = pipeline.transform(journal, as_of=stamp(day))
        rows = np.flatnonzero(instants == day)
        assert_same(trained.iloc[rows], served.iloc[customers[rows]], stamp(day))
        n = len(everybody)
        assert_same(of_all.iloc[k * n : (k + 1) * n], served, stamp(day))
        # the same customers are in arrears
        debts = Moments(journal, everybody, np.full(n, day)).debts
        in_arrears = np.flatnonzero(debts.total(debts.states.collectable) > 0)
        assert in_arrears.tolist() == customers[rows].tolist()
        hidden += sum((tables[n][e] <= stamp(day)).sum() - len(held[n]) for n, e in EVENT.items())
    # it was a test: the days lacked rows of events that had happened
    assert of_all.size > 8_000 and hidden > 2 * len(days)


def test_the_replay_would_see_a_leak() -> None:
    tables = world(5, recorded=True)
    # a journal that takes events for known when they happen
    careless = {n: f.drop(columns="recorded_at", errors="ignore") for n, f in tables.items()}
    leaky = open_journal(Portfolio.from_frames(careless), config({}))
    now = pd.Timestamp("2026-03-10T07:00Z")
    pipeline = FeaturePipeline().fit(leaky, as_of=now)
    served = pipeline.transform(serving(arrived(tables, now, {}), now, config({})), as_of=now)
    known = pipeline.transform(leaky, as_of=now)
    differs = {c.split(".")[0] for c in known if not known[c].equals(served[c])}
    assert differs >= {"debt", "payments", "channel", "hour", "pressure", "points"}


def test_a_payment_recorded_late_is_in_the_label_and_in_no_feature_before() -> None:
    tables = world(2, recorded=True, n_customers=4)
    paid = pd.Timestamp("2026-03-02T10:00Z").as_unit("us")
    late = pd.DataFrame(
        {"payment_id": ["LATE"], "debt_id": ["D000000"], "paid_at": [paid], "amount": [70.0],
         "recorded_at": [paid + pd.Timedelta(days=6)]}
    )  # fmt: skip
    before = tables["payments"]
    before = before[(before["debt_id"] != "D000000") | (before["paid_at"] < paid)]
    with_it = {**tables, "payments": pd.concat([before, late], ignore_index=True)}
    without = {**tables, "payments": before}
    settings = config({})
    a, b = (open_journal(Portfolio.from_frames(t), settings) for t in (with_it, without))
    start = to_us(paid) - DAY_US
    labels = [
        payment_labels(j, [0], [start], horizon_days=HORIZON, as_of=AS_OF).iloc[0] for j in (a, b)
    ]
    assert labels[0]["n_payments"] == labels[1]["n_payments"] + 1
    assert labels[0]["amount"] == pytest.approx(labels[1]["amount"] + 70.0)
    # as of a day on which it had not arrived the label did not hold it either
    early = payment_labels(a, [0], [start], horizon_days=HORIZON, as_of=paid + 5 * 24 * HOUR)
    assert early["n_payments"].iloc[0] == labels[1]["n_payments"]
    assert not early["mature"].iloc[0]
    pipeline = FeaturePipeline().fit(a, as_of=start)
    for hours, same in ((-1, True), (1, True), (6 * 24 - 1, True), (6 * 24, False)):
        now = paid + hours * HOUR
        x, y = (pipeline.transform(j, customers=[0], as_of=now) for j in (a, b))
        assert x.equals(y) == same, hours


def test_labels_are_the_same_whether_rows_came_late_or_not() -> None:
    """Once everything has arrived, nobody can tell from the labels when it did."""
    tables = world(3, recorded=True)
    on_time = {n: f.drop(columns="recorded_at", errors="ignore") for n, f in tables.items()}
    found = []
    for given in (tables, on_time):
        journal = open_journal(Portfolio.from_frames(given), config({}))
        n = journal.n_customers
        start = np.full(n, to_us("2026-02-01T00:00Z"))
        found.append(
            payment_labels(journal, np.arange(n), start, horizon_days=HORIZON, as_of=AS_OF)
        )
    pd.testing.assert_frame_equal(*found)
    assert found[0]["paid"].any()


def test_a_vendors_late_file_is_one_more_part(tmp_path: Path) -> None:
    """Rows are appended to a folder as they arrive; each day's run reads the folder as it is."""
    tables = world(6, recorded=True)
    touches = tables["touches"]
    # a vendor's file holds contacts with their outcomes: nothing is written into them later
    empty(touches, "outcome_at", "responded_at")
    touches["recorded_at"] = (touches["started_at"] + 50 * HOUR).dt.ceil("24h")
    empty(tables["payments"], "reversed_at")
    empty(tables["promises"], "cancelled_at")
    settings = config({})
    whole = open_journal(Portfolio.from_frames(tables), settings)
    pipeline = FeaturePipeline().fit(whole, as_of=AS_OF)
    folder, seen = tmp_path / "portfolio", {"touches": 0, "payments": 0}
    days = pd.date_range("2026-03-01T12:00Z", periods=6, freq="5D", unit="us")
    for k, now in enumerate(days):
        held = arrived(tables, now, {})
        folder.mkdir(exist_ok=True)
        for name, frame in held.items():
            if name not in seen:
                frame.to_parquet(folder / f"{name}.parquet")
                continue
            part = frame.sort_values("recorded_at", kind="stable", na_position="first")
            if k:
                last = days[k - 1]
                known = frame["recorded_at"].fillna(frame[EVENT[name]])
                part = frame[np.maximum(known, frame[EVENT[name]]) > last]
            (folder / name).mkdir(exist_ok=True)
            part.to_parquet(folder / name / f"part-{k:04d}.parquet")
            seen[name] += len(part)
            assert seen[name] == len(frame)
        portfolio = Portfolio.from_folder(folder, max_quarantined_share=0.9)
        assert set(portfolio.quarantine["table"]) <= {"touch_events"}
        served = pipeline.transform(open_journal(portfolio, settings), as_of=now)
        assert_same(pipeline.transform(whole, as_of=now), served, now)
