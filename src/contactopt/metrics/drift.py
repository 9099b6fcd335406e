"""How far a distribution has moved since the fit: population stability index, with its noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import chdtr, chdtri, chndtr

from contactopt.metrics.columns import as_column, numbers_of, words_of

__all__ = ["FittedBins", "StabilityIndex", "population_stability_index", "stability_of_counts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: added to each count, so that a bin that lost everybody gives a number
_HALF = 0.5
_MISSING, _OTHER = "(missing)", "(other)"
_TOO_FEW = "not enough data"


@dataclass(frozen=True, slots=True)
class StabilityIndex:
    """A population stability index, its interval and what chance alone would give.

    Parameters
    ----------
    value : float
        Sum over bins of (actual - expected) * log(actual / expected); NaN without rows.
    low, high : float
        Interval of the index of the two populations; low is 0 where chance explains all.
    noise : float
        Mean index of two samples of these sizes from one population.
    limit : float
        Index that such samples pass with probability 1 - level.
    n_expected, n_actual, n_bins : int
        Rows of both samples, where groups repeat themselves as many independent ones as that is
        worth; bins that hold anybody.
    reason : str
        Why the value is NaN, else empty.

    Examples
    --------
    >>> print(population_stability_index([1.0] * 50 + [2.0] * 50, [1.0] * 90 + [2.0] * 10))
    0.8531 [0.4053, 1.4655], noise 0.0200, drifted (n=100 and 100)
    """

    value: float
    low: float
    high: float
    noise: float
    limit: float
    n_expected: int
    n_actual: int
    n_bins: int
    reason: str = ""

    def __float__(self) -> float:
        return self.value

    @property
    def drifted(self) -> bool:
        """Whether the index lies beyond what chance gives; False where it is not known."""
        return bool(self.value > self.limit)

    @property
    def verdict(self) -> str:
        """``stable`` (as chance gives, or below 0.1), ``moved``, ``moved far`` (from 0.25).

        0.1 and 0.25 are the conventional limits of credit scoring (Siddiqi 2006); chance is told
        apart first, because small samples pass them without any drift.
        """
        if np.isnan(self.value):
            return _TOO_FEW
        if not self.drifted or self.value < 0.1:
            return "stable"
        return "moved" if self.value < 0.25 else "moved far"

    def __str__(self) -> str:
        if np.isnan(self.value):
            return f"{_TOO_FEW}: {self.reason}"
        told = "drifted" if self.drifted else "no drift shown"
        return (
            f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}], noise {self.noise:.4f}, {told} "
            f"(n={self.n_expected} and {self.n_actual})"
        )


@dataclass(frozen=True, eq=False)
class FittedBins:
    """Bins of one column as the fit saw them, and how many rows were in each.

    Numbers are cut at quantiles; a value that fills a bin alone keeps one. Other values are
    levels, the rarest of them together as ``(other)``, where levels never seen go too. Missing
    values are a bin of their own.

    Parameters
    ----------
    edges : float array or None
        Ascending limits of the bins of numbers; a bin holds [edge, next edge).
    levels : tuple of str
        Of a column that holds no numbers.
    counts : int array
        Rows of the fit per bin; the last is missing, the one before (of levels) other.

    Examples
    --------
    >>> bins = FittedBins.of(["a", "b", "a", None])
    >>> bins.names, bins.counts.tolist()
    (('a', 'b', '(other)', '(missing)'), [2, 1, 0, 1])
    """

    edges: Floats | None
    levels: tuple[str, ...]
    counts: Ints

    @classmethod
    def of(cls, values: npt.ArrayLike | pd.Series, *, n_bins: int = 10) -> Self:
        """Cut a column of shape (n,) into at most ``n_bins`` bins of about equal mass."""
        if n_bins < 2:
            raise ValueError("n_bins must be at least 2")
        column = as_column(values)
        numbers = numbers_of(column)
        if numbers is not None:
            known = np.sort(numbers[~np.isnan(numbers)])
            at = known[(np.arange(1, n_bins) * len(known)) // n_bins] if len(known) else known
            edges = np.unique(at)
            # the lowest value is no limit: nobody is below it
            bins = cls(edges[edges > known[0]] if len(known) else edges, (), np.zeros(0, int))
        else:
            words = words_of(column)
            counts = words[words.notna()].value_counts()
            order = sorted(counts.index, key=lambda w: (-int(counts[w]), w))[: max(n_bins - 1, 1)]
            bins = cls(None, tuple(sorted(order)), np.zeros(0, int))
        return cls(bins.edges, bins.levels, np.bincount(bins.codes(column), minlength=len(bins)))

    def __len__(self) -> int:
        return len(self.levels) + 2 if self.edges is None else len(self.edges) + 2

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each bin."""
        if self.edges is None:
            return (*self.levels, _OTHER, _MISSING)
        ends = [f"{x:.4g}" for x in self.edges]
        if not ends:
            return ("any", _MISSING)
        middle = [f"{a} to {b}" for a, b in pairwise(ends)]
        return (f"below {ends[0]}", *middle, f"{ends[-1]} and above", _MISSING)

    def codes(self, values: npt.ArrayLike | pd.Series) -> Ints:
        """Return the bin of each value, shape (n,).

        Raises
        ------
        ValueError
            If the fit saw numbers and these are none.
        """
        column = as_column(values)
        last = len(self) - 1
        if self.edges is None:
            words = words_of(column)
            code = pd.Index(self.levels, dtype=object).get_indexer(pd.Index(words, dtype=object))
            code = np.where(code < 0, last - 1, code)
            return np.where(words.isna().to_numpy(), last, code).astype(np.int64)
        numbers = numbers_of(column)
        if numbers is None:
            if column.notna().any():
                raise ValueError("the fit saw numbers in this column, now it holds none")
            return np.full(len(column), last, dtype=np.int64)
        code = np.searchsorted(self.edges, numbers, side="right")
        return np.where(np.isnan(numbers), last, code).astype(np.int64)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        edges = None if self.edges is None else self.edges.tolist()
        return {"edges": edges, "levels": list(self.levels), "counts": self.counts.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild from `to_state`."""
        edges = state["edges"]
        return cls(
            None if edges is None else np.asarray(edges, dtype=np.float64),
            tuple(state["levels"]),
            np.asarray(state["counts"], dtype=np.int64),
        )


def population_stability_index(
    expected: npt.ArrayLike | pd.Series | FittedBins,
    actual: npt.ArrayLike | pd.Series,
    *,
    n_bins: int = 10,
    expected_groups: npt.ArrayLike | None = None,
    actual_groups: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> StabilityIndex:
    """Compare a column today with the same column at the fit.

    Bins come from ``expected``: deciles of numbers, levels of anything else; missing values are a
    bin of their own, levels never seen go to ``(other)``. Half a row is added to every bin.
    Without drift the index is about chi-square / (1/n + 1/m)^-1 with bins - 1 degrees of freedom
    (Yurdakul 2018): that is the noise; the interval inverts the noncentral chi-square of the
    same scale. Repeated rows of a group widen both (Rao and Scott 1984, first order).

    Parameters
    ----------
    expected : array-like, shape (n,), or FittedBins
        The column at the fit, or the bins that were kept of it (``expected_groups`` then has no
        use).
    actual : array-like, shape (m,)
        The column today.
    n_bins : int
        At most so many bins of equal mass, missing apart.
    expected_groups, actual_groups : array-like, shape (n,) and (m,), optional
        Clusters (customers) of the rows.
    level : float
        Of the interval and the noise limit.

    Returns
    -------
    StabilityIndex
        NaN with a reason where a side has no rows.

    Raises
    ------
    ValueError
        If numbers at the fit are now text.

    Examples
    --------
    >>> same = population_stability_index(range(1000), range(1000))
    >>> same.value, same.drifted
    (0.0, False)
    """
    if isinstance(expected, FittedBins):
        bins, spread = expected, 1.0
    else:
        bins = FittedBins.of(expected, n_bins=n_bins)
        spread = _design_effect(bins.codes(expected), bins.counts, expected_groups)
    code = bins.codes(actual)
    counts = np.bincount(code, minlength=len(bins)).astype(np.int64)
    return stability_of_counts(
        bins.counts,
        counts,
        expected_design_effect=spread,
        actual_design_effect=_design_effect(code, counts, actual_groups),
        level=level,
    )


def stability_of_counts(
    expected: Sequence[float] | npt.ArrayLike,
    actual: Sequence[float] | npt.ArrayLike,
    *,
    expected_design_effect: float = 1.0,
    actual_design_effect: float = 1.0,
    level: float = 0.95,
) -> StabilityIndex:
    """Compare counts per bin, shape (k,) each: shares of segments, for instance.

    Parameters
    ----------
    expected, actual : array-like of counts, shape (k,)
        The same bins in the same order.
    expected_design_effect, actual_design_effect : float
        Rows per independent row, 1 where rows are independent.
    level : float

    Returns
    -------
    StabilityIndex
        As `population_stability_index`.
    """
    a, b = (np.asarray(c, dtype=np.float64).ravel() for c in (expected, actual))
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} expected counts but {len(b)} actual ones")
    held = (a + b) > 0
    a, b = a[held], b[held]
    n, m = float(a.sum()), float(b.sum())
    k = len(a)
    if n == 0 or m == 0:
        side = "no rows at the fit" if n == 0 else "no rows today"
        nan = float("nan")
        return StabilityIndex(nan, nan, nan, nan, nan, round(n), round(m), k, side)
    p = (a + _HALF) / (n + _HALF * k)
    q = (b + _HALF) / (m + _HALF * k)
    value = float(((q - p) * np.log(q / p)).sum())
    n, m = n / expected_design_effect, m / actual_design_effect
    scale = 1.0 / (1.0 / n + 1.0 / m)
    limit = float(chdtri(k - 1, 1.0 - level)) / scale if k > 1 else 0.0
    low, high = _interval(value, p, q, n, m, level)
    return StabilityIndex(value, low, high, (k - 1) / scale, limit, round(n), round(m), k)


def _interval(
    value: float, p: Floats, q: Floats, n: float, m: float, level: float
) -> tuple[float, float]:
    """Invert the noncentral chi-square whose spread is that of the delta method."""
    if len(p) < 2:
        return 0.0, 0.0
    d_p, d_q = np.log(p / q) + 1.0 - q / p, np.log(q / p) + 1.0 - p / q
    variance = (p @ d_p**2 - (p @ d_p) ** 2) / n + (q @ d_q**2 - (q @ d_q) ** 2) / m
    # near no drift this is 1 / (1/n + 1/m); farther away the index spreads more
    scale = 4.0 * value / float(variance) if variance > 0 else 1.0 / (1.0 / n + 1.0 / m)
    freedom, seen = len(p) - 1, scale * value
    tail = (1.0 - level) / 2.0

    def far(at: float) -> float:
        """Return the noncentrality under which ``seen`` is that quantile, 0 where there is none."""
        if chdtr(freedom, seen) <= at:
            return 0.0
        top = seen + 10.0 * np.sqrt(seen) + 50.0
        return float(brentq(lambda c: chndtr(seen, freedom, c) - at, 0.0, top))  # pyright: ignore[reportArgumentType]

    return far(1.0 - tail) / scale, far(tail) / scale


def _design_effect(code: Ints, counts: Ints, groups: npt.ArrayLike | None) -> float:
    """Mean factor by which clusters widen the shares of the bins (Rao and Scott 1984)."""
    n = len(code)
    held = counts > 0
    if groups is None or n == 0 or held.sum() < 2:
        return 1.0
    _, who = np.unique(np.asarray(groups), return_inverse=True)
    who = who.ravel()
    if len(who) != n:
        raise ValueError(f"{n} rows but {len(who)} groups")
    size = np.bincount(who).astype(np.float64)
    pair, times = np.unique(who * len(counts) + code, return_counts=True)
    of, who = pair % len(counts), pair // len(counts)
    squares = np.bincount(of, weights=times**2, minlength=len(counts))
    cross = np.bincount(of, weights=times * size[who], minlength=len(counts))
    p = counts / n
    spread = (squares - 2.0 * p * cross + p**2 * (size @ size)) / n**2
    return max(1.0, float((n * spread[held] / p[held]).sum() / (held.sum() - 1)))
