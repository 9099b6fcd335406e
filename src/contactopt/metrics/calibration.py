"""How far stated probabilities are from observed shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.metrics.arrays import labels_and_scores
from contactopt.metrics.interval import Estimate

__all__ = ["calibration_error_of_perfect_model", "expected_calibration_error", "reliability_table"]


def _bin_of(p: npt.NDArray[np.float64], n_bins: int) -> npt.NDArray[np.int64]:
    """Equal-mass bin of each row; rows with equal probability share a bin."""
    order = np.argsort(p, kind="stable")
    edges = p[order][(np.arange(1, n_bins) * len(p)) // n_bins]
    return np.searchsorted(np.unique(edges), p, side="right")


def _bin_gaps(labels: npt.NDArray[np.float64], p: npt.NDArray[np.float64], n_bins: int) -> float:
    code = _bin_of(p, n_bins)
    return float(np.abs(np.bincount(code, weights=p - labels)).sum() / len(p))


def reliability_table(
    y: npt.ArrayLike, probability: npt.ArrayLike, *, n_bins: int = 10
) -> pd.DataFrame:
    """Predicted and observed share per equal-mass bin.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    n_bins : int
        Rows with equal probabilities are never split, so there may be fewer bins.

    Returns
    -------
    DataFrame
        Columns predicted, observed, low, high (95 % Wilson interval of observed), n; one row per
        bin that holds rows, none for empty input.
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    if len(p) == 0:
        return pd.DataFrame(columns=["predicted", "observed", "low", "high", "n"], dtype=float)
    code = _bin_of(p, n_bins)
    n = np.bincount(code)
    held = n > 0
    n = n[held].astype(float)
    predicted = np.bincount(code, weights=p)[held] / n
    observed = np.bincount(code, weights=labels)[held] / n
    z2 = 1.959963984540054**2
    centre = (observed + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (observed * (1 - observed) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return pd.DataFrame(
        {
            "predicted": predicted,
            "observed": observed,
            "low": centre - half,
            "high": centre + half,
            "n": n,
        }
    )


def expected_calibration_error(
    y: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    n_bins: int = 10,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
    n_boot: int = 200,
    random_state: int = 0,
) -> Estimate:
    """Return the expected calibration error: mean absolute gap over equal-mass bins.

    Read it beside `calibration_error_of_perfect_model`: true probabilities have an error too.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    n_bins : int
    groups : array-like, shape (n,), optional
        Clusters that the bootstrap draws whole.
    level : float
    n_boot : int
        Resamples for the interval (percentile bootstrap); 0 leaves the interval NaN.
    random_state : int

    Returns
    -------
    Estimate
        NaN for empty input.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], n_boot=0).value
    0.0
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    if len(p) == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    value = _bin_gaps(labels, p, n_bins)
    ids = np.arange(len(p)) if groups is None else np.asarray(groups)
    names, code = np.unique(ids, return_inverse=True)
    if n_boot == 0:
        return Estimate(value, float("nan"), float("nan"), len(names))
    rng = np.random.default_rng(random_state)
    draws = np.empty(n_boot)
    for b in range(n_boot):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        rows = np.repeat(np.arange(len(p)), times[code.ravel()])
        draws[b] = _bin_gaps(labels[rows], p[rows], n_bins)
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), len(names))


def calibration_error_of_perfect_model(
    probability: npt.ArrayLike, *, n_bins: int = 10, n_draws: int = 100, random_state: int = 0
) -> float:
    """Mean calibration error that labels drawn from these very probabilities would show.

    Parameters
    ----------
    probability : array-like in [0, 1], shape (n,)
    n_bins, n_draws, random_state : int

    Returns
    -------
    float
        NaN for empty input.
    """
    p = np.asarray(probability, dtype=np.float64).ravel()
    if len(p) == 0:
        return float("nan")
    rng = np.random.default_rng(random_state)
    return float(
        np.mean(
            [_bin_gaps((rng.random(len(p)) < p).astype(float), p, n_bins) for _ in range(n_draws)]
        )
    )
