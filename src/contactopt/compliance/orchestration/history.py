"""Contacts of the past and plans of earlier batches, as orchestration reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import Block
from contactopt.compliance.words import root_of
from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US

__all__ = [
    "ANSWERED",
    "FAILED",
    "SPOKEN",
    "Coded",
    "History",
    "day_begins",
    "latest_per",
    "root_code",
    "root_mask",
]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint64]

#: nobody was there, or it was somebody else's address: the attempt failed, known at once
FAILED = (*v.NO_CONTACT_OUTCOMES, "wrong_number")
#: a conversation or a reply
SPOKEN = (
    *v.RIGHT_PARTY_OUTCOMES,
    *v.STATE_OUTCOMES,
    *(o for o in v.ENGAGED_OUTCOMES if o != "opened"),
    "complained",
    "opted_out",
)
#: the customer was there, or took note
ANSWERED = (*SPOKEN, "opened")
_PORTAL = "portal"


@dataclass(frozen=True, eq=False)
class History:
    """Touches and open plans, one entry each; shape (e,).

    Parameters
    ----------
    customer, time : int64 arrays
        Time: start of a touch, slot of a plan (the decision's instant where it has none).
    settled : int64 array
        When the outcome came about.
    channel : int64 array
        Position in `CHANNELS`, -1 unknown.
    vendor, template : Coded
        Ids by code.
    point : int64 array
        Contact point code, -1 unknown.
    attempt : bool array
        Outbound (or not known to be inbound), by a channel that reaches out.
    planned, failed, spoken, answered, unknown : bool arrays
    touch : int64 array
        Row of the view's touches, -1 for plans.
    outcome : Coded
        The contract's word; plans have none.
    """

    block: Block
    customer: Ints
    time: Ints
    settled: Ints
    channel: Ints
    vendor: Coded
    point: Ints
    attempt: Bools
    planned: Bools
    failed: Bools
    spoken: Bools
    answered: Bools
    unknown: Bools
    template: Coded
    touch: Ints
    outcome: Coded

    @classmethod
    def of(cls, block: Block, reach_days: int) -> History:
        """Collect touches of the last days and every open plan."""
        of = block.columns
        oldest = block.view.as_of_us - (reach_days + 3) * DAY_US
        started, settled = of.ints("touches", "started_us"), of.ints("touches", "settled_us")
        # outcomes of older messages may have come about only now
        at = np.flatnonzero(np.maximum(started, settled) >= oldest)
        plans = np.flatnonzero(of.bools("decisions", "open"))
        k, p = len(at), len(plans)
        code, words = of.words("touches", "outcome")
        code = code[at]
        by_machine = of.bools("touches", "machine_only")[at]
        seen = np.array([w in ("opened", "clicked") for w in words] + [False])[code] & by_machine
        no, yes = np.zeros(p, dtype=bool), np.ones(p, dtype=bool)

        def among(known: tuple[str, ...]) -> Bools:
            hit = np.array([w in known for w in words] + [False])[code]
            return np.append(hit & ~seen, no)

        channel = np.append(_codes(block, "touches")[at], _codes(block, "decisions")[plans])
        inbound = of.among("touches", "direction", "inbound")[at]
        slot = of.ints("decisions", "slot_start_us")[plans]
        slot = np.where(slot == NO_INSTANT, of.ints("decisions", "decided_us")[plans], slot)
        nothing = np.full(p, -1, dtype=np.int64)
        return cls(
            block=block,
            customer=np.append(
                of.ints("touches", "customer")[at], of.ints("decisions", "customer")[plans]
            ),
            time=np.append(started[at], slot),
            settled=np.append(settled[at], slot),
            channel=channel,
            vendor=Coded.of(block, "vendor", at, plans),
            point=np.append(of.ints("touches", "contact_point")[at], nothing),
            attempt=np.append(~inbound, yes) & (channel != v.CHANNELS.index(_PORTAL)),
            planned=np.append(np.zeros(k, dtype=bool), yes),
            failed=among(FAILED),
            spoken=among(SPOKEN),
            answered=among(ANSWERED),
            unknown=np.append(np.array([w == "unknown" for w in words] + [True])[code], yes),
            template=Coded.of(block, "template_id", at, plans),
            touch=np.append(at, nothing),
            outcome=Coded(np.append(code, nothing), tuple(words)),
        )

    def __len__(self) -> int:
        return len(self.customer)

    @cached_property
    def portal(self) -> Bools:
        """Self-service: nobody spoke with anybody."""
        return self.channel == v.CHANNELS.index(_PORTAL)


@dataclass(frozen=True, eq=False)
class Coded:
    """Words by code, -1 where none is known."""

    code: Ints
    words: tuple[str, ...]

    @classmethod
    def of(cls, block: Block, name: str, touches: Ints, plans: Ints) -> Coded:
        """Read a column of ids of some touches, then of some open plans (none without it)."""
        code, words = block.columns.coded("touches", name)
        if name not in block.view.decisions:
            return cls(np.append(code[touches], np.full(len(plans), -1)), tuple(map(str, words)))
        own, more = block.columns.coded("decisions", name)
        known = {str(w): i for i, w in enumerate(words)}
        place = np.array([*(known.setdefault(str(w), len(known)) for w in more), -1])
        return cls(np.append(code[touches], place[own[plans]].astype(np.int64)), tuple(known))

    def among(self, *words: str) -> Bools:
        """Return whether each is one of some words; unknown is none."""
        return np.array([*(w in words for w in self.words), False])[self.code]


def _codes(block: Block, table: str) -> Ints:
    code, words = block.columns.words(table, "channel")
    return np.array([*(root_code(w, block) for w in words), -1], dtype=np.int64)[code]


def root_code(name: str, block: Block) -> int:
    """Return the position in `CHANNELS` of the channel that a name follows, -1 unknown."""
    return block.compiled.once(("root", name), lambda: _root_code(name, block))


def _root_code(name: str, block: Block) -> int:
    root = root_of(name, block.config)
    return v.CHANNELS.index(root) if root in v.CHANNELS else -1


def root_mask(block: Block, *roots: int) -> np.uint64:
    """Return the action channels that follow one of some channels, as bits."""
    own = [c for c, name in enumerate(block.channels) if root_code(name, block) in roots]
    return np.uint64(sum(1 << c for c in own))


def day_begins(block: Block, customer: Ints, us: Ints, shift: int) -> tuple[Ints, Ints]:
    """Return when local day(us) + shift begins: earliest and latest over candidate zones.

    Customers without a zone get (`INDEFINITE`, `NEVER`): they are denied anyway.
    """
    return block.day_begins(customer, us, shift)


def latest_per(key: Ints, time: Ints, *ties: Any) -> Ints:
    """Return the position of the latest entry of each key; among ties the largest ``ties``."""
    if len(key) == 0:
        return np.empty(0, dtype=np.int64)
    order = np.lexsort((*reversed(ties), time, key))
    sorted_key = key[order]
    last = np.append(sorted_key[1:] != sorted_key[:-1], True) if len(order) else np.empty(0, bool)
    return order[last]
