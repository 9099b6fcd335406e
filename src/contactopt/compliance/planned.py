"""Contacts that are planned already, judged again: the very debt, point, template and instant.

A plan was lawful when it was made. Before each contact goes out it is judged once more by
everything that is known now, as the contact it is: not whether some point or debt would do, but
the ones it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import Block
from contactopt.compliance.denials import Denials
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import SharedContacts
from contactopt.config import StrategyConfig
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import SlotWindow

__all__ = ["Judged", "PlannedContacts", "judge_planned"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

#: the slot does not begin when the plan says: the customer's candidate zones have changed
SLOT_MOVED = "plan.slot_moved"
#: the contact would be lawful now, but not until the planned end of its slot
CUT_SHORT = "plan.cut_short"
#: a debt that the contact names is not known at this instant: nobody can judge it
DEBT_UNKNOWN = "plan.debt_missing"


@dataclass(frozen=True, eq=False)
class PlannedContacts:
    """Planned contacts of one block, at most one per customer; shape (p,).

    Parameters
    ----------
    customer : int64 array
        Row of the view's customers.
    action : int64 array
        Position in the action space.
    debt : int64 array
        Code of the debt that leads.
    point : int64 array
        Contact point code, -1 where the plan names none.
    template : int64 array
        Index into the strategy's templates, -1 where the plan names none, -2 where it names one
        that the strategy does not have.
    slot_start, start_before : int64 arrays
        Microseconds UTC; `NO_INSTANT` where the plan has no slot.
    decided_us : int
        Instant of the plan: its slots are those of that window.
    others_of, other_debt : int64 arrays, shape (q,)
        Further debts that contacts name: position of the contact, debt code.
    """

    customer: Ints
    action: Ints
    debt: Ints
    point: Ints
    template: Ints
    slot_start: Ints
    start_before: Ints
    decided_us: int
    others_of: Ints
    other_debt: Ints

    def by_channel(self, block: Block, values: Ints, none: int) -> Ints:
        """Return values as (n, channels), ``none`` where nothing is planned."""
        out = np.full((block.n, len(block.channels)), none, dtype=np.int64)
        out[self.customer, block.channel_of[self.action]] = values
        return out

    def of_rows(self, block: Block) -> Ints:
        """Return the planned action of each row's customer, 0 where nothing is planned."""
        out = np.zeros(block.n, dtype=np.int64)
        out[self.customer] = self.action
        return out[block.customer]


@dataclass(frozen=True, eq=False)
class Judged:
    """Which planned contacts must not go out, and why.

    Parameters
    ----------
    reasons : tuple of tuple of str
        Ids of the rules (and of our own findings) against each contact, empty where it may go.
    """

    reasons: tuple[tuple[str, ...], ...]


def judge_planned(
    view: Any,
    contacts: PlannedContacts,
    *,
    rules: RuleBook,
    config: StrategyConfig,
    shared: SharedContacts | None = None,
) -> Judged:
    """Judge planned contacts by what is known at ``view.as_of``.

    Parameters
    ----------
    view : JournalView
        Without the plan's own decisions: they do not count against themselves.
    contacts : PlannedContacts
        Whose slots are not over at ``view.as_of``.
    rules : RuleBook
    config : StrategyConfig
    shared : SharedContacts, optional
        As in `evaluate`.

    Returns
    -------
    Judged

    Raises
    ------
    RulePackError
        If the rules are of another day.
    """
    rules.require(view.as_of_us)
    now = _Pass(view, contacts, rules, config, shared)
    bits = now.bits(
        lambda start: np.maximum(start, np.where(start == NO_INSTANT, start, view.as_of_us))
    )
    said = now.names(bits)
    slot = contacts.slot_start != NO_INSTANT
    moved = slot & (now.slot != contacts.slot_start)
    short = slot & ~moved & (now.before < contacts.start_before)
    short &= np.array([not s for s in said], dtype=bool)
    late: list[tuple[str, ...]] = [()] * len(said)
    if short.any():
        last = now.spread(contacts.start_before - 1)
        late = now.names(now.bits(lambda start: np.where(last == NO_INSTANT, start, last)))
    out = []
    for i, own in enumerate(said):
        found = set(own) | ({SLOT_MOVED} if moved[i] else set())
        found |= {DEBT_UNKNOWN} if now.lost[i] else set()
        if short[i]:
            found |= set(late[i]) or {CUT_SHORT}
        out.append(tuple(sorted(found)))
    return Judged(tuple(out))


class _Pass:
    """Evaluations of one block under one plan."""

    def __init__(
        self,
        view: Any,
        contacts: PlannedContacts,
        rules: RuleBook,
        config: StrategyConfig,
        shared: SharedContacts | None = None,
    ) -> None:
        self.contacts = contacts
        block = Block(view, rules, config, config.action_space, shared=shared)
        block.window = SlotWindow(contacts.decided_us, config.lead_minutes, block.actions)
        block.planned = contacts
        self.block = block
        self.row = block.row_of_debt[contacts.debt]
        self.other_row = block.row_of_debt[contacts.other_debt]
        self.lost = self.row < 0
        self.lost[contacts.others_of[self.other_row < 0]] = True
        self.slot = np.full(len(contacts.customer), NO_INSTANT)
        self.before = self.slot.copy()

    def spread(self, values: Ints) -> Ints:
        """Return values of contacts at their customers' rows, shape (n_rows, 1)."""
        out = np.full((self.block.n_rows, 1), NO_INSTANT)
        source, rows = self.block.rows_of(self.contacts.customer)
        out[rows, 0] = values[source]
        return out

    def bits(self, start: Any) -> Bits:
        """Return the denials of each contact, shape (words, p), with starts changed."""
        found = Denials(self.block, starts=start)
        c = self.contacts
        self.slot = found.slot[self.row, 0]
        self.before = found.before[self.row, 0]
        out = found.bits[:, self.row, 0]
        more = found.bits[:, self.other_row, 0]
        for word, extra in zip(out, more, strict=True):
            np.bitwise_or.at(word, c.others_of, extra)
        return out

    def names(self, bits: Bits) -> list[tuple[str, ...]]:
        """Return rule ids of each contact; equal sets are read once."""
        sets, which = np.unique(bits, axis=1, return_inverse=True)
        rules = self.block.rules
        texts = [
            tuple(
                sorted(
                    rules[64 * w + b].id
                    for w, word in enumerate(column.tolist())
                    for b in range(int(word).bit_length())
                    if int(word) >> b & 1
                )
            )
            for column in sets.T
        ]
        return [texts[k] for k in which.ravel()]
