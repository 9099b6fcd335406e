"""The floor is set aside before anything else, and scaled down where a row is too small for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.problem import Problem
from contactopt.policy.kernels import floor_pass

__all__ = ["SetAside", "set_aside"]

#: largest part of a row that floors may take
_ROW_SHARE = 0.5


@dataclass(frozen=True)
class SetAside:
    """A problem with floor and control group taken out, and what they take.

    Parameters
    ----------
    problem : Problem
        With ``room`` and ``floor_use`` filled in.
    floor : float
    factor : float array, shape (n_cells + 1,)
        What of the floor is left in each cell.
    value : float
        Expected value of the floors.
    """

    problem: Problem
    floor: float
    factor: npt.NDArray[np.float64]
    value: float


def set_aside(
    problem: Problem, floor: float, control: npt.NDArray[np.bool_], *, n_threads: int = 1
) -> SetAside:
    """Take floors and control group out of a problem.

    Parameters
    ----------
    problem : Problem
        As `build_problem` returns it.
    floor : float
        Probability of every eligible arm and of waiting.
    control : bool array, shape (n,)
        Customers who only wait.
    n_threads : int

    Returns
    -------
    SetAside
    """
    cover = problem.rows.table.cover
    is_open = ~control
    n = len(control)
    size = block_size(len(problem.value) // max(n, 1))
    blocks = -(-n // size)

    def fill(factor: npt.NDArray[np.float64]):
        room, use = np.empty(n), np.zeros((blocks, problem.n_cells + 1))
        value = np.zeros(blocks)

        def take(c: int, a: int, b: int) -> None:
            value[c] = floor_pass(
                problem.starts[a : b + 1], problem.value, problem.usage, problem.cell, floor,
                factor, is_open[a:b], room[a:b], use[c],
            )  # fmt: skip

        in_blocks(n, size, take, n_threads)
        return room, cover @ use.sum(axis=0)[:-1], value.sum()

    factor = np.ones(problem.n_cells + 1)
    room, use, value = fill(factor)
    most = _ROW_SHARE * problem.rows.target
    if (use > most).any():
        part = np.minimum(1.0, most / np.maximum(use, 1e-300))
        for row, share in zip(cover, part, strict=True):
            factor[:-1][row] = np.minimum(factor[:-1][row], share)
        room, use, value = fill(factor)
    return SetAside(replace(problem, room=room, floor_use=use), floor, factor, float(value))
