"""From valid treatments to drawn ones: the inner choice inside the exploration budget.

The value of an arm is its mean under the inner choice, so that the allocation weighs what will be
sent, not what could be. What this mean falls short of the best treatment is a loss like any other:
it is taken off the exploration budget first (at most half of it: beyond that the inner choice is
cooled down), and the certified loss counts from the plan that would send everybody the best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.plan.draw import id_keys, seed_of
from contactopt.plan.prices.allocation import Allocation
from contactopt.plan.prices.plain import PlainSolution, solve_plain
from contactopt.plan.prices.problem import Problem
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import UNIT
from contactopt.policy.treatments import INNER_UNIT, InnerChoice, draw_treatments, inner_choice

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = [
    "INNER_SHARES",
    "DrawnTreatments",
    "Inner",
    "drawn_treatments",
    "joint_probability",
    "no_treatments",
    "settle_inner",
    "treatment_rows",
    "treatment_seed",
    "with_effects",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: temperature of the inner choice at most, in posterior standard deviations
_HEAT = 1.0
#: how far it is cooled where the budget is short
_COOLEST = 2.0**-10
#: shares of the exploration budget that the inner choice may take: the first that leaves enough
#: for floor and control group; at 0 the best is taken but for one unit of each
INNER_SHARES = (0.5, 0.2, 0.05, 0.0)


@dataclass(frozen=True, eq=False)
class Inner:
    """What the allocation works with once the inner choice is settled.

    Parameters
    ----------
    choice : InnerChoice
    batch : ScoredBatch
        With values under the inner choice.
    policy : ContactPolicy
        With what the inner choice leaves of the budget.
    greedy : PlainSolution or None
        The plan that would send everybody the best treatment; None where all are alike.
    budget : float
    """

    choice: InnerChoice
    batch: ScoredBatch
    policy: ContactPolicy
    greedy: PlainSolution | None
    budget: float

    def certified(self, found: Allocation) -> Allocation:
        """Return the allocation with loss and budget of arms and treatments together."""
        if self.greedy is None:
            return found
        loss = self.greedy.bound - found.value
        inner = max(loss - found.loss, 0.0)
        note = f"choice between messages and offers: {inner:,.2f} of the loss"
        return replace(found, loss=loss, budget=self.budget, notes=(*found.notes, note))


@dataclass(frozen=True, eq=False)
class DrawnTreatments:
    """The treatment of every customer's drawn arm.

    Parameters
    ----------
    choice : InnerChoice
    treatment : int64 array, shape (n,)
        Number of the drawn treatment, -1 where the arm had no choice.
    units : int64 array, shape (n,)
        Its probability in units of 2**-16; the whole where there was no choice.
    """

    choice: InnerChoice
    treatment: Ints
    units: Ints

    def propensity(self, rows: Ints) -> Floats:
        """Return the probability of the treatment given the arm: exact in float64."""
        return self.units[rows] / INNER_UNIT


def joint_probability(plan: ContactPlan, rows: Ints, arms: Ints) -> Floats:
    """Return the probability of arms with the treatment that the plan shows for them.

    A product of multiples of 2**-36 and 2**-16: exact. Arms that were not drawn show the first
    treatment of their group.
    """
    p = plan.allocation.probabilities[rows, arms] / UNIT
    found = plan.drawn_treatments
    if found is None:
        return p
    is_drawn = arms == plan.drawn[rows]
    own = np.where(is_drawn, found.propensity(rows), 1.0)
    group = plan.batch.treatment_group
    assert group is not None
    other = np.flatnonzero(~is_drawn & (arms < group.shape[1]))
    of = group[rows[other], arms[other]]
    shown = of >= 0
    own[other[shown]] = found.choice.units[found.choice.table.starts[of[shown]]] / INNER_UNIT
    return p * own


def with_effects(batch: ScoredBatch, effect: Floats) -> ScoredBatch:
    """Add to each arm what its treatments add, an effect on P(pays | reached) per group."""
    group, table = batch.treatment_group, batch.treatments
    if group is None or table is None or not effect.any():
        return batch
    n, m = group.shape
    value, lift = np.empty((n, m)), np.empty((n, m))
    p_pay = np.empty((n, m), dtype=batch.p_pay.dtype)
    padded = np.append(effect, 0.0)
    step = max(1, 2_000_000 // max(m, 1))
    for a in range(0, n, step):
        s = slice(a, a + step)
        gain = batch.p_reach[s] * padded[group[s]]
        more = gain * (batch.amount[s] * table.discount)[:, None]
        lift[s] = batch.lift[s] + more
        value[s] = batch.value[s] + batch.margin[s] * more
        p_pay[s] = np.clip(batch.p_pay[s] + gain, 0.0, 1.0)
    return replace(batch, value=value, lift=lift, p_pay=p_pay)


def settle_inner(
    batch: ScoredBatch,
    policy: ContactPolicy,
    solve: Callable[[ScoredBatch], Problem],
    *,
    share: float = INNER_SHARES[0],
) -> Inner | None:
    """Choose the temperature of the inner choice; None where no arm of the batch has a choice.

    Parameters
    ----------
    batch : ScoredBatch
        Values under a random valid treatment.
    policy : ContactPolicy
    solve : callable
        Builds the allocation problem of a batch.
    share : float
        Share of the exploration budget that the inner choice may take.
    """
    table = batch.treatments
    if table is None or len(table) == 0 or batch.treatment_group is None:
        return None
    heat = _HEAT if policy.explores else 0.0
    choice = inner_choice(table, heat=heat, floor=policy.floor)
    if not choice.learned:
        return Inner(choice, batch, policy, None, 0.0)
    greedy = solve_plain(solve(with_effects(batch, choice.best)))
    own_share = policy.exploration_share * max(greedy.value, 0.0)
    budget = max(own_share, policy.exploration_money) if policy.explores else 0.0
    weight = _weights(batch)
    while True:
        own = with_effects(batch, choice.mean)
        mean = solve_plain(solve(own), start=greedy.prices)
        taken = max(greedy.bound - mean.bound, 0.0)
        coolest = choice.heat <= _COOLEST and choice.least <= 1
        if taken <= share * budget or coolest:
            break
        gap = float((weight * (choice.best - choice.mean)).sum())
        choice = _cooler(choice, weight, 0.9 * gap * share * budget / taken, policy.floor)
    return Inner(choice, own, _left_over(policy, budget, taken, mean), greedy, budget)


def _weights(batch: ScoredBatch) -> Floats:
    """Return what one unit of effect is worth in each group, over all its pairs."""
    group, table = batch.treatment_group, batch.treatments
    assert group is not None
    assert table is not None
    n, m = group.shape
    weight, step = np.zeros(len(table) + 1), max(1, 2_000_000 // max(m, 1))
    for a in range(0, n, step):
        s = slice(a, a + step)
        worth = batch.margin[s] * batch.p_reach[s] * batch.amount[s][:, None]
        weight += np.bincount(
            group[s].ravel() + 1, np.nan_to_num(worth).ravel(), minlength=len(table) + 1
        )
    return weight[1:]


def _cooler(choice: InnerChoice, weight: Floats, most: float, floor: float) -> InnerChoice:
    """Return the warmest choice below this one whose weighted gap is small enough."""
    low, high = np.log(_COOLEST), np.log(choice.heat)
    found = None
    for _ in range(8):
        at = (low + high) / 2
        here = inner_choice(choice.table, heat=float(np.exp(at)), floor=floor)
        if float((weight * (here.best - here.mean)).sum()) <= most:
            found, low = here, at
        else:
            high = at
    # at its least every treatment still has one unit
    return found or inner_choice(choice.table, heat=_COOLEST, floor=0.0)


def _left_over(
    policy: ContactPolicy, budget: float, taken: float, greedy: PlainSolution
) -> ContactPolicy:
    """Return the policy whose budget is what the inner choice leaves."""
    if not policy.explores:
        return policy
    left = max(budget - taken, 0.0)
    if policy.exploration_share <= 0 or greedy.value <= 0 or left >= greedy.value:
        share, money = 0.0, max(left, 1e-12)
    else:
        share, money = max(left / greedy.value, 1e-12), 0.0
    settings = {"exploration_share": share, "exploration_money": money}
    return ContactPolicy.from_state({**policy.to_state(), **settings})


def drawn_treatments(
    choice: InnerChoice, batch: ScoredBatch, drawn: Ints, random_state: int, batch_id: str
) -> tuple[DrawnTreatments, ScoredBatch]:
    """Draw a treatment for every customer who got an arm with a choice.

    Returns
    -------
    DrawnTreatments
    ScoredBatch
        The drawn arms carry the drawn template and offer.
    """
    assert batch.treatment_group is not None
    n, m = batch.allowed.shape
    treatment, units = np.full(n, -1, dtype=np.int64), np.full(n, INNER_UNIT, dtype=np.int64)
    acts = np.flatnonzero(drawn < m)
    group = batch.treatment_group[acts, drawn[acts]]
    rows, group = acts[group >= 0], group[group >= 0]
    keys = id_keys(batch.customer_ids[rows])
    treatment[rows], units[rows] = draw_treatments(
        choice, group, keys, treatment_seed(random_state, batch_id)
    )
    at = (rows, drawn[rows])
    template = np.array(batch.template, dtype=np.int16)
    template[at] = choice.table.template_of(treatment[rows])
    offer = None
    if batch.offer_ids:
        offer = np.full((n, m), -1, dtype=np.int16)
        offer[at] = choice.table.offer_of(treatment[rows])
    own = replace(batch, template=template, offer=offer)
    return DrawnTreatments(choice, treatment, units), own


def treatment_seed(random_state: int, batch_id: str) -> int:
    """Return the seed of the inner draw, another one than that of the arms."""
    return seed_of(random_state, f"{batch_id}|treatment")


def treatment_rows(choice: InnerChoice, batch: ScoredBatch) -> pd.DataFrame:
    """Return every group's treatments: what the log keeps to do the inner draw again."""
    table = choice.table
    context = table.context[table.group_of]
    words: dict[str, Any] = {
        "channel": [name for name, _ in table.contexts],
        "stage": [name for _, name in table.contexts],
    }
    template, offer = table.template_of(table.member), table.offer_of(table.member)
    frame = {
        "group": table.group_of.astype(np.int32),
        **{k: _words(v, context) for k, v in words.items()},
        "template_id": _words(batch.template_ids, template),
        "offer_id": _words(batch.offer_ids, offer),
        "treatment": table.member,
        "effect": choice.effect,
        "spread": table.spread[context, table.member],
        "units": choice.units,
        "probability": choice.units / INNER_UNIT,
    }
    return pd.DataFrame(frame)


def no_treatments() -> pd.DataFrame:
    """Return the same for a batch without a choice: no rows."""
    words = {k: pd.Series([], dtype="str") for k in ("channel", "stage", "template_id", "offer_id")}
    return pd.DataFrame(
        {
            "group": np.empty(0, np.int32),
            **words,
            "treatment": np.empty(0, np.int32),
            "effect": np.empty(0),
            "spread": np.empty(0),
            "units": np.empty(0, np.int64),
            "probability": np.empty(0),
        }
    )


def _words(names: Any, index: npt.NDArray[Any]) -> Any:
    """Return words by number, absent where negative; an empty stage is absent, too."""
    distinct = list(dict.fromkeys(n for n in names if n))
    place = np.array([*(distinct.index(n) if n else -1 for n in names), -1], dtype=np.int64)
    kind = pd.CategoricalDtype(pd.Index(distinct, dtype="str"))
    return pd.Categorical.from_codes(place[np.where(index < 0, len(names), index)], dtype=kind)
