"""Rows added to a table that stands in a CSV file."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from pandas.api import types as ptypes

from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.merging import Additions
from contactopt.contracts.vendors.row_places import places

__all__ = ["csv_bytes"]

_BOM = b"\xef\xbb\xbf"


def csv_bytes(path: Path | None, name: str, change: Additions) -> bytes:
    """Return the content of a table's CSV file with the changes in it.

    Lines that are there stay as they are, byte for byte, as long as no row changes and no column
    is missing; else the file is written anew, its other values as they were.
    """
    data = b"" if path is None else path.read_bytes()
    if not data:
        return _written(_texts(_wanted(change.added, (), name)), "\n").encode()
    mark = _BOM if data.startswith(_BOM) else b""
    newline = "\r\n" if b"\r\n" in data[: data.find(b"\n") + 1] else "\n"
    table = pd.read_csv(
        io.BytesIO(data), dtype="str", keep_default_na=False, na_values=[""], encoding="utf-8-sig"
    )
    fresh = _wanted(change.added, tuple(table.columns), name)
    if change.changed.empty and set(fresh.columns) <= set(table.columns):
        lines = _written(_texts(fresh).reindex(columns=table.columns), newline, header=False)
        end = b"" if data.endswith((b"\n", b"\r")) else newline.encode()
        return data + end + lines.encode()
    for column in fresh.columns:
        if column not in table:
            table[column] = pd.Series([None] * len(table), dtype="str")
    if len(change.changed):
        rows, source = places(table, name, change.changed)
        for column, mask in change.cells.items():
            texts = _texts(change.changed[[column]])[column]
            some = mask[source]
            if column not in table:
                table[column] = pd.Series([None] * len(table), dtype="str")
            values = table[column].to_numpy(object).copy()
            values[rows[some]] = texts.iloc[source[some]].to_numpy(object)
            table[column] = values
    whole = pd.concat([table, _texts(fresh).reindex(columns=table.columns)], ignore_index=True)
    return mark + _written(whole, newline).encode()


def _wanted(added: pd.DataFrame, there: tuple[str, ...], name: str) -> pd.DataFrame:
    """Return the columns that say something, or stand in the file, or must."""
    spec = TABLES[name]
    keep = [
        c for c in added.columns if c in there or spec.columns[str(c)].required or _says(added[c])
    ]
    return added[keep]


def _says(values: pd.Series) -> bool:
    return bool(values.any() if values.dtype == bool else values.notna().any())


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as the text that the contract's CSV holds."""
    out = {}
    for name, values in frame.items():
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            text = values.map(lambda t: t.isoformat(), na_action="ignore")
        elif values.dtype == bool:
            text = values.map({True: "true", False: "false"})
        elif ptypes.is_float_dtype(values.dtype):
            text = values.map(lambda x: repr(float(x)), na_action="ignore")
        else:
            text = values
        out[name] = text.astype(object).where(values.notna(), None)
    return pd.DataFrame(out, index=frame.index)


def _written(frame: pd.DataFrame, newline: str, *, header: bool = True) -> str:
    return frame.to_csv(index=False, header=header, lineterminator=newline)
