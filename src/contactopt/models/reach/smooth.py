"""Hour curves: effects of hours that lean on their neighbours round the clock."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.models.reach.random_effects import Family

__all__ = ["HourCurves", "hour_correlation"]

Floats = npt.NDArray[np.float64]

#: hours over which a curve keeps its shape, and the part of an hour's effect that is its own
_LENGTH_H, _OWN = 4.0, 0.05


def hour_correlation() -> Floats:
    """Matérn 3/2 correlation by distance on the clock, shape (24, 24).

    Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), chapter 4.
    """
    hours = np.arange(24)
    apart = np.abs(hours[:, None] - hours[None, :])
    apart = np.minimum(apart, 24 - apart) * np.sqrt(3.0) / _LENGTH_H
    return (1 - _OWN) * (1.0 + apart) * np.exp(-apart) + _OWN * np.eye(24)


class HourCurves(Family):
    """A `Family` of curves over 24 hours, one per group: level = group * 24 + hour.

    The prior covariance of a curve is ``variance`` times `hour_correlation`; a step moves each
    curve as a whole.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._precision = np.linalg.inv(hour_correlation())
        self._trace = np.zeros(len(self.mean) // 24)

    def step(self, gradient: Floats, curvature: Floats) -> Floats:
        """Newton step of every curve that rows speak of; returns the step."""
        n = len(self.mean)
        g = np.bincount(self._row, weights=gradient, minlength=n + 1)[:n].reshape(-1, 24)
        h = np.bincount(self._row, weights=curvature, minlength=n + 1)[:n].reshape(-1, 24)
        prior = self._precision / self.variance
        move = np.zeros(g.shape, dtype=np.float64)
        spread2 = self.spread2.reshape(-1, 24)
        off = (self.value - self.mean).reshape(-1, 24)
        for k in np.flatnonzero(h.sum(axis=1) > 0):
            inverse = np.linalg.inv(prior + np.diag(h[k]))
            move[k] = np.clip(inverse @ (g[k] - prior @ off[k]), -2.0, 2.0)
            spread2[k] = np.diag(inverse)
            self._trace[k] = float((self._precision * inverse).sum())
        self.value = self.value + move.ravel()
        return move.ravel()

    def update_variance(self) -> None:
        """EM step; the start counts as a few hours."""
        seen = np.flatnonzero(self._seen.reshape(-1, 24).any(axis=1))
        if not self.learn_variance or not len(seen):
            return
        off = (self.value - self.mean).reshape(-1, 24)[seen]
        second = float(np.einsum("ki,ij,kj->", off, self._precision, off) + self._trace[seen].sum())
        weight = 10.0
        total = weight * self._start + second
        self.variance = float(np.clip(total / (weight + 24.0 * len(seen)), 1e-4, 4.0))
