"""The plain linear programme (tau = 0), certified: entropy smoothing, tau falling to next to 0.

Used for the value of the capacity-constrained greedy plan, for shadow prices (under exploration
prices are not marginal values), and for plans that do not explore.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.dual import Evaluation, Solver
from contactopt.plan.prices.problem import Problem
from contactopt.policy.kernels import SOFTMAX

__all__ = ["PlainSolution", "solve_plain"]

Floats = npt.NDArray[np.float64]

#: smoothing at the end, as a share of each customer's weight
_TAUS = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
#: problems above this size find their first prices on a sample
_SAMPLE = 40_000


@dataclass(frozen=True)
class PlainSolution:
    """Prices of the linear programme and the bound that certifies them."""

    prices: Floats
    value: float
    bound: float
    tau: float
    residual: float

    @property
    def gap(self) -> float:
        """Distance to the bound as a share of it; 0 where there is nothing to gain."""
        return max(self.bound - self.value, 0.0) / max(abs(self.bound), 1e-12)


def solve_plain(
    problem: Problem,
    *,
    n_threads: int = 1,
    start: Floats | None = None,
    target_gap: float = 2e-5,
    solver: Solver | None = None,
) -> PlainSolution:
    """Solve the programme to a certified gap.

    Parameters
    ----------
    problem : Problem
    n_threads : int
    start : float array, optional
        Prices of a similar problem; the smoothing then starts low.
    target_gap : float
        Smoothing stops to fall once the certified gap is below.
    solver : Solver, optional
        Counts the passes.

    Returns
    -------
    PlainSolution
        ``bound`` holds for every feasible plan; ``value`` is that of the smoothed plan.
    """
    solver = solver or Solver(problem, n_threads=n_threads)
    taus = _TAUS
    if start is None:
        start = np.zeros(solver.n_prices)
        every = len(problem.weight) // _SAMPLE
        if every >= 2 and solver.n_prices:
            start = _walk(Solver(problem.sample(every)), start, _TAUS, target_gap)[0].prices
            taus = _TAUS[3:]
    else:
        taus = _TAUS[3:]
    best, tau = _walk(solver, start, taus, target_gap)
    return PlainSolution(best.prices, best.value, best.bound, tau, best.residual)


def _walk(
    solver: Solver, prices: Floats, taus: tuple[float, ...], target_gap: float
) -> tuple[Evaluation, float]:
    """Lower tau step by step, each solved from the prices of the step before."""
    here, used = None, taus[0]
    for tau in taus:
        here = solver.solve(SOFTMAX, tau, prices, tolerance=1e-3, max_passes=25)
        prices, used = here.prices, tau
        gap = abs(here.bound - here.value)
        if here.residual < 1e-3 and gap <= 0.5 * target_gap * abs(here.bound):
            break
    assert here is not None
    if here.residual > 1e-6:
        here = solver.solve(SOFTMAX, used, prices, tolerance=1e-6, max_passes=15)
    return here, used
