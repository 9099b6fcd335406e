"""A column as it comes, as numbers or as words; missing stays missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["as_column", "numbers_of", "words_of"]

Floats = npt.NDArray[np.float64]


def as_column(values: Any) -> pd.Series:
    """Return values as a series numbered from 0."""
    return pd.Series(values).reset_index(drop=True)


def numbers_of(column: pd.Series) -> Floats | None:
    """Return a column as floats (times as days), None where it holds levels or nothing at all."""
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return None
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        days = column.to_numpy(dtype="datetime64[us]").astype(np.int64) / 86_400e6
        return np.where(column.isna().to_numpy(), np.nan, days)
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds().to_numpy(dtype=np.float64) / 86_400.0
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return None


def words_of(column: pd.Series) -> pd.Series:
    """Return a column as text, missing as None."""
    missing = column.isna()
    return column.astype(object).map(str).where(~missing, None)  # type: ignore[call-overload]
