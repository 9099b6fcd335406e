"""A hash of what tables say, whatever the order of their rows or the file they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api import types as ptypes

__all__ = ["content_hash"]


def content_hash(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the SHA-256 of tables whose rows already stand in their canonical order.

    A table without rows and a column without values add nothing, so a missing optional table or
    column and an empty one are the same content.
    """
    total = hashlib.sha256(b"contactopt portfolio 1")
    for name in sorted(tables):
        frame = tables[name]
        if frame.empty:
            continue
        total.update(f"\n{name} {len(frame)}".encode())
        for column in sorted(frame.columns):
            values = frame[column]
            if values.isna().all() or (values.dtype == bool and not values.any()):
                continue
            total.update(f"\n{column} ".encode() + hashlib.sha256(_bytes(values)).digest())
    return total.hexdigest()


def _bytes(values: pd.Series) -> bytes:
    if ptypes.is_datetime64_any_dtype(values.dtype):
        return values.dt.as_unit("us").astype("int64").to_numpy("<i8").tobytes()
    if values.dtype == bool:
        return values.to_numpy().tobytes()
    if ptypes.is_numeric_dtype(values.dtype):
        number = values.to_numpy("<f8", na_value=np.nan) + 0.0  # -0.0 is 0.0
        return np.where(np.isnan(number), np.float64("nan"), number).tobytes()
    text = pa.array(values, from_pandas=True, type=pa.large_string())
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    lengths = pc.fill_null(pc.call_function("binary_length", [text]), -1).to_numpy(
        zero_copy_only=False
    )
    filled = pa.concat_arrays([pc.fill_null(text, "")])
    offsets = np.frombuffer(filled.buffers()[1], "<i8")[filled.offset :][: len(filled) + 1]
    data = filled.buffers()[2]
    body = b"" if data is None else data.to_pybytes()[offsets[0] : offsets[-1]]
    return lengths.astype("<i8").tobytes() + body
