"""What compliance says of every customer and action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.rulebook import RuleBook
from contactopt.contracts.action_space import ActionSpace

__all__ = ["Verdict", "explain"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Verdict:
    """May we: per customer (n, in the order of ``view.customer_ids``) and action (m).

    Instants are int64 microseconds UTC, `NO_INSTANT` where absent.

    Parameters
    ----------
    allowed : bool array, shape (n, m)
    reason : int32 array, shape (n, m)
        Index into ``reason_sets``; 0 is the empty set.
    reason_sets : tuple of tuple of str
        Ids of the rules that deny, sorted; all of them, of every open debt.
    lawful_from : int64 array, shape (n, m)
        First instant at which a blocked action becomes lawful as far as is known now: the last
        release of the rules that deny, then the next open hour (the same local hour).
    slot_start, start_before : int64 array, shape (n, m)
        First start in the window; exclusive last instant to start, law and guard included.
    time_zone : object array, shape (n,)
        Zone in which the customer's slots are meant, None where no zone is known.
    debt : int64 array, shape (n, m)
        Row of ``view.debts`` that the action names; -1 where it is blocked.
    contact_point : int64 array, shape (n, m)
        Row of ``view.points``, -1 where none.
    template : int16 array, shape (n, m)
        Index into the strategy's templates, -1 where none is needed or it is blocked.
    other_debts : tuple of str
        Per row of ``view.debts``: ids, joined by ``|``, of the other debts of the same customer,
        creditor and ownership that are allowed wherever this one is.
    rules_version : str
    notes : tuple of str
        What could not be checked for this block (calendars that nobody knows).
    template_set : int32 array, shape (n, m), or None
        Index into ``template_sets``: all templates that may go, ``template`` the first of them;
        -1 where none is needed or it is blocked. None where there is nowhere a choice.
    template_sets : tuple of tuple of int
    """

    allowed: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.int32]
    reason_sets: tuple[tuple[str, ...], ...]
    lawful_from: Ints
    slot_start: Ints
    start_before: Ints
    time_zone: npt.NDArray[np.object_]
    debt: Ints
    contact_point: Ints
    template: npt.NDArray[np.int16]
    other_debts: tuple[str, ...]
    rules_version: str
    notes: tuple[str, ...] = ()
    template_set: npt.NDArray[np.int32] | None = None
    template_sets: tuple[tuple[int, ...], ...] = ()

    def reasons_of(self, customer: int, action: int) -> tuple[str, ...]:
        """Return the ids of the rules that deny one pair, empty where it is allowed."""
        return self.reason_sets[int(self.reason[customer, action])]

    def counts(self) -> dict[str, int]:
        """Return how many (customer, action) pairs each rule denies, by rule id."""
        per_set = np.bincount(self.reason.ravel(), minlength=len(self.reason_sets))
        found: dict[str, int] = {}
        for names, count in zip(self.reason_sets, per_set.tolist(), strict=True):
            for name in names:
                found[name] = found.get(name, 0) + count
        return dict(sorted(found.items()))


def explain(
    verdict: Verdict, rules: RuleBook, customer: int, actions: ActionSpace
) -> list[dict[str, Any]]:
    """Return, per blocked action of one customer, the rules that deny with their sources.

    Parameters
    ----------
    verdict : Verdict
    rules : RuleBook
        The book that the verdict was made with.
    customer : int
        Row of the verdict.
    actions : ActionSpace

    Returns
    -------
    list of dict
        action_id, lawful_from (int microseconds or None), rules (cards with summary, citation,
        confidence); empty where nothing is blocked.
    """
    out = []
    for a in np.flatnonzero(~verdict.allowed[customer]).tolist():
        instant = int(verdict.lawful_from[customer, a])
        out.append(
            {
                "action_id": actions.action_ids[a],
                "lawful_from": None if instant < 0 else instant,
                "rules": rules.explain(verdict.reasons_of(customer, a)),
            }
        )
    return out
