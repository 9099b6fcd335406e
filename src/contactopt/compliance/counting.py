"""Contacts that count: caps, rest after a conversation, one channel.

Civil days, never hours. An event at local day d counts in a window of L days that ends on the
action's day as long as the action's day is before d + L in some candidate zone. So every event
turns into one interval of instants [entry, release) in which it counts, and "at most max" means:
the max-th latest release lies after the start. Nothing is counted per action. Planned contacts
that lie ahead are tested in every window that contains both days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.arms import Arms
from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.counted_windows import Span, days_counted, is_numeric, windows_of
from contactopt.compliance.events import Events, LocalDays
from contactopt.compliance.lines import on_line, went_there
from contactopt.compliance.rule import Rule
from contactopt.compliance.words import mask_of
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US

__all__ = ["Gathered", "TimedDenial", "Unit", "gather", "timed_denials"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TimedDenial:
    """A counting rule, worked out for the block.

    Parameters
    ----------
    rule : int
    until : int64 array, shape (n_rows, channels)
        The rule denies starts before this instant (`NEVER`: none); it is the release, too.
    ahead : bool array, shape (k, width), with rows : int64 array, shape (k,)
        For rows that have plans ahead the denials themselves, which need not be an interval.
    """

    rule: int
    until: Ints
    rows: Ints
    ahead: Bools


def timed_denials(block: Block, point: Ints, start: Ints, arms: Arms) -> list[TimedDenial]:
    """Work out every frequency cap, cooldown and one-channel rule.

    Parameters
    ----------
    block : Block
    point : int64 array, shape (n_rows, channels)
        Chosen contact point (row of ``view.points``), -1 where none.
    start : int64 array, shape (n_rows, width)
        Start of every row and column.
    arms : Arms
    """
    rules = [
        i
        for i in block.of_kind("frequency_cap", "cooldown", "one_channel")
        if is_numeric(block.rules[i])
    ]
    if not rules or block.n_rows == 0:
        return []
    longest = max(days_counted(block.rules[i]) for i in rules)
    events = Events.of(block, block.view.as_of_us - (longest + 3) * DAY_US)
    days = LocalDays(block, events)
    out = []
    for i in rules:
        for counted, limit, span in windows_of(block.rules[i], block.book.profile):
            found = gather(block, i, events, days, counted, span, point)
            count = (counted, limit, span)
            out.append(_work_out(block, i, events, days, found, count, point, start, arms))
    return out


# ---- one rule ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Gathered:
    """Events that one count of a rule looks at, and how they fall to rows.

    Parameters
    ----------
    keep : int64 array
        Positions among the events.
    release : int64 array
        Until when each kept event counts.
    unit : Unit
        Pairs of kept event and counting unit.
    row_unit : int64 array, shape (n_rows,)
    columns : list of (channels, positions in ``unit``)
    """

    keep: Ints
    release: Ints
    unit: Unit
    row_unit: Ints
    columns: list[tuple[list[int], Ints]]


def gather(
    block: Block, i: int, events: Events, days: LocalDays, counted: dict[str, Any], span: Span,
    point: Ints,
) -> Gathered:  # fmt: skip
    """Return the events that a count of a rule looks at."""
    rule = block.rules[i]
    week = span.week_start if span.kind == "week" else None
    recent = events.time >= block.window.begin_us - (span.length + 2) * DAY_US
    keep = np.flatnonzero(_counts(events, counted, rule) & recent & went_there(block, events, rule))
    unit, row_unit = _units(block, rule, events, keep)
    columns = _columns(block, rule, events, keep, unit, point)
    return Gathered(keep, days.latest(keep, span.length, week), unit, row_unit, columns)


def _work_out(
    block: Block, i: int, events: Events, days: LocalDays, found: Gathered,
    count: tuple[dict[str, Any], int, Span], point: Ints, start: Ints, arms: Arms,
) -> TimedDenial:  # fmt: skip
    rule = block.rules[i]
    _, limit, span = count
    keep, unit, row_unit = found.keep, found.unit, found.row_unit
    until = np.full((block.n_rows, len(block.channels)), NEVER)
    reached = block.reached(i) & on_line(block, rule, point)
    at = keep[unit.event]
    begun = _begun(block, rule)
    future = events.planned[at] & (events.time[at] > block.window.begin_us)
    busy = np.zeros(int(row_unit.max(initial=-1)) + 1, dtype=bool)
    busy[unit.unit[future]] = True
    rows = np.flatnonzero(busy[row_unit] & begun) if busy.any() else np.empty(0, np.int64)
    dense = np.zeros((len(rows), arms.width), dtype=bool)
    edges = _edges(block, events, days, keep, span) if len(rows) else []
    for channels, chosen, most in _by_attempts(block, rule, found.columns, limit):
        u, e = unit.unit[chosen], unit.event[chosen]
        top = np.full(len(busy), INDEFINITE)  # as many attempts as the contact may take never fit
        if most > 0:
            top = _latest(u, found.release[e], len(busy), most)[:, most - 1]
        until[:, channels] = np.where(reached[:, channels], top[row_unit][:, None], NEVER)
        until[~begun] = NEVER
        # no window denies a row whose latest releases have all passed
        some = np.flatnonzero((until[rows][:, channels] > block.window.begin_us).any(axis=1))
        for at, own in arms.of_channels(rows[some], channels) if len(some) else []:
            mine = rows[some[at]]
            begins = start[np.ix_(mine, own)]
            hit = begins != NO_INSTANT
            if most > 0:
                hit = _ahead(u, e, future[chosen], edges, most, row_unit[mine], begins, len(busy))
            speaks = arms.by_channel(reached[mine], mine)
            dense[np.ix_(some[at], own)] = hit & speaks[:, own]
    return TimedDenial(i, until, rows, dense)


def _by_attempts(
    block: Block, rule: Rule, columns: list[tuple[list[int], Ints]], limit: int
) -> list[tuple[list[int], Ints, int]]:
    """Return columns with how many earlier contacts are one too many for all their attempts.

    A contact of a channel with several attempts may become as many: it goes only where all of
    them fit under a cap. What a conversation sets off is set off by the last attempt; and the house
    counts plans, not attempts.
    """
    if rule.kind != "frequency_cap" or rule.parameters["count"].get("planned_only"):
        return [(channels, chosen, limit) for channels, chosen in columns]
    own = [block.config.channel(name).max_attempts for name in block.channels]
    return [
        ([c for c in channels if own[c] == tries], chosen, limit - tries + 1)
        for channels, chosen in columns
        for tries in sorted({own[c] for c in channels})
    ]


def _counts(events: Events, counted: dict[str, Any], rule: Rule) -> Bools:
    """Whether an event counts; unknown outcome, channel or direction counts."""
    keep = (events.channel & mask_of(counted.get("channels", ["*"]), "rule_channels")) != 0
    direction = counted.get("direction", "any")
    if direction in ("out", "in"):
        keep &= events.outbound if direction == "out" else events.inbound
    unknown = events.outcome == 0
    if counted.get("include_outcomes"):
        keep &= unknown | (
            (events.outcome & mask_of(counted["include_outcomes"], "rule_outcomes")) != 0
        )
    if counted.get("exclude_outcomes"):
        keep &= unknown | (
            (events.outcome & mask_of(counted["exclude_outcomes"], "rule_outcomes")) == 0
        )
    if counted.get("exclude_flags"):
        keep &= (events.flags & mask_of(counted["exclude_flags"], "contact_flags")) == 0
    if "letter" in counted.get("exclude_flags", []):
        keep &= events.channel != mask_of(["letter"], "rule_channels")
    if counted.get("planned_only"):
        keep &= events.planned
    if "collector" in rule.parameters["group_by"]:
        keep &= events.ours
    if "account" in rule.parameters["group_by"]:  # a contact with another is about other debts
        keep &= ~events.shared
    return keep & (events.medium != -2)


@dataclass(frozen=True, eq=False)
class Unit:
    """Pairs (position among the kept events, counting unit)."""

    event: Ints
    unit: Ints


def _units(block: Block, rule: Rule, events: Events, keep: Ints) -> tuple[Unit, Ints]:
    """Return the (event, unit) pairs and each row's unit: customer, debt, or creditor."""
    groups = rule.parameters["group_by"]
    if "phone" in groups and "account" not in groups:  # rows may use different phones
        owner = events.customer[keep]
        if block.told is not None and "person" not in groups:  # one number, whoever is called
            owner = np.full(len(keep), block.customer[0])
        source, rows = block.rows_of(owner)
        return Unit(source, rows), np.arange(block.n_rows)
    if "account" not in groups and "creditor" not in groups:
        return Unit(np.arange(len(keep)), events.customer[keep]), block.customer
    pair_event, pair_row = _event_rows(block, events, keep)
    if "account" in groups:
        return Unit(pair_event, pair_row), np.arange(block.n_rows)
    creditor = block.columns.words("debts", "creditor")[0]
    creditor = np.append(creditor, np.full(block.n_rows - block.n_debts, -1)).astype(np.int64)
    key = block.customer * (int(creditor.max(initial=0)) + 2) + creditor + 1
    _, row_unit = np.unique(key, return_inverse=True)
    both = np.unique(pair_event * (len(key) + 1) + row_unit[pair_row])
    return Unit(both // (len(key) + 1), both % (len(key) + 1)), row_unit.astype(np.int64)


def _event_rows(block: Block, events: Events, keep: Ints) -> tuple[Ints, Ints]:
    """Return the debts (rows) each event is about: those named, or all of the customer's."""
    touch = block.columns.ints("touch_debts", "touch")
    row = block.row_of_debt[block.columns.ints("touch_debts", "debt")]
    n_touches = block.columns.size("touches")
    has_names = np.zeros(n_touches + 1, dtype=bool)
    has_names[touch] = True
    position = np.full(n_touches + 1, -1, dtype=np.int64)
    position[events.touch[keep]] = np.arange(len(keep))
    position[-1] = -1  # plans have touch -1
    at = position[touch]
    good = (at >= 0) & (row >= 0)
    at, row = at[good], row[good]
    # the debt may belong to somebody else than the one contacted: then it is not this unit's
    own = block.customer[row] == events.customer[keep][at]
    free = np.flatnonzero(~has_names[events.touch[keep]])
    source, rows = block.rows_of(events.customer[keep][free])
    return np.concatenate([at[own], free[source]]), np.concatenate([row[own], rows])


def _columns(
    block: Block, rule: Rule, events: Events, keep: Ints, unit: Unit, point: Ints
) -> list[tuple[list[int], Ints]]:
    """Return groups of channels that share a count, with the pairs that count for each."""
    groups = rule.parameters["group_by"]
    every = np.arange(len(unit.event))
    n_channels = len(block.channels)
    by_medium = "channel" in groups or rule.kind == "one_channel"
    if not by_medium and "phone" not in groups:
        return [(list(range(n_channels)), every)]
    medium = events.medium[keep][unit.event]
    address = _addresses(block, events, keep) if "phone" in groups else None
    out = []
    for c in range(n_channels):
        chosen = np.ones(len(every), dtype=bool)
        if rule.kind == "one_channel":  # what was begun by another medium closes this one
            chosen &= (medium != block.medium[c]) | (medium == -1)
        elif "channel" in groups:
            chosen &= (medium == block.medium[c]) | (medium == -1)
        if address is not None:  # gone to the phone the row would use, or may have
            went, used = address[0][unit.event], address[1][point[:, c]][unit.unit]
            chosen &= (went == -1) | (used == -1) | (went == used)
        out.append(([c], every[chosen]))
    return out


def _addresses(block: Block, events: Events, keep: Ints) -> tuple[Ints, Ints]:
    """Address of each kept event (-1 unknown), and of each row of ``view.points`` (last: none)."""
    code = block.columns.ints("points", "contact_point")
    key, _ = block.columns.coded("points", "address_key")
    # a point without a key is an address of its own
    address = np.where(key < 0, code, key + len(block.view.point_ids))
    by_code = np.full(len(block.view.point_ids) + 1, -1, dtype=np.int64)
    by_code[code] = address
    return by_code[events.point[keep]], np.append(address, -1).astype(np.int64)


def _begun(block: Block, rule: Rule) -> Bools:
    """Whether a rule that starts with the first conversation has started, per row.

    Any earlier contact of the unit that was, or may have been, a conversation starts it; a plan
    ahead may become one.
    """
    if rule.parameters.get("active_after") != "first_conversation":
        return np.ones(block.n_rows, dtype=bool)
    bound = np.zeros(block.n, dtype=bool)
    i = block.rules.index(rule)
    bound[block.customer[block.reached(i).any(axis=1)]] = True
    events = Events.of(block, NEVER, bound)
    talk = mask_of(["conversation"], "rule_outcomes")
    keep = (events.outcome == 0) | ((events.outcome & talk) != 0)
    keep &= bound[events.customer] & (events.medium != -2) & ~events.shared
    if "collector" in rule.parameters["group_by"]:
        keep &= events.ours
    unit, row_unit = _units(block, rule, events, np.flatnonzero(keep))
    started = np.zeros(int(row_unit.max(initial=-1)) + 1, dtype=bool)
    started[unit.unit] = True
    return started[row_unit]


def _latest(unit: Ints, release: Ints, n_units: int, limit: int) -> Ints:
    """Return the ``limit`` latest releases per unit, latest first, `NEVER` padded."""
    top = np.full((n_units, limit), NEVER)
    if len(unit) == 0:
        return top
    if limit == 1:
        np.maximum.at(top[:, 0], unit, release)
        return top
    order = np.lexsort((-release, unit))
    u = unit[order]
    first = np.append(True, u[1:] != u[:-1])
    rank = np.arange(len(u)) - np.maximum.accumulate(np.where(first, np.arange(len(u)), 0))
    kept = rank < limit
    top[u[kept], rank[kept]] = release[order][kept]
    return top


def _edges(
    block: Block, events: Events, days: LocalDays, keep: Ints, span: Span
) -> list[tuple[Ints, Ints]]:
    """Return [entry, release) of the kept events, once per window that can hold a plan ahead."""
    week = span.week_start if span.kind == "week" else None
    last = 0
    if span.windows and week is None:
        beyond = int(events.time[events.planned].max()) - block.window.begin_us
        last = min(span.length - 1, beyond // DAY_US + 2)
    return [
        (days.earliest(keep, -e, week), days.latest(keep, span.length - e, week))
        for e in range(last + 1)
    ]


def _ahead(
    unit: Ints, event: Ints, future: Bools, edges: list[tuple[Ints, Ints]], limit: int,
    units: Ints, start: Ints, n_units: int,
) -> Bools:  # fmt: skip
    """Whether starts of some units are denied once plans ahead are taken into account."""
    hit = np.zeros(start.shape, dtype=bool)
    for entries, releases in edges:
        entry, release = entries[event], releases[event]
        past = _latest(unit[~future], release[~future], n_units, limit)
        begins = _padded(unit[future], entry[future], n_units, np.iinfo(np.int64).max)
        ends = _padded(unit[future], release[future], n_units, NEVER)
        count = np.zeros(start.shape, dtype=np.int16)
        for k in range(limit):
            count += start < past[units, k][:, None]
        for k in range(begins.shape[1]):
            count += (start >= begins[units, k][:, None]) & (start < ends[units, k][:, None])
        hit |= count >= limit
    return hit & (start != NO_INSTANT)


def _padded(unit: Ints, value: Ints, n_units: int, none: int) -> Ints:
    """Return the values per unit, shape (n_units, k), in the order given."""
    order = np.argsort(unit, kind="stable")
    u = unit[order]
    start = np.searchsorted(u, u, side="left")
    rank = np.arange(len(u)) - start
    out = np.full((n_units, int(rank.max(initial=0)) + 1), none)
    out[u, rank] = value[order]
    return out
