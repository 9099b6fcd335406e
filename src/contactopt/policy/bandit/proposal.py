"""Probabilities of many rows from solved layers, block by block."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.policy.bandit.bayesian_linear import BayesianLinear
from contactopt.policy.bandit.scaling import Scaling

__all__ = ["Proposal"]

Floats = npt.NDArray[np.float64]

#: numbers held at once while rows go through the arms' roots
_NUMBERS = 1 << 19
#: fewest rows that go through BLAS together
_LEAST_ROWS = 8
_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}


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
        self,
        X: Floats,
        mask: npt.NDArray[np.bool_],
        setting: tuple[Any, ...],
        num_threads: int = 1,
    ) -> npt.NDArray[np.int64]:
        """Return integer probabilities, shape (n, m).

        Parameters
        ----------
        X : float array, shape (n, d)
        mask : bool array, shape (n, m), or (0, m) where all actions are eligible
        setting : tuple
            Method, tau, floor, share in the floor, optimism: as the kernel takes them.
        num_threads : int
        """
        n, (D, m) = len(X), self.mean.shape
        if 0 < n < _LEAST_ROWS:
            # BLAS takes other paths for single rows, with other last bits
            more = _LEAST_ROWS - n
            X = np.concatenate([X, np.zeros((more, X.shape[1]))])
            if len(mask):
                mask = np.concatenate([mask, np.ones((more, m), dtype=bool)])
            return self.probabilities(X, mask, setting)[:n]
        out = np.zeros((n, m), np.int64)
        size = max(_NUMBERS // (m * D), 64)
        if num_threads > 1:
            size = min(size, max(-(-n // num_threads), 64))
        # what is left never makes a block of a few rows
        firsts = list(range(0, max(n - _LEAST_ROWS, 1), size)) if n else []
        parts = [slice(first, last) for first, last in zip(firsts, [*firsts[1:], n], strict=True)]

        def fill(part: slice) -> None:
            self._fill(X[part], mask[part] if len(mask) else mask, setting, out[part])

        if num_threads == 1 or len(parts) == 1:
            for part in parts:
                fill(part)
            return out
        helpers = [_helpers(num_threads - 1).submit(fill, part) for part in parts[1::2]]
        for part in parts[::2]:
            fill(part)
        for helper in helpers:
            helper.result()
        return out

    def _fill(
        self,
        X: Floats,
        mask: npt.NDArray[np.bool_],
        setting: tuple[Any, ...],
        out: npt.NDArray[np.int64],
    ) -> None:
        from contactopt.policy.bandit.kernels import barrier_rows, lengths

        D, m = self.mean.shape
        design, single = self.scaling.rows(X)
        sd = np.empty((m, len(design)), np.float32)
        lengths(self.upper @ single[:, : D // 2].T, self.lower @ single.T, sd)
        barrier_rows(*setting, design @ self.mean, sd, mask, out)


def _helpers(n: int) -> ThreadPoolExecutor:
    """Threads kept between batches, anew in a forked process (threads do not survive a fork)."""
    key = (os.getpid(), n)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(n, thread_name_prefix="bandit")
    return _POOLS[key]
