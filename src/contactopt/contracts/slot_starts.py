"""When a local hour comes next: of scores that name a slot by its hour and not by its instant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["next_starts"]

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


def next_starts(
    as_of: pd.Timestamp, hours: npt.NDArray[np.float64], zones: npt.NDArray[np.object_]
) -> pd.Series:
    """Return the first start of each local clock hour in the 24 hours from an instant.

    Parameters
    ----------
    as_of : Timestamp
        With a zone.
    hours : float array, shape (n,)
        Local clock hours 0 to 23.
    zones : object array, shape (n,)
        IANA names.

    Returns
    -------
    pandas.Series of datetime64[us, UTC], shape (n,)
        NaT where the clock skips that hour.

    Examples
    --------
    >>> as_of = pd.Timestamp("2026-06-02T20:00Z")
    >>> zones = np.array(["America/Bogota"] * 2, object)
    >>> next_starts(as_of, np.array([10.0, 16.0]), zones).dt.strftime("%d %H:%M").tolist()
    ['03 15:00', '02 21:00']
    """
    zone_of, names = pd.factorize(zones)
    pair, pairs = pd.factorize(zone_of.astype(np.int64) * 24 + hours.astype(np.int64))
    found = [_next(as_of, int(p) % 24, str(names[int(p) // 24])) for p in pairs]
    starts = pd.DatetimeIndex(found, dtype="datetime64[us, UTC]")
    return pd.Series(starts[pair] if len(starts) else starts)


def _next(as_of: pd.Timestamp, hour: int, zone: str) -> Any:
    today = as_of.tz_convert(zone).tz_localize(None).normalize()
    for day in (today, today + _DAY):
        # of an hour that occurs twice the first is meant
        start: Any = (day + hour * _HOUR).tz_localize(zone, ambiguous=True, nonexistent="NaT")
        if start is not pd.NaT and as_of <= start < as_of + _DAY:
            return start.tz_convert("UTC")
    return pd.NaT
