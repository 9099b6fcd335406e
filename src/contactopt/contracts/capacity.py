"""The capacity table: units of each pool by day and hour of the pool's own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contactopt.contracts.cast import STRING, cast_column
from contactopt.contracts.native_frames import to_pandas
from contactopt.errors import ConfigError, ContractError

__all__ = ["CAPACITY_COLUMNS", "read_capacity"]

#: column -> (kind, required, meaning)
CAPACITY_COLUMNS = {
    "pool": ("word", True, "pool of the strategy, or a channel"),
    "date": ("day", True, "local day of the pool's zone"),
    "hour": ("number", False, "clock hour of the pool's zone, 0 to 23; null = the whole day"),
    "units": ("number", True, "units that may be used: contacts, minutes or money"),
    "min_units": ("number", False, "units that must be used"),
    "until_date": ("day", False, "last day of a budget that runs over several days"),
}


def read_capacity(source: str | Path | Any) -> pd.DataFrame:
    """Read and check a capacity table.

    Parameters
    ----------
    source : path or frame
        CSV or Parquet file, or a pandas, polars or pyarrow frame.

    Returns
    -------
    pandas.DataFrame
        Columns pool (str), date (datetime64[us], a local day without zone), hour (float64, NaN =
        whole day), units, min_units (float64, NaN = none), until_date (datetime64[us] or NaT);
        sorted by pool, date, hour. No rows: no pool is limited.

    Raises
    ------
    ConfigError
        With every fault at once: missing or unknown columns, unreadable dates or numbers,
        negative units, hours outside 0 to 23, two rows for the same pool and time.

    Examples
    --------
    >>> rows = {"pool": ["agents"], "date": ["2026-06-02"], "units": [480]}
    >>> read_capacity(pd.DataFrame(rows))[["pool", "units"]].to_dict("records")
    [{'pool': 'agents', 'units': 480.0}]
    """
    raw = _read(source).reset_index(drop=True)
    if not len(raw.columns):  # an empty frame, as any table may be
        raw = pd.DataFrame(columns=list(CAPACITY_COLUMNS))
    faults = [f"missing column {c!r}" for c, k in CAPACITY_COLUMNS.items() if k[1] and c not in raw]
    unknown = [str(c) for c in raw.columns if c not in CAPACITY_COLUMNS]
    if unknown:
        faults.append(f"unknown column(s) {', '.join(sorted(unknown))}")
    if faults:
        raise _refusal(faults)
    table = _typed(raw, faults)
    if not faults:
        _check(table, faults)
    if faults:
        raise _refusal(faults)
    return table.sort_values(["pool", "date", "hour"], na_position="first", ignore_index=True)


def _read(source: Any) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if not isinstance(source, str | Path):
        try:
            return to_pandas(source, "capacity")
        except ContractError:
            raise ConfigError(
                f"capacity is given as {type(source).__name__}",
                hint="give a path of a CSV or Parquet file, or a frame",
            ) from None
    path = Path(source)
    if not path.is_file():
        raise ConfigError(
            f"no capacity file at {path}", hint="give a CSV or Parquet file, or leave it out"
        )
    try:
        if path.suffix == ".parquet":
            return pq.ParquetFile(path).read().to_pandas()
        return pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(
            f"capacity file {path.name} is not readable ({type(error).__name__})",
            hint="write it as UTF-8 CSV with a header, or as Parquet",
        ) from None


def _typed(raw: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for name, (kind, required, _) in CAPACITY_COLUMNS.items():
        given = raw[name] if name in raw else pd.Series([None] * len(raw), dtype=object)
        cast = cast_column(given, kind)
        if cast.structural:
            faults.append(f"{name}: {cast.structural}")
        for check, rows in cast.bad.items():
            faults.append(f"{name}: {check} in {_rows(rows)}")
        if required and not cast.structural:
            told = np.any(list(cast.bad.values()), axis=0) if cast.bad else False
            null = np.asarray(cast.values.isna()) & ~told
            if null.any():
                faults.append(f"{name}: empty in {_rows(null)}")
        values = cast.values
        if kind == "day":
            values = values.dt.tz_localize(None).dt.as_unit("us")
            if (values != values.dt.normalize()).fillna(False).where(values.notna(), False).any():
                faults.append(f"{name}: give plain dates, not times")
        columns[name] = values
    return pd.DataFrame(columns, index=pd.RangeIndex(len(raw))).astype({"pool": STRING})


def _check(table: pd.DataFrame, faults: list[str]) -> None:
    hour = table["hour"]
    wrong = {
        "units: negative": table["units"] < 0,
        "min_units: negative": table["min_units"] < 0,
        "min_units: above units": table["min_units"] > table["units"],
        "hour: not a clock hour 0 to 23": hour.notna() & ~hour.isin(range(24)),
        "until_date: before date": table["until_date"] < table["date"],
        "until_date: a budget over days has no hour": table["until_date"].notna() & hour.notna(),
        "two rows for the same pool, date and hour": table.duplicated(
            ["pool", "date", "hour", "until_date"], keep=False
        ),
    }
    for fault, rows in wrong.items():
        if rows.any():
            faults.append(f"{fault} in {_rows(np.asarray(rows, bool))}")


def _rows(mask: np.ndarray) -> str:
    """Name at most five rows, counted from 1 below the header."""
    rows = np.flatnonzero(mask) + 1
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"row(s) {', '.join(map(str, rows[:5]))}{more}"


def _refusal(faults: list[str]) -> ConfigError:
    return ConfigError(
        "the capacity table is faulty:\n" + "\n".join(f"  {f}" for f in faults),
        hint="columns: pool, date (YYYY-MM-DD), hour (optional), units, min_units and until_date "
        "(optional); date and hour are in the pool's time zone",
    )
