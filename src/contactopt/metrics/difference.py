"""Two scores on the same rows: their difference with an interval, which is far narrower."""

from __future__ import annotations

from typing import Literal

import numpy.typing as npt

from contactopt.metrics.arrays import labels_and_scores, weights_of
from contactopt.metrics.interval import (
    Estimate,
    cluster_totals,
    influence_error,
    mean_estimate,
    normal_interval,
    unknown,
)
from contactopt.metrics.losses import row_brier, row_log_loss
from contactopt.metrics.ranking import auc_influence

__all__ = ["paired_difference"]


def paired_difference(
    y: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    metric: Literal["auc", "log_loss", "brier"] = "auc",
    groups: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return metric(first) - metric(second) on the same rows.

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    first, second : array-like, shape (n,)
        Scores; probabilities in [0, 1] for the losses.
    metric : {"auc", "log_loss", "brier"}
        Of an AUC more is better, of a loss less.
    groups : array-like, shape (n,), optional
        Clusters (customers) for the interval.
    sample_weight : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
        Normal interval of the row-wise (per cluster) differences: of losses themselves, of
        DeLong's placements for the AUC. NaN with the reason for no rows, and one class (AUC).

    Raises
    ------
    ValueError
        Another metric, lengths that differ, faulty labels or scores.

    Examples
    --------
    >>> paired_difference([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8], [0.1, 0.4, 0.5, 0.6]).value
    0.25
    """
    if metric not in ("auc", "log_loss", "brier"):
        raise ValueError(f"no metric {metric!r}: 'auc', 'log_loss' or 'brier'")
    labels, a = labels_and_scores(y, first, probability=metric != "auc")
    _, b = labels_and_scores(y, second, probability=metric != "auc")
    weights = weights_of(sample_weight, len(labels))
    if metric != "auc":
        loss = row_log_loss if metric == "log_loss" else row_brier
        return mean_estimate(loss(labels, a) - loss(labels, b), weights, groups, level)
    one, two = auc_influence(labels, a, weights), auc_influence(labels, b, weights)
    if one is None or two is None:
        return unknown("no rows" if len(labels) == 0 else "one class only", len(labels))
    influence = cluster_totals(one[1] - two[1], groups)
    return normal_interval(one[0] - two[0], influence_error(influence), len(influence), level)
