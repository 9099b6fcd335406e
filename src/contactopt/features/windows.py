"""Windows of the past: their lengths in microseconds and the short names they give to columns."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from itertools import pairwise

from contactopt.errors import ConfigError
from contactopt.journal.local_time import HOUR_US

__all__ = ["window_lengths", "window_name"]


def window_lengths(windows_days: Sequence[float]) -> list[int]:
    """Return the windows in microseconds.

    Parameters
    ----------
    windows_days : sequence of float, ascending
        Days, in whole hours: 0.5 is twelve hours.

    Raises
    ------
    ConfigError
        If there is none, one is not above zero or no whole number of hours, or they do not
        ascend.

    Examples
    --------
    >>> [length // HOUR_US for length in window_lengths((0.5, 7))]
    [12, 168]
    """
    given = list(windows_days)
    if not given:
        raise ConfigError("windows_days names no window", hint="for example (7, 30, 90)")
    lengths = [_hours(days) * HOUR_US for days in given]
    if any(b <= a for a, b in pairwise(lengths)):
        raise ConfigError(
            f"windows_days must ascend, not {tuple(given)}", hint="for example (7, 30, 90)"
        )
    return lengths


def window_name(days: float) -> str:
    """Return the window's name in columns: whole days as `30d`, others in hours.

    Examples
    --------
    >>> window_name(30), window_name(7.0), window_name(0.5)
    ('30d', '7d', '12h')
    """
    hours = _hours(days)
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _hours(days: float) -> int:
    if isinstance(days, numbers.Real) and not isinstance(days, bool) and math.isfinite(days):
        hours = round(days * 24)
        if hours > 0 and math.isclose(hours, days * 24, rel_tol=1e-9):
            return hours
    raise ConfigError(
        f"a window of {days!r} days is no whole number of hours above zero",
        hint="give days as numbers: 7, or 0.5 for twelve hours",
    )
