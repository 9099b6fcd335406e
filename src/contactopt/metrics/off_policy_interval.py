"""Intervals of weighted sums of few or many rewards, clustered by customer and day.

A weighted sum of rare events is a compound Poisson sum: its normal interval misses on one side,
because the few heavy events that make the estimate large also make its spread large. Each side of
the interval is therefore a gamma quantile matched to mean and variance (Fay and Feuer, Statistics
in Medicine 1997) in its mid-p form (Fay and Kim, Biometrical Journal 2017). They widen the upper
side by one unseen event of the largest weight, which is far too wide where weights have a long
tail; here its weight is the geometric mean of the largest weight and the target's mean weight.
Half-lengths are then brought to the variance that the data show (clusters, binomial rewards,
reward models) with Student's quantile where days are few. Signed rewards and differences of
policies have a sum of gains and one of losses, whose sides add as squares (Zou and Donner,
Statistics in Medicine 2008). With many events all of it is the normal interval.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv, ndtri, stdtrit

from contactopt.metrics.interval import Estimate
from contactopt.metrics.off_policy_rows import LoggedRows, cluster_totals_of

__all__ = ["clustered_variance", "weighted_sum_interval"]

Floats = npt.NDArray[np.float64]


def clustered_variance(influence: Floats, rows: LoggedRows) -> tuple[float, float]:
    """Return the variance of a sum over customers and days, and its degrees of freedom.

    By customer plus by day less by both (Cameron, Gelbach and Miller, Journal of Business and
    Economic Statistics 2011), never below that by customer; freedom by Satterthwaite.
    """
    by_customer = _variance(cluster_totals_of(rows.customer, influence))
    if rows.n_days < 2:
        return by_customer, float(max(rows.n_customers - 1, 1))
    by_day = _variance(cluster_totals_of(rows.day, influence))
    _, both = np.unique(rows.customer * rows.n_days + rows.day, return_inverse=True)
    by_both = _variance(cluster_totals_of(both.ravel(), influence))
    variance = max(by_customer, by_customer + by_day - by_both)
    spread = by_day**2 / (rows.n_days - 1) + by_customer**2 / max(rows.n_customers - 1, 1)
    return variance, variance**2 / spread if spread > 0 else float("inf")


def _variance(totals: Floats) -> float:
    n = len(totals)
    return float(n / (n - 1) * (totals @ totals)) if n > 1 else float("nan")


def weighted_sum_interval(
    value: float,
    influence: Floats,
    parts: Floats,
    heaviness: Floats,
    residual: Floats,
    rows: LoggedRows,
    level: float,
) -> Estimate:
    """Return the interval of ``value``.

    Parameters
    ----------
    value : float
    influence : float array, shape (n,)
        What each row adds to the error of ``value``; sums to 0.
    parts : float array, shape (n,)
        What of ``value`` the rewards of the drawn arms add, with its sign: gains and losses.
    heaviness : float array, shape (n,)
        What one unit of reward would add; of a difference, with its sign.
    residual : float array, shape (n,)
        Reward less what was expected of it.
    rows : LoggedRows
    level : float
    """
    variance, freedom = clustered_variance(influence, rows)
    if variance == 0.0:
        return Estimate(value, value, value, rows.n_customers)
    gains = _side(np.maximum(parts, 0.0), _jump(heaviness, residual), rows)
    losses = _side(np.maximum(-parts, 0.0), _jump(heaviness, -residual), rows)
    tail = (1.0 - level) / 2.0
    poisson = gains.variance + losses.variance
    if poisson == 0.0:  # no reward was weighed differently: only the reward model speaks
        half = float(stdtrit(freedom, 1.0 - tail)) * float(np.sqrt(variance))
        return Estimate(value, value - half, value + half, rows.n_customers)
    grown = float(stdtrit(freedom, 1.0 - tail) / ndtri(1.0 - tail))
    grown *= float(np.sqrt(variance / poisson))
    below_gain, above_gain = _reach(gains, tail)
    below_loss, above_loss = _reach(losses, tail)
    low = value - grown * float(np.hypot(below_gain, above_loss))
    high = value + grown * float(np.hypot(above_gain, below_loss))
    return Estimate(value, low, high, rows.n_customers)


class _Side(NamedTuple):
    """Sum and variance of the parts of one sign, and the size of an unseen one."""

    total: float
    variance: float
    jump: float


def _jump(heaviness: Floats, residual: Floats) -> float:
    """Size of an unseen gain: a heavy weight times a residual as large as one by money.

    A gain is a positive residual where more of it is good, or a negative one where less is.
    """
    found = 0.0
    for sign in (1.0, -1.0):
        size = np.abs(heaviness) * np.maximum(sign * residual, 0.0)
        if size.any():
            typical = float(size @ np.abs(residual)) / float(size.sum())
            found = max(found, typical * _heavy(np.maximum(sign * heaviness, 0.0)))
    return found


def _heavy(weights: Floats) -> float:
    """Geometric mean of the largest weight and of the mean weight of what the target does."""
    total = float(weights.sum())
    return float(np.sqrt(weights @ weights / total * weights.max())) if total > 0 else 0.0


def _side(parts: Floats, jump: float, rows: LoggedRows) -> _Side:
    """Add up per customer; customers with several rewards jump further than one reward."""
    per_customer = cluster_totals_of(rows.customer, parts)
    alone, together = float(parts @ parts), float(per_customer @ per_customer)
    further = together / alone if alone > 0 else 1.0
    return _Side(float(parts.sum()), together, jump * further)


def _reach(side: _Side, tail: float) -> tuple[float, float]:
    """How far the sum's interval lies below and above it: mid-p gamma quantiles."""
    if side.jump <= 0.0:
        return 0.0, 0.0
    if side.total <= 0.0:  # half the mass at 0, half exponential: nothing was seen yet
        return 0.0, -side.jump * float(np.log(2.0 * tail))
    own = side.variance / side.total
    below = side.total - _mid_p(side, min(own, side.jump), tail)
    return below, _mid_p(side, side.jump, 1.0 - tail) - side.total


def _mid_p(side: _Side, jump: float, share: float) -> float:
    """Quantile of the even mixture of gammas without and with one more event of size ``jump``."""
    pair = (
        (side.total, side.variance),
        (side.total + jump, side.variance + jump * jump),
    )
    shape = [m * m / v for m, v in pair]
    unit = [v / m for m, v in pair]
    ends = sorted(float(gammaincinv(a, share)) * u for a, u in zip(shape, unit, strict=True))
    if ends[0] == ends[1]:
        return ends[0]

    def off(x: float) -> float:
        below = [gammainc(a, x / u) for a, u in zip(shape, unit, strict=True)]
        return 0.5 * float(sum(below)) - share

    if off(ends[0]) * off(ends[1]) > 0:  # equal but for rounding
        return 0.5 * (ends[0] + ends[1])
    return float(brentq(off, ends[0], ends[1], xtol=1e-14 * ends[1], rtol=1e-12))  # pyright: ignore[reportArgumentType]
