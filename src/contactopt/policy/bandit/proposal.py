"""Probabilities of many rows from solved layers, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.policy.bandit.bayesian_linear import BayesianLinear
from contactopt.policy.bandit.scaling import Scaling

__all__ = ["Proposal"]

Floats = npt.NDArray[np.float64]

#: numbers held at once while rows go through the arms' roots
_NUMBERS = 1 << 17


@dataclass(frozen=True)
class Proposal:
    """What a proposal needs of the layers.

    Parameters
    ----------
    scaling : Scaling
    mean : float array, shape (D, m)
        Coefficients in standardised units.
    upper, lower : float32 arrays, shapes (m h, h) and (m (D - h), D)
        The arms' triangular roots, their first h = D / 2 rows and the others below each other: a
        row's sd in an arm is the length of what they make of it. Single precision is enough for
        the width of exploration and halves the time.
    """

    scaling: Scaling
    mean: Floats
    upper: npt.NDArray[np.float32]
    lower: npt.NDArray[np.float32]

    @classmethod
    def of(cls, layers: BayesianLinear) -> Proposal:
        """Take it from fitted layers."""
        solved = layers.layers_
        m, D = solved.mean.shape
        half = D // 2
        upper = solved.root[:, :half, :half].astype(np.float32).reshape(m * half, half)
        lower = solved.root[:, half:].astype(np.float32).reshape(m * (D - half), D)
        return cls(layers.scaling_, np.ascontiguousarray(solved.mean.T), upper, lower)

    @classmethod
    def cold(cls, n_actions: int) -> Proposal:
        """Nothing is known: all means equal."""
        nothing = Scaling(np.zeros(2), np.ones(2))
        return cls(
            nothing,
            np.zeros((1, n_actions)),
            np.zeros((0, 0), np.float32),
            np.ones((n_actions, 1), np.float32),
        )

    def probabilities(
        self, X: Floats, mask: npt.NDArray[np.bool_], *setting: Any
    ) -> npt.NDArray[np.int64]:
        """Return integer probabilities, shape (n, m).

        Parameters
        ----------
        X : float array, shape (n, d)
        mask : bool array, shape (n, m), or (0, m) where all actions are eligible
        *setting
            Method, tau, floor, share in the floor, optimism: as the kernel takes them.
        """
        from contactopt.policy.bandit.kernels import barrier_rows, lengths

        n, (D, m) = len(X), self.mean.shape
        out = np.zeros((n, m), np.int64)
        size = min(max(_NUMBERS // (m * D), 64), max(n, 1))
        for first in range(0, n, size):
            part = slice(first, min(first + size, n))
            design, single = self.scaling.rows(X[part])
            sd = np.empty((m, len(design)), np.float32)
            lengths(self.upper @ single[:, : D // 2].T, self.lower @ single.T, sd)
            eligible = mask[part] if len(mask) else mask
            barrier_rows(*setting, self.scaling.unit, design @ self.mean, sd, eligible, out[part])
        return out
