"""The dual of the allocation: one price per row, by projected Newton with continuation in tau.

With s_ia = m_ia - sum_k lambda_k u_k(i,a),

    D(lambda) = sum_i max_p {<p, s_i> + tau w_i R(p)} + lambda' C,   lambda >= 0

is convex and smooth; its gradient is C - usage(p) and its Hessian is summed in the same pass. A row
with a minimum has a second price, with usage of the other sign. At any prices sum_i max_a s_ia +
lambda' C is an upper bound on every feasible plan, which certifies each solution without a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.plan.prices.active import ActivePairs, active_pairs
from contactopt.plan.prices.blocks import in_blocks
from contactopt.plan.prices.problem import Problem
from contactopt.policy.kernels import SOFTMAX, dual_pass

__all__ = ["Evaluation", "Solver"]

Floats = npt.NDArray[np.float64]

#: customers per chunk at the least, and most chunks: partial sums, and with them results, depend on
#: the number of customers, not on that of threads
CHUNK, _CHUNKS = 4096, 32
#: how far cell prices may move before idle pairs are looked for anew: as a share of the price, and
#: of what a pair is worth on average
_REACH, _LEAST_REACH = 0.15, 0.02
#: a price radius shrinks at most to this share at once
_LEAST_SHRINK = 0.05


@dataclass(frozen=True)
class Evaluation:
    """Everything one pass over the customers tells at given prices."""

    prices: Floats
    #: expected value of the probabilities that the exploration moves
    value: float
    #: upper bound on every feasible plan of the same pairs
    bound: float
    dual: float
    gradient: Floats
    hessian: Floats
    #: largest relative violation of feasibility or complementarity
    residual: float


class Solver:
    """Evaluates and minimises the dual of one problem.

    Parameters
    ----------
    problem : Problem
    n_threads : int
        Results are the same for every number.
    narrow : bool
        Worth it where prices are nearly known.

    Notes
    -----
    Prices are a vector of length K + L: the K rows, then the L rows with a minimum. With
    ``narrow`` passes of the entropy leave idle pairs out, which changes no result.
    """

    def __init__(self, problem: Problem, *, n_threads: int = 1, narrow: bool = False) -> None:
        self.problem = problem
        self.n_threads = max(1, n_threads)
        self.narrow = narrow
        #: passes over all pairs so far; one over a part counts as that part
        self.passes = 0.0
        self._evaluations = 0
        self._active: ActivePairs | None = None
        rows = problem.rows
        self._lower = np.flatnonzero(rows.low > 0)
        cover = rows.table.cover.astype(float)
        self.cover = np.vstack([cover, -cover[self._lower]])
        above = np.maximum(rows.target - problem.floor_use, 0.0)
        below = np.maximum(rows.low - problem.floor_use, 0.0)[self._lower]
        self.limit = np.concatenate([above, -below])
        self._scale = np.concatenate([rows.target, rows.target[self._lower]]) + 1e-9
        worth = float(np.abs(problem.value).mean()) if len(problem.value) else 1.0
        unit = np.where(np.isfinite(problem.most_usage), problem.most_usage, 0.0)
        #: by cell, a price at which a pair's units are worth what a pair is worth on average
        self.worth_per_unit = worth / np.maximum(unit, 1e-9)
        per_row = np.abs(self.cover) @ unit[:-1] / np.maximum(np.abs(self.cover).sum(axis=1), 1)
        self._radius = worth / np.maximum(per_row, 1e-9) + 1e-9

    @property
    def n_prices(self) -> int:
        """Length of a price vector: rows, then rows with a minimum."""
        return len(self.limit)

    def cell_prices(self, prices: Floats) -> Floats:
        """Return the price of each cell (sum over its rows) and 0 for the free cell."""
        return np.append(self.cover.T @ prices, 0.0)

    def row_prices(self, prices: Floats) -> Floats:
        """Return one price per row: what a unit more is worth, less what the minimum costs."""
        net = prices[: len(self.problem.rows.table)].copy()
        net[self._lower] -= prices[len(net) :]
        return net

    # ---- one pass --------------------------------------------------------------------------

    def evaluate(self, method: int, tau: float, prices: Floats) -> Evaluation:
        """Run one pass over the customers."""
        self._evaluations += 1
        sums, use, curvature = self._sums(method, tau, self.cell_prices(prices))
        cover, limit = self.cover, self.limit
        gradient = limit - cover @ use
        slack = np.where(prices > 0, np.abs(gradient), np.maximum(-gradient, 0.0))
        return Evaluation(
            prices=prices,
            value=float(sums[0]),
            bound=float(sums[2] + prices @ limit),
            dual=float(sums[1] + prices @ limit),
            gradient=gradient,
            hessian=cover @ curvature @ cover.T,
            residual=float((slack / self._scale).max(initial=0.0)),
        )

    def _sums(self, method: int, tau: float, price: Floats) -> tuple[Floats, Floats, Floats]:
        p = self._pairs(method, tau, price)
        n = len(p.weight)
        size = max(CHUNK, -(-n // _CHUNKS))
        chunks = -(-n // size)
        sums = np.zeros((chunks, 3))
        use = np.zeros((chunks, len(price)))
        curvature = np.zeros((chunks, len(price), len(price)))

        def run(c: int, first: int, last: int) -> None:
            dual_pass(
                method, float(tau), p.starts, p.value, p.usage, p.cell, p.weight, p.room, price,
                size, c, c + 1, sums, use, curvature,
            )  # fmt: skip

        in_blocks(n, size, run, self.n_threads)
        # the partial sums are added in the order of the chunks, whoever made them
        return sums.sum(axis=0), use.sum(axis=0)[:-1], curvature.sum(axis=0)[:-1, :-1]

    def _pairs(self, method: int, tau: float, price: Floats) -> Problem | ActivePairs:
        """Return the pairs to go through at these cell prices, and count the passes."""
        whole = max(len(self.problem.value), 1)
        if not (self.narrow and method == SOFTMAX and tau > 0):
            self.passes += 1.0
            return self.problem
        if self._active is None or not self._active.holds(tau, price):
            reach = np.maximum(_REACH * np.abs(price), _LEAST_REACH * self.worth_per_unit)
            self._active = active_pairs(self.problem, tau, price, reach, self.n_threads)
            self.passes += 1.0
        self.passes += len(self._active.value) / whole
        return self._active

    # ---- projected Newton ------------------------------------------------------------------

    def solve(
        self,
        method: int,
        tau: float,
        start: Floats | Evaluation,
        *,
        tolerance: float,
        max_passes: int = 60,
    ) -> Evaluation:
        """Minimise the dual at one tau from given prices (active set at 0, Armijo).

        ``start`` may be an evaluation at that tau, from which it goes on.

        The Hessian is damped by the gradient over a price radius, which vanishes at the solution
        (fast convergence stays) and keeps steps short where nobody is at the margin.
        """
        here = start if isinstance(start, Evaluation) else self.evaluate(method, tau, start)
        radius = self._radius
        last = self._evaluations + max_passes
        while here.residual > tolerance and self._evaluations < last:
            free = (here.prices > 0) | (here.gradient < 0)
            step = self._step(here, free, radius)
            there, length = self._armijo(method, tau, here, step, last)
            if there is None:
                break
            # a step that had to be cut to a hundredth would be cut again: the radius follows it
            shrink = min(max(2.0 * length, _LEAST_SHRINK), 0.5)
            radius = radius * (2.0 if length == 1.0 else shrink)
            here = there
        return here

    def _step(self, here: Evaluation, free: npt.NDArray[np.bool_], radius: Floats) -> Floats:
        step = np.zeros_like(here.prices)
        if not free.any():
            return step
        hessian = here.hessian[np.ix_(free, free)]
        gradient = here.gradient[free]
        ridge = 1e-11 * np.diag(hessian) + np.abs(gradient) / radius[free]
        ridge += 1e-14 * (1.0 + self._scale[free]) / radius[free]
        step[free] = np.linalg.solve(hessian + np.diag(ridge), -gradient)
        return step

    def _armijo(self, method: int, tau: float, here: Evaluation, step: Floats, last: int):
        length = 1.0
        noise = 1e-12 * (abs(here.dual) + 1.0)
        while self._evaluations < last:
            prices = np.maximum(here.prices + length * step, 0.0)
            moved = prices - here.prices
            if not moved.any():
                return None, length
            there = self.evaluate(method, tau, prices)
            slope, end = float(here.gradient @ moved), float(there.gradient @ moved)
            if there.dual <= here.dual + 1e-4 * slope + noise:
                return there, length
            # the slope at both ends says about where between them the least value lies
            length *= min(max(slope / (slope - end), 0.1), 0.5) if end > slope else 0.3
            if length < 1e-7:
                return None, length
        return None, length
