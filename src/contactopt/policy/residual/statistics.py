"""Sufficient statistics of a linear model, day by day: merged and forgotten exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.policy.residual.nest import ArmNest

__all__ = ["DayStatistics", "forgotten"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DayStatistics:
    """What the decisions of one day say, weighted.

    Parameters
    ----------
    day : int
        Days since the epoch, UTC.
    gram : float array, shape (d, d)
    cross : float array, shape (d,)
    squares, weight : float
        Sums of weight x residual squared, and of weights.
    count : float
        Decisions, each for as much of it as has been seen: weight is precision times that.
    rows : int
        Decisions with more than one possible action.
    prior, prior_weight : float arrays, shape (n_channels,)
        Sums of the models' own variance of the gain, and of what they were summed over.
    """

    day: int
    gram: Floats
    cross: Floats
    squares: float
    weight: float
    count: float
    rows: int
    prior: Floats
    prior_weight: Floats

    @classmethod
    def empty(cls, nest: ArmNest, day: int) -> DayStatistics:
        """Return the statistics of no decision."""
        d, c = nest.size, len(nest.channels)
        zero = np.zeros
        return cls(day, zero((d, d)), zero(d), 0.0, 0.0, 0.0, 0, zero(c), zero(c))

    @classmethod
    def of(
        cls,
        day: int,
        design: Floats,
        residual: Floats,
        weight: Floats,
        prior: Floats,
        prior_weight: Floats,
        *,
        seen: Floats | float = 1.0,
    ) -> DayStatistics:
        """Add up the rows of a block; ``seen`` is the part of each window that is known."""
        weighted = design * weight[:, None]
        return cls(
            day=day,
            gram=weighted.T @ design,
            cross=weighted.T @ residual,
            squares=float(weight @ residual**2),
            weight=float(weight.sum()),
            count=float(np.broadcast_to(seen, weight.shape)[weight > 0].sum()),
            rows=int((weight > 0).sum()),
            prior=prior,
            prior_weight=prior_weight,
        )


def forgotten(
    nest: ArmNest, parts: Iterable[DayStatistics], *, today: int, forgetting: float
) -> DayStatistics:
    """Add days up, each weighted by ``forgetting`` to the power of its age.

    Parts may come in any order and cut in any way; the sum is the same bit for bit, because every
    number is added exactly (`math.fsum`).
    """
    parts = list(parts)
    if not parts:
        return DayStatistics.empty(nest, today)
    kept = [forgetting ** max(0, today - part.day) for part in parts]

    def total(arrays: list[Floats]) -> Floats:
        stacked = np.stack([a * k for a, k in zip(arrays, kept, strict=True)])
        flat = stacked.reshape(len(parts), -1).T
        return np.array([math.fsum(row) for row in flat.tolist()]).reshape(arrays[0].shape)

    return DayStatistics(
        day=today,
        gram=total([p.gram for p in parts]),
        cross=total([p.cross for p in parts]),
        squares=float(total([np.array([p.squares]) for p in parts])[0]),
        weight=float(total([np.array([p.weight]) for p in parts])[0]),
        count=float(total([np.array([p.count]) for p in parts])[0]),
        rows=sum(p.rows for p in parts),
        prior=total([p.prior for p in parts]),
        prior_weight=total([p.prior_weight for p in parts]),
    )
