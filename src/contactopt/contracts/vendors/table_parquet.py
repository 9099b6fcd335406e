"""Rows added to a table that stands in Parquet: one file, or a folder of parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from contactopt.contracts.arrow_tables import arrow_column
from contactopt.contracts.cast import cast_column
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.merging import Additions
from contactopt.contracts.vendors.row_places import places

__all__ = ["parquet_tables"]

_TEXT_KINDS = ("id", "word", "text", "json")


def parquet_tables(
    paths: list[Path], name: str, change: Additions, days: dict[str, pd.Series]
) -> tuple[dict[Path, pa.Table], pa.Table | None]:
    """Return the files whose content changes, and the rows to add.

    Parameters
    ----------
    paths : list of Path
        The table's files as they stand; none: the table is new.
    name : str
    change : Additions
    days : dict of str to pandas.Series
        Local dates of the added rows, for day columns that hold plain dates there.

    Returns
    -------
    dict of Path to pyarrow.Table
        Files to write anew: those with rows that change, and all whose column cannot hold the
        new values as it is (ids as numbers), which becomes text.
    pyarrow.Table or None
        New rows, in types that go together with the files'.
    """
    tables = {p: pq.ParquetFile(p).read() for p in paths}
    filled = [t.schema for t in tables.values() if t.num_rows]
    schemas = filled or [t.schema for t in tables.values()][:1]
    schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
    fresh, promoted = _aligned(change.added, schema, name, days)
    touched: dict[Path, pa.Table] = {}
    for path, table in tables.items():
        now = table
        for column in promoted & set(table.column_names):
            now = _as_kind(now, column, name)
        if len(change.changed):
            now = _changed(now, name, change)
        if now is not table:
            touched[path] = now
    return touched, fresh if len(change.added) else None


def _aligned(
    added: pd.DataFrame, schema: pa.Schema, name: str, days: dict[str, pd.Series]
) -> tuple[pa.Table, set[str]]:
    """Return new rows in the types of a schema, and the columns whose type cannot hold them."""
    spec = TABLES[name]
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    promoted: set[str] = set()
    for column in map(str, added.columns):
        values = added[column]
        there = schema.field(column).type if column in schema.names else None
        array = arrow_column(values)
        if there is None:
            blank = array.null_count == len(array) or (
                pt.is_boolean(array.type) and not values.any()
            )
            if blank and schema.names and not spec.columns[column].required:
                continue
            columns[column] = array
            continue
        plain = pt.is_date(there) or (pt.is_timestamp(there) and there.tz is None)
        if column in days and (plain or _is_text(there)):
            array = pa.array(days[column].dt.date, pa.date32())
            array = array.cast(pa.string()) if _is_text(there) else array
        cast = _cast(array, there, spec.columns[column].kind)
        if cast is None:
            promoted.add(column)
        columns[column] = array if cast is None else cast
    return pa.table(columns), promoted


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pt.is_dictionary(kind) else kind
    return pt.is_string(value) or pt.is_large_string(value) or pt.is_string_view(value)


def _cast(
    array: pa.Array | pa.ChunkedArray, there: pa.DataType, kind: str
) -> pa.Array | pa.ChunkedArray | None:
    """Return values in a type that is there, None if it cannot hold them faithfully."""
    if array.type == there or pt.is_null(there):
        return array
    if kind in _TEXT_KINDS and not _is_text(there):
        # an id of digits would fit a number, and lose its zeros
        return None
    if pt.is_timestamp(array.type) and _is_text(there):
        array = pc.call_function("strftime", [array], pc.StrftimeOptions("%Y-%m-%dT%H:%M:%S+00:00"))
    try:
        return array.cast(there)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None  # the caller then writes the whole column as the contract's kind


def _as_kind(table: pa.Table, column: str, name: str) -> pa.Table:
    """Return a table with a column read as the contract's kind, as loading would."""
    kind = TABLES[name].columns[column].kind
    values = cast_column(table.column(column).to_pandas(), kind).values
    where = table.column_names.index(column)
    return table.set_column(where, column, arrow_column(values))


def _changed(table: pa.Table, name: str, change: Additions) -> pa.Table:
    """Return a table with the new values of its rows; the table itself if it holds none."""
    key = list(TABLES[name].key)
    if not table.num_rows or not set(key) <= set(table.column_names):
        return table
    rows, source = places(table.select(key).to_pandas(), name, change.changed)
    for column, cells in change.cells.items():
        some = cells[source]
        if some.any():
            values = change.changed[column].iloc[source[some]]
            table = _with_values(table, column, name, rows[some], values)
    return table


def _with_values(
    table: pa.Table, column: str, name: str, rows: np.ndarray, values: pd.Series
) -> pa.Table:
    kind = TABLES[name].columns[column].kind
    order = np.argsort(rows, kind="stable")
    fresh = arrow_column(values.iloc[order].reset_index(drop=True))
    if column not in table.column_names:
        table = table.append_column(column, pa.nulls(table.num_rows, fresh.type))
    there = table.schema.field(column).type
    cast = None if pt.is_dictionary(there) or pt.is_null(there) else _cast(fresh, there, kind)
    if cast is None:
        table = _as_kind(table, column, name)
        cast = fresh.cast(table.schema.field(column).type)
    mask = np.zeros(table.num_rows, bool)
    mask[rows] = True
    whole = table.column(column).combine_chunks()
    cast = cast.combine_chunks() if isinstance(cast, pa.ChunkedArray) else cast
    filled = pc.call_function("replace_with_mask", [whole, pa.array(mask), cast])
    return table.set_column(table.column_names.index(column), column, filled)
