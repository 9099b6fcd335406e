"""Check what a metric is given: labels 0/1, probabilities in [0, 1], equal lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["labels_and_scores", "weights_of"]

Floats = npt.NDArray[np.float64]


def labels_and_scores(
    y: npt.ArrayLike, score: npt.ArrayLike, *, probability: bool
) -> tuple[Floats, Floats]:
    """Return labels and scores as float arrays of shape (n,).

    Raises
    ------
    ValueError
        If lengths differ, a label is not 0 or 1, or a score is missing or outside [0, 1]
        (``probability=True``).
    """
    labels = np.asarray(y, dtype=np.float64).ravel()
    scores = np.asarray(score, dtype=np.float64).ravel()
    if labels.shape != scores.shape:
        raise ValueError(f"{len(labels)} labels but {len(scores)} scores")
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 or 1")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    if probability and len(scores) and (scores.min() < 0 or scores.max() > 1):
        raise ValueError("probabilities must lie in [0, 1]")
    return labels, scores


def weights_of(sample_weight: npt.ArrayLike | None, n: int) -> Floats:
    """Return weights of shape (n,), ones where none are given."""
    if sample_weight is None:
        return np.ones(n)
    weights = np.asarray(sample_weight, dtype=np.float64).ravel()
    if weights.shape != (n,) or (weights < 0).any() or not np.isfinite(weights).all():
        raise ValueError(f"sample_weight must be {n} finite numbers >= 0")
    return weights
