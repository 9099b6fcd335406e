"""Debts and their snapshots: balance, arrears, days past due and stage at any instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import (
    Floats,
    Ids,
    Ints,
    coded,
    codes_of,
    instants,
    known_at,
    numbers,
    text,
    words,
)
from contactopt.journal.event_index import EventIndex
from contactopt.journal.kernels import NEVER, latest_by_time, sum_since
from contactopt.journal.local_time import local_day
from contactopt.journal.payments import PaymentLog

__all__ = ["STAGES", "DebtLog", "DebtStates", "debt_frame", "stage_codes"]

STAGES = ("current", "early", "mid", "late", "charged_off", "unknown")
#: statuses under which nothing is collected any more
ENDED = ("cured", "settled", "sold", "closed")
#: dates of a debt that may lie after an instant and are then not known yet
_DATES = (
    "opened_at",
    "delinquent_since",
    "charged_off_at",
    "placed_at",
    "recalled_at",
    "closed_at",
    "last_paid_at",
)
_WORDS = {"product": v.PRODUCTS, "ownership": v.OWNERSHIPS}


@dataclass(frozen=True, eq=False)
class DebtStates:
    """What is known of debts at instants; every field has one entry per (debt, instant) pair."""

    exists: Any
    snapshot: Ints
    paid_since: Floats
    past_due: Floats
    past_due_now: Floats
    days_past_due: Floats
    paid_since_snapshot: Any
    charged_off: Any
    ended: Any
    stage: Ints

    @property
    def collectable(self) -> Any:
        """Bool: known, not ended, in arrears or with arrears unknown."""
        in_arrears = (self.days_past_due > 0) | (
            np.isnan(self.days_past_due) & (self.past_due_now > 0)
        )
        return self.exists & ~self.ended & in_arrears & ~(self.past_due_now <= 0)


@dataclass(frozen=True, eq=False)
class DebtLog:
    """Debts by code (position in the sorted debt ids) and their snapshots.

    Parameters
    ----------
    ids : Ids
    frame : DataFrame
        The debts table in the order of the codes.
    customer : int64 array
        Main obligor of each debt.
    margin_share : float64 array
        Share of a payment that we keep, NaN where the strategy's holds.
    zone : Categorical
        Time zone of each debt's customer.
    dates : dict of int64 arrays
        Instants of the table's *day* columns.
    since : int64 array
        Instant from which each debt is known, by its own row or by its first snapshot.
    by_customer : EventIndex
        Debts by customer; ``rows`` are debt codes, ``known`` is from when a debt exists for us.
    snapshots : EventIndex
        By debt; ``time`` is ``observed_at``.
    """

    ids: Ids
    frame: pd.DataFrame
    customer: Ints
    margin_share: Floats
    zone: pd.Categorical
    dates: dict[str, Ints]
    since: Ints
    by_customer: EventIndex
    snapshots: EventIndex
    snapshot_frame: pd.DataFrame
    balance: Floats
    past_due: Floats
    days_past_due: Floats
    status: pd.Categorical
    next_due_us: Ints
    instalment: Floats
    payments: PaymentLog

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def build(
        cls,
        frame: pd.DataFrame,
        snapshots: pd.DataFrame,
        ids: Ids,
        customer: Ints,
        zones: pd.Categorical,
        payments: PaymentLog,
        delay_hours: Callable[[str], float],
    ) -> DebtLog:
        """Read debts (in code order) and debt_snapshots; ``delay_hours(table)`` as elsewhere."""
        observed = instants(snapshots, "observed_at")
        index = EventIndex.build(
            codes_of(snapshots, "debt_id", ids, "debt_snapshots"),
            len(ids),
            time=observed,
            known=known_at(snapshots, observed, delay_hours("debt_snapshots")),
            ids=observed,
        )
        rows = index.rows
        dates = {name: instants(frame, name) for name in _DATES}
        opened = dates["opened_at"]
        since = np.where(opened == NO_INSTANT, NEVER, known_at(frame, opened, delay_hours("debts")))
        has = np.diff(index.starts) > 0
        first = index.known[index.starts[:-1][has]]
        since[has] = np.minimum(since[has], first)
        return cls(
            ids=ids,
            frame=frame,
            customer=customer,
            margin_share=numbers(frame, "margin_share"),
            zone=zones[customer],
            dates=dates,
            since=since,
            by_customer=EventIndex.build(
                customer,
                len(zones),
                time=since,
                known=since,
                ids=np.arange(len(ids)),
            ),
            snapshots=index,
            snapshot_frame=snapshots,
            balance=numbers(snapshots, "balance")[rows],
            past_due=numbers(snapshots, "past_due")[rows],
            days_past_due=numbers(snapshots, "days_past_due")[rows],
            status=words(snapshots, "status", v.DEBT_STATUSES)[rows],
            next_due_us=instants(snapshots, "next_due_at")[rows],
            instalment=numbers(snapshots, "instalment")[rows],
            payments=payments,
        )

    def last_snapshots(self, debts: Ints, at_us: Ints, depth: int = 1) -> Ints:
        """Return positions of the latest known snapshots, newest first, shape (n, depth)."""
        s = self.snapshots
        return latest_by_time(s.starts, s.known, s.time, debts, at_us, depth)

    def date_known(self, name: str, debts: Ints, at_us: Ints) -> Ints:
        """Return a date of the debts, `NO_INSTANT` where it lies after the instant."""
        date = self.dates[name][debts]
        return np.where(date > at_us, NO_INSTANT, date)

    def states(self, debts: Ints, at_us: Ints) -> DebtStates:
        """Return the state per (debt, instant) pair.

        Days past due are the latest snapshot's plus the local days since, where they were
        positive; without a snapshot they are counted from ``delinquent_since``. Payments after
        the snapshot that cover its arrears set them to 0.
        """
        snapshot = self.last_snapshots(debts, at_us)[:, 0]
        has = snapshot >= 0
        observed = _pick(self.snapshots.time, snapshot, NO_INSTANT)
        by = self.payments.by_debt
        paid = sum_since(
            by.starts, by.known, by.until, by.time, self.payments.amount[by.rows],
            debts, at_us, np.where(has, observed, np.iinfo(np.int64).max),
        )  # fmt: skip
        past_due = _pick(self.past_due, snapshot, np.nan)
        covered = has & (past_due > 0) & (paid >= past_due * (1 - 1e-9))
        dpd = _days_past_due(
            self, debts, at_us, _pick(self.days_past_due, snapshot, np.nan), observed
        )
        dpd = np.where(covered, 0.0, dpd)
        charged_off = self.date_known("charged_off_at", debts, at_us) != NO_INSTANT
        status = _pick(self.status.codes.astype(np.int64), snapshot, -1)
        ended = np.isin(status, [v.DEBT_STATUSES.index(s) for s in ENDED])
        for name in ("closed_at", "recalled_at"):
            ended |= self.date_known(name, debts, at_us) != NO_INSTANT
        return DebtStates(
            exists=self.since[debts] <= at_us,
            snapshot=snapshot,
            paid_since=paid,
            past_due=past_due,
            past_due_now=np.maximum(past_due - paid, 0.0),
            days_past_due=dpd,
            paid_since_snapshot=covered,
            charged_off=charged_off,
            ended=ended,
            stage=stage_codes(dpd, charged_off),
        )


def _pick(values: Any, positions: Ints, missing: Any) -> Any:
    """Return ``values[positions]`` with ``missing`` where the position is -1."""
    if len(values) == 0:
        return np.full(len(positions), missing)
    return np.where(positions >= 0, values[positions], missing)


def _days_past_due(
    log: DebtLog, debts: Ints, at_us: Ints, at_snapshot: Floats, observed: Ints
) -> Floats:
    has = observed != NO_INSTANT
    since = np.where(has, observed, log.date_known("delinquent_since", debts, at_us))
    zone = log.zone[debts]
    days = local_day(at_us, zone) - local_day(np.where(since == NO_INSTANT, at_us, since), zone)
    from_snapshot = np.where(at_snapshot > 0, at_snapshot + days, at_snapshot)
    from_debt = np.where(since == NO_INSTANT, np.nan, days.astype(np.float64))
    return np.where(has, from_snapshot, from_debt)


def stage_codes(dpd: Floats, charged_off: Any) -> Ints:
    """Return positions in `STAGES` by days past due; charged off goes before them."""
    # 30, 90 and 180 days are the usual limits of early, middle and late arrears; open-end credit
    # is charged off at 180 days in the United States
    stage = np.searchsorted([0.5, 30.5, 90.5, 180.5], dpd).astype(np.int64)
    return np.where(charged_off, 4, np.where(np.isnan(dpd), 5, stage))


def debt_frame(log: DebtLog, at_us: int) -> pd.DataFrame:
    """Return one row per debt known at an instant, by debt code."""
    debts = np.arange(len(log))
    states = log.states(debts, np.full(len(log), at_us, dtype=np.int64))
    debts = np.flatnonzero(states.exists)
    now = np.full(len(debts), at_us, dtype=np.int64)
    snapshot = states.snapshot[debts]
    out: dict[str, Any] = {"debt": debts, "debt_id": log.ids.values[debts].astype(str)}
    out["customer"] = log.customer[debts]
    for name in ("product", "ownership"):
        out[name] = words(log.frame, name, _WORDS[name])[debts]
    for name in ("creditor", "currency", "book"):
        out[name] = text(log.frame, name).take(debts).to_numpy(dtype=object)
    for name in ("principal", "margin_share", "settlement_floor_share"):
        out[name] = numbers(log.frame, name)[debts]
    for name in _DATES:
        out[name] = _stamps(log.date_known(name, debts, now))
    out["limitation_at"] = _stamps(instants(log.frame, "limitation_at")[debts])
    out["observed_at"] = _stamps(_pick(log.snapshots.time, snapshot, NO_INSTANT))
    out["balance"] = _pick(log.balance, snapshot, np.nan)
    out["past_due"] = states.past_due[debts]
    out["past_due_now"] = states.past_due_now[debts]
    out["days_past_due"] = states.days_past_due[debts]
    out["paid_since_snapshot"] = states.paid_since_snapshot[debts]
    out["status"] = coded(
        _pick(log.status.codes.astype(np.int64), snapshot, -1), log.status.categories
    )
    out["next_due_at"] = _stamps(_pick(log.next_due_us, snapshot, NO_INSTANT))
    out["instalment"] = _pick(log.instalment, snapshot, np.nan)
    out["stage"] = coded(states.stage[debts], STAGES)
    frame = pd.DataFrame(out)
    own = [c for c in log.frame.columns if str(c).startswith("x_")]
    return pd.concat([frame, log.frame[own].iloc[debts].reset_index(drop=True)], axis=1)


def _stamps(us: Ints) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(us.view("datetime64[us]"), tz="UTC")
