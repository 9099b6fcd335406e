"""Frames as Arrow tables: text stays text, instants carry UTC, nothing of pandas is written."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

__all__ = ["arrow_column", "arrow_table"]


def arrow_column(values: pd.Series) -> pa.Array | pa.ChunkedArray:
    """Return a column as an Arrow array; NaN and NaT become null."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        # by way of naive UTC: handing over zoned columns whole is deprecated in pandas
        us = values.dt.tz_convert(None).dt.as_unit("us").to_numpy()
        return pa.array(us, type=pa.timestamp("us", tz="UTC"), from_pandas=True)
    return pa.array(values, from_pandas=True)


def arrow_table(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table without an index."""
    return pa.table({str(name): arrow_column(values) for name, values in frame.items()})
