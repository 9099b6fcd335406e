"""How the lead debt came here: its last six snapshots in order, slopes, the worst so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.features._base import Column, FeatureBlock
from contactopt.features.arithmetic import MONTH_DAYS, days_between, instant_at, ratio, value_at
from contactopt.features.moments import Moments
from contactopt.journal.folds import largest

__all__ = ["N_LAGS", "Trajectory", "lead_snapshots"]

N_LAGS = 6
_VALUES = ("days_past_due", "balance", "past_due")
_SOURCE = "debt_snapshots"
Floats = npt.NDArray[np.float64]


def lead_snapshots(moments: Moments) -> npt.NDArray[np.int64]:
    """Return positions of the lead debt's latest known snapshots, newest first, shape (n, 6)."""
    return moments.once("lead_snapshots", lambda: _lead_snapshots(moments))


def _lead_snapshots(moments: Moments) -> npt.NDArray[np.int64]:
    out = np.full((len(moments), N_LAGS), -1, dtype=np.int64)
    has = np.flatnonzero(moments.lead_debt >= 0)
    if len(has):
        out[has] = moments.journal.debts.last_snapshots(
            moments.lead_debt[has], moments.instants[has], N_LAGS
        )
    return out


class Trajectory(FeatureBlock):
    """Snapshots by order (lag 0 is the latest), their slopes per month, and extremes.

    Examples
    --------
    >>> len(Trajectory().columns())
    30
    """

    name = "trajectory"

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        lags = [
            Column(f"{value}_lag{k}", "days" if value == "days_past_due" else "money", f"lag {k}",
                   _SOURCE)
            for value in _VALUES
            for k in range(N_LAGS)
        ]  # fmt: skip
        slopes = [
            Column(f"{n}_slope_monthly", "per month", "6 snapshots", _SOURCE) for n in _VALUES
        ]
        return (
            *lags,
            *slopes,
            Column("days_past_due_change", "days", "2 snapshots", _SOURCE),
            Column("balance_change_share", "ratio", "2 snapshots", _SOURCE),
            Column("n_snapshots", "count", "6 snapshots", _SOURCE),
            Column("n_past_due", "count", "6 snapshots", _SOURCE),
            Column("max_days_past_due", "days", "all", _SOURCE),
            Column("max_balance", "money", "all", _SOURCE),
            Column("balance_to_max", "ratio", "all", _SOURCE),
            Column("months_covered", "months", "6 snapshots", _SOURCE),
            Column("mean_past_due", "money", "6 snapshots", _SOURCE),
        )

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        log = moments.journal.debts
        at = lead_snapshots(moments)
        values = {
            "days_past_due": value_at(log.days_past_due, at),
            "balance": value_at(log.balance, at),
            "past_due": value_at(log.past_due, at),
        }
        observed = instant_at(log.snapshots.time, at)
        ago = days_between(observed, np.broadcast_to(observed[:, :1], observed.shape))
        out: dict[str, Any] = {}
        for name, value in values.items():
            out |= {f"{name}_lag{k}": value[:, k] for k in range(N_LAGS)}
            out[f"{name}_slope_monthly"] = -_slope(ago, value) * MONTH_DAYS
        dpd, balance, past_due = values.values()
        known = ~np.isnan(past_due)
        out["days_past_due_change"] = dpd[:, 0] - dpd[:, 1]
        out["balance_change_share"] = ratio(balance[:, 0] - balance[:, 1], balance[:, 1])
        out["n_snapshots"] = (at >= 0).sum(axis=1)
        out["n_past_due"] = (np.nan_to_num(dpd) > 0).sum(axis=1)
        index, owner = log.snapshots, moments.lead_debt
        out["max_days_past_due"] = largest(index, log.days_past_due, owner, moments.instants)
        out["max_balance"] = largest(index, log.balance, owner, moments.instants)
        out["balance_to_max"] = ratio(balance[:, 0], out["max_balance"])
        out["months_covered"] = np.nanmax(np.nan_to_num(ago), axis=1, initial=0.0) / MONTH_DAYS
        out["mean_past_due"] = _mean(past_due, known)
        return out


def _mean(value: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    count = known.sum(axis=1)
    return ratio(_row_sum(np.where(known, value, 0.0)), count.astype(np.float64))


def _row_sum(value: Floats) -> Floats:
    """Add the six columns one after the other: the same bits for any number of rows."""
    total = np.zeros(len(value))
    for k in range(value.shape[1]):
        total = total + value[:, k]
    return total


def _slope(ago_days: Floats, value: Floats) -> Floats:
    """Return the least-squares slope of value over age; NaN with fewer than two ages."""
    known = ~np.isnan(value) & ~np.isnan(ago_days)
    x = np.where(known, ago_days, 0.0)
    y = np.where(known, value, 0.0)
    n = known.sum(axis=1).astype(np.float64)
    mean_x, mean_y = ratio(_row_sum(x), n), ratio(_row_sum(y), n)
    dx = np.where(known, x - mean_x[:, None], 0.0)
    dy = np.where(known, y - mean_y[:, None], 0.0)
    return ratio(_row_sum(dx * dy), _row_sum(dx * dx))
