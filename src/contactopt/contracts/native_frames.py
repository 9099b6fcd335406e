"""Frames of other libraries at the door: pandas inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa

from contactopt.errors import ContractError

__all__ = ["to_pandas", "to_pandas_by_name"]


def to_pandas(frame: Any, what: str) -> pd.DataFrame:
    """Return a pandas, polars (lazy ones are collected) or pyarrow frame as pandas.

    Parameters
    ----------
    frame : frame
    what : str
        What the frame is, for the message.

    Raises
    ------
    ContractError
        If it is no frame.
    """
    if isinstance(frame, pd.DataFrame):
        return frame
    try:
        native = nw.from_native(frame)
    except TypeError:
        raise ContractError(
            f"{what} is given as {type(frame).__name__}, which is no frame",
            hint="give pandas, polars or pyarrow frames",
        ) from None
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    table = native.to_arrow()
    # nanoseconds would not hold a validity "to the end of time"
    out = table.to_pandas(coerce_temporal_nanoseconds=False)
    for field in table.schema:
        if pa.types.is_struct(field.type):
            # as objects, so that whole numbers inside stay whole
            out[field.name] = pd.Series(table.column(field.name).to_pylist(), dtype=object)
    return out


def to_pandas_by_name(tables: Any) -> dict[str, pd.DataFrame]:
    """Convert the tables of a portfolio, a mapping of frames by name; raises as `to_pandas`."""
    if not isinstance(tables, Mapping):
        raise ContractError(
            f"the tables are given as {type(tables).__name__}",
            hint="give a dict of frames by table name: {'customers': ..., 'debts': ...}",
        )
    return {str(name): to_pandas(frame, f"table {name}") for name, frame in tables.items()}
