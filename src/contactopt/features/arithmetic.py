"""Element-wise steps that several blocks take: picking with gaps, ratios, days, shrinkage."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US

__all__ = ["MONTH_DAYS", "days_between", "instant_at", "ratio", "shrunken", "value_at"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: mean length of a month of the Gregorian calendar, days
MONTH_DAYS = 30.436875


def value_at(values: Any, positions: Ints) -> Floats:
    """Return ``values[positions]`` as floats, NaN where the position is -1."""
    if len(values) == 0:
        return np.full(positions.shape, np.nan)
    return np.where(positions >= 0, values[positions], np.nan)


def instant_at(values: Ints, positions: Ints) -> Ints:
    """Return ``values[positions]``, `NO_INSTANT` where the position is -1."""
    return np.append(values, NO_INSTANT)[positions]


def days_between(earlier: Ints, later: Ints) -> Floats:
    """Return days from one instant to another, NaN where the first is absent.

    Examples
    --------
    >>> days_between(np.array([0, NO_INSTANT]), np.array([DAY_US, DAY_US]))
    array([ 1., nan])
    """
    absent = earlier == NO_INSTANT
    return np.where(absent, np.nan, (later - np.where(absent, later, earlier)) / DAY_US)


def ratio(part: Any, whole: Any) -> Floats:
    """Return part / whole, NaN where the whole is not above zero."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def shrunken(hits: Floats, trials: Floats, rate: Any, strength: float) -> Floats:
    """Return (hits + strength x rate) / (trials + strength): the mean of a beta posterior.

    Examples
    --------
    >>> shrunken(np.array([0.0, 5.0]), np.array([0.0, 5.0]), 0.2, 5.0)
    array([0.2, 0.6])
    """
    return (hits + strength * np.asarray(rate)) / (trials + strength)
