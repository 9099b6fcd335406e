"""The capacity table: pool, date, hour?, units, min_units?, until_date?, read and checked."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from contactopt.errors import ConfigError

__all__ = ["CAPACITY_COLUMNS", "read_capacity"]

CAPACITY_COLUMNS = ("pool", "date", "hour", "units", "min_units", "until_date")
_NEEDED = ("pool", "date", "units")


def read_capacity(
    capacity: pd.DataFrame | str | Path | None, known_pools: Collection[str]
) -> pd.DataFrame:
    """Return the capacity table in one form, all faults reported at once.

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
        For a missing file or column, an unknown pool, negative or missing units, a date or hour
        that is none, a minimum above the maximum, or the same row twice.
    """
    raw = _load(capacity)
    missing = [c for c in _NEEDED if c not in raw.columns]
    if missing:
        raise ConfigError(
            f"capacity: column(s) {', '.join(missing)} missing",
            hint="columns are pool, date, units and, where wanted, hour, min_units, until_date",
        )
    table = pd.DataFrame(
        {
            "pool": raw["pool"].astype(object).map(str).astype(object),
            "date": _days(raw["date"]),
            "hour": _numbers(raw, "hour").fillna(-1.0),
            "units": _numbers(raw, "units"),
            "min_units": _numbers(raw, "min_units").fillna(0.0),
            "until_date": _days(raw["until_date"]) if "until_date" in raw else "",
        }
    )
    _refuse(_faults(table, raw, known_pools))
    table["hour"] = table["hour"].astype(np.int64)
    order = ["pool", "date", "hour", "until_date", "units"]
    return table.sort_values(order, kind="stable", ignore_index=True)[list(CAPACITY_COLUMNS)]


def _load(capacity: pd.DataFrame | str | Path | None) -> pd.DataFrame:
    if capacity is None:
        return pd.DataFrame(columns=list(CAPACITY_COLUMNS))
    if isinstance(capacity, pd.DataFrame):
        return capacity.reset_index(drop=True)
    path = Path(capacity)
    if not path.is_file():
        raise ConfigError(
            f"no capacity file at {path}", hint="give a .csv or .parquet file, or leave it out"
        )
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype={"pool": str, "date": str, "until_date": str})


def _numbers(raw: pd.DataFrame, column: str) -> pd.Series:
    if column not in raw:
        return pd.Series(np.nan, index=raw.index)
    given = raw[column]
    numbers = pd.to_numeric(given, errors="coerce").astype(float)
    # text that is no number must become a fault, not an absent value
    return numbers.where(numbers.notna() | given.isna(), np.inf)


def _days(given: pd.Series) -> pd.Series:
    """Return ISO days as text; empty where absent, `?` where the value is no day."""
    text = given.astype(object).where(given.notna(), "")
    return text.map(_day).astype(object)


def _day(value: object) -> str:
    if value == "":
        return ""
    try:
        return pd.Timestamp(value).date().isoformat()  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return "?"


def _faults(table: pd.DataFrame, raw: pd.DataFrame, known: Collection[str]) -> list[str]:
    hour, units, low = table["hour"], table["units"], table["min_units"]
    until = table["until_date"]
    checks = {
        "date is no day": table["date"].isin(["", "?"]),
        "until_date is no day, or lies before date": (until == "?")
        | ((until != "") & (until < table["date"])),
        "hour is not 0 to 23": ~(hour.between(0, 23) & (hour % 1 == 0)) & (hour != -1.0),
        "units are missing, negative or not finite": ~(units.ge(0) & np.isfinite(units)),
        "min_units are negative or above units": ~(low.ge(0) & low.le(units)) & units.ge(0),
        "the row is given twice": table.duplicated(["pool", "date", "hour", "until_date"]),
    }
    faults = [
        f"  {what}: {int(bad.sum())} row(s), first is row {int(np.flatnonzero(bad)[0]) + 1}"
        for what, bad in checks.items()
        if bad.any()
    ]
    for pool in sorted(set(table["pool"]) - set(known)):
        close = difflib.get_close_matches(pool, list(known), n=1, cutoff=0.6)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        faults.append(f"  unknown pool {pool!r}{meant}; known are: {', '.join(sorted(known))}")
    return faults


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ConfigError(
            "capacity: " + f"{len(faults)} fault(s)\n" + "\n".join(faults),
            hint="a pool is named in the strategy's `pools`, or is a channel; "
            "dates and hours are in the pool's time zone",
        )
