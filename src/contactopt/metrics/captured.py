"""What a score finds when only so many can be contacted: captured share, lift, gain curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.metrics.arrays import weights_of
from contactopt.metrics.interval import (
    Estimate,
    cluster_totals,
    influence_error,
    normal_interval,
    unknown,
)

__all__ = ["captured_at_capacity", "gain_curve", "lift_at_capacity"]

Floats = npt.NDArray[np.float64]
_COLUMNS = ("share_contacted", "captured", "low", "high", "random", "best")


@dataclass(frozen=True)
class _Ranked:
    """Outcomes in the order of a score, the best first; equal scores are a tie."""

    outcome: Floats
    weight: Floats
    #: tie of each row; weight and mean outcome of each tie
    tie: npt.NDArray[np.int64]
    mass: Floats
    level: Floats
    order: npt.NDArray[np.int64]

    @classmethod
    def of(cls, outcome: Floats, score: Floats, weight: Floats) -> _Ranked:
        order = np.argsort(-score, kind="stable")
        ranked, y, w = -score[order], outcome[order], weight[order]
        tie = np.cumsum(np.append(True, np.diff(ranked) != 0)[: len(ranked)]) - 1
        mass = np.bincount(tie, weights=w).astype(np.float64)
        total = np.bincount(tie, weights=w * y).astype(np.float64)
        level = total / np.where(mass > 0, mass, 1.0)
        return cls(y, w, tie, mass, level, order)

    def taken(self, share: float) -> Floats:
        """Part of each row, in this order, that a capacity holds; a tie is drawn from at random."""
        room = share * self.weight.sum() - (np.cumsum(self.mass) - self.mass)
        part = np.clip(room / np.where(self.mass > 0, self.mass, 1.0), 0.0, 1.0)
        return part[self.tie]

    def at_margin(self, share: float) -> float:
        """Mean outcome of those who would come next, from about n^0.6 rows around."""
        end = np.cumsum(self.mass)
        k = min(int(np.searchsorted(end, share * end[-1], side="left")), len(end) - 1)
        width = 0.5 * end[-1] * len(self.outcome) ** -0.4
        near = (end > end[k] - self.mass[k] - width) & (end - self.mass < end[k] + width)
        return float(self.mass[near] @ self.level[near] / self.mass[near].sum())


def captured_at_capacity(
    outcome: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    capacity: float,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the share of all outcome that lies with the top-scored rows.

    Of a response this is found money, not money that contact added: that is uplift's question.

    Parameters
    ----------
    outcome : array-like >= 0, shape (n,)
        Paid or not (0/1), or money.
    score : array-like, shape (n,)
        Larger comes first; rows with equal scores are drawn from at random.
    capacity : float or int
        A fraction up to 1.0 is the share of the rows that can be contacted, a whole number is how
        many rows (1 is one row, 1.0 all of them).
    groups : array-like, shape (n,), optional
        Clusters for the interval.
    sample_weight : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
        Interval from the linearised ratio, the estimated cut-off counted in (as for ordinates of
        a concentration curve: Kakwani, Wagstaff and van Doorslaer 1997). NaN with the reason for
        no rows and no outcome at all.

    Raises
    ------
    ValueError
        Lengths differ, a number is missing or negative, or ``capacity`` is not above 0.

    Examples
    --------
    >>> captured_at_capacity([90, 10, 0, 0], [4, 3, 2, 1], capacity=1).value
    0.9
    """
    y, s, w = _checked(outcome, score, sample_weight)
    if (reason := _cannot(y, w)) is not None:
        return unknown(reason, len(y))
    share = _share(capacity, len(y))
    value, rows = _captured(y, s, w, share)
    return _told(value, cluster_totals(rows, groups), level, top=1.0)


