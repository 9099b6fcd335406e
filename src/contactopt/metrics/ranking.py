"""Area under the ROC curve with DeLong's interval, clustered where groups are given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri, stdtrit

from contactopt.metrics.arrays import labels_and_scores, weights_of
from contactopt.metrics.interval import Estimate, cluster_totals, influence_error, unknown

__all__ = ["auc", "auc_influence"]

Floats = npt.NDArray[np.float64]
#: of the rarer class, below which DeLong's spread is not trusted alone
_FEW = 50


def auc(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Probability that a random 1 scores above a random 0 (ties count half).

    The interval comes from the placement values of DeLong, DeLong and Clarke-Pearson (Biometrics
    1988), on the logit scale, so that it stays inside [0, 1]; with ``groups`` they are added up per
    cluster first (Obuchowski, Biometrics 1997). That is too sure of few cases: with fewer than 50
    of a class it is widened to the score interval of Newcombe (Statistics in Medicine 2006,
    method 5), which also serves classes that are separated wholly.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    score : array-like, shape (n,)
        Any finite number; larger means more likely.
    groups : array-like, shape (n,), optional
    sample_weight : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
        NaN with the reason where one of the classes is absent.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    labels, scores = labels_and_scores(y, score, probability=False)
    weights = weights_of(sample_weight, len(labels))
    found = auc_influence(labels, scores, weights)
    if found is None:
        return unknown("no rows" if len(labels) == 0 else "one class only", len(labels))
    value, rows = found
    n1, n0 = _clusters_per_class(labels, weights, groups)
    influence = cluster_totals(rows, groups)
    error, n = influence_error(influence), len(influence)
    low, high = 0.0, 1.0
    inside = 0.0 < value < 1.0
    if inside:
        half = _quantile(labels, rows, (n1, n0), level) * error / (value * (1.0 - value))
        low, high = expit(logit(value) - half), expit(logit(value) + half)
    if min(n1, n0) < _FEW or not inside or error == 0.0:
        wide = _score_interval(value, n1, n0, float(ndtri(0.5 + level / 2.0)))
        low, high = (min(low, wide[0]), max(high, wide[1])) if inside else wide
    return Estimate(value, float(low), float(high), n)


def auc_influence(labels: Floats, scores: Floats, weights: Floats) -> tuple[float, Floats] | None:
    """Return the area and what each row adds to its error, shape (n,); None without a class."""
    ones = labels == 1.0
    w1, w0 = float(weights[ones].sum()), float(weights[~ones].sum())
    if w1 <= 0 or w0 <= 0:
        return None
    _, tie = np.unique(scores, return_inverse=True)
    mass0 = np.bincount(tie, weights=weights * ~ones)
    mass1 = np.bincount(tie, weights=weights * ones)
    below0 = np.cumsum(mass0) - mass0 / 2.0
    above1 = w1 - np.cumsum(mass1) + mass1 / 2.0
    placement = np.where(ones, below0[tie] / w0, above1[tie] / w1)
    value = float(weights[ones] @ placement[ones]) / w1
    return value, weights * (placement - value) / np.where(ones, w1, w0)


def _quantile(labels: Floats, rows: Floats, n: tuple[int, int], level: float) -> float:
    """Student's quantile: the rarer class may be few (Welch-Satterthwaite over both classes)."""
    parts = [float(rows[labels == k] @ rows[labels == k]) for k in (1.0, 0.0)]
    terms = [v * v / max(k - 1, 1) for v, k in zip(parts, n, strict=True)]
    freedom = sum(parts) ** 2 / sum(terms) if sum(terms) > 0 else np.inf
    return float(
        stdtrit(freedom, 0.5 + level / 2.0) if np.isfinite(freedom) else ndtri(0.5 + level / 2.0)
    )


def _clusters_per_class(
    labels: Floats, weights: Floats, groups: npt.ArrayLike | None
) -> tuple[int, int]:
    """Independent ones and zeros."""
    ids = np.arange(len(labels)) if groups is None else np.asarray(groups)
    held = weights > 0
    one, zero = (len(np.unique(ids[held & (labels == k)])) for k in (1.0, 0.0))
    return one, zero


def _score_interval(value: float, n1: int, n0: int, z: float) -> tuple[float, float]:
    """Areas from which ``value`` is ``z`` of their own standard errors away."""
    half = (n1 + n0) / 2.0 - 1.0

    def gap(area: float) -> float:
        spread = (1 - area) / (2 - area) + area / (1 + area)
        variance = area * (1 - area) * (1 + half * spread) / (n1 * n0)
        return (value - area) ** 2 - z * z * variance

    # positive next to 0 and 1, where the spread vanishes, and negative next to the value
    first, last = 1e-12, 1.0 - 1e-12
    low = 0.0 if value <= first else brentq(gap, first, min(value, last))
    high = 1.0 if value >= last else brentq(gap, max(value, first), last)
    return float(low), float(high)  # pyright: ignore[reportArgumentType]
