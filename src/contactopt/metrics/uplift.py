"""Does a score rank by what treatment adds? Uplift and Qini curves and the areas under them.

Both curves treat the share k of the rows with the highest scores. The uplift curve counts what
that brings per row of everybody, ``k x (mean of the treated - mean of the controls)`` among those
rows; the Qini curve counts the treated's outcomes less the controls' brought to the same number
(Radcliffe, Direct Marketing Analytics Journal 2007). Under unequal treatment probabilities every
row counts by the inverse of the probability of what it got (Horvitz and Thompson 1952, normalised
in each group). Rows with equal scores are never ordered: the curve is straight between them, so a
constant score gives the straight line and the coefficient 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.metrics.interval import Estimate

__all__ = ["auuc", "qini", "qini_curve", "uplift_curve"]

Floats = npt.NDArray[np.float64]
_Curve = Callable[[Floats, Floats, Floats, Floats], Floats]


class _Rows(NamedTuple):
    """Rows sorted by falling score; ``last`` is the last row of each run of equal scores."""

    outcome: Floats
    treated: npt.NDArray[np.bool_]
    weight: Floats
    cluster: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    n_clusters: int


def _checked(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    treated: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    groups: npt.ArrayLike | None,
) -> _Rows:
    outcome = np.asarray(y, dtype=np.float64).ravel()
    scores = np.asarray(score, dtype=np.float64).ravel()
    flags = np.asarray(treated, dtype=np.float64).ravel()
    n = len(outcome)
    drawn = np.ones(n) if propensity is None else np.asarray(propensity, dtype=np.float64).ravel()
    ids = np.arange(n) if groups is None else np.asarray(groups).ravel()
    if not len(scores) == len(flags) == len(drawn) == len(ids) == n:
        raise ValueError("y, score, treated, propensity and groups must have one entry per row")
    if not (np.isfinite(outcome).all() and np.isfinite(scores).all()):
        raise ValueError("outcomes and scores must be finite")
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError("treated must be 0 or 1")
    if not ((drawn > 0) & (drawn <= 1)).all():
        raise ValueError("propensity, the probability of what the row got, must lie in (0, 1]")
    order = np.argsort(-scores, kind="stable")
    names, code = np.unique(ids, return_inverse=True)
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if n else np.zeros(0, int)
    return _Rows(
        outcome[order],
        flags[order] > 0,
        1.0 / drawn[order],
        code.ravel()[order].astype(np.int64),
        last.astype(np.int64),
        len(names),
    )


def _sums(rows: _Rows, weight: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return running weights and weighted outcomes of the treated and of the controls, from 0."""
    parts = []
    for group in (rows.treated, ~rows.treated):
        mine = np.where(group, weight, 0.0)
        for values in (mine, mine * rows.outcome):
            parts.append(np.append(0.0, np.cumsum(values)[rows.last]))
    return parts[0], parts[1], parts[2], parts[3]


def _share(wt: Floats, wc: Floats) -> Floats:
    """Share of the rows that is treated: each group's own share, averaged."""
    return 0.5 * (wt / wt[-1] + wc / wc[-1])


