"""Local days and hours of the world's zones, and paydays, as tables indexed by day number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

__all__ = ["DAY_US", "HOUR_US", "WorldClock", "days_to_payday", "payday_table"]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_EPOCH = date(1970, 1, 1)
#: 2024-01-05, a Friday on which the first biweekly phase is paid (A)
_FRIDAY = date(2024, 1, 5)


class WorldClock:
    """Turns (zone, day, hour) of a world into UTC microseconds; days count from ``start``.

    Parameters
    ----------
    start : date
        Civil date of day 0 in every zone.
    zones : tuple of str
        IANA names; zone codes are positions in it.
    """

    def __init__(self, start: date, zones: tuple[str, ...]) -> None:
        self.start = start
        self.zones = zones
        self._start_day = (start - _EPOCH).days

    def date_of(self, day: int) -> date:
        """Return the civil date of a day number."""
        return self.start + timedelta(days=int(day))

    def weekday(self, day: int) -> int:
        """Return 0 for Monday to 6 for Sunday."""
        return self.date_of(day).weekday()

    def utc_midnight_us(self, day: int | np.ndarray) -> np.ndarray:
        """Return the instant of 00:00 UTC of a day, in microseconds."""
        return (np.asarray(day, np.int64) + self._start_day) * DAY_US

    def instant_us(self, day: int, zone: np.ndarray, second_of_day: np.ndarray) -> np.ndarray:
        """Return UTC microseconds of local clock times on one day; shape of ``zone``."""
        hour = np.clip(second_of_day // 3600, 0, 23).astype(np.int64)
        offset = self._offsets(day)[zone, hour]
        local = self.utc_midnight_us(day) + second_of_day.astype(np.int64) * 1_000_000
        return local - offset

    def local_day(self, us: int, zone: np.ndarray) -> np.ndarray:
        """Return the day number of one UTC instant in each zone code given."""
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))
        per_zone = np.array(
            [(moment.astimezone(ZoneInfo(z)).date() - self.start).days for z in self.zones],
            dtype=np.int64,
        )
        return per_zone[zone] if len(per_zone) else np.zeros(len(zone), np.int64)

    def _offsets(self, day: int) -> np.ndarray:
        return _offset_table(self.date_of(day), self.zones)


@lru_cache(maxsize=4096)
def _offset_table(on: date, zones: tuple[str, ...]) -> np.ndarray:
    """UTC offsets in microseconds, shape (n_zones, 24)."""
    # zones seldom change within a day: two clock times tell whether the hours must be asked
    table = np.empty((len(zones), 24), np.int64)
    for k, name in enumerate(zones):
        zone = ZoneInfo(name)
        ends = [_offset(on, hour, zone) for hour in (0, 23)]
        same = ends[0] == ends[1]
        table[k] = ends[0] if same else [_offset(on, hour, zone) for hour in range(24)]
    return table


def _offset(on: date, hour: int, zone: ZoneInfo) -> int:
    delta = datetime(on.year, on.month, on.day, hour, tzinfo=zone).utcoffset()
    return int((delta or timedelta()).total_seconds()) * 1_000_000


@lru_cache(maxsize=4096)
def _is_payday(on: date) -> tuple[bool, ...]:
    last = (on + timedelta(days=1)).day == 1
    thirtieth = on.day == 30 or (last and on.day < 30)
    weeks = (on - _FRIDAY).days
    return (
        on.day == 1,
        on.day == 15,
        thirtieth,
        on.day in (1, 15),
        on.weekday() == 4,
        weeks % 14 == 0,
        weeks % 14 == 7,
    )


@lru_cache(maxsize=64)
def payday_table(start: date, n_days: int, factor: float, span: int) -> np.ndarray:
    """Hazard multipliers by pay cycle and day, mean about 1; shape (7, n_days), float64.

    The multiplier is ``factor`` on a payday and the following ``span - 1`` days, divided by its
    yearly mean in the cycle, so that cycles differ in rhythm and not in level.
    """
    n_past = 366
    flags = np.array(
        [_is_payday(start + timedelta(days=d)) for d in range(-n_past, n_days)], dtype=bool
    ).T
    lifted = np.zeros_like(flags)
    for lag in range(span):
        lifted[:, lag:] |= flags[:, : flags.shape[1] - lag]
    values = np.where(lifted, factor, 1.0)
    mean = values[:, span:n_past].mean(axis=1, keepdims=True)
    return (values / mean)[:, n_past:]


@lru_cache(maxsize=64)
def days_to_payday(start: date, n_days: int) -> np.ndarray:
    """Days from each day to the next payday, at least 2; shape (7, n_days), int64."""
    flags = np.array(
        [_is_payday(start + timedelta(days=d)) for d in range(n_days + 40)], dtype=bool
    ).T
    out = np.full((7, n_days), 33, np.int64)
    for lag in range(33, 1, -1):
        ahead = flags[:, lag : lag + n_days]
        out[ahead] = lag
    return out
