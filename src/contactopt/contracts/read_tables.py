"""From raw frames to typed tables: each column read as its kind, then held to its pandera model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pa
from pandas.api import types as ptypes
from tqdm import tqdm

from contactopt.contracts.arrow_tables import release_memory
from contactopt.contracts.cast import STRING, cast_column, empty_column, says_nothing
from contactopt.contracts.faults import FaultLog
from contactopt.contracts.tables import TABLES, ColumnSpec, TableSpec

__all__ = ["RawTables", "read_one", "read_tables"]

_CHECKS = {
    "not_nullable": "is null",
    "isin": "unknown word",
    "str_matches": "malformed",
    "in_range": "not a share in [0, 1]",
    "greater_than_or_equal_to": "too small or negative",
    "greater_than": "not above zero",
    "less_than_or_equal_to": "too large",
}


@dataclass(slots=True)
class RawTables:
    """Typed tables that still hold their faulty rows, and what reading them found.

    ``raw`` gives the tables as they came, for the values of faulty rows; it may read them again.
    """

    typed: dict[str, pd.DataFrame]
    raw: Mapping[str, pd.DataFrame]
    #: (table, column) -> rows that were plain dates
    plain_dates: dict[tuple[str, str], npt.NDArray[np.bool_]] = field(default_factory=dict)
    dropped_columns: dict[str, list[str]] = field(default_factory=dict)
    log: FaultLog = field(default_factory=FaultLog)


def read_tables(
    frames: Mapping[str, pd.DataFrame],
    extra_channels: tuple[str, ...] = (),
    progress: bool = False,
) -> RawTables:
    """Read and check every table on its own; faults are collected, nothing is raised.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        Raw tables by contract name; asked for one at a time, so they need not be in memory.
    extra_channels : tuple of str
        Channels that a strategy adds by `like`; allowed beside the contract's words.
    progress : bool
        Show a bar over tables (on stderr).

    Returns
    -------
    RawTables
        Every contract table, missing ones empty.
    """
    tables = RawTables({}, frames)
    for name in frames:
        if name not in TABLES:
            near = get_close_matches(name, list(TABLES), n=1)
            hint = f"did you mean `{near[0]}`?" if near else "not a table of the contract"
            tables.log.table(str(name), "unknown table", hint)
    bar = tqdm(TABLES.items(), desc="read tables", unit="table", disable=not progress)
    for name, spec in bar:
        frame = frames.get(name)
        if frame is not None:
            read_one(spec, frame.reset_index(drop=True), tables, extra_channels)
            del frame
            release_memory()
            continue
        if spec.needed:
            tables.log.table(name, "missing table", "give it with its header, even if empty")
        tables.typed[name] = _empty(spec)
    return tables


def _empty(spec: TableSpec) -> pd.DataFrame:
    return pd.DataFrame({c.name: empty_column(c.kind, 0) for c in spec.columns.values()})


def read_one(
    spec: TableSpec, raw: pd.DataFrame, tables: RawTables, extra_channels: tuple[str, ...]
) -> None:
    """Read and check one table into ``tables``; ``raw`` has a plain index."""
    log = tables.log
    if raw.columns.duplicated().any():
        log.table(spec.name, "column stands twice")
        raw = raw.loc[:, ~raw.columns.duplicated()]
    _look_alikes(spec, raw, log)
    columns: dict[str, pd.Series] = {}
    #: columns that are not judged by value: absent, or at fault as a whole
    unread: set[str] = set(spec.columns) - set(raw.columns)

    @cache
    def nulls(kind: str) -> pd.Series:
        # columns without values share one array
        return empty_column(kind, len(raw))

    for column in spec.columns.values():
        columns[column.name] = _read_column(spec, column, raw, tables, unread, nulls)
    for name in raw.columns:
        if name not in spec.columns:
            kept = _extra(raw[name]) if spec.extras and str(name).startswith("x_") else None
            if kept is None:
                tables.dropped_columns.setdefault(spec.name, []).append(str(name))
            else:
                columns[str(name)] = kept
                lost = np.asarray(kept.isna()) & np.asarray(raw[name].notna())
                log.rows(spec.name, str(name), "not a number", lost)
    # columns as they are, not copied into one block by dtype
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(raw)), copy=False)
    tables.typed[spec.name] = frame
    if len(frame):
        _hold_to_model(spec, frame, log, unread, extra_channels)
        _ends_before_start(spec, frame, log)


def _look_alikes(spec: TableSpec, raw: pd.DataFrame, log: FaultLog) -> None:
    """Tell columns that are of the contract but for case, spaces or signs: they would be dropped.

    Dropped, an end of validity, a third party's holdership or the closing of a debt would protect
    nobody.
    """
    if raw.empty and spec.on_fault != "customer":
        return
    # of another table with rows, a column that must be there is told as missing
    every = raw.empty or spec.on_fault == "customer"
    away = [c for c in spec.columns.values() if c.name not in raw]
    absent = {_bare(c.name): c.name for c in away if every or not c.required}
    for name in raw.columns:
        meant = absent.get(_bare(name))
        if meant is not None and name not in spec.columns:
            log.table(spec.name, "misspelt column", f"did you mean `{meant}`?", str(name))


def _meant(column: ColumnSpec, raw: pd.DataFrame) -> str:
    """Name the column that may be the missing one under another spelling."""
    others = {_bare(name): str(name) for name in raw.columns}
    near = get_close_matches(_bare(column.name), list(others), n=1, cutoff=0.8)
    return f"is it `{others[near[0]]}`?" if near else ""


def _bare(name: object) -> str:
    return "".join(c for c in str(name).lower() if c.isalnum())


def _read_column(
    spec: TableSpec,
    column: ColumnSpec,
    raw: pd.DataFrame,
    tables: RawTables,
    unread: set[str],
    nulls: Callable[[str], pd.Series],
) -> pd.Series:
    absent = column.name not in raw
    if absent or says_nothing(raw[column.name]):
        if absent and column.required and len(raw):
            tables.log.table(spec.name, "missing column", _meant(column, raw), column.name)
        if column.kind in ("day", "due_day"):
            tables.plain_dates[spec.name, column.name] = np.zeros(len(raw), bool)
        return nulls(column.kind)
    cast = cast_column(raw[column.name], column.kind)
    if cast.plain_date is not None:
        tables.plain_dates[spec.name, column.name] = cast.plain_date
    if cast.structural:
        tables.log.table(spec.name, cast.structural, column=column.name)
        unread.add(column.name)
        return nulls(column.kind)
    for check, mask in cast.bad.items():
        tables.log.rows(spec.name, column.name, check, mask)
    return cast.values


def _extra(raw: pd.Series) -> pd.Series | None:
    """Return a column of the user's own as number, bool or text; None if it is none of these."""
    raw = raw.reset_index(drop=True)
    if isinstance(raw.dtype, pd.CategoricalDtype):
        raw = raw.astype(object)
    kind = ptypes.infer_dtype(raw, skipna=True)
    if kind == "boolean" and raw.notna().all():
        return raw.astype(bool)
    if kind == "boolean":
        # with gaps: 1, 0 and null, as every other number
        return pd.Series(raw.map({True: 1.0, False: 0.0}).to_numpy(np.float64, na_value=np.nan))
    if ptypes.is_numeric_dtype(raw.dtype):
        number = raw.to_numpy(np.float64, na_value=np.nan)
        return pd.Series(np.where(np.isfinite(number), number, np.nan) + 0.0)
    if kind in ("string", "empty"):
        return raw.astype(STRING)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal"):
        return pd.Series(pd.to_numeric(raw).to_numpy(np.float64, na_value=np.nan))
    return None


