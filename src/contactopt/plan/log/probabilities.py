"""Probabilities computed anew from logged figures, by the pass that made them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contactopt.plan.log.batch_record import BatchFacts
from contactopt.plan.log.block import LoggedBlock
from contactopt.plan.prices.allocation import Rounding
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import final_pass, floor_pass
from contactopt.policy.weights import exploration_weights

__all__ = ["Solved", "eligible_of", "probabilities_again", "tolerance_of"]

#: what other processors may make of the same floats; 69 multiples of 2**-36
_OTHER_MACHINES = 1e-9


class Solved(NamedTuple):
    """What made a plan's integers, and the columns of the scores that it was made from."""

    rounding: Rounding
    cell_prices: npt.NDArray[np.float64]
    value: str = "value"
    spread: str = "spread"


def eligible_of(
    reasons: npt.NDArray[np.object_], control: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return which actions were open, shape (k, m), and where each decision's begin, (k + 1,)."""
    mask = reasons[:, :-1] == ""
    mask &= ~control[:, None]
    starts = np.zeros(len(mask) + 1, dtype=np.int64)
    np.cumsum(mask.sum(axis=1), out=starts[1:])
    return mask, starts


def tolerance_of(facts: BatchFacts) -> tuple[float, str]:
    """Return how far a probability may be from the logged one, and why in words."""
    if facts.format > 1:
        return _OTHER_MACHINES, "to 1e-9 (other processors round sums otherwise)"
    return (
        facts.floor + 1e-6,
        f"to {facts.floor + 1e-6:.3g} (that format keeps neither the floor that capacity left nor "
        "unrounded prices)",
    )


def probabilities_again(
    block: LoggedBlock,
    reasons: npt.NDArray[np.object_],
    control: npt.NDArray[np.bool_],
    facts: BatchFacts,
    solved: Solved | None = None,
) -> npt.NDArray[np.int64] | None:
    """Return integer probabilities of a block's decisions.

    Parameters
    ----------
    block : LoggedBlock
    reasons : object array, shape (k, m + 1)
        Empty where an action was open.
    control : bool array, shape (k,)
    facts : BatchFacts
    solved : Solved, optional
        Another policy's; without, that of the logged values.

    Returns
    -------
    int64 array, shape (k, m + 1), or None
        Multiples of 2**-36. None where a log of the first format did not explore: it does not
        hold with which weight its plain plan was rounded.
    """
    k, width = block.shape
    mask, starts = eligible_of(reasons, control)
    if solved is None and facts.rounding is not None and facts.cell_prices is not None:
        solved = Solved(facts.rounding, facts.cell_prices)

    def pairs(name: str) -> npt.NDArray[np.float64]:
        return np.ascontiguousarray(block.numbers(name)[:, :-1][mask])

    value = pairs("value" if solved is None else solved.value)
    spread = pairs("spread" if solved is None else solved.spread)
    weight = exploration_weights(value, spread, starts)
    if solved is not None:
        made, price = solved.rounding, solved.cell_prices
        usage, cell = pairs("usage"), pairs("cell").astype(np.int16)
    else:
        made = _first_format(facts)
        if made is None:
            return None
        value, price = pairs("priced_value"), np.zeros(1)
        usage, cell = np.zeros(len(value)), np.zeros(len(value), dtype=np.int16)
    room = np.empty(k)
    floor_pass(
        starts, value, usage, cell, made.floor, made.factor, ~control, room, np.zeros(len(price))
    )
    out = np.zeros((k, width), dtype=np.int64)
    arm = np.nonzero(mask)[1].astype(np.int16)
    counts: list[Any] = [np.zeros(len(price), dtype=np.int64), np.zeros(len(price))]
    final_pass(
        made.method, made.tau, starts, arm, value, usage, cell, weight, room, price, made.floor,
        made.factor, made.shrink, made.least, out, *counts,
    )  # fmt: skip
    return out


def _first_format(facts: BatchFacts) -> Rounding | None:
    """Return what that format tells: no floor was scaled down, nothing was shrunk."""
    policy = ContactPolicy.from_state(facts.policy)
    if policy.exploration is None or not facts.tau > 0:
        return None
    one = np.ones(1)
    return Rounding(policy.exploration.method, facts.tau, facts.floor, 1, one, one)