def lift_at_capacity(
    outcome: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    capacity: float,
    against: Literal["random", "best"] = "random",
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return how many times the captured outcome of another order the score captures.

    Parameters
    ----------
    outcome, score, capacity, groups, sample_weight, level
        As in `captured_at_capacity`.
    against : {"random", "best"}
        ``random``: contacts drawn by lot (lift; 1 is no use). ``best``: the order of the outcomes
        themselves, which nobody knows (at most 1).

    Returns
    -------
    Estimate
        NaN with the reason for no rows and no outcome at all.

    Examples
    --------
    >>> lift_at_capacity([90, 10, 0, 0], [4, 3, 2, 1], capacity=0.25).value
    3.6
    >>> lift_at_capacity([10, 90, 0, 0], [4, 3, 2, 1], capacity=2, against="best").value
    1.0
    """
    if against not in ("random", "best"):
        raise ValueError("against is 'random' or 'best'")
    y, s, w = _checked(outcome, score, sample_weight)
    if (reason := _cannot(y, w)) is not None:
        return unknown(reason, len(y))
    share = _share(capacity, len(y))
    value, rows = _captured(y, s, w, share)
    if against == "random":
        return _told(value / share, cluster_totals(rows / share, groups), level, top=np.inf)
    best, best_rows = _captured(y, y, w, share)
    ratio = value / best
    return _told(ratio, cluster_totals((rows - ratio * best_rows) / best, groups), level, top=1.0)


def gain_curve(
    outcome: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    n_points: int = 20,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the captured share of outcome over the share contacted.

    Parameters
    ----------
    outcome, score, groups, sample_weight, level
        As in `captured_at_capacity`.
    n_points : int
        Steps of the share contacted, evenly spaced from 0 to 1.

    Returns
    -------
    DataFrame
        Columns share_contacted, captured, low, high (pointwise intervals), random, best;
        n_points + 1 rows, none where there is no outcome.
    """
    y, s, w = _checked(outcome, score, sample_weight)
    if _cannot(y, w) is not None:
        return pd.DataFrame(columns=list(_COLUMNS), dtype=float)
    ranked, best = _Ranked.of(y, s, w), _Ranked.of(y, y, w)
    rows = [(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)]
    for share in np.arange(1, n_points + 1) / n_points:
        value, parts = _influence(ranked, float(share))
        found = _told(value, cluster_totals(parts, groups), level, top=1.0)
        ideal = _value(best, float(share))
        rows.append((float(share), found.value, found.low, found.high, float(share), ideal))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _checked(
    outcome: npt.ArrayLike, score: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    y = np.asarray(outcome, dtype=np.float64).ravel()
    s = np.asarray(score, dtype=np.float64).ravel()
    if y.shape != s.shape:
        raise ValueError(f"{len(y)} outcomes but {len(s)} scores")
    if not np.isfinite(y).all() or (y < 0).any():
        raise ValueError("outcomes must be finite and at least 0")
    if not np.isfinite(s).all():
        raise ValueError("scores must be finite")
    return y, s, weights_of(sample_weight, len(y))


def _cannot(y: Floats, w: Floats) -> str | None:
    if len(y) == 0:
        return "no rows"
    return None if w @ y > 0 else "no outcome"


def _share(capacity: float, n: int) -> float:
    if not capacity > 0:
        raise ValueError("capacity must be above 0: a share up to 1.0, or a number of rows")
    rows = isinstance(capacity, int | np.integer) or capacity > 1
    return min(float(capacity / n if rows else capacity), 1.0)


def _captured(y: Floats, s: Floats, w: Floats, share: float) -> tuple[float, Floats]:
    return _influence(_Ranked.of(y, s, w), share)


def _value(ranked: _Ranked, share: float) -> float:
    money = ranked.weight * ranked.outcome
    return float(ranked.weight * ranked.level[ranked.tie] @ ranked.taken(share) / money.sum())


def _influence(ranked: _Ranked, share: float) -> tuple[float, Floats]:
    """Return the captured share, and what each row (in its own place) adds to its error."""
    total = float(ranked.weight @ ranked.outcome)
    taken = ranked.taken(share)
    value = float((ranked.weight * ranked.level[ranked.tie]) @ taken) / total
    parts = ranked.outcome * (taken - value) - ranked.at_margin(share) * (taken - share)
    out = np.empty(len(parts))
    out[ranked.order] = ranked.weight * parts / total
    return value, out


def _told(value: float, influence: Floats, level: float, *, top: float) -> Estimate:
    found = normal_interval(value, influence_error(influence), len(influence), level)
    low, high = max(found.low, 0.0), min(found.high, top)
    return Estimate(found.value, float(low), float(high), found.n)
