"""From a problem to integer probabilities that keep every row, with a certified loss."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import CapacityError
from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.budget import Guess, explore
from contactopt.plan.prices.dual import Solver
from contactopt.plan.prices.floors import SetAside, set_aside
from contactopt.plan.prices.plain import PlainSolution, solve_plain
from contactopt.plan.prices.problem import Problem
from contactopt.plan.prices.warm_start import WarmStart, starting_prices
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import SOFTMAX, UNIT, final_pass

__all__ = ["Allocation", "Rounding", "allocate"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rounding:
    """What made the integers from the values, beside the cell prices: kept for the log.

    Parameters
    ----------
    method : int
        Code of the compiled exploration kernel.
    tau : float
        Weight of the regulariser in that kernel, positive also where the plan does not explore.
    floor : float
    least : int
        Smallest integer of an eligible arm.
    factor : float array, shape (n_cells + 1,)
        What of the floor is left in each cell.
    shrink : float array, shape (n_cells + 1,)
        What of the probability is left in each cell, where a row would have been exceeded.
    """

    method: int
    tau: float
    floor: float
    least: int
    factor: Floats
    shrink: Floats


@dataclass(frozen=True)
class Allocation:
    """Probabilities of one batch and what certifies them.

    Parameters
    ----------
    probabilities : int64 array, shape (n, m + 1)
        Multiples of 2**-36; rows sum to exactly 2**36; `wait` last.
    row_prices, cell_prices : float array
        Money per unit under which the probabilities were made; by row, and by cell (last: 0).
    greedy : PlainSolution
        The capacity-constrained plan without exploration, floor and control group.
    tau, floor, budget : float
    value : float
        Expected value of the plan, from the integers.
    loss : float
        Certified: upper bound of the greedy plan less ``value``.
    expected_use : float array, shape (K,)
        Units by row, from the integers.
    passes : int
        Passes over all pairs; those over samples and over active pairs count as their part.
    notes : tuple of str
    rounding : Rounding
    start : WarmStart or None
        Where the search began; part of what the plan is reproduced from.
    """

    probabilities: npt.NDArray[np.int64]
    row_prices: Floats
    cell_prices: Floats
    greedy: PlainSolution
    tau: float
    floor: float
    budget: float
    value: float
    loss: float
    expected_use: Floats
    passes: int
    notes: tuple[str, ...]
    rounding: Rounding
    start: WarmStart | None = None


def allocate(
    problem: Problem,
    policy: ContactPolicy,
    control: npt.NDArray[np.bool_],
    n_actions: int,
    *,
    n_threads: int = 1,
    start: WarmStart | None = None,
    as_of: pd.Timestamp | None = None,
) -> Allocation:
    """Solve the batch.

    Parameters
    ----------
    problem : Problem
    policy : ContactPolicy
    control : bool array, shape (n,)
        Customers who only wait.
    n_actions : int
        m, the number of columns beside `wait`.
    n_threads : int
        Same result for every number.
    start : WarmStart, optional
        Of an earlier plan; with ``as_of`` of this one.
    as_of : Timestamp, optional

    Raises
    ------
    ConfigError
        If floor and control group contradict the exploration budget.
    CapacityError
        If minimum units cannot be met together.
    """
    first = Solver(problem, n_threads=n_threads)
    if start is not None and as_of is not None:
        plain_start, exploring_start = starting_prices(start, problem, as_of)
        greedy = solve_plain(
            problem, start=plain_start, smoothing=start.smoothing, solver=first, n_threads=n_threads
        )
        guess = Guess(start.tau, exploring_start) if start.tau > 0 else None
    else:
        greedy, guess = solve_plain(problem, solver=first, n_threads=n_threads), None
    if policy.explores:
        found = explore(problem, policy, greedy, control, n_threads, guess=guess)
        assert policy.exploration is not None
        method, aside, tau = policy.exploration.method, found.aside, found.tau
        prices, budget, notes = found.evaluation.prices, found.budget, found.notes
        passes, least = first.passes + found.passes, 1
    else:
        aside = set_aside(problem, 0.0, control, n_threads=n_threads)
        solver = Solver(aside.problem, n_threads=n_threads)
        plain = greedy
        if control.any():
            plain = solve_plain(
                aside.problem, start=greedy.prices, smoothing=greedy.tau, solver=solver
            )
        method, tau, prices, budget, least = SOFTMAX, plain.tau, plain.prices, 0.0, 0
        notes = ("no exploration: propensities are of no use for a later policy",)
        passes = first.passes + solver.passes
    solver = Solver(aside.problem)
    cell_prices = solver.cell_prices(prices)
    whole, value, use, rounding = _integers(
        method, tau, aside, cell_prices, n_actions, least, n_threads
    )
    _check_minimum(problem, use)
    return Allocation(
        probabilities=whole,
        row_prices=solver.row_prices(prices),
        cell_prices=cell_prices,
        greedy=greedy,
        tau=tau if policy.explores else 0.0,
        floor=aside.floor,
        budget=budget,
        value=value,
        loss=greedy.bound - value,
        expected_use=use,
        passes=math.ceil(passes - 1e-9),
        notes=notes,
        rounding=rounding,
        start=start,
    )


def _integers(
    method: int, tau: float, aside: SetAside, price: Floats, m: int, least: int, n_threads: int
):
    """Round to integers; where a row would be exceeded, shrink its cells in favour of waiting.

    The solution meets the rows to 1e-9; shrinking matters where it stopped early (few customers,
    prices between two vertices). Counting rows are checked in integer arithmetic.
    """
    p, cover = aside.problem, aside.problem.rows.table.cover
    rows, n, size = p.rows, len(p.weight), block_size(m)
    shrink = np.ones(p.n_cells + 1)
    most = np.array([round(c) for c in rows.limit / rows.per_contact], dtype=object) * UNIT
    whole, blocks = np.zeros((n, m + 1), dtype=np.int64), -(-n // size)
    for attempt in itertools.count():
        values = np.zeros(blocks)
        counts = np.zeros((blocks, p.n_cells + 1), dtype=np.int64)
        uses = np.zeros((blocks, p.n_cells + 1))

        def write(c: int, a: int, b: int, least=least, values=values, counts=counts, uses=uses):
            values[c] = final_pass(
                method, float(tau), p.starts[a : b + 1], p.arm, p.value, p.usage, p.cell,
                p.weight[a:b], p.room[a:b], price, aside.floor, aside.factor, shrink, least,
                whole[a:b], counts[c], uses[c],
            )  # fmt: skip

        in_blocks(n, size, write, n_threads)
        value, use, count = values.sum(), uses.sum(axis=0), counts.sum(axis=0)
        row_use = cover @ use[:-1]
        over = row_use > rows.limit * (1 + 1e-12)
        for k in np.flatnonzero(rows.counting):
            over[k] = sum(int(c) for c in count[:-1][cover[k]]) > most[k]
        if not over.any():
            break
        for k in np.flatnonzero(over):
            # a row so small that even the least integers fill it: they give way
            least = least if attempt < 20 else 0
            part = min(rows.target[k] / max(row_use[k], 1e-300), 1.0) * (1 - 1e-9)
            shrink[:-1][cover[k]] *= part
    made = Rounding(method, float(tau), aside.floor, least, aside.factor, shrink)
    return whole, float(value), row_use, made


def _check_minimum(problem: Problem, use: Floats) -> None:
    rows = problem.rows
    short = use < rows.table.min_units * (1 - 1e-3) - 1e-3
    if short.any():
        names = ", ".join(np.array(rows.table.label, dtype=object)[short][:5])
        raise CapacityError(
            f"minimum units of {int(short.sum())} row(s) cannot be met together: {names}",
            hint="lower min_units, open more actions, or lower holdout_share",
        )
