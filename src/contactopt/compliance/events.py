"""Contacts of the past and plans of earlier batches, in the words of the rules, with local days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.local_days import NO_WEEK, day_edges
from contactopt.compliance.words import TouchWords, attempts_of, code_words, mask_of
from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["Events", "LocalDays"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Thursday, 1970-01-01, is day 3 of a week that starts on Monday
_WEEK_SHIFT = {"MON": 3, "TUE": 2, "WED": 1, "THU": 0, "FRI": 6, "SAT": 5, "SUN": 4}


@dataclass(frozen=True, eq=False)
class Events:
    """Touches and open plans that may count, one entry each.

    Parameters
    ----------
    customer, time : int64 arrays, shape (e,)
    inbound, outbound : bool arrays
        Both where the direction is not known.
    ours : bool array
        On our behalf.
    planned : bool array
    channel, outcome : uint64 arrays
        Rule words as bits; outcome 0 is unknown.
    medium : int64 array
        Code of the medium, -1 unknown, -2 self-service.
    point : int64 array
        Contact point code, -1 unknown.
    touch : int64 array
        Row of the view's touches, -1 for plans.
    flags : uint64 array
        Circumstances as bits of ``contact_flags``; tables of the contract tell none.
    shared : bool array
        With another customer, at a point that this one has too.
    """

    customer: Ints
    time: Ints
    inbound: Bools
    outbound: Bools
    ours: Bools
    planned: Bools
    channel: npt.NDArray[np.uint64]
    outcome: npt.NDArray[np.uint64]
    medium: Ints
    point: Ints
    touch: Ints
    flags: npt.NDArray[np.uint64]
    shared: Bools

    @classmethod
    def of(cls, block: Block, oldest_us: int, customers: Bools | None = None) -> Events:
        """Collect touches since ``oldest_us`` and every open plan, also others' at shared points.

        Parameters
        ----------
        block : Block
        oldest_us : int
        customers : bool array, shape (n,), optional
            Whose touches are wanted; default everybody's.
        """
        of = block.columns
        started, customer = of.ints("touches", "started_us"), of.ints("touches", "customer")
        wanted = started >= oldest_us
        if customers is not None:
            wanted &= customers[customer]
        at = np.flatnonzero(wanted)
        plans = np.flatnonzero(of.bools("decisions", "open"))
        code, names = of.words("decisions", "channel")
        plans = np.repeat(plans, attempts_of(code[plans], names, block.config))
        slot = of.ints("decisions", "slot_start_us")[plans]
        decided = of.ints("decisions", "decided_us")[plans]
        channel, outcome, medium = _words_of(block, at, plans)
        k, p = len(at), len(plans)
        inbound, outbound = (
            np.append(of.among("touches", "direction", word)[at], np.full(p, word == "outbound"))
            for word in ("inbound", "outbound")
        )
        code, collectors = of.words("touches", "collector")
        none = np.full(p, -1, dtype=np.int64)
        own = cls(
            customer=np.append(customer[at], of.ints("decisions", "customer")[plans]),
            time=np.append(started[at], np.where(slot == NO_INSTANT, decided, slot)),
            inbound=~outbound,
            outbound=~inbound,
            ours=np.append(_ours(code[at], collectors, block), np.ones(p, dtype=bool)),
            planned=np.append(np.zeros(k, dtype=bool), np.ones(p, dtype=bool)),
            channel=channel,
            outcome=outcome,
            medium=medium,
            point=np.append(of.ints("touches", "contact_point")[at], none),
            touch=np.append(at, none),
            flags=np.append(_flags(block.view.touches, at), np.zeros(p, dtype=np.uint64)),
            shared=np.zeros(k + p, dtype=bool),
        )
        near = block.neighbours
        if len(near):
            near = near[near["planned"] | (near["started_us"] >= oldest_us)]
        return own.plus(cls._of_others(block, near)) if len(near) else own

    @classmethod
    def _of_others(cls, block: Block, near: pd.DataFrame) -> Events:
        """Return contacts with others at points that customers of the block have too."""
        code, names = code_words(near["channel"])
        result, outcomes = code_words(near["outcome"])
        machine = near["machine_only"].to_numpy(dtype=bool)
        words = TouchWords.of(names, outcomes, block.config).read(code, result, machine)
        direction = near["direction"].to_numpy(dtype=object)
        n = len(near)
        return cls(
            customer=near["customer"].to_numpy(dtype=np.int64),
            time=near["started_us"].to_numpy(dtype=np.int64),
            inbound=direction != "outbound",
            outbound=direction != "inbound",
            ours=_ours(*code_words(near["collector"]), block),
            planned=near["planned"].to_numpy(dtype=bool),
            channel=words[0],
            outcome=words[1],
            medium=words[2],
            point=near["contact_point"].to_numpy(dtype=np.int64),
            touch=np.full(n, -1, dtype=np.int64),
            flags=np.zeros(n, dtype=np.uint64),
            shared=np.ones(n, dtype=bool),
        )

    def plus(self, more: Events) -> Events:
        """Return these events and more."""
        return Events(
            **{
                name: np.concatenate([getattr(self, name), getattr(more, name)])
                for name in self.__dataclass_fields__
            }
        )

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, keep: Any) -> Events:
        """Return the events of a mask or of positions."""
        return Events(**{name: getattr(self, name)[keep] for name in self.__dataclass_fields__})


def _words_of(block: Block, touches: Ints, plans: Ints) -> tuple[Any, Any, Any]:
    """Channel bits, outcome bits and medium of some touches, then of some open plans."""
    of = block.columns
    code, channels = of.words("touches", "channel")
    result, outcomes = of.words("touches", "outcome")
    ahead, names = of.words("decisions", "channel")
    said = ("touch_words", tuple(channels), tuple(outcomes), tuple(names))
    kept, later = block.compiled.once(
        said,
        lambda: (
            TouchWords.of(channels, outcomes, block.config),
            TouchWords.of(names, ["unknown"], block.config),
        ),
    )
    machine = of.bools("touches", "machine_only")[touches]
    past = kept.read(code[touches], result[touches], machine)
    if len(plans) == 0:
        return past
    nothing = np.zeros(len(plans), dtype=np.int64)
    plan = later.read(ahead[plans], nothing, nothing > 0)
    channel, outcome, medium = (np.concatenate(p) for p in zip(past, plan, strict=True))
    return channel, outcome, medium


def _flags(touches: pd.DataFrame, at: Ints) -> npt.NDArray[np.uint64]:
    if "flags" not in touches:
        return np.zeros(len(at), dtype=np.uint64)
    known = table("words")["contact_flags"]
    masks = [
        mask_of([f for f in flags if f in known], "contact_flags")
        for flags in touches["flags"].iloc[at]
    ]
    return np.array(masks, dtype=np.uint64)


def _ours(code: Ints, collectors: list[str], block: Block) -> Bools:
    """Whether contacts were on our behalf; nobody named: yes."""
    return np.array([*(c == block.config.collector for c in collectors), True])[code]


class LocalDays:
    """The instants at which local days around events begin, over all candidate zones.

    Parameters
    ----------
    block : Block
    events : Events
    """

    def __init__(self, block: Block, events: Events) -> None:
        self.table, self.time = block.zone_table, events.time
        self.zone_set = block.places.zone_set[events.customer]

    def latest(self, events: Ints, shift: int, week_start: str | None = None) -> Ints:
        """Return the latest instant over zones at which day + shift begins, per event given.

        With a week start: at which the event's week, and shift days, have passed. `NEVER` for
        customers without a zone.
        """
        return self._edges(events, shift, week_start)[1]

    def earliest(self, events: Ints, shift: int, week_start: str | None = None) -> Ints:
        """Return the earliest instant over zones at which day + shift begins (or the week)."""
        return self._edges(events, shift, week_start)[0]

    def _edges(self, events: Ints, shift: int, week_start: str | None) -> tuple[Ints, Ints]:
        week = NO_WEEK if week_start is None else _WEEK_SHIFT[week_start]
        return day_edges(self.table, self.time[events], self.zone_set[events], shift, week)
