"""Exact prices of a small batch: the linear programme over the few pairs that are in question.

With few customers a row is filled by a handful of contacts; its price then is one customer's, and
smooth methods crawl towards it. Near known prices most customers have one arm that is best whatever
happens, and what is left is small enough for a simplex (HiGHS, by scipy). Its prices hold for the
whole batch if they lie inside the box for which the idle pairs were left out, else the box moves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.active import ActivePairs, active_pairs
from contactopt.plan.prices.dual import Solver

__all__ = ["exact_prices"]

Floats = npt.NDArray[np.float64]

#: pairs above which smooth prices are as good, and faster
_MOST_PAIRS = 8_000
#: half the width of the box: as a share of a price, and of what a pair is worth on average
_WIDTH, _LEAST_WIDTH = 0.1, 0.01
#: smoothing for which the active pairs are taken
_TAU = 1e-4


def exact_prices(solver: Solver, prices: Floats) -> Floats | None:
    """Return the prices of the linear programme, near given ones.

    Returns
    -------
    float array, shape (n_prices,), or None
        None where too many pairs are in question, the box moved too often, or no plan meets all
        minimum units.
    """
    if solver.n_prices == 0 or len(solver.problem.value) == 0:
        return prices
    width = 1.0 if len(solver.problem.value) > _MOST_PAIRS else 1e5  # few pairs: all of them
    for _ in range(8):
        price = solver.cell_prices(prices)
        reach = width * np.maximum(_WIDTH * np.abs(price), _LEAST_WIDTH * solver.worth_per_unit)
        pairs = active_pairs(solver.problem, _TAU, price, reach, solver.n_threads)
        solver.passes += 1.0
        new, few = _programme(solver, pairs, price, reach)
        if not few:
            return None
        if new is None:  # what is certain in the box does not fit: some price lies outside
            width *= 3.0
        elif pairs.holds(_TAU, solver.cell_prices(new)):
            return new
        else:  # outside: the truth lies further that way
            prices, width = new, width * 1.5
    return None


def _programme(
    solver: Solver, pairs: ActivePairs, price: Floats, reach: Floats
) -> tuple[Floats | None, bool]:
    """Return prices, None where no plan is feasible; and whether few enough pairs were left."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, vstack

    n, size = len(pairs.weight), np.diff(pairs.starts)
    who = np.repeat(np.arange(n), size)
    worst = pairs.value - pairs.usage * (price + reach)[pairs.cell]
    certain = (size[who] == 1) & (worst > 0)
    open_pairs = np.flatnonzero(~certain)
    if len(open_pairs) > _MOST_PAIRS:
        return None, False
    if not len(open_pairs):  # nobody in question: the box tells nothing about its prices
        return None, True
    cover = np.column_stack([solver.cover, np.zeros(len(solver.cover))])
    sure = cover[:, pairs.cell[certain]] @ (pairs.usage[certain] * pairs.room[who[certain]])
    customers, code = np.unique(who[open_pairs], return_inverse=True)
    one = csr_matrix(
        (np.ones(len(open_pairs)), (code, np.arange(len(open_pairs)))),
        shape=(len(customers), len(open_pairs)),
    )
    rows = csr_matrix(cover[:, pairs.cell[open_pairs]] * pairs.usage[open_pairs])
    found = linprog(
        -pairs.value[open_pairs],
        A_ub=vstack([one, rows]).tocsr(),
        b_ub=np.concatenate([pairs.room[customers], solver.limit - sure]),
        bounds=(0, None),
        method="highs-ds",
    )
    if found.status != 0:
        return None, True
    return np.maximum(-np.asarray(found.ineqlin.marginals[len(customers) :]), 0.0), True
