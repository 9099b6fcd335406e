"""The pairs that matter near given prices: all others have probability exactly 0 there.

The entropy's probabilities are exactly 0 beyond `FAR` tau w below the best arm. While every cell
price stays within a box, a pair that is worth less than that at the box's kindest corner stays at
0, so that passes over the others alone give the same sums; near the solution of the plain programme
that is one pair in ten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.pair_kernels import active_pass
from contactopt.plan.prices.problem import Problem
from contactopt.policy.kernels import FAR

__all__ = ["ActivePairs", "active_pairs"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ActivePairs:
    """What is left of a problem inside a box of cell prices and up to a tau."""

    starts: npt.NDArray[np.int64]
    value: Floats
    usage: Floats
    cell: npt.NDArray[np.int16]
    weight: Floats
    room: Floats
    price: Floats
    reach: Floats
    tau: float

    def holds(self, tau: float, price: Floats) -> bool:
        """Tell whether sums at that tau and those cell prices are the whole problem's."""
        return tau <= self.tau and bool((np.abs(price - self.price) <= self.reach).all())


def active_pairs(
    problem: Problem, tau: float, price: Floats, reach: Floats, n_threads: int
) -> ActivePairs:
    """Keep the pairs that can get probability within ``reach`` of the cell prices.

    Parameters
    ----------
    problem : Problem
    tau : float
        Largest tau for which the result holds.
    price, reach : float array, shape (n_cells + 1,)
    n_threads : int
    """
    n, starts = len(problem.weight), problem.starts
    keep = np.empty(len(problem.value), dtype=np.bool_)
    size = np.empty(n, dtype=np.int64)
    step = block_size(int(len(problem.value) / max(n, 1)))
    parts: list[tuple] = [()] * -(-n // step)

    def narrow(block: int, a: int, b: int) -> None:
        active_pass(
            starts[a : b + 1], problem.value, problem.usage, problem.cell, problem.weight[a:b],
            problem.room[a:b], price, reach, FAR * tau, keep, size[a:b],
        )  # fmt: skip
        own = slice(starts[a], starts[b])
        kept = keep[own]
        parts[block] = tuple(x[own][kept] for x in (problem.value, problem.usage, problem.cell))

    in_blocks(n, step, narrow, n_threads)
    some = size > 0
    left = np.zeros(int(some.sum()) + 1, dtype=np.int64)
    np.cumsum(size[some], out=left[1:])
    empty = (problem.value[:0], problem.usage[:0], problem.cell[:0])
    value, usage, cell = (np.concatenate(x) for x in zip(empty, *parts, strict=True))
    return ActivePairs(
        left, value, usage, cell, problem.weight[some], problem.room[some], price, reach, tau
    )
