"""Exploration in money: the tau at which the estimated loss equals what may be spent.

The budget is max(exploration_share x value of the capacity-constrained greedy plan,
exploration_money). The estimated loss is the greedy plan's certified upper bound less the value of
the plan, so that floor, control group and exploration all count. tau = min(tau_learn, tau_budget):
exploration fades where nothing is left to learn. Loss grows with tau on a fixed feasible set,
hence a bracketed search on log tau is valid.

**When floor and control alone cost more than the budget.** If they take a larger share of all
decisions than exploration_share (a contradiction of the settings) and the greedy plan is worth
something, the smallest share that works is named and the plan refused. Otherwise the batch is to
blame (values small beside costs, nothing worth doing, one rich customer in the control group of a
small batch): the floor is lowered to half of what the budget leaves, at worst to nothing with tau
at its least, and the plan says so in its notes. Probabilities stay interior in every case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.errors import ConfigError
from contactopt.plan.prices.dual import Evaluation, Solver
from contactopt.plan.prices.floors import SetAside, set_aside
from contactopt.plan.prices.plain import PlainSolution, solve_plain
from contactopt.plan.prices.problem import Problem
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import LOG_BARRIER

__all__ = ["Exploring", "Guess", "explore"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

#: least tau, as a share of tau_learn: next to no cost, and still a propensity for every arm
LEAST = 1e-6
#: where the search aims, and how far off it accepts, as shares of the budget: narrow, so that other
#: starts (yesterday's prices, a sample) end at the same plan
_AIM, _OFF = 0.98, 0.005
#: customers on whom larger batches look for tau first
_SAMPLE = 24_000


@dataclass(frozen=True)
class Exploring:
    """The exploring solution: floors set aside, tau, prices, and what was noted on the way."""

    aside: SetAside
    tau: float
    evaluation: Evaluation
    budget: float
    passes: float
    notes: tuple[str, ...]


class _Search:
    """Solves one set-aside problem at several tau, warm from the nearest."""

    def __init__(self, aside: SetAside, policy: ContactPolicy, bound: float, n_threads: int):
        assert policy.exploration is not None
        self.aside = aside
        self.method = policy.exploration.method
        self.solver = Solver(aside.problem, n_threads=n_threads)
        self.bound = bound

    def at(self, tau: float, start: Floats | Evaluation, tolerance: float = 2e-5) -> Evaluation:
        return self.solver.solve(self.method, tau, start, tolerance=tolerance, max_passes=40)

    def loss(self, here: Evaluation) -> float:
        return self.bound - self.aside.value - here.value


@dataclass(frozen=True)
class Guess:
    """Where to look first: tau and prices of yesterday or of a sample, and the loss at tau 0."""

    tau: float
    prices: Floats
    #: what floor and control cost alone, as a share of the budget
    least_share: float = 0.0


def explore(
    problem: Problem,
    policy: ContactPolicy,
    greedy: PlainSolution,
    control: Mask,
    n_threads: int,
    *,
    guess: Guess | None = None,
) -> Exploring:
    """Find tau and prices of the exploring plan.

    Parameters
    ----------
    problem : Problem
    policy : ContactPolicy
    greedy : PlainSolution
    control : bool array, shape (n,)
    n_threads : int
    guess : Guess, optional
        Of a similar batch. Large batches without one look at a sample first.

    Raises
    ------
    ConfigError
        If floor and control group contradict the budget; names the smallest share that works.
    """
    budget = max(policy.exploration_share * max(greedy.value, 0.0), policy.exploration_money)
    aside = set_aside(problem, policy.floor, control, n_threads=n_threads)
    search = _Search(aside, policy, greedy.bound, n_threads)
    passes, notes = 0.0, ()
    if guess is None:
        guess, passes = _look_at_sample(problem, policy, greedy, control, n_threads)
    found = None if guess is None else _from_guess(search, policy, guess, budget)
    if found is None:
        tau, here = policy.tau_learn, search.at(policy.tau_learn, greedy.prices)
        if search.loss(here) > budget:
            least, spent = _least_loss(search, greedy)
            passes += spent
            if least > _AIM * budget:
                _refuse_contradiction(problem, policy, greedy, least, budget)
                passes += search.solver.passes
                search, least, notes, spent = _lower_floor(
                    problem, policy, greedy, control, budget, least, n_threads
                )
                passes += spent
                here = search.at(tau, here.prices)
            if search.loss(here) > budget:
                tau, here = _search_tau(search, policy, here, least, budget)
        found = tau, here
    tau, here = found
    here = search.at(tau, here, tolerance=1e-9)
    return Exploring(search.aside, tau, here, budget, passes + search.solver.passes, notes)


def _look_at_sample(
    problem: Problem, policy: ContactPolicy, greedy: PlainSolution, control: Mask, n_threads: int
) -> tuple[Guess | None, float]:
    """Find tau and prices on a sample of a large batch; None where that tells nothing."""
    n = len(problem.weight)
    every = n // _SAMPLE
    if every < 3:
        return None, 0.0
    part, share = problem.sample(every), len(range(0, n, every)) / n
    solver = Solver(part, n_threads=n_threads)
    plain = solve_plain(part, start=greedy.prices, smoothing=greedy.tau, solver=solver)
    money = policy.exploration_money * share
    budget = max(policy.exploration_share * max(plain.value, 0.0), money)
    aside = set_aside(part, policy.floor, control[::every], n_threads=n_threads)
    search = _Search(aside, policy, plain.bound, n_threads)
    tau, here = policy.tau_learn, search.at(policy.tau_learn, plain.prices)
    least, spent = 0.0, 0.0
    if search.loss(here) > budget:
        least, spent = _least_loss(search, plain)
        if least <= 0.8 * budget:
            tau, here = _search_tau(search, policy, here, least, budget)
    passes = share * (solver.passes + search.solver.passes + spent)
    if least > 0.8 * budget:
        return None, passes
    return Guess(tau, here.prices, least / max(budget, 1e-300)), passes


def _from_guess(
    search: _Search, policy: ContactPolicy, guess: Guess, budget: float
) -> tuple[float, Evaluation] | None:
    """Start at a guess and correct tau by its own loss; None where few steps do not suffice."""
    tau, prices, least = min(guess.tau, policy.tau_learn), guess.prices, guess.least_share * budget
    before = None
    for _ in range(5):
        here = search.at(tau, prices)
        if here.residual > 1e-3:  # prices that led nowhere
            return None
        loss, prices = search.loss(here), here.prices
        as_much_as_helps = tau >= policy.tau_learn and loss <= budget
        if as_much_as_helps or abs(loss - _AIM * budget) <= _OFF * budget:
            return tau, here
        if loss <= least or least >= _AIM * budget:
            return None
        # the loss beside floor and control grows about as fast as tau
        slope = 1.0
        if before is not None and before[0] != tau and before[1] > least:
            slope = np.log((loss - least) / (before[1] - least)) / np.log(tau / before[0])
        factor = ((_AIM * budget - least) / (loss - least)) ** (1.0 / np.clip(slope, 0.3, 3.0))
        before = tau, loss
        tau = min(tau * float(np.clip(factor, 0.1, 10.0)), policy.tau_learn)
    return None


def _least_loss(search: _Search, greedy: PlainSolution) -> tuple[float, float]:
    """Return the loss at tau -> 0: what floor and control cost alone."""
    solver = Solver(search.aside.problem, n_threads=search.solver.n_threads)
    plain = solve_plain(
        search.aside.problem, start=greedy.prices, smoothing=greedy.tau, solver=solver
    )
    return search.bound - search.aside.value - plain.value, solver.passes


def _refuse_contradiction(problem, policy, greedy, least: float, budget: float) -> None:
    sizes = np.diff(problem.starts)
    arms = float(sizes[sizes > 0].mean()) + 1.0 if (sizes > 0).any() else 0.0
    decisions = policy.holdout_share + (1 - policy.holdout_share) * policy.floor * arms
    if greedy.value <= 0 or decisions <= policy.exploration_share:
        return
    share = np.ceil(1e4 * least / (_AIM * greedy.value)) / 1e4
    raise ConfigError(
        f"floor and control group alone cost {least:,.2f}, more than the exploration budget of "
        f"{budget:,.2f}",
        hint=f"the smallest exploration_share that works is {share:.4f} (or exploration_money = "
        f"{least / _AIM:,.2f}); or lower floor or holdout_share",
    )


def _lower_floor(problem, policy, greedy, control, budget, least, n_threads):
    """Lower the floor to half of what the budget leaves beside the control group."""
    bare = _Search(
        set_aside(problem, 0.0, control, n_threads=n_threads), policy, greedy.bound, n_threads
    )
    group, passes = _least_loss(bare, greedy)
    left = max(budget - group, 0.0)
    floor = policy.floor * min(1.0, 0.5 * left / max(least - group, 1e-300))
    if left > 0 and floor > 0:
        lower = _Search(
            set_aside(problem, floor, control, n_threads=n_threads), policy, greedy.bound, n_threads
        )
        least, spent = _least_loss(lower, greedy)
        passes += spent
        if least <= _AIM * budget:
            note = f"floor lowered from {policy.floor:g} to {floor:.3g}: the budget carries no more"
            return lower, least, (note,), passes
    why = "the control group alone costs the budget" if group > budget else "no budget for it"
    note = f"floor lowered from {policy.floor:g} to 0, exploration at its least: {why}"
    return bare, group, (note,), passes


def _search_tau(
    search: _Search, policy: ContactPolicy, here: Evaluation, least: float, budget: float
) -> tuple[float, Evaluation]:
    """Search log tau between a value that never overspends and tau_learn (bracketed secant)."""
    high = policy.tau_learn
    low = max(_never_overspends(search, budget - least), LEAST * high)
    aim = least + 0.5 * (budget - least) if least > _AIM * budget else _AIM * budget
    floor_tau = LEAST * policy.tau_learn
    if aim <= least or low >= high or low <= floor_tau:
        low = max(min(low, high), floor_tau)
        if aim <= least:
            return floor_tau, search.at(floor_tau, here.prices)
    best_tau, best = low, None
    high_excess, low_excess = search.loss(here) - least, None
    for _ in range(12):
        if low_excess is None:
            guess = high * (aim - least) / high_excess
        else:
            slope = np.log(high_excess / low_excess) / np.log(high / low)
            guess = low * ((aim - least) / low_excess) ** (1.0 / max(slope, 0.05))
        inside = (high / low) ** 0.02  # stay off the ends, or the bracket stops to shrink
        tau = float(np.clip(guess, low * inside, high / inside))
        here = search.at(tau, here.prices)
        loss = search.loss(here)
        if loss <= budget:
            best_tau, best, low, low_excess = tau, here, tau, max(loss - least, 1e-12 * budget)
            if loss >= (_AIM - _OFF) * budget or high / low < 1.001:
                break
        else:
            high, high_excess = tau, loss - least
            if high / low < 1.001:
                break
    return best_tau, best if best is not None else search.at(best_tau, here.prices)


def _never_overspends(search: _Search, left: float) -> float:
    """Return a tau whose loss is at most ``left``: tau sum_i w_i |A_i| (barrier) or log |A_i|."""
    p = search.aside.problem
    arms = np.diff(p.starts) + 1.0
    arms = arms if search.method == LOG_BARRIER else np.log(np.maximum(arms, 2.0))
    return max(left, 0.0) / max(float((p.weight * p.room * arms).sum()), 1e-300)
