"""Plans joined in integers: what two feasible plans share out is feasible, and exactly known.

A mixture p = (1 - s) p_lead + s p_learned keeps every capacity row that both keep, because use is
linear in p. The share s is a multiple of 2**-16, so that products with probabilities are exact;
remainders of the rounding go to `wait`, which uses nothing, so that no row grows by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.floors import set_aside
from contactopt.plan.prices.problem import Problem
from contactopt.policy.kernels import UNIT
from contactopt.policy.safety import SHARE_UNIT

__all__ = ["mix", "planned_shares", "share_integers", "use_of", "value_of"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_BLOCK = 2_000_000


def mix(lead: Ints, learned: Ints, share: int) -> Ints:
    """Return (1 - s) lead + s learned in integers.

    Parameters
    ----------
    lead, learned : int64 array, shape (n, m + 1)
        Multiples of 2**-36 whose rows sum to 2**36; `wait` last.
    share : int
        s in units of 1 / `SHARE_UNIT`.

    Returns
    -------
    int64 array, shape (n, m + 1)
        Rows sum to 2**36. An arm that is possible under both stays possible.

    Raises
    ------
    ValueError
        If shapes differ, or the share is not in [0, SHARE_UNIT].
    """
    if lead.shape != learned.shape or not 0 <= share <= SHARE_UNIT:
        raise ValueError("two plans of one shape, and a share in [0, SHARE_UNIT], can be mixed")
    whole = np.empty_like(lead)
    step = max(1, _BLOCK // max(lead.shape[1], 1))
    for a in range(0, len(lead), step):
        s = slice(a, a + step)
        # 2**36 x 2**16 fits in 63 bits
        np.floor_divide(
            lead[s] * (SHARE_UNIT - share) + learned[s] * share, SHARE_UNIT, out=whole[s]
        )
        whole[s, -1] += UNIT - whole[s].sum(axis=1)
    return whole


def value_of(probabilities: Ints, value: npt.NDArray[np.floating[Any]]) -> float:
    """Return the expected value of a plan under scores of shape (n, m), closed arms left out."""
    total, m = 0.0, value.shape[1]
    step = max(1, _BLOCK // max(m, 1))
    for a in range(0, len(value), step):
        p = probabilities[a : a + step, :m]
        total += float((np.where(p > 0, value[a : a + step], 0.0) * (p / UNIT)).sum())
    return total


def use_of(problem: Problem, probabilities: Ints) -> Floats:
    """Return the expected units by capacity row, shape (K,)."""
    row = np.repeat(np.arange(len(problem.starts) - 1), np.diff(problem.starts))
    p = probabilities[row, problem.arm.astype(np.int64)] / UNIT
    by_cell = np.bincount(problem.cell, weights=p * problem.usage, minlength=problem.n_cells + 1)
    return np.asarray(problem.rows.table.cover @ by_cell[:-1], dtype=np.float64)


def share_integers(
    starts: Ints,
    arm: npt.NDArray[np.int16],
    cell: npt.NDArray[np.int16],
    shares: Floats,
    room: Floats,
    *,
    floor: float,
    factor: Floats,
    shrink: Floats,
    n_actions: int,
) -> Ints:
    """Return the integer probabilities of a policy that is given as shares of eligible pairs.

    Parameters
    ----------
    starts, arm, cell
        Eligible pairs, customer after customer, as in `Problem`.
    shares : float array, one per pair
        Probability of the pair where nothing stands in its way; what blocked pairs had is waiting.
    room : float array, shape (n,)
        Probability that is left beside the floors; 0: only waits.
    floor : float
    factor, shrink : float array, shape (n_cells + 1,)
        What of the floor, and of the shares, is left in each cell.
    n_actions : int

    Returns
    -------
    int64 array, shape (n, n_actions + 1)
    """
    n = len(starts) - 1
    row = np.repeat(np.arange(n), np.diff(starts))
    own = room[row] > 0
    p = np.where(own, floor * factor[cell] + room[row] * shares * shrink[cell], 0.0)
    units = np.floor(p * UNIT).astype(np.int64)
    if floor * UNIT >= n_actions:  # every open arm stays possible; waiting can pay for it
        units = np.maximum(units, own.astype(np.int64))
    whole = np.zeros((n, n_actions + 1), dtype=np.int64)
    whole[row, arm.astype(np.int64)] = units
    whole[:, -1] = UNIT - whole[:, :-1].sum(axis=1)
    return whole


def planned_shares(
    problem: Problem, shares: Floats, control: npt.NDArray[np.bool_], floor: float, n_actions: int
) -> tuple[Ints, Floats, Floats]:
    """Bring a policy of shares inside the capacities.

    Parameters
    ----------
    problem : Problem
    shares : float array, one per eligible pair
    control : bool array, shape (n,)
    floor : float
    n_actions : int

    Returns
    -------
    probabilities : int64 array, shape (n, n_actions + 1)
    factor, shrink : float array, shape (n_cells + 1,)
        By which floors and shares were scaled in each cell, where a row was too small.
    """
    aside = set_aside(problem, floor, control)
    rows, cover = aside.problem.rows, aside.problem.rows.table.cover
    row = np.repeat(np.arange(len(control)), np.diff(problem.starts))
    wanted = aside.problem.room[row] * shares * problem.usage
    by_cell = np.bincount(problem.cell, weights=wanted, minlength=problem.n_cells + 1)
    use = cover @ by_cell[:-1]
    left = np.maximum(rows.target - aside.problem.floor_use, 0.0)
    part = np.minimum(1.0, left / np.maximum(use, 1e-300)) * (1.0 - 1e-9)
    shrink = np.ones(problem.n_cells + 1)
    for own, share in zip(cover, part, strict=True):
        shrink[:-1][own] = np.minimum(shrink[:-1][own], share)
    whole = share_integers(
        problem.starts,
        problem.arm,
        problem.cell,
        shares,
        aside.problem.room,
        floor=floor,
        factor=aside.factor,
        shrink=shrink,
        n_actions=n_actions,
    )
    return whole, aside.factor, shrink
