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
from contactopt.policy.bandit.layer_kernels import root_rows
from contactopt.policy.bandit.proposal_kernels import TOGETHER, propose_rows
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
    mean : float array, shape (m, d + 1)
        Coefficients in standardised units, constant first.
    level, slopes : float32 arrays, shapes (m (d + 1),) and whatever is left
        The arms' triangular roots: some rows of all arms, then the next, constants and slopes
        apart, slopes as far as the part's last row has some. A row's sd in an arm is the length of
        what its root makes of it. Single precision is enough for the width of exploration and
        halves the time.
    """

    scaling: Scaling
    mean: Floats
    level: Singles
    slopes: Singles

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
        m, D = mean.shape
        bounds, size = _parts(m, D)
        level, slopes = np.empty(m * D, np.float32), np.empty(size, np.float32)
        root_rows(root, bounds, level, slopes)
        return cls(scaling, mean, level, slopes)

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
        n, (m, D) = len(X), self.mean.shape
        out = np.empty((n, m))
        bounds, _ = _parts(m, D)
        widest = m * -(-D // _PARTS)
        block = _SMALL_PRODUCT // (widest * D) // TOGETHER * TOGETHER
        block = min(max(block, _LEAST_BLOCK), _LARGEST_BLOCK)
        centre, scale = self.scaling.centre[1:-1], self.scaling.scale[1:-1]

        def fill(X: Floats, mask: npt.NDArray[np.bool_], out: Floats) -> int:
            return propose_rows(
                X, centre, scale, self.mean, bounds, self.level, self.slopes,
                mask, setting, block, out,
            )  # fmt: skip

        n_parts = min(num_threads, n * m * D * D // _THREAD_WORK)
        if n_parts < 2:
            bad = fill(X, mask, out)
        else:
            size = -(-n // (n_parts * TOGETHER)) * TOGETHER
            parts = [slice(first, first + size) for first in range(0, n, size)]
            tasks = [(X[part], mask[part] if len(mask) else mask, out[part]) for part in parts]
            helpers = [_helpers(num_threads - 1).submit(fill, *task) for task in tasks[1:]]
            bad = fill(*tasks[0]) + sum(helper.result() for helper in helpers)
        if bad:
            refuse_not_finite(X)
        return out


@lru_cache(maxsize=32)
def _parts(m: int, D: int) -> tuple[npt.NDArray[np.int64], int]:
    """First rows of the parts of the roots (and D), and how many slopes all parts have together."""
    bounds = [D * k // _PARTS for k in range(_PARTS + 1)]
    return np.array(bounds), sum(m * (j - i) * max(j - 1, 0) for i, j in pairwise(bounds))


def _helpers(n: int) -> ThreadPoolExecutor:
    """Threads kept between batches, anew in a forked process (threads do not survive a fork)."""
    key = (os.getpid(), n)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(n, thread_name_prefix="bandit")
    return _POOLS[key]
