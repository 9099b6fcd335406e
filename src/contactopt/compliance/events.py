"""Contacts of the past and plans of earlier batches, in the words of the rules, with local days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.words import code_words, mask_of, touch_words
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import local_day, local_day_start

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
        view, config = block.view, block.config
        touches = view.touches
        wanted = touches["started_us"].to_numpy(dtype=np.int64) >= oldest_us
        if customers is not None:
            wanted &= customers[touches["customer"].to_numpy(dtype=np.int64)]
        recent = np.flatnonzero(wanted)
        touches = touches.iloc[recent].reset_index(drop=True)
        decisions = view.decisions
        plans = decisions[decisions["open"].to_numpy(dtype=bool)].reset_index(drop=True)
        slot = plans["slot_start_us"].to_numpy(dtype=np.int64)
        planned_at = np.where(slot == NO_INSTANT, plans["decided_us"].to_numpy(np.int64), slot)
        ahead = plans[["channel"]].assign(outcome="unknown", machine_only=False)
        near = block.neighbours
        near = near[near["planned"] | (near["started_us"] >= oldest_us)]
        words = (touch_words(part, config) for part in (touches, ahead, near))
        channel, outcome, medium = (np.concatenate(part) for part in zip(*words, strict=True))
        k, p, s = len(touches), len(plans), len(near)
        no, yes = np.zeros(p, dtype=bool), np.ones(p, dtype=bool)
        inbound, outbound = (
            _with(_is(touches["direction"], w), planned, _is(near["direction"], w))
            for w, planned in (("inbound", no), ("outbound", yes))
        )
        return cls(
            customer=_join(touches["customer"], plans["customer"], near["customer"]),
            time=_join(touches["started_us"], planned_at, near["started_us"]),
            inbound=~outbound,
            outbound=~inbound,
            ours=_with(_ours(touches, config), yes, _ours(near, config)),
            planned=_with(np.zeros(k, dtype=bool), yes, near["planned"].to_numpy(dtype=bool)),
            channel=channel,
            outcome=outcome,
            medium=medium,
            point=_join(touches["contact_point"], np.full(p, -1), near["contact_point"]),
            touch=_join(recent, np.full(p + s, -1)),
            flags=np.append(_flags(touches), np.zeros(p + s, dtype=np.uint64)),
            shared=_with(np.zeros(k, dtype=bool), no, np.ones(s, dtype=bool)),
        )

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, keep: Any) -> Events:
        """Return the events of a mask or of positions."""
        return Events(**{name: getattr(self, name)[keep] for name in self.__dataclass_fields__})


def _is(column: pd.Series, word: str) -> Bools:
    """Whether each entry is a word; null is none."""
    code, names = code_words(column)
    return code == (names.index(word) if word in names else -2)


def _flags(touches: pd.DataFrame) -> npt.NDArray[np.uint64]:
    if "flags" not in touches:
        return np.zeros(len(touches), dtype=np.uint64)
    known = table("words")["contact_flags"]
    masks = [
        mask_of([f for f in flags if f in known], "contact_flags") for flags in touches["flags"]
    ]
    return np.array(masks, dtype=np.uint64)


def _ours(touches: pd.DataFrame, config: Any) -> Bools:
    collector = touches["collector"].astype(object)
    return (collector.isna() | (collector == config.collector)).to_numpy(dtype=bool)


def _with(*parts: Bools) -> Bools:
    return np.concatenate(parts).astype(bool)


def _join(*parts: Any) -> Ints:
    return np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])


class LocalDays:
    """Local day of every event in every candidate zone, and the instants at which days begin.

    Parameters
    ----------
    block : Block
    events : Events
    reach : int
        Largest shift in days, either way, that will be asked for.
    """

    def __init__(self, block: Block, events: Events, reach: int) -> None:
        self.source, zone = block.in_zones(block.places.zone_set[events.customer])
        self.starts = np.searchsorted(self.source, np.arange(len(events) + 1))
        self.zone = zone.codes.astype(np.int64)
        self.day = local_day(events.time[self.source], zone)
        self.first = int(self.day.min(initial=0)) - reach - 8
        span = int(self.day.max(initial=0)) + reach + 9 - self.first if len(self.day) else 1
        # few zones and days: the instants are looked up, not worked out per event
        days = self.first + np.arange(span)
        self.begins = np.stack([local_day_start(days, str(z)) for z in zone.categories] or [days])

    def latest(self, events: Ints, shift: int, week_start: str | None = None) -> Ints:
        """Return the latest instant over zones at which day + shift begins, per event given.

        With a week start: at which the event's week, and shift days, have passed. `NEVER` for
        customers without a zone.
        """
        return self._edge(events, shift, week_start, np.maximum, NEVER)

    def earliest(self, events: Ints, shift: int, week_start: str | None = None) -> Ints:
        """Return the earliest instant over zones at which day + shift begins (or the week)."""
        return self._edge(events, shift, week_start, np.minimum, np.iinfo(np.int64).max)

    def _edge(self, events: Ints, shift: int, week_start: str | None, pick: Any, none: int) -> Ints:
        out = np.full(len(events), none)
        count = self.starts[events + 1] - self.starts[events]
        for rank in range(int(count.max(initial=0))):
            own = np.flatnonzero(count > rank)
            pair = self.starts[events[own]] + rank
            day = self.day[pair]
            if week_start is not None:
                day = day - (day + _WEEK_SHIFT[week_start]) % 7
            out[own] = pick(out[own], self.begins[self.zone[pair], day + shift - self.first])
        return out
