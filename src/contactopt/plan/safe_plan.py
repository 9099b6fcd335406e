"""Three policies through one mask, one set of capacities, one floor; the verdict says who leads.

The learned policy's plan is made as always. Beside it stand the constant policy's, allocated from
its own scores with half of the exploration budget, and the incumbent's, its shares brought inside
the capacities. Where the learned one does not lead, the plan is the leader's mixed with a share of
the learned one's that the rest of the budget can pay, and the mixed probability is what is drawn
and logged. All three are logged for every action: the next verdict needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.errors import ConfigError
from contactopt.plan.mixing import mix, planned_shares, use_of, value_of
from contactopt.plan.prices.allocation import Allocation, allocate
from contactopt.plan.prices.problem import Problem
from contactopt.policy import ContactPolicy
from contactopt.policy.safety import (
    SHARE_UNIT,
    Incumbent,
    SafetyTerms,
    SafetyVerdict,
    proving_share,
)
from contactopt.segments import stage_of

__all__ = ["IncumbentPlan", "SafePlan", "lead_safely"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: part of the exploration budget that the constant policy spends itself
_OWN = 0.5


@dataclass(frozen=True, eq=False)
class IncumbentPlan:
    """The regime in force inside today's mask and capacities, and how it got there.

    Parameters
    ----------
    probabilities : int64 array, shape (n, m + 1)
    factor, shrink : float array, shape (n_cells + 1,)
    floor : float
    rest : int
        Part (of `SHARE_UNIT`) of the learned plan in it, where minimum units ask for more contacts
        than it makes.
    incumbent : Incumbent
    """

    probabilities: Ints
    factor: Floats
    shrink: Floats
    floor: float
    rest: int
    incumbent: Incumbent


@dataclass(frozen=True, eq=False)
class SafePlan:
    """What stands behind a plan made while safety is on.

    Parameters
    ----------
    verdict : SafetyVerdict
        With the share of this batch.
    share : int
        Of the draw for the learned policy, in units of 1 / `SHARE_UNIT`.
    learned : Allocation
    constant : Allocation or None
    incumbent : IncumbentPlan or None
    """

    verdict: SafetyVerdict
    share: int
    learned: Allocation
    constant: Allocation | None
    incumbent: IncumbentPlan | None

    def probabilities_of(self, name: str) -> Ints | None:
        """Return a candidate's probabilities, shape (n, m + 1); None where it is not there."""
        found = getattr(self, name)
        return None if found is None else found.probabilities


def lead_safely(
    batch: ScoredBatch,
    problem: Problem,
    learned: Allocation,
    policy: ContactPolicy,
    control: npt.NDArray[np.bool_],
    terms: SafetyTerms,
    *,
    build: Callable[[ScoredBatch], Problem],
    n_threads: int = 1,
) -> tuple[Allocation, SafePlan]:
    """Let the verdict's leader lead, and the learned policy prove itself.

    Parameters
    ----------
    batch : ScoredBatch
        With ``constant_value`` and ``constant_spread`` where the constant policy is a rival, with
        ``segment`` where the incumbent is.
    problem : Problem
        Of the learned scores.
    learned : Allocation
    policy : ContactPolicy
    control : bool array, shape (n,)
    terms : SafetyTerms
    build : callable
        Builds the allocation problem of a batch.
    n_threads : int

    Returns
    -------
    Allocation
        The plan to draw: probabilities, use, value by the learned scores; prices, tau and rounding
        are the learned policy's, loss and budget are money by the safer scores.
    SafePlan

    Raises
    ------
    ConfigError
        If the leader is not there: no constant scores, or no incumbent.
    """
    constant, left = None, learned.budget
    if "constant" in terms.rivals:
        constant, left = _constant(batch, policy, control, build, n_threads)
    incumbent = None
    if "incumbent" in terms.rivals and terms.incumbent is not None:
        incumbent = _incumbent(batch, problem, learned, policy, control, terms.incumbent)
    verdict = terms.verdict
    found = SafePlan(verdict, SHARE_UNIT, learned, constant, incumbent)
    if verdict.lead == "learned":
        found = replace(found, verdict=replace(verdict, share=1.0))
        return replace(learned, notes=(*learned.notes, *found.verdict.lines)), found
    lead = found.probabilities_of(verdict.lead)
    if lead is None:
        raise ConfigError(
            f"the {verdict.lead} policy leads by the verdict, but this batch has no scores of it",
            hint="score with the strategy whose `safety` is on, or give the incumbent",
        )
    safer = batch.value if batch.constant_value is None else batch.constant_value
    worth = value_of(lead, safer)
    cost = worth - value_of(learned.probabilities, safer)
    share = proving_share(
        verdict,
        budget=left,
        cost=cost,
        n_customers=int((~control & (np.diff(problem.starts) > 0)).sum()),
        most=terms.most_share,
        pilot=terms.pilot_share,
    )
    part = share / SHARE_UNIT
    verdict = replace(verdict, share=part)
    found = replace(found, verdict=verdict, share=share)
    mixed = mix(lead, learned.probabilities, share)
    own = 0.0 if constant is None or verdict.lead != "constant" else constant.loss
    value = value_of(mixed, batch.value)
    given_up = f"by the learned scores alone {learned.value - value:,.2f} more could be expected"
    allocation = replace(
        learned,
        probabilities=mixed,
        expected_use=use_of(problem, mixed),
        value=value,
        loss=(1.0 - part) * own + part * max(cost + own, 0.0),
        budget=learned.budget if constant is None else constant.budget / _OWN,
        notes=(*learned.notes, *verdict.lines, given_up),
    )
    return allocation, found


