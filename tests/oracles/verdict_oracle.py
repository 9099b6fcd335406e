"""Slow readable twins of the compiled loops of compliance: one pair after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

LAST = np.iinfo(np.int64).max
FIRST = np.iinfo(np.int64).min


def lay_out(times: Any, key: Any, action: Any, channel: Any, denied: Any, released: Any) -> Any:
    """Start, before, bits and release by row and column; ``times``: slot, ends, closed."""
    slot, ends, closed = times
    rows, width = len(key), action.shape[1]
    start, before, release = (np.empty((rows, width), dtype=np.int64) for _ in range(3))
    bits = np.empty((len(closed), rows, width), dtype=np.uint64)
    for r in range(rows):
        own = r % len(action)
        for j in range(width):
            a, c = action[own, j], channel[own, j]
            start[r, j], before[r, j] = slot[key[r], a], ends[key[r], a]
            release[r, j] = released[r, c]
            for w in range(len(closed)):
                bits[w, r, j] = closed[w, key[r], a] | denied[w, r, c]
    return start, before, bits, release


def best_of(allowed: Any, rows_of: list[list[int]]) -> tuple[Any, Any]:
    """First allowed row of every pair, else the customer's first; and whether one is allowed."""
    best = np.zeros((len(rows_of), allowed.shape[1]), dtype=np.int64)
    some = np.zeros(best.shape, dtype=bool)
    for i, rows in enumerate(rows_of):
        for a in range(allowed.shape[1]):
            good = [r for r in rows if allowed[r, a]]
            if rows:
                best[i, a], some[i, a] = (good or rows)[0], bool(good)
    return best, some


def unions(bits: Any, some: Any, open_row: Any, rows_of: list[list[int]]) -> dict[Any, Any]:
    """Return (i, a) -> union of the denials over open rows, for pairs that are not allowed."""
    out = {}
    for i, rows in enumerate(rows_of):
        for a in range(bits.shape[2]):
            if not some[i, a]:
                words = [0] * len(bits)
                for r in rows:
                    for w in range(len(bits)):
                        words[w] |= int(bits[w, r, a]) if open_row[r] else 0
                out[i, a] = tuple(words)
    return out


def first_open(
    i: int, a: int, rows: list[int], judged: Any, begin: int, until: Any, opens_of: Any
) -> int:
    """Earliest open start after a release, over the rows of a pair that wait for one.

    ``judged``: some, allowed, release, open_row, with_zone; ``opens_of(row, action)``: starts.
    """
    some, allowed, release, open_row, with_zone = judged
    found = [LAST]
    for r in rows:
        waits = open_row[r] and with_zone[r] and not allowed[r, a] and release[r, a] != LAST
        if some[i, a] or not waits:
            continue
        later = [o for o in opens_of(r, a) if o >= max(release[r, a], begin)]
        if later and min(later) < until[r, a]:
            found.append(min(later))
    return min(found)


def day_edge(us: int, zones: tuple[str, ...], shift: int, week: int) -> tuple[int, int]:
    """When local day(us) + shift begins, earliest and latest over zones, by the clock itself."""
    begins = []
    for name in zones:
        zone = ZoneInfo(name)
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).astimezone(zone)
        number = (day.date() - datetime(1970, 1, 1).date()).days
        if week >= 0:
            number -= (number + week) % 7
        begins.append(_begin(number + shift, zone))
    return min(begins, default=LAST), max(begins, default=FIRST)


def _begin(day: int, zone: ZoneInfo) -> int:
    """First second at which clocks show the day or a later one, looked for second by second."""
    at = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp()) + day * 86_400 - 15 * 3_600
    target = (datetime(1970, 1, 1) + timedelta(days=day)).date()
    step = 900
    while datetime.fromtimestamp(at, zone).date() < target:
        at += step
    at -= step
    while datetime.fromtimestamp(at, zone).date() < target:
        at += 1
    return at * 1_000_000
