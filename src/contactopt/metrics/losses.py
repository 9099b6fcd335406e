"""Proper losses of probabilities: log-loss and Brier score, with clustered intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.metrics.arrays import labels_and_scores, weights_of
from contactopt.metrics.interval import Estimate, mean_estimate

__all__ = ["brier", "log_loss", "row_brier", "row_log_loss"]

Floats = npt.NDArray[np.float64]

#: probabilities are kept this far from 0 and 1, as the log of 0 has no number
_EPSILON = 1e-15


def row_log_loss(labels: Floats, p: Floats) -> Floats:
    """Negative log-likelihood of each row, shape (n,), in nats."""
    p = np.clip(p, _EPSILON, 1.0 - _EPSILON)
    return -np.where(labels == 1.0, np.log(p), np.log1p(-p))


def row_brier(labels: Floats, p: Floats) -> Floats:
    """Squared error of each row, shape (n,)."""
    return (p - labels) ** 2


def log_loss(
    y: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean negative log-likelihood, in nats per row.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    probability : array-like in [0, 1], shape (n,)
    groups : array-like, shape (n,), optional
        Clusters (customers) for the interval.
    sample_weight : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
        NaN for empty input.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.5, 0.5]).value, 4)
    0.6931
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    return mean_estimate(row_log_loss(labels, p), weights_of(sample_weight, len(p)), groups, level)


def brier(
    y: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean squared error of the probabilities (Brier 1950); parameters as in `log_loss`.

    Examples
    --------
    >>> brier([0, 1], [0.0, 0.5]).value
    0.125
    """
    labels, p = labels_and_scores(y, probability, probability=True)
    return mean_estimate(row_brier(labels, p), weights_of(sample_weight, len(p)), groups, level)
