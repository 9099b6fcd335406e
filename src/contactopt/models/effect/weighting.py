"""Weights of drawn actions, and when the rows of an arm are enough to say anything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["MIN_EVENTS", "MIN_ROWS", "arm_means", "clipped_weights", "speaks"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: arms with fewer rows, or fewer payers or non-payers, say nothing
MIN_ROWS, MIN_EVENTS = 30, 5


def speaks(y: Floats) -> bool:
    """Whether rows of one arm are enough to say anything."""
    ones = float(y.sum())
    return len(y) >= MIN_ROWS and min(ones, len(y) - ones) >= MIN_EVENTS


def arm_means(weight: Floats, arm: Ints, n_arms: int) -> Floats:
    """Return the mean weight of each row's arm, shape (n,); waiting is arm -1."""
    row = arm + 1
    count = np.maximum(np.bincount(row, minlength=n_arms + 1), 1)
    return (np.bincount(row, weights=weight, minlength=n_arms + 1) / count)[row]


def clipped_weights(weight: Floats, arm: Ints, n_arms: int, largest: float) -> tuple[Floats, float]:
    """Cut weights at ``largest`` times the arm's mean; also return the share that was cut."""
    limit = largest * arm_means(weight, arm, n_arms)
    return np.minimum(weight, limit), float((weight > limit).mean()) if len(arm) else 0.0
