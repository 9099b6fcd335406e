"""Probabilities of many rows from solved layers, block by block."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.policy.bandit.bayesian_linear import BayesianLinear
from contactopt.policy.bandit.scaling import Scaling, refuse_not_finite

__all__ = ["Proposal"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

#: parts into which the rows of a triangular root are taken, so that few zeros are multiplied
_PARTS = 4
#: most multiplications of one product: BLAS has a quick way for small ones
_SMALL_PRODUCT = 1_000_000
#: rows at once: multiples of the first, at most the second
_LEAST_BLOCK, _LARGEST_BLOCK = 64, 256
#: least work (rows x actions x coefficients squared) that is worth a thread
_THREAD_WORK = 30_000_000
_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}


@dataclass(frozen=True)
class Proposal:
    """What a proposal needs of the layers.

    Parameters
    ----------
    scaling : Scaling
    level, slopes : float arrays, shapes (m,) and (m, d)
        Coefficients in standardised units.
    roots : tuple of (level, slopes), float32 arrays of shapes (m k,) and (m k, d or less)
        Some rows of the arms' triangular roots below each other: a row's sd in an arm is the
        length of what they make of it. Single precision is enough for the width of exploration
        and halves the time.
    """

    scaling: Scaling
    level: Floats
    slopes: Floats
    roots: tuple[tuple[Singles, Singles], ...]

    @classmethod
    def of(cls, layers: BayesianLinear) -> Proposal:
        """Take it from fitted layers."""
        solved = layers.layers_
        return cls._made(layers.scaling_, solved.mean, solved.root)

    @classmethod
    def cold(cls, n_actions: int) -> Proposal:
        """Nothing is known: all means equal."""
        nothing = Scaling(np.zeros(2), np.ones(2))
        return cls._made(nothing, np.zeros((n_actions, 1)), np.ones((n_actions, 1, 1)))

    @classmethod
    def _made(cls, scaling: Scaling, mean: Floats, root: Floats) -> Proposal:
        from contactopt.policy.bandit.layer_kernels import root_rows

        m, D = mean.shape
        bounds, parts = _parts(m, D)
        level = np.empty(m * D, np.float32)
        slopes = np.empty(parts[-1][1].stop, np.float32)
        root_rows(root, bounds, level, slopes)
        roots = tuple((level[rows], slopes[at].reshape(shape)) for rows, at, shape in parts)
        return cls(scaling, mean[:, 0].copy(), mean[:, 1:].copy(), roots)

    def probabilities(
        self,
        X: Floats,
        mask: npt.NDArray[np.bool_],
        setting: tuple[Any, ...],
        num_threads: int = 1,
    ) -> Floats:
        """Return probabilities in multiples of 2**-36, shape (n, m).

        Parameters
        ----------
        X : float array, shape (n, d)
        mask : bool array, shape (n, m), or (0, m) where all actions are eligible
        setting : tuple
            Method, tau, floor, share in the floor, optimism: as the kernel takes them.
        num_threads : int

        Raises
        ------
        ContractError
            If a number of X is not finite.
        """
        from contactopt.policy.bandit.proposal_kernels import TOGETHER, propose_rows

        n, m, D = len(X), len(self.level), self.slopes.shape[1] + 1
        out = np.empty((n, m))
        widest = max(len(level) for level, _ in self.roots)
        block = _SMALL_PRODUCT // (widest * D) // TOGETHER * TOGETHER
        block = min(max(block, _LEAST_BLOCK), _LARGEST_BLOCK)
        centre, scale = self.scaling.centre[1:-1], self.scaling.scale[1:-1]

        def fill(part: slice) -> int:
            return propose_rows(
                X[part], centre, scale, self.level, self.slopes, self.roots,
                mask[part] if len(mask) else mask, setting, block, out[part],
            )  # fmt: skip

        n_parts = min(num_threads, max(n * m * D * D // _THREAD_WORK, 1))
        size = -(-n // (n_parts * TOGETHER)) * TOGETHER
        parts = [slice(first, min(first + size, n)) for first in range(0, n, size)]
        helpers = [_helpers(num_threads - 1).submit(fill, part) for part in parts[1:]]
        bad = fill(parts[0]) + sum(helper.result() for helper in helpers)
        if bad:
            refuse_not_finite(X)
        return out


@lru_cache(maxsize=32)
def _parts(m: int, D: int) -> tuple[npt.NDArray[np.int64], list[tuple[slice, slice, Any]]]:
    """Bounds of the parts of the roots' rows; constants, slopes and shape of each part."""
    bounds = [D * k // _PARTS for k in range(_PARTS + 1)]
    parts, at = [], 0
    for i, j in pairwise(bounds):
        rows, d = m * (j - i), max(j - 1, 0)
        parts.append((slice(m * i, m * j), slice(at, at + rows * d), (rows, d)))
        at += rows * d
    return np.array(bounds), parts


def _helpers(n: int) -> ThreadPoolExecutor:
    """Threads kept between batches, anew in a forked process (threads do not survive a fork)."""
    key = (os.getpid(), n)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(n, thread_name_prefix="bandit")
    return _POOLS[key]