def _hold_to_model(
    spec: TableSpec,
    frame: pd.DataFrame,
    log: FaultLog,
    unread: set[str],
    extra_channels: tuple[str, ...],
) -> None:
    schema = _schema(spec, frozenset(unread), extra_channels)
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        # its message and chain carry values of customers: only the summary goes on
        failures = error.failure_cases[["column", "check", "index"]].copy()
    else:
        return
    whole = failures[failures["index"].isna()]
    for column, check in whole[["column", "check"]].drop_duplicates().itertuples(index=False):
        log.table(spec.name, f"failed {str(check).split('(')[0]}", column=str(column))
    byrow = failures[failures["index"].notna()]
    for (column, check), rows in byrow.groupby(["column", "check"], sort=True)["index"]:
        positions = rows.to_numpy(np.int64)
        name = _CHECKS.get(str(check).split("(")[0], str(check).split("(")[0])
        if name == "is null":
            # unreadable values became null and were told already
            told = log.faulty(spec.name, len(frame), (str(column),))
            positions = positions[~told[positions]]
        log.rows(spec.name, str(column), name, positions)


_schemas: dict[tuple[Any, ...], pa.DataFrameSchema] = {}


def _schema(
    spec: TableSpec, unread: frozenset[str], extra_channels: tuple[str, ...]
) -> pa.DataFrameSchema:
    """Return the model's schema of the columns to judge, with the user's channels."""
    key = (spec.name, unread, extra_channels)
    if key not in _schemas:
        schema = spec.schema.remove_columns([c for c in spec.columns if c in unread])
        for name in ("channel", "preferred_channel"):
            if extra_channels and name in schema.columns:
                words = [*spec.columns[name].words, *extra_channels]
                schema = schema.update_column(name, checks=[pa.Check.isin(words)])
        _schemas[key] = schema
    return _schemas[key]


def _ends_before_start(spec: TableSpec, frame: pd.DataFrame, log: FaultLog) -> None:
    """Tell holds that end before they begin: such a hold would never protect anybody."""
    if spec.name == "holds":
        ends = np.asarray(frame["ends_at"] < frame["starts_at"])
        log.rows("holds", "ends_at", "ends before it starts", ends)
