"""Frames of other libraries at the door: pandas inside."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from contactopt.errors import ContractError

__all__ = ["to_pandas"]


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
    return native.to_pandas()
