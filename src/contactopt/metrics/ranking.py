"""Area under the ROC curve with DeLong's interval, clustered where groups are given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from contactopt.metrics.arrays import labels_and_scores
from contactopt.metrics.interval import Estimate, cluster_totals, normal_interval

__all__ = ["auc"]


def auc(
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Probability that a random 1 scores above a random 0 (ties count half).

    The interval comes from the placement values of DeLong, DeLong and Clarke-Pearson (Biometrics
    1988), computed by mid-ranks; with ``groups`` they are added up per cluster first (Obuchowski,
    Biometrics 1997).

    Parameters
    ----------
    y : array-like of 0/1, shape (n,)
    score : array-like, shape (n,)
        Any finite number; larger means more likely.
    groups : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
        NaN where one of the classes is absent.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    labels, scores = labels_and_scores(y, score, probability=False)
    ones = labels == 1.0
    n1 = int(ones.sum())
    n0 = len(labels) - n1
    if n1 == 0 or n0 == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), len(labels))
    rank = rankdata(scores)
    placement = np.empty(len(labels))
    placement[ones] = (rank[ones] - rankdata(scores[ones])) / n0
    placement[~ones] = 1.0 - (rank[~ones] - rankdata(scores[~ones])) / n1
    value = float(placement[ones].mean())
    influence = cluster_totals((placement - value) / np.where(ones, n1, n0), groups)
    return normal_interval(value, float(np.sqrt(influence @ influence)), len(influence), level)
