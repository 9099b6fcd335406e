"""Payments: how many, how much, how lately, how regularly, and how whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.features._base import Column, FeatureBlock
from contactopt.features.arithmetic import days_between, ratio, shrunken, value_at
from contactopt.features.moments import Moments
from contactopt.features.windows import window_lengths, window_name
from contactopt.journal.folds import (
    FOREVER_US,
    gap_statistics,
    last_times,
    period_sums,
    window_sums,
)
from contactopt.journal.kernels import latest_by_time
from contactopt.journal.local_time import DAY_US

__all__ = ["Payments"]

#: twelfth of a mean year, microseconds: periods of the monthly sums
MONTH_US = round(30.436875 * DAY_US)
N_MONTHS = 6
_SOURCE = "payments"


class Payments(FeatureBlock):
    """Rewarded payments (voluntary, direct debit) on all debts, net of known reversals.

    Parameters
    ----------
    windows_days : tuple of float, ascending
        Windows of counts and sums.
    prior_strength : float
        Payments' worth of population in the share of part payments.

    Examples
    --------
    >>> [c.name for c in Payments().columns()][:4]
    ['n_7d', 'sum_7d', 'to_past_due_7d', 'n_30d']
    """

    name = "payments"
    fitted = ("part_share_",)

    def __init__(
        self, *, windows_days: tuple[float, ...] = (7, 30, 90), prior_strength: float = 3.0
    ) -> None:
        self.windows_days = windows_days
        self.prior_strength = prior_strength

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        out = []
        for w in map(window_name, self.windows_days):
            out += [
                Column(f"n_{w}", "count", w, _SOURCE),
                Column(f"sum_{w}", "money", w, _SOURCE),
                Column(f"to_past_due_{w}", "ratio", w, _SOURCE + "+debt_snapshots"),
            ]
        return (
            *out,
            Column("n_all", "count", "all", _SOURCE),
            Column("sum_all", "money", "all", _SOURCE),
            Column("n_reversed_all", "count", "all", _SOURCE),
            Column("days_since_last", "days", "all", _SOURCE + "+debts"),
            Column("last_amount", "money", "latest", _SOURCE),
            Column("mean_gap", "days", "12 payments", _SOURCE),
            Column("gap_deviation", "days", "12 payments", _SOURCE),
            Column("gap_position", "ratio", "12 payments", _SOURCE),
            Column("part_share", "share", "all", _SOURCE + "+debt_snapshots"),
            *(Column(f"sum_month_{k}", "money", f"month {k}", _SOURCE) for k in range(N_MONTHS)),
            Column("n_paying_months", "count", "6 months", _SOURCE),
            Column("month_slope", "money per month", "6 months", _SOURCE),
        )

    def learn(self, moments: Moments) -> None:
        """Learn the population's share of part payments."""
        hits, trials = _parts(moments)
        self.part_share_ = float(hits.sum() / trials.sum()) if trials.sum() > 0 else float("nan")

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        m, index = moments, moments.journal.payments.index
        pairs = (m.customers, m.instants)
        counted = np.where(np.isnan(m.payment_values), -1, 0)
        windows = [*window_lengths(self.windows_days), FOREVER_US]
        money = np.nan_to_num(m.payment_values)
        n = window_sums(index, counted, 1, windows, *pairs)[:, 0]
        total = window_sums(index, counted, 1, windows, *pairs, values=money)[:, 0]
        rows = m.debts
        past_due = rows.total(rows.states.past_due_now)
        out: dict[str, Any] = {}
        for k, w in enumerate(map(window_name, self.windows_days)):
            out[f"n_{w}"] = n[:, k]
            out[f"sum_{w}"] = total[:, k]
            out[f"to_past_due_{w}"] = ratio(total[:, k], past_due + total[:, k])
        out["n_all"], out["sum_all"] = n[:, -1], total[:, -1]
        out |= self._recency(m, counted)
        hits, trials = _parts(m)
        out["part_share"] = shrunken(hits, trials, self.part_share_, self.prior_strength)
        return out | self._months(m)

    def _recency(self, m: Moments, counted: Any) -> dict[str, Any]:
        log = m.journal.payments
        index, pairs = log.index, (m.customers, m.instants)
        last = last_times(index, counted, 1, *pairs)[:, 0]
        before = np.full(len(m), NO_INSTANT)
        if len(m.journal.debts):
            lead = np.maximum(m.lead_debt, 0)
            given = m.journal.debts.date_known("last_paid_at", lead, m.instants)
            before = np.where(m.lead_debt >= 0, given, NO_INSTANT)
        since = days_between(np.maximum(last, before), m.instants)
        latest = latest_by_time(index.starts, index.known, index.time, *pairs, 1)[:, 0]
        gaps = gap_statistics(index, counted == 0, 12, *pairs)
        everything = np.zeros(len(index), dtype=np.int64)
        seen = index.ends(*pairs) - index.starts[m.customers]
        valid = window_sums(index, everything, 1, [FOREVER_US], *pairs)[:, 0, 0]
        return {
            "n_reversed_all": seen - valid,
            "days_since_last": since,
            "last_amount": value_at(m.payment_values, latest),
            "mean_gap": gaps[:, 0],
            "gap_deviation": gaps[:, 1],
            "gap_position": ratio(since, gaps[:, 0]),
        }

    def _months(self, m: Moments) -> dict[str, Any]:
        index = m.journal.payments.index
        months = period_sums(index, m.payment_values, MONTH_US, N_MONTHS, m.customers, m.instants)
        out: dict[str, Any] = {f"sum_month_{k}": months[:, k] for k in range(N_MONTHS)}
        out["n_paying_months"] = (months > 0).sum(axis=1)
        centred = (N_MONTHS - 1) / 2 - np.arange(N_MONTHS)  # newest first: rising is positive
        slope = np.zeros(len(m))
        for k in range(N_MONTHS):
            slope = slope + months[:, k] * centred[k]
        out["month_slope"] = slope / float(centred @ centred)
        return out


def _parts(m: Moments) -> tuple[Any, Any]:
    """Count payments below the lead debt's instalment, and all, per moment."""
    return m.once("payment_parts", lambda: _part_counts(m))


def _part_counts(m: Moments) -> tuple[Any, Any]:
    log = m.journal.payments
    snapshot = m.debts.of_lead(m.debts.states.snapshot, -1).astype(np.int64)
    due = value_at(m.journal.debts.instalment, snapshot)
    position, moment = log.index.pairs(m.customers, m.instants)
    value = m.payment_values[position]
    counts = ~np.isnan(value) & (log.index.until[position] > m.instants[moment])
    counts &= ~np.isnan(due[moment])
    part = counts & (value < 0.95 * due[moment])
    n = len(m)
    return (
        np.bincount(moment, weights=part, minlength=n),
        np.bincount(moment, weights=counts, minlength=n),
    )