def _constant(
    batch: ScoredBatch,
    policy: ContactPolicy,
    control: npt.NDArray[np.bool_],
    build: Callable[[ScoredBatch], Problem],
    n_threads: int,
) -> tuple[Allocation, float]:
    """Allocate the constant scores with half of the budget; return it and what is left of all."""
    if batch.constant_value is None or batch.constant_spread is None:
        raise ConfigError(
            "the batch has no constant scores for the constant policy",
            hint="score with a strategy whose `safety` is on, or leave it out of `rivals`",
        )
    own = replace(batch, value=batch.constant_value, spread=batch.constant_spread)
    problem, m = build(own), len(batch.actions)
    half = ContactPolicy(
        exploration=policy.exploration,
        exploration_share=policy.exploration_share * _OWN,
        exploration_money=policy.exploration_money * _OWN,
        floor=policy.floor,
        tau_learn=policy.tau_learn,
        holdout_share=policy.holdout_share,
    )
    try:
        found = allocate(problem, half, control, m, n_threads=n_threads)
    except ConfigError:  # floor and control group need more than half of it
        found = allocate(problem, policy, control, m, n_threads=n_threads)
        return replace(found, budget=found.budget * _OWN), max(found.budget - found.loss, 0.0)
    return found, max(found.budget / _OWN - found.loss, 0.0)


def _incumbent(
    batch: ScoredBatch,
    problem: Problem,
    learned: Allocation,
    policy: ContactPolicy,
    control: npt.NDArray[np.bool_],
    incumbent: Incumbent,
) -> IncumbentPlan:
    n, m = batch.allowed.shape
    stages = np.full(n, "", dtype=object) if batch.segment is None else stage_of(batch.segment)
    row = np.repeat(np.arange(n), np.diff(problem.starts))
    names, code = np.unique(stages.astype(str), return_inverse=True)
    table = incumbent.probabilities(names, batch.actions.action_ids)
    shares = table[code.ravel()[row], problem.arm.astype(np.int64)]
    floor = learned.floor if policy.explores else 0.0
    whole, factor, shrink = planned_shares(problem, shares, control, floor, m)
    rest = _needed(problem, whole, learned)
    if rest:
        whole = mix(whole, learned.probabilities, rest)
    return IncumbentPlan(whole, factor, shrink, floor, rest, incumbent)


def _needed(problem: Problem, whole: Ints, learned: Allocation) -> int:
    """Return the least part of a plan that keeps all minimum units that brings one to them too."""
    low = problem.rows.table.min_units
    if not (low > 0).any():
        return 0
    use = use_of(problem, whole)
    short = use < low
    gap = np.maximum(learned.expected_use - use, 1e-300)
    part = np.where(short, (low - use) / gap, 0.0).max(initial=0.0)
    return min(int(np.ceil(part * SHARE_UNIT)), SHARE_UNIT)
