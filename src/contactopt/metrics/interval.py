"""A number with its interval and the count it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

__all__ = [
    "Estimate",
    "cluster_totals",
    "influence_error",
    "mean_estimate",
    "normal_interval",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its two-sided interval and its denominator.

    Parameters
    ----------
    value : float
        NaN where the data cannot tell.
    low, high : float
        Ends of the interval at the asked level; NaN where the data cannot tell.
    n : int
        Rows, or clusters where the metric was given groups.
    reason : str
        Why the value is NaN, else empty.

    Examples
    --------
    >>> print(Estimate(0.7771, 0.7702, 0.7840, 21000))
    0.7771 [0.7702, 0.7840] (n=21000)
    >>> print(unknown("one class only", 5))
    not enough data: one class only (n=5)
    """

    value: float
    low: float
    high: float
    n: int
    reason: str = ""

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        if self.reason:
            return f"not enough data: {self.reason} (n={self.n})"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}] (n={self.n})"


def unknown(reason: str, n: int) -> Estimate:
    """Return the estimate of what these data cannot tell."""
    nan = float("nan")
    return Estimate(nan, nan, nan, int(n), reason)


def normal_interval(value: float, standard_error: float, n: int, level: float) -> Estimate:
    """Return the normal interval of ``value`` at confidence ``level``."""
    half = float(ndtri(0.5 + level / 2.0)) * standard_error
    return Estimate(float(value), float(value - half), float(value + half), int(n))


def cluster_totals(
    values: npt.NDArray[np.float64], groups: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    """Add values up per group, shape (n_groups,); without groups each row is its own."""
    if groups is None:
        return values
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(code.ravel(), weights=values).astype(np.float64)


def influence_error(influence: npt.NDArray[np.float64]) -> float:
    """Return the standard error of a sum of independent parts, shape (n,); NaN for one."""
    n = len(influence)
    return float(np.sqrt(n / (n - 1) * (influence @ influence))) if n > 1 else float("nan")


def mean_estimate(
    values: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    groups: npt.ArrayLike | None,
    level: float,
) -> Estimate:
    """Weighted mean with a linearised, cluster-robust interval (Cochran 1977, ratio estimator).

    No rows, or no weight, give NaN.
    """
    total = float(weights.sum())
    if len(values) == 0 or total <= 0:
        return unknown("no rows" if len(values) == 0 else "no weight", 0)
    mean = float(weights @ values) / total
    influence = cluster_totals(weights * (values - mean) / total, groups)
    return normal_interval(mean, influence_error(influence), len(influence), level)
