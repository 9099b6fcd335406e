"""The plain linear programme (tau = 0), certified: entropy smoothing, tau falling to next to 0.

Used for the value of the capacity-constrained greedy plan, for shadow prices (under exploration
prices are not marginal values), and for plans that do not explore.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.dual import Evaluation, Solver
from contactopt.plan.prices.exact import exact_prices
from contactopt.plan.prices.problem import Problem
from contactopt.policy.kernels import SOFTMAX

__all__ = ["PlainSolution", "solve_plain"]

Floats = npt.NDArray[np.float64]

#: smoothing at the end, as a share of each customer's weight
_TAUS = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
#: samples on which larger problems find their first prices, one after the other
_SAMPLES = (4_000, 24_000)
#: largest violation of a row, as a share of it, with which the next lower smoothing may begin
_SOLVED = 1e-3
#: how often yesterday's prices are given more smoothing before the search begins anew
_CLIMBS = 2


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
    smoothing: float = 1e-3,
    target_gap: float = 2e-5,
    solver: Solver | None = None,
) -> PlainSolution:
    """Solve the programme to a certified gap.

    Parameters
    ----------
    problem : Problem
    n_threads : int
    start : float array, optional
        Prices of a similar problem; where they lead nowhere, the search begins anew without.
    smoothing : float
        At which to begin with such prices: ``tau`` of the similar problem's solution.
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
    n = len(problem.weight)
    found = None
    if n < 3 * _SAMPLES[0]:
        found = _exactly(solver, start, target_gap)
    elif start is not None:
        solver.narrow = True
        at = int(np.argmin(np.abs(np.log(np.array(_TAUS) / max(smoothing, _TAUS[-1])))))
        found = _settle(solver, start, at, target_gap, climbs=_CLIMBS)
    if found is None or found[0].residual > _SOLVED:
        solver.narrow = False
        found = _from_nothing(solver, target_gap)
    best, tau = found
    return PlainSolution(best.prices, best.value, best.bound, tau, best.residual)


def _exactly(
    solver: Solver, start: Floats | None, target_gap: float
) -> tuple[Evaluation, float] | None:
    """Solve a small problem: rough smooth prices, exact ones, and what splits ties between arms."""
    if start is None:
        rough = np.zeros(solver.n_prices)
        for tau in _TAUS[:2]:
            rough = solver.solve(SOFTMAX, tau, rough, tolerance=1e-2, max_passes=25).prices
    else:
        rough = start
    prices = exact_prices(solver, rough)
    if prices is None:
        return None
    solver.narrow = True
    found = None
    # each from the exact prices: those of another tau lie far off in its units. Where steps crawl
    # along an edge (several rows with minima), a smoother one comes through and loses next to none
    for tau in (*_TAUS[4:], _TAUS[3]):
        here = solver.solve(SOFTMAX, tau, prices, tolerance=1e-6, max_passes=40)
        if found is None or here.residual <= max(found[0].residual, 1e-6):
            found = here, tau
        if here.residual <= 1e-6 and abs(here.bound - here.value) <= 0.5 * target_gap * here.bound:
            break
    return found


def _from_nothing(solver: Solver, target_gap: float) -> tuple[Evaluation, float]:
    """Solve by smoothing alone, larger problems on samples first."""
    problem, n = solver.problem, len(solver.problem.weight)
    at, start = 0, np.zeros(solver.n_prices)
    for size in _SAMPLES if solver.n_prices else ():
        if n < 3 * size:
            break
        part = Solver(problem.sample(n // size), n_threads=solver.n_threads, narrow=at > 0)
        found, tau = _walk(part, start, _TAUS[at:], target_gap, 1e-4, max_passes=100)
        start, at = found.prices, _TAUS.index(tau)
        solver.passes += part.passes * len(part.problem.weight) / n
    solver.narrow = at > 0
    return _settle(solver, start, at, target_gap)


def _settle(
    solver: Solver, start: Floats, at: int, target_gap: float, *, climbs: int = len(_TAUS)
) -> tuple[Evaluation, float]:
    """Walk down from a tau at which given prices are thought to be near, from higher ones if not.

    Prices of a sample or of yesterday may lie too far off for little smoothing: where steps crawl,
    ten times as much of it leads there.
    """
    found = _walk(solver, start, _TAUS[at:], target_gap, 1e-6)
    for higher in range(at - 1, max(at - climbs, 0) - 1, -1):
        if found[0].residual <= _SOLVED:
            break
        found = _walk(solver, found[0].prices, _TAUS[higher:], target_gap, 1e-6)
    return found


def _walk(
    solver: Solver,
    start: Floats,
    taus: tuple[float, ...],
    target_gap: float,
    tolerance: float,
    *,
    max_passes: int = 25,
) -> tuple[Evaluation, float]:
    """Lower tau step by step, each solved from the prices of the step before.

    Where steps crawl at a tau, the solution of the one before, which holds, is the better end. A
    gap says nothing while rows are exceeded by more than it: below that they are solved first.
    """
    best, prices, enough = None, start, 0.5 * target_gap
    for tau in taus:
        here = solver.solve(SOFTMAX, tau, prices, tolerance=_SOLVED, max_passes=max_passes)
        if best is not None and here.residual > max(best[0].residual, _SOLVED):
            break
        gap = abs(here.bound - here.value) / max(abs(here.bound), 1e-12)
        if enough < gap < 10 * here.residual < 10 * _SOLVED:
            here = solver.solve(SOFTMAX, tau, here, tolerance=0.1 * enough, max_passes=15)
            gap = abs(here.bound - here.value) / max(abs(here.bound), 1e-12)
        best, prices = (here, tau), here.prices
        if here.residual < _SOLVED and gap <= enough:
            break
    assert best is not None
    here, tau = best
    if here.residual > tolerance:
        here = solver.solve(SOFTMAX, tau, here, tolerance=tolerance, max_passes=15)
    return here, tau