def _uplift(wt: Floats, yt: Floats, wc: Floats, yc: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(wt > 0, yt / wt, 0.0) - np.where(wc > 0, yc / wc, 0.0)
    # before both groups are there nothing can be compared: the gain starts at 0
    return np.where((wt > 0) & (wc > 0), _share(wt, wc) * gap, 0.0)


def _qini(wt: Floats, yt: Floats, wc: Floats, yc: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.where(wc > 0, yc * wt / wc, 0.0)
    return np.where((wt > 0) & (wc > 0), (yt - alike) / wt[-1], 0.0)


def _area(rows: _Rows, weight: Floats, curve: _Curve, *, above_line: bool) -> float:
    """Area under a curve over the share treated; NaN where a group is absent."""
    sums = _sums(rows, weight)
    if sums[0][-1] <= 0 or sums[2][-1] <= 0:
        return float("nan")
    x, gain = _share(sums[0], sums[2]), curve(*sums)
    area = float(np.sum(0.5 * (gain[1:] + gain[:-1]) * np.diff(x)))
    return area - 0.5 * float(gain[-1]) if above_line else area


def _rows_of(
    y: npt.ArrayLike, score: npt.ArrayLike, against: npt.ArrayLike | None, *given: Any
) -> list[_Rows]:
    """Return the checked rows in the order of a score, and in that of another one if there is."""
    scores = [score] if against is None else [score, against]
    return [_checked(y, s, *given) for s in scores]


def _estimate(
    rows: list[_Rows],
    curve: _Curve,
    *,
    above_line: bool,
    level: float,
    n_boot: int,
    random_state: int,
) -> Estimate:
    """Area of the first score, less the second's if there are two, with a clustered bootstrap."""

    def value(times: Floats | None) -> float:
        found = [
            _area(
                r,
                r.weight if times is None else r.weight * times[r.cluster],
                curve,
                above_line=above_line,
            )
            for r in rows
        ]
        return found[0] - found[1] if len(found) == 2 else found[0]

    n = rows[0].n_clusters
    nan = float("nan")
    if n == 0:
        return Estimate(nan, nan, nan, 0)
    point = value(None)
    if n_boot == 0 or np.isnan(point):
        return Estimate(point, nan, nan, n)
    rng = np.random.default_rng(random_state)
    draws = np.empty(n_boot)
    for b in range(n_boot):
        draws[b] = value(np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64))
    if np.isnan(draws).mean() > 0.05:  # resamples without one of the groups: too few clusters
        return Estimate(point, nan, nan, n)
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return Estimate(point, float(low), float(high), n)


def _curve_frame(rows: _Rows, curve: _Curve) -> pd.DataFrame:
    if len(rows.outcome) == 0:
        return pd.DataFrame(columns=["share", "gain", "random"], dtype=float)
    sums = _sums(rows, rows.weight)
    if sums[0][-1] <= 0 or sums[2][-1] <= 0:
        return pd.DataFrame(columns=["share", "gain", "random"], dtype=float)
    x, gain = _share(sums[0], sums[2]), curve(*sums)
    return pd.DataFrame({"share": x, "gain": gain, "random": x * gain[-1]})


def uplift_curve(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    propensity: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Gain per row when the highest scores are treated first; parameters as in `qini`.

    Returns
    -------
    DataFrame
        Columns share (of the rows treated), gain (over treating nobody, per row of everybody) and
        random (the same number treated at random); one row per distinct score after (0, 0). No
        rows where a group is absent.
    """
    return _curve_frame(_checked(y, score, treated, propensity, None), _uplift)


def qini_curve(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    propensity: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Qini curve per treated row; parameters as in `qini`, columns as in `uplift_curve`."""
    return _curve_frame(_checked(y, score, treated, propensity, None), _qini)


def qini(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    against: npt.ArrayLike | None = None,
    propensity: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
    n_boot: int = 200,
    random_state: int = 0,
) -> Estimate:
    """Qini coefficient: area between the Qini curve and the line of a random order, per row.

    Parameters
    ----------
    y : array-like, shape (n,)
        Outcome, larger is better.
    score : array-like, shape (n,)
        What treatment is thought to add; only its order matters.
    treated : array-like of 0/1, shape (n,)
    against : array-like, shape (n,), optional
        A second score: the difference of the first to it on the same rows and resamples.
    propensity : array-like in (0, 1], shape (n,), optional
        Probability with which the row got what it got; all equal within a group without it.
    groups : array-like, shape (n,), optional
        Clusters (customers, households) that the bootstrap draws whole.
    level : float
    n_boot : int
        Resamples of the percentile interval; 0 leaves it NaN.
    random_state : int

    Returns
    -------
    Estimate
        In units of the outcome; 0 for a score without order, NaN without treated or controls.

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, a flag not 0/1 or a propensity not in (0, 1].

    Examples
    --------
    >>> qini([1, 0, 0, 0], [2.0, 2.0, 1.0, 1.0], [1, 0, 1, 0], n_boot=0).value
    0.125
    """
    rows = _rows_of(y, score, against, treated, propensity, groups)
    return _estimate(
        rows, _qini, above_line=True, level=level, n_boot=n_boot, random_state=random_state
    )


def auuc(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    against: npt.ArrayLike | None = None,
    propensity: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
    n_boot: int = 200,
    random_state: int = 0,
) -> Estimate:
    """Area under the uplift curve, per row; parameters, interval and errors as in `qini`.

    Half the mean effect is what a random order has.

    Examples
    --------
    >>> auuc([1, 0, 0, 0], [2.0, 2.0, 1.0, 1.0], [1, 0, 1, 0], n_boot=0).value
    0.375
    """
    rows = _rows_of(y, score, against, treated, propensity, groups)
    return _estimate(
        rows, _uplift, above_line=False, level=level, n_boot=n_boot, random_state=random_state
    )
