"""Local civil days of candidate zones, for arrays: when a day begins, at the earliest and latest.

The compiled loop goes over (instant, candidate zone) pairs; its slow twin in the tests' oracles
is written with `contactopt.journal.local_time`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US, zone_offsets

__all__ = ["NO_WEEK", "ZoneTable", "day_edges", "zone_table"]

Ints = npt.NDArray[np.int64]

#: no week is meant: days are shifted as they are
NO_WEEK = -1
_DAY = int(DAY_US)
_ABSENT = int(NO_INSTANT)
_LAST = int(np.iinfo(np.int64).max)
_FIRST = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, eq=False)
class ZoneTable:
    """Sets of candidate zones with the offsets of each, as flat arrays.

    Parameters
    ----------
    starts, zones : int64 arrays
        CSR of zones by set.
    offset_starts, since, offset, ends : int64 arrays
        CSR of offsets by zone: ``offset[j]`` holds from ``since[j]`` on; ``ends[j]`` is the wall
        clock just before the change after it, the last one without an end.
    """

    starts: Ints
    zones: Ints
    offset_starts: Ints
    since: Ints
    offset: Ints
    ends: Ints

    @property
    def arrays(self) -> tuple[Ints, ...]:
        """All arrays, in the order in which the loops take them."""
        return (
            self.starts, self.zones, self.offset_starts, self.since, self.offset, self.ends,
        )  # fmt: skip


@lru_cache(maxsize=1024)
def zone_table(zone_sets: tuple[tuple[str, ...], ...]) -> ZoneTable:
    """Return the table of some sets of zones."""
    names = list(dict.fromkeys(z for s in zone_sets for z in s))
    code = {z: i for i, z in enumerate(names)}
    since, offset, ends = [], [], []
    for name in names:
        s, o = zone_offsets(name)
        since.append(s)
        offset.append(o)
        ends.append(np.append(np.maximum.accumulate(s[1:] + o[:-1]), _LAST))
    none = np.empty(0, dtype=np.int64)
    return ZoneTable(
        np.cumsum([0, *map(len, zone_sets)], dtype=np.int64),
        np.array([code[z] for s in zone_sets for z in s], dtype=np.int64),
        np.cumsum([0, *map(len, since)], dtype=np.int64),
        np.concatenate([none, *since]),
        np.concatenate([none, *offset]),
        np.concatenate([none, *ends]),
    )


def day_edges(
    table: ZoneTable, us: Ints, zone_set: Ints, shift: int, week: int = NO_WEEK
) -> tuple[Ints, Ints]:
    """Return when local day(us) + shift begins: earliest and latest over candidate zones.

    Parameters
    ----------
    table : ZoneTable
    us : int64 array, shape (k,)
    zone_set : int64 array, shape (k,)
        Position of each entry's set in the table.
    shift : int
        Days.
    week : int
        Day number modulo 7, negated, on which weeks begin: the week of the day counts instead.

    Returns
    -------
    earliest, latest : int64 arrays, shape (k,)
        The largest and the smallest int64 where no zone is known.
    """
    return _edges(us, zone_set, shift, week, *table.arrays)


@njit(cache=True, nogil=True)
def _segment(since, low, high, us):
    """Return the last position in [low, high) with ``since <= us``; the first is always so."""
    while high - low > 1:
        middle = (low + high) // 2
        if since[middle] <= us:
            low = middle
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _begin_of(day, zone, offset_starts, since, offset, ends):
    """Return the first instant at which clocks of a zone show a day or a later one."""
    if day == _ABSENT:
        return _ABSENT
    wall = day * _DAY
    low, high = offset_starts[zone], offset_starts[zone + 1] - 1
    while low < high:  # the first segment whose end lies beyond the wall clock
        middle = (low + high) // 2
        if ends[middle] > wall:
            high = middle
        else:
            low = middle + 1
    return max(wall - offset[low], since[low])


@njit(cache=True, nogil=True)
def _edges(us, zone_set, shift, week, starts, zones, offset_starts, since, offset, ends):
    earliest = np.empty(len(us), np.int64)
    latest = np.empty(len(us), np.int64)
    kept = offset_starts[:-1].copy()  # instants are near each other: the last segment mostly holds
    for i in range(len(us)):
        first, last = _LAST, _FIRST
        own = zone_set[i]
        for j in range(starts[own], starts[own + 1]):
            zone = zones[j]
            at = kept[zone]
            stop = offset_starts[zone + 1]
            if us[i] < since[at] or (at + 1 < stop and us[i] >= since[at + 1]):
                at = _segment(since, offset_starts[zone], stop, us[i])
                kept[zone] = at
            day = _ABSENT if us[i] == _ABSENT else (us[i] + offset[at]) // _DAY
            if week >= 0:
                day -= (day + week) % 7
            begin = _begin_of(day + shift, zone, offset_starts, since, offset, ends)
            first, last = min(first, begin), max(last, begin)
        earliest[i], latest[i] = first, last
    return earliest, latest
