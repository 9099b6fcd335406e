"""How far stated probabilities are from observed shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from contactopt.metrics.arrays import labels_and_scores, weights_of
from contactopt.metrics.interval import Estimate, unknown

__all__ = ["calibration_error_of_perfect_model", "expected_calibration_error", "reliability_table"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _bin_of(p: Floats, n_bins: int) -> Ints:
    """Equal-mass bin of each row; rows with equal probability share a bin."""
    order = np.argsort(p, kind="stable")
    edges = p[order][(np.arange(1, n_bins) * len(p)) // n_bins]
    code = np.searchsorted(np.unique(edges), p, side="right")
    return np.unique(code, return_inverse=True)[1].ravel()


def _bin_gaps(labels: Floats, p: Floats, code: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted mean gap of each bin, and each bin's share of the weight."""
    mass = np.bincount(code, weights=weights)
    gap = np.bincount(code, weights=weights * (labels - p)) / np.where(mass > 0, mass, 1.0)
    return gap, mass / mass.sum()


def reliability_table(
    y: npt.ArrayLike, probability: npt.ArrayLike, *, n_bins: int = 10, level: float = 0.95
) -> pd.DataFrame:
    """Predicted and observed share per equal-mass bin.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    n_bins : int
        Rows with equal probabilities are never split, so there may be fewer bins.
    level : float

    Returns
    -------
    DataFrame
        Columns predicted, observed, low, high (Wilson interval of observed), n; one row per
        bin that holds rows, none for empty input.
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    if len(p) == 0:
        return pd.DataFrame(columns=["predicted", "observed", "low", "high", "n"], dtype=float)
    code = _bin_of(p, n_bins)
    n = np.bincount(code).astype(float)
    predicted = np.bincount(code, weights=p) / n
    observed = np.bincount(code, weights=labels) / n
    z2 = float(ndtri(0.5 + level / 2.0)) ** 2
    centre = (observed + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (observed * (1 - observed) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return pd.DataFrame(
        {
            "predicted": predicted,
            "observed": observed,
            "low": np.maximum(centre - half, 0.0),
            "high": np.minimum(centre + half, 1.0),
            "n": n,
        }
    )


def expected_calibration_error(
    y: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    n_bins: int = 10,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
    n_boot: int = 1000,
    random_state: int = 0,
) -> Estimate:
    """Return the expected calibration error: mean absolute gap over equal-mass bins.

    Read it beside `calibration_error_of_perfect_model`: true probabilities show an error too, and
    the value seen lies above the error of the probabilities themselves. The interval is about the
    latter, over these bins: it holds the errors under which the value seen is no surprise, found
    by drawing the gaps of the bins (normal, cluster-robust) around the seen ones at different
    lengths. It reaches 0 where perfect probabilities would often show as much, and may then lie
    below the value altogether. A percentile bootstrap would count the noise twice.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    n_bins : int
    groups : array-like, shape (n,), optional
        Clusters (customers) for the interval.
    sample_weight : array-like, shape (n,), optional
    level : float
    n_boot : int
        Draws for the interval; 0 leaves the interval NaN.
    random_state : int

    Returns
    -------
    Estimate
        NaN with the reason for empty input.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], n_boot=0).value
    0.0
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    weights = weights_of(sample_weight, len(p))
    if len(p) == 0 or weights.sum() <= 0:
        return unknown("no rows" if len(p) == 0 else "no weight", 0)
    code = _bin_of(p, n_bins)
    gap, share = _bin_gaps(labels, p, code, weights)
    value = float(share @ np.abs(gap))
    who = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    n = len(p) if who is None else int(who.max()) + 1
    if n_boot == 0:
        return Estimate(value, float("nan"), float("nan"), n)
    spread = _spread(labels, p, code, weights, who)
    noise = np.random.default_rng(random_state).normal(size=(n_boot, len(gap))) @ spread.T
    low, high = _lengths(gap, share, noise, value, level)
    return Estimate(value, low, high, n)


def _spread(labels: Floats, p: Floats, code: Ints, weights: Floats, who: Ints | None) -> Floats:
    """Square root of the covariance of the bins' gaps, shape (bins, bins)."""
    mass = np.bincount(code, weights=weights)
    safe = np.where(mass > 0, mass, 1.0)
    # half an event added, so that a bin without events is not known for certain
    n_rows = np.bincount(code)
    rate = np.bincount(code, weights=weights * labels) / safe
    rate = (rate * n_rows + 0.5) / (n_rows + 1.0)
    binomial = rate * (1 - rate) * np.bincount(code, weights=weights**2) / safe**2
    if who is None:
        return np.diag(np.sqrt(binomial))
    gap = np.bincount(code, weights=weights * (labels - p)) / safe
    parts = weights * (labels - p - gap[code]) / safe[code]
    pair, at = np.unique(who * len(mass) + code, return_inverse=True)
    totals = np.bincount(at.ravel(), weights=parts).astype(np.float64)
    n = int(who.max()) + 1
    if n < 2:
        return np.full((len(mass), len(mass)), np.nan)
    covariance = _products(totals, pair // len(mass), pair % len(mass), len(mass)) * n / (n - 1)
    held = np.diag(covariance)
    # never surer than of independent rows where no event was seen
    floor = np.where(held < binomial * 1e-6, binomial, 0.0)
    values, vectors = np.linalg.eigh(covariance + np.diag(floor))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _products(totals: Floats, who: Ints, bin_: Ints, n_bins: int) -> Floats:
    """Sum over clusters of the outer products of their totals per bin; ``who`` is sorted."""
    from scipy.sparse import csr_matrix

    table = csr_matrix((totals, (who, bin_)), shape=(int(who.max()) + 1, n_bins))
    return (table.T @ table).toarray()


def _lengths(
    gap: Floats, share: Floats, noise: Floats, value: float, level: float
) -> tuple[float, float]:
    """Errors under which a value as seen is no surprise."""
    if not np.isfinite(noise).all():
        return float("nan"), float("nan")
    if value == 0.0:
        # no direction to go: as far as noise alone may hide
        return 0.0, float(np.quantile(np.abs(noise) @ share, level))
    tail = (1.0 - level) / 2.0
    low = _length(gap, share, noise, value, 1.0 - tail)
    # noise adds the least to an error that is spread evenly (Jensen): the largest error in question
    even = np.where(gap < 0, -value, value)
    return low * value, _length(even, share, noise, value, tail) * value


def _length(gap: Floats, share: Floats, noise: Floats, value: float, at: float) -> float:
    """How many times ``gap`` makes ``value`` that quantile of what would be seen; at least 0."""

    def below(length: float) -> float:
        return float((np.abs(length * gap + noise) @ share < value).mean())

    if below(0.0) <= at:
        return 0.0
    low, high = 0.0, 1.0
    while below(high) > at:
        low, high = high, 2.0 * high
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (middle, high) if below(middle) > at else (low, middle)
    return (low + high) / 2.0


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
    code, ones = _bin_of(p, n_bins), np.ones(len(p))
    errors = []
    for _ in range(n_draws):
        gap, share = _bin_gaps((rng.random(len(p)) < p).astype(float), p, code, ones)
        errors.append(share @ np.abs(gap))
    return float(np.mean(errors))
