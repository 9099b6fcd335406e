"""Hours and holidays: when a contact may start, in every candidate zone at once.

All tables are made per distinct (zone set, rule set, channel) and gathered, never per customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import INDEFINITE, Block
from contactopt.compliance.calendars import calendar_parts, holiday_days
from contactopt.compliance.pack_check import DAYS, minutes_of
from contactopt.compliance.rule import Rule
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import (
    DAY_US,
    HOUR_US,
    instant_of,
    local_day,
    local_day_start,
    local_hour,
    local_us,
)

__all__ = ["Clock", "Times", "in_force"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MINUTE_US = 60_000_000
QUARTER_US = 15 * MINUTE_US
#: 1970-01-01 was a Thursday
_THURSDAY = 3


@dataclass(frozen=True, eq=False)
class Times:
    """Slots of a block by timing key (zone set and rule set).

    Parameters
    ----------
    key : int64 array, shape (n_rows,)
        Timing key of each row.
    start : int64 array, shape (keys, m)
        slot_start; `NO_INSTANT` where the action has none.
    before : int64 array, shape (keys, m)
        Exclusive last instant to start: slot end, legal close less guard, next local midnight.
    closed : uint64 array, shape (words, keys, m)
        Bits of the hours and holiday rules that deny the slot.
    """

    key: Ints
    start: Ints
    before: Ints
    closed: npt.NDArray[np.uint64]


class Clock:
    """Evaluates hours rules on arrays of instants and keeps what was worked out.

    Parameters
    ----------
    block : Block
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.guard_us = block.book.guard_minutes * MINUTE_US
        self._kept: dict[Any, tuple[Bools, Ints]] = {}
        self._starts: dict[Any, tuple[Ints, Ints]] = {}
        #: calendars that nobody knows: their rules are closed throughout
        self.unknown_calendars: set[str] = set()

    # ---- one rule, many instants -----------------------------------------------------------------

    def state(
        self, rule: Rule, zones: tuple[str, ...], places: tuple[str, ...], us: Ints, tag: Any,
        hours: tuple[Rule, ...] = (),
    ) -> tuple[Bools, Ints]:  # fmt: skip
        """Return whether each instant is open under a rule in all zones, and when that ends.

        Parameters
        ----------
        rule : Rule
            Of kind hours or holiday.
        zones : tuple of str
        places : tuple of str
            Jurisdictions without a pack, for a calendar of the form ``{jurisdiction}:...``.
        us : int64 array, shape (k,)
        tag : hashable
            Names the array of instants, for the cache.
        hours : tuple of Rule
            Hours rules of the same contact: those that a holiday `as_sunday` reads on Sunday.
        """
        is_open = np.full(len(us), bool(zones))
        close = np.full(len(us), INDEFINITE)
        for zone in zones:
            key = (rule, hours, places, zone, tag)  # an id may have several texts
            if key not in self._kept:
                self._kept[key] = (
                    self._sunday_in_zone(rule, zone, places, us, hours)
                    if rule.kind == "holiday" and rule.parameters["policy"] == "as_sunday"
                    else self._in_zone(rule, zone, places, us)
                )
            here, until = self._kept[key]
            is_open &= here
            close = np.minimum(close, until)
        return is_open, close

    def _sunday_in_zone(
        self, rule: Rule, zone: str, places: tuple[str, ...], us: Ints, hours: tuple[Rule, ...]
    ) -> tuple[Bools, Ints]:
        """On its holidays the contact's hours rules hold as on a Sunday; other days are open."""
        day = local_us(us, zone) // DAY_US
        holiday = self._holidays(rule.parameters["calendar"], places, day)
        open_, close = np.ones(len(us), dtype=bool), instant_of((day + 1) * DAY_US, zone)
        for other in hours:
            law = in_force(other, (zone,), us)
            here, until = self._in_zone(other, zone, places, us, sunday=True)
            open_ &= here | ~law
            close = np.where(holiday & law, np.minimum(close, until), close)
        return open_ | ~holiday, close

    def _in_zone(
        self, rule: Rule, zone: str, places: tuple[str, ...], us: Ints, *, sunday: bool = False
    ) -> tuple[Bools, Ints]:
        wall = local_us(us, zone)
        day = wall // DAY_US
        minute = (wall - day * DAY_US) // MINUTE_US
        weekday = np.full(len(day), 6) if sunday else (day + _THURSDAY) % 7
        p = rule.parameters
        calendar = p.get("holidays") if rule.kind == "hours" else p
        holiday = self._holidays((calendar or {}).get("calendar"), places, day)
        if rule.kind == "holiday":
            return ~holiday, instant_of((day + 1) * DAY_US, zone)
        if calendar and calendar["policy"] == "as_sunday":
            weekday, holiday = np.where(holiday, 6, weekday), np.zeros_like(holiday)
        is_open = np.zeros(len(us), dtype=bool)
        close = np.full(len(us), NO_INSTANT)
        for window in p["windows"]:
            begin, end = minutes_of(window["start"]), minutes_of(window["end"])
            open_days = np.zeros(7, dtype=bool)
            open_days[[DAYS.index(d) for d in window["days"]]] = True
            days = open_days[weekday]
            until = instant_of(day * DAY_US + end * MINUTE_US, zone) - self.guard_us
            hit = days & (begin <= minute) & (minute < end) & (us < until)
            is_open |= hit
            close = np.where(hit, np.maximum(close, until), close)
        return is_open & ~holiday, close

    def _holidays(self, calendar: str | None, places: tuple[str, ...], day: Ints) -> Bools:
        found = np.zeros(len(day), dtype=bool)
        if calendar is None or len(day) == 0:
            return found
        years = (np.array([day.min(), day.max()]).astype("datetime64[D]")).astype("datetime64[Y]")
        first, last = (years.astype(np.int64) + 1970).tolist()
        for name, custom in calendar_parts(calendar, places, self.block.book.calendars):
            days = holiday_days(name, first, last, custom)
            if days is None:
                self.unknown_calendars.add(name)
                return np.ones(len(day), dtype=bool)
            found |= np.isin(day, days)
        return found

    # ---- the block ------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> tuple[Ints, Ints, Ints]:
        """Timing key per row, and zone set and rule set per key."""
        b = self.block
        span = len(b.rule_sets)
        kinds, key = np.unique(b.zone_set * span + b.rule_set, return_inverse=True)
        return key.astype(np.int64), kinds // max(span, 1), kinds % max(span, 1)

    def hours_rules(self, rule_set: int, channel: int) -> list[int]:
        """Return the hours and holiday rules of a rule set for a channel."""
        return self.block.bound.hours_rules(rule_set, channel)

    def closed_at(
        self, key: int, channel: int, us: Ints, tag: Any
    ) -> tuple[list[tuple[int, Bools]], Ints]:
        """Return per rule whether it closes each instant, and the earliest close of all."""
        _, zone_set, rule_set = self.keys
        zones = self.block.places.zone_sets[zone_set[key]]
        places = self.block.rule_sets[rule_set[key]].uncovered
        close = np.full(len(us), INDEFINITE)
        denied = []
        own = self.hours_rules(int(rule_set[key]), channel)
        hours = tuple(r for r in (self.block.rules[i] for i in own) if r.kind == "hours")
        for i in own:
            sunday = hours if self.block.rules[i].kind == "holiday" else ()
            is_open, until = self.state(self.block.rules[i], zones, places, us, tag, sunday)
            free = ~in_force(self.block.rules[i], zones, us)
            is_open, until = is_open | free, np.where(free, INDEFINITE, until)
            denied.append((i, ~is_open))
            close = np.minimum(close, until)
        return denied, close

    def times(self) -> Times:
        """Work out slots, closing times and closed slots of every timing key.

        They depend on the instant, the zones and the rules alone: all customers of that instant
        share them.
        """
        b = self.block
        key, zone_set, rule_set = self.keys
        grounds = tuple(
            (b.places.zone_sets[z], r) for z, r in zip(zone_set, rule_set.tolist(), strict=True)
        )
        mark = (b.window.as_of_us, b.window.begin_us, b.told is None, grounds)
        start, before, closed, unknown = b.bound.lately(mark, self._tables)
        self.unknown_calendars |= unknown
        return Times(key, start, before, closed)

    def _tables(self) -> tuple[Ints, Ints, npt.NDArray[np.uint64], frozenset[str]]:
        """Return start, before and closed of `Times`, and calendars that nobody knows."""
        b = self.block
        zone_set = self.keys[1]
        shape = (len(zone_set), b.m)
        start = np.full(shape, NO_INSTANT)
        before = np.full(shape, NO_INSTANT)
        closed = np.zeros((b.n_words, *shape), dtype=np.uint64)
        for k in range(len(zone_set)):
            zones = b.places.zone_sets[zone_set[k]]
            if not zones and b.told is not None:  # wherever hours bind, nobody knows the hour
                start[k], before[k] = b.window.begin_us, b.window.begin_us
                for i in self.hours_rules(int(self.keys[2][k]), 0):
                    word, bit = b.bit(i)
                    closed[word, k] |= bit
            if not zones:
                continue
            start[k] = b.window.starts(zones[0])
            end = b.window.ends(zones[0])
            midnight = _next_midnight(start[k], zones)
            for c in range(len(b.channels)):
                own = np.flatnonzero(b.channel_of == c)
                timed = own[b.actions.hours[own] >= 0]
                if len(timed):
                    self._slots(k, c, timed, start, closed, before, np.minimum(end, midnight))
                for a in own[b.actions.hours[own] < 0]:
                    self._hourless(k, c, int(a), start, closed, before, zones)
        return start, before, closed, frozenset(self.unknown_calendars)

    def _slots(
        self, k: int, c: int, own: Ints, start: Ints, closed: Any, before: Ints, end: Ints
    ) -> None:
        """Judge the slots of one channel; the instants of all slots are worked out together."""
        there = start[k] != NO_INSTANT
        timed = self.block.actions.hours >= 0
        us = np.where(there & timed, start[k], self.block.window.begin_us)
        zone = self.block.places.zone_sets[self.keys[1][k]][0]
        denied, close = self.closed_at(k, c, us, ("slots", zone))
        own = own[there[own]]
        before[k, own] = np.minimum(end[own], close[own])
        for rule, hit in denied:
            word, bit = self.block.bit(rule)
            closed[word, k, own[hit[own]]] |= bit

    def _hourless(
        self, k: int, c: int, a: int, start: Ints, closed: Any, before: Ints, zones: tuple[str, ...]
    ) -> None:
        """First lawful quarter-hour of the window, its beginning included."""
        w = self.block.window
        us = self.quarters
        denied, close = self.closed_at(k, c, us, "window")
        shut = np.zeros(len(us), dtype=bool)
        for _, hit in denied:
            shut |= hit
        at = int(np.argmin(shut))
        start[k, a] = us[at]
        if shut[at]:
            for rule, hit in denied:
                word, bit = self.block.bit(rule)
                if hit[0]:
                    closed[word, k, a] |= bit
            before[k, a] = us[at]
            return
        midnight = _next_midnight(us[at : at + 1], zones)[0]
        before[k, a] = min(w.end_us, int(close[at]), int(midnight))

    @cached_property
    def quarters(self) -> Ints:
        """The window's beginning and every quarter-hour in it."""
        w = self.block.window
        if self.block.told is not None:  # one instant is asked about
            return np.array([w.begin_us], dtype=np.int64)
        return _quarters(w.begin_us, w.end_us)

    # ---- the next open instant -------------------------------------------------------------------

    def opens(self, wanted: Bools, groups: list[Ints], days: int) -> list[Ints]:
        """Return the open starts to come, sorted, of each timing key and group that is wanted.

        The same local clock hour where the actions of a group have one, else quarter-hours;
        `NO_INSTANT` never: where nothing opens within ``days`` the list is empty.

        Parameters
        ----------
        wanted : bool array, shape (keys, groups)
        groups : list of int64 arrays
            Actions that open alike.
        days : int
        """
        b = self.block
        out = []
        kept: dict[tuple[int, int, bool], tuple[Ints, Ints, Bools]] = {}
        for k, g in zip(*(i.tolist() for i in np.nonzero(wanted)), strict=True):
            action = int(groups[g][0])
            channel, hour = int(b.channel_of[action]), int(b.actions.hours[action])
            mark = (k, channel, hour >= 0)
            if mark not in kept:
                kept[mark] = self._open_ahead(k, channel, days, timed=hour >= 0)
            us, of_hour, shut = kept[mark]
            out.append(us[~shut & (of_hour == hour)])
        return out

    def _open_ahead(
        self, key: int, channel: int, days: int, *, timed: bool
    ) -> tuple[Ints, Ints, Bools]:
        """Return starts to come, each one's local hour, and whether the law closes it."""
        zones = self.block.places.zone_sets[self.keys[1][key]]
        if not zones:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, dtype=bool)
        us, of_hour = self._ahead(zones[0], timed, days)
        shut = np.zeros(len(us), dtype=bool)
        tag = ("ahead", zones[0] if timed else None, days)
        for _, hit in self.closed_at(key, channel, us, tag)[0]:
            shut |= hit
        return us, of_hour, shut

    def _ahead(self, zone: str, timed: bool, days: int) -> tuple[Ints, Ints]:
        """Return starts to come, sorted, and each one's local hour; -1: quarter-hours."""
        mark = (zone if timed else None, days)
        if mark not in self._starts:
            begin = self.block.window.begin_us
            if timed:
                hours = np.unique(self.block.actions.hours[self.block.actions.hours >= 0])
                today = int(local_day(begin, zone))
                wall = (today + np.arange(days + 1))[:, None] * DAY_US + hours * HOUR_US
                us = instant_of(wall.ravel(), zone)
                of_hour = np.tile(hours, days + 1)
                keep = (us >= begin) & (local_hour(us, zone) == of_hour)
                us, of_hour = us[keep], of_hour[keep]
            else:
                us = _quarters(begin, begin + days * DAY_US)
                of_hour = np.full(len(us), -1)
            self._starts[mark] = (us, of_hour)
        return self._starts[mark]


