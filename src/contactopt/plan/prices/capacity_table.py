"""The capacity table in the form the plan works with, its pools checked against the strategy."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from contactopt.contracts.capacity import read_capacity
from contactopt.errors import ConfigError

__all__ = ["CAPACITY_COLUMNS", "capacity_table"]

CAPACITY_COLUMNS = ("pool", "date", "hour", "units", "min_units", "until_date")


def capacity_table(
    capacity: pd.DataFrame | str | Path | None, known_pools: Collection[str]
) -> pd.DataFrame:
    """Return the capacity table in one form, whatever it was given as.

    Parameters
    ----------
    capacity : DataFrame, path of a .csv or .parquet file, or None
        Dates and hours are in the pool's time zone. None means that nothing is limited.
    known_pools : collection of str
        Pools of the strategy and channels of the batch (a channel is its own pool).

    Returns
    -------
    DataFrame
        Columns of `CAPACITY_COLUMNS`: pool and dates as text (ISO 8601, empty ``until_date`` where
        absent), hour int64 (-1: whole day), units and min_units float64; sorted, so that the
        order of the rows given does not matter.

    Raises
    ------
    ConfigError
        For every fault `contactopt.contracts.read_capacity` finds, and for unknown pools.
    """
    if capacity is None:
        capacity = pd.DataFrame(columns=list(CAPACITY_COLUMNS))
    read = read_capacity(capacity)
    table = pd.DataFrame(
        {
            "pool": read["pool"].astype(object),
            "date": _iso(read["date"]),
            "hour": read["hour"].fillna(-1).astype(np.int64),
            "units": read["units"].astype(np.float64),
            "min_units": read["min_units"].fillna(0.0).astype(np.float64),
            "until_date": _iso(read["until_date"]),
        }
    )
    _refuse_unknown(table, known_pools)
    order = ["pool", "date", "hour", "until_date", "units"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _iso(days: pd.Series) -> pd.Series:
    """Return ISO days as text, empty where absent."""
    text = [day.date().isoformat() if day is not pd.NaT else "" for day in days]
    return pd.Series(text, dtype=object)


def _refuse_unknown(table: pd.DataFrame, known: Collection[str]) -> None:
    unknown = sorted(set(table["pool"]) - set(known))
    if not unknown:
        return
    named = []
    for pool in unknown[:5]:
        close = difflib.get_close_matches(pool, list(known), n=1, cutoff=0.6)
        named.append(repr(pool) + (f" (did you mean {close[0]!r}?)" if close else ""))
    raise ConfigError(
        f"capacity names {len(unknown)} unknown pool(s): {', '.join(named)}",
        hint="a pool is named in the strategy's `pools`, or is a channel; "
        f"known are: {', '.join(sorted(known))}",
    )
