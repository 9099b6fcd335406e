"""Frames as Arrow tables: text stays text, instants carry UTC, nothing of pandas is written."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pyarrow as pa

__all__ = ["arrow_column", "arrow_table", "release_memory", "returning_memory"]


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


@contextmanager
def returning_memory() -> Iterator[None]:
    """Let Arrow take its memory from the C library, which gives freed memory back when asked.

    Arrow's own pool keeps up to a fifth of what tables took while they were read. Arrays know the
    pool they came from, so they may outlive the block.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
        release_memory()


def release_memory() -> None:
    """Give memory that is free, but kept by Arrow or the C library, back to the system."""
    pa.default_memory_pool().release_unused()
    # glibc only; elsewhere the C library decides on its own
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