def in_force(rule: Rule, zones: tuple[str, ...], us: Ints) -> Bools:
    """Whether a rule is law on the local date of each instant, in any zone."""
    first, last = (_day(d, edge) for d, edge in ((rule.effective_from, 0), (rule.effective_to, 1)))
    out = np.zeros(len(us), dtype=bool)
    if len(us) == 0 or not zones:
        return out
    if first <= us.min() // DAY_US - 1 and us.max() // DAY_US + 1 <= last:
        return ~out
    for zone in zones:
        day = local_day(us, zone)
        out |= (day >= first) & (day <= last)
    return out


def _day(day: date | None, edge: int) -> int:
    if day is None:
        return (-1, 1)[edge] * 10**9
    return (day - date(1970, 1, 1)).days


def _quarters(begin_us: int, end_us: int) -> Ints:
    first = -(-begin_us // QUARTER_US) * QUARTER_US
    grid = np.arange(first, end_us, QUARTER_US, dtype=np.int64)
    return np.unique(np.append(begin_us, grid))


def _next_midnight(us: Ints, zones: tuple[str, ...]) -> Ints:
    """First local midnight after each instant in any zone: the date decides caps and holidays."""
    nearest = np.full(len(us), INDEFINITE)
    there = us != NO_INSTANT
    for zone in zones:
        midnight = local_day_start(local_day(us[there], zone) + 1, zone)
        nearest[there] = np.minimum(nearest[there], midnight)
    return nearest
