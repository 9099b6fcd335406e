"""Civil local time for arrays: days, hours and slots of IANA zones, daylight saving included.

Instants are int64 microseconds since the epoch, UTC; `NO_INSTANT` goes in and comes out as
`NO_INSTANT` (local hours: -1). A zone is one IANA name, or one name per element; a null name
means UTC. Offsets come from :mod:`zoneinfo`, are found once per zone and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.instants import written_instant
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError

__all__ = [
    "DAY_US",
    "HOUR_US",
    "SlotWindow",
    "instant_of",
    "local_day",
    "local_day_end",
    "local_day_start",
    "local_hour",
    "local_us",
    "to_us",
    "zone_offsets",
]

Ints = npt.NDArray[np.int64]

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
#: offsets are looked up between these years; outside them the nearest one holds
_FIRST_YEAR, _LAST_YEAR = 1970, 2090
#: no zone of the database changes its offset twice within this many seconds in those years
_PROBE_S = 4 * 86_400


def to_us(instant: Any) -> int:
    """Return an instant with a zone as int microseconds since the epoch.

    Raises
    ------
    ContractError
        If it has no zone: what hour was meant cannot be told.

    Examples
    --------
    >>> to_us("1970-01-01T01:00+01:00"), to_us("1970-01-01T00:00:01Z")
    (0, 1000000)
    """
    if isinstance(instant, int | np.integer):
        return int(instant)
    stamp = written_instant(instant)
    if stamp is None or stamp.tzinfo is None:
        raise ContractError(
            "an instant has no time zone, or is none",
            hint="write it as 2026-06-02T12:00:00Z or +02:00",
        )
    return int(stamp.tz_convert("UTC").as_unit("us").asm8.astype(np.int64))


# ---- offsets ---------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def zone_offsets(zone: str) -> tuple[Ints, Ints]:
    """Return the instants from which each UTC offset of a zone holds, and the offsets.

    Parameters
    ----------
    zone : str
        IANA name.

    Returns
    -------
    since, offset : int64 arrays, shape (k,)
        Microseconds; ``since[0]`` is the smallest int64. ``offset[j]`` holds in
        ``[since[j], since[j + 1])``.

    Raises
    ------
    ContractError
        If there is no such zone.

    Examples
    --------
    >>> since, offset = zone_offsets("America/Bogota")
    >>> int(offset[-1]) // HOUR_US
    -5
    """
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ContractError(
            f"unknown time zone {zone!r}", hint="use an IANA name such as America/New_York"
        ) from None

    def at(second: int) -> int:
        shift = datetime.fromtimestamp(second, info).utcoffset()
        return 0 if shift is None else int(shift.total_seconds())

    first = int(datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime(_LAST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    since, offset = [NO_INSTANT], [at(first)]
    for probe in range(first + _PROBE_S, last, _PROBE_S):
        if (found := at(probe)) != offset[-1]:
            since.append(_change_between(at, probe - _PROBE_S, probe) * SECOND_US)
            offset.append(found)
    return np.array(since, dtype=np.int64), np.array(offset, dtype=np.int64) * SECOND_US


def _change_between(at: Callable[[int], int], low: int, high: int) -> int:
    """Return the first second in (low, high] that has the offset of ``high``."""
    target = at(high)
    while high - low > 1:
        middle = (low + high) // 2
        if at(middle) == target:
            high = middle
        else:
            low = middle
    return high


def _offset_at(us: Ints, zone: str) -> Ints:
    since, offset = zone_offsets(zone)
    if len(offset) == 1:
        return np.full(us.shape, offset[0], dtype=np.int64)
    return offset[np.searchsorted(since, us, side="right") - 1]


def _by_zone(us: Any, zone: Any, what: Callable[[Ints, str], Ints]) -> Ints:
    """Apply ``what(instants, zone)`` once per distinct zone."""
    us = np.asarray(us, dtype=np.int64)
    if zone is None or isinstance(zone, str):
        return what(us, zone or "UTC")
    if isinstance(zone, pd.Categorical):  # already coded: nothing to look up
        codes, names = zone.codes, zone.categories
    else:
        codes, names = pd.factorize(pd.Series(np.asarray(zone, dtype=object)), sort=False)
    if len(names) == 1 and not (codes < 0).any():
        return what(us, str(names[0]))
    out = np.empty(us.shape, dtype=np.int64)
    for code in range(-1, len(names)):
        rows = codes == code
        if rows.any():
            out[rows] = what(us[rows], "UTC" if code < 0 else str(names[code]))
    return out


# ---- arrays in, arrays out -------------------------------------------------------------------


def local_us(us: Any, zone: Any) -> Ints:
    """Return local wall-clock microseconds (instant plus offset), `NO_INSTANT` where absent."""

    def shift(part: Ints, name: str) -> Ints:
        return np.where(part == NO_INSTANT, NO_INSTANT, part + _offset_at(part, name))

    return _by_zone(us, zone, shift)


def local_day(us: Any, zone: Any) -> Ints:
    """Return the local civil day as days since 1970-01-01, `NO_INSTANT` where absent.

    Parameters
    ----------
    us : int64 array, shape (n,), or int
        Instants, microseconds UTC.
    zone : str, array of str or Categorical, shape (n,)
        IANA names; null means UTC. A Categorical is quickest.

    Returns
    -------
    int64 array, shape (n,)
        Empty input gives an empty array.

    Examples
    --------
    >>> local_day([to_us("2026-06-02T03:00Z")] * 2, ["UTC", "America/Bogota"])
    array([20606, 20605])
    """
    wall = local_us(us, zone)
    return np.where(wall == NO_INSTANT, NO_INSTANT, wall // DAY_US)


def local_hour(us: Any, zone: Any) -> Ints:
    """Return the local clock hour 0 to 23, -1 where the instant is absent.

    Examples
    --------
    >>> local_hour([to_us("2026-06-02T03:00Z")] * 2, ["UTC", "America/Bogota"])
    array([ 3, 22])
    """
    wall = local_us(us, zone)
    return np.where(wall == NO_INSTANT, -1, wall % DAY_US // HOUR_US)


def instant_of(wall_us: Any, zone: Any) -> Ints:
    """Return the first instant at which local clocks show a wall-clock time or a later one.

    A time that is shown twice (autumn) gives the earlier instant; one that is skipped (spring)
    gives the instant of the jump. `NO_INSTANT` stays.

    Examples
    --------
    >>> skipped = to_us("2026-03-08T02:30Z")  # read as a wall clock
    >>> pd.Timestamp(instant_of([skipped], "America/New_York")[0], unit="us")
    Timestamp('2026-03-08 07:00:00')
    """

    def invert(wall: Ints, name: str) -> Ints:
        since, offset = zone_offsets(name)
        if len(offset) == 1:
            return np.where(wall == NO_INSTANT, NO_INSTANT, wall - offset[0])
        # wall clock just before each change: the first segment whose end lies beyond the wall
        ends = since[1:] + offset[:-1]
        segment = np.searchsorted(np.maximum.accumulate(ends), wall, side="right")
        instant = np.maximum(wall - offset[segment], since[segment])
        return np.where(wall == NO_INSTANT, NO_INSTANT, instant)

    return _by_zone(wall_us, zone, invert)


def local_day_start(day: Any, zone: Any) -> Ints:
    """Return the instant at which a local civil day (days since 1970-01-01) begins."""
    day = np.asarray(day, dtype=np.int64)
    wall = np.where(day == NO_INSTANT, NO_INSTANT, day * np.where(day == NO_INSTANT, 0, DAY_US))
    return instant_of(wall, zone)


def local_day_end(day: Any, zone: Any) -> Ints:
    """Return the last microsecond of a local civil day."""
    day = np.asarray(day, dtype=np.int64)
    absent = day == NO_INSTANT
    start = local_day_start(np.where(absent, NO_INSTANT, day + 1), zone)
    return np.where(absent, NO_INSTANT, start - 1)


# ---- slots -----------------------------------------------------------------------------------


class SlotWindow:
    """Where each action's local clock hour first falls inside a batch's 24 hours.

    Parameters
    ----------
    as_of : Timestamp, str with a zone, or int microseconds
        Instant of the decision.
    lead_minutes : int
        The window begins this long after ``as_of`` and lasts 24 hours.
    actions : ActionSpace
        The m arms; those without an hour have no slot.

    Examples
    --------
    >>> space = ActionSpace.from_channels({"sms": [9, 18], "letter": [None]})
    >>> window = SlotWindow("2026-06-02T12:00Z", 30, space)
    >>> [str(pd.Timestamp(u, unit="us")) for u in window.starts("America/New_York")[:2]]
    ['2026-06-02 13:00:00', '2026-06-02 22:00:00']
    >>> bool(window.starts("UTC")[2] == NO_INSTANT)
    True
    """

    def __init__(self, as_of: Any, lead_minutes: int, actions: ActionSpace) -> None:
        self.as_of_us = to_us(as_of)
        self.actions = actions
        #: half-open window, int microseconds
        self.begin_us = self.as_of_us + int(lead_minutes) * 60 * SECOND_US
        self.end_us = self.begin_us + DAY_US
        self._hours: dict[str, tuple[Ints, Ints]] = {}

    def starts(self, zone: str | None) -> Ints:
        """Return the first start of each action's hour in the window.

        Parameters
        ----------
        zone : str or None
            IANA name; None means UTC.

        Returns
        -------
        int64 array, shape (m,)
            `NO_INSTANT` for actions without an hour and for hours that do not begin in the
            window (skipped, or pushed out of it by daylight saving).
        """
        return self._of_actions(self._hour_bounds(zone or "UTC")[0])

    def ends(self, zone: str | None) -> Ints:
        """Return where each slot ends (exclusive): one hour on, or where the clock jumps."""
        return self._of_actions(self._hour_bounds(zone or "UTC")[1])

    def _of_actions(self, by_hour: Ints) -> Ints:
        hours = self.actions.hours
        return np.where(hours < 0, NO_INSTANT, by_hour[np.maximum(hours, 0)])

    def _hour_bounds(self, zone: str) -> tuple[Ints, Ints]:
        if zone not in self._hours:
            self._hours[zone] = _hour_bounds(self.begin_us, self.end_us, zone)
        return self._hours[zone]


def _hour_bounds(begin: int, end: int, zone: str) -> tuple[Ints, Ints]:
    """Return first start and end of each of the 24 clock hours that begins in [begin, end)."""
    since, offset = zone_offsets(zone)
    first = np.full(24, NO_INSTANT, dtype=np.int64)
    last = np.full(24, NO_INSTANT, dtype=np.int64)
    hours = np.arange(24, dtype=np.int64)
    segment = int(np.searchsorted(since, begin, side="right")) - 1
    low = begin
    while low < end:
        jump = int(since[segment + 1]) if segment + 1 < len(since) else end + DAY_US
        shift = int(offset[segment])
        start = low + (hours * HOUR_US - (low + shift)) % DAY_US
        if low > begin and (low + shift) % HOUR_US:  # the clock jumped into the middle of an hour
            entered = (low + shift) % DAY_US // HOUR_US
            if entered != (low - 1 + int(offset[segment - 1])) % DAY_US // HOUR_US:
                start[entered] = low
        here = (start < min(jump, end)) & (first == NO_INSTANT)
        wall_end = (start + shift) // HOUR_US * HOUR_US + HOUR_US - shift
        first = np.where(here, start, first)
        last = np.where(here, np.minimum(wall_end, jump), last)
        low, segment = jump, segment + 1
    return first, last
