"""What one more unit of each capacity row is worth, and over which range.

From the plain linear programme: under exploration prices are not marginal values.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from contactopt.plan.prices.dual import Solver
from contactopt.plan.prices.plain import solve_plain
from contactopt.plan.prices.problem import Problem, build_problem

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["shadow_prices"]

_STEP = 0.1


def shadow_prices(plan: ContactPlan) -> pd.DataFrame:
    """Solve again with each binding row at -10 % and +10 %, others unchanged.

    Returns
    -------
    DataFrame
        One line per row: row, pool, unit, units, price (money per unit), price_at_90, price_at_110
        (equal to price where the row does not bind). Empty without capacity rows.
    """
    problem = build_problem(plan.batch, plan.cells)
    start = plan.allocation.greedy.prices
    solver = Solver(problem)
    price = solver.row_prices(start)
    ends = {1 - _STEP: price.copy(), 1 + _STEP: price.copy()}
    for k in np.flatnonzero(np.abs(price) > 1e-9 * max(1.0, float(np.abs(price).max(initial=0.0)))):
        for share, found in ends.items():
            moved = _with_row(problem, int(k), share)
            found[k] = solver.row_prices(solve_plain(moved, start=start).prices)[k]
    table = plan.rows.table
    return pd.DataFrame(
        {
            "row": list(table.label),
            "pool": list(table.pool),
            "unit": list(table.unit),
            "units": table.units,
            "price": price,
            "price_at_90": ends[1 - _STEP],
            "price_at_110": ends[1 + _STEP],
        }
    )


def _with_row(problem: Problem, k: int, share: float) -> Problem:
    target, low = problem.rows.target.copy(), problem.rows.low.copy()
    # a row held by its minimum moves that, any other its units
    target[k] *= share
    low[k] *= share
    return replace(problem, rows=replace(problem.rows, target=target, low=low))
