"""Columns of contract tables as plain arrays: instants, numbers, coded words and ids.

Optional columns may be absent from a frame; absent reads as null. Instants are int64
microseconds UTC with `NO_INSTANT` for null, words and ids are integer codes with -1 for null.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError

__all__ = [
    "Ids",
    "Ints",
    "coded",
    "codes_of",
    "instants",
    "known_at",
    "numbers",
    "own_debts",
    "text",
    "word_codes",
    "words",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_INSTANT = pd.DatetimeTZDtype("us", "UTC")


def instants(frame: pd.DataFrame, name: str) -> Ints:
    """Return a column of instants as int64 microseconds, shape (n_rows,)."""
    if name not in frame or len(frame) == 0:
        return np.full(len(frame), NO_INSTANT, dtype=np.int64)
    column = frame[name]
    if column.dtype == _INSTANT:  # as the loader gives them: a null is NO_INSTANT already
        return column.array.view("int64").copy()  # pyright: ignore[reportReturnType]
    if column.isna().all():
        return np.full(len(frame), NO_INSTANT, dtype=np.int64)
    if getattr(column.dtype, "tz", None) is None:
        raise ContractError(
            f"column {name} holds times without a zone",
            hint="load the tables by Portfolio.from_folder or Portfolio.from_frames",
        )
    return column.to_numpy(dtype="datetime64[us]").astype(np.int64)


def numbers(frame: pd.DataFrame, name: str) -> Floats:
    """Return a numeric column as float64, null as NaN."""
    if name not in frame or len(frame) == 0:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def text(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a text column with a plain positional index, null where absent."""
    if name in frame and len(frame):
        return frame[name].reset_index(drop=True)
    return pd.Series(np.full(len(frame), None, dtype=object), dtype="str")


def words(frame: pd.DataFrame, name: str, vocabulary: tuple[str, ...]) -> pd.Categorical:
    """Return a column of words coded by a vocabulary; other words follow it, sorted.

    A strategy may add channels of its own, so the words found decide which categories follow.
    """
    if name not in frame or len(frame) == 0:
        return coded(np.full(len(frame), -1, np.int8), vocabulary)
    column, found = frame[name], tuple(vocabulary)
    codes = word_codes(column, found)
    missing = codes < 0
    if missing.any() and missing.sum() != column.isna().sum():
        found += tuple(sorted(set(column.dropna().unique()) - set(vocabulary)))
        codes = word_codes(column, found)
    return coded(codes, found)


def coded(codes: Any, known: Any) -> pd.Categorical:
    """Return words by their codes in a fixed list, -1 null."""
    out: Any = pd.Categorical.from_codes(codes, dtype=_kind_of(tuple(known)))
    return out


@lru_cache(maxsize=256)
def _kind_of(known: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(list(known))


@lru_cache(maxsize=256)
def _options(known: tuple[str, ...]) -> Any:
    return compute.SetLookupOptions(_arrow(list(known)), skip_nulls=True)


def word_codes(column: Any, known: Any) -> Ints:
    """Return the (first) position of each value in ``known``, -1 for null and other values."""
    if len(known) == 0 or len(column) == 0:
        return np.full(len(column), -1, dtype=np.int64)
    if isinstance(known, tuple):  # a vocabulary, asked for over and over
        options = _options(known)
    else:
        options = compute.SetLookupOptions(_arrow(known), skip_nulls=True)
    found = compute.call_function("index_in", [_arrow(column)], options)
    codes = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int64)


def _arrow(values: Any) -> Any:
    """Return text as an Arrow array: its hashing is several times quicker than pandas'."""
    if isinstance(values, pa.Array):
        return values
    column = values if isinstance(values, pd.Series) else pd.Series(values)
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).where(column.notna(), None).astype("str")
    found = pa.array(column, type=pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def known_at(frame: pd.DataFrame, event_us: Ints, delay_hours: float) -> Ints:
    """Return when each row is known: max(event, recorded_at), else event plus the delay.

    Parameters
    ----------
    frame : DataFrame
        May carry ``recorded_at``.
    event_us : int64 array, shape (n_rows,)
        The event's own time; a row without one has always been known.
    delay_hours : float
        `data_delay` of the table, for rows without ``recorded_at``.
    """
    recorded = instants(frame, "recorded_at")
    late = np.where(event_us == NO_INSTANT, NO_INSTANT, event_us + round(delay_hours * 3.6e9))
    return np.where(recorded == NO_INSTANT, late, np.maximum(event_us, recorded))


def own_debts(debt: Ints, customer: Ints, debt_customer: Ints) -> Ints:
    """Return debt codes, -1 where the main obligor is not the row's own customer.

    A row about somebody else's debt concerns all debts of its customer: so it counts and protects,
    whichever customers are looked at together.
    """
    if len(debt_customer) == 0 or len(debt) == 0:
        return np.full(len(debt), -1, dtype=np.int64)
    return np.where((debt >= 0) & (debt_customer[debt] == customer), debt, -1)


class Ids:
    """Sorted ids of one kind and their integer codes (positions).

    Parameters
    ----------
    values : sequence of str
        In any order; duplicates count once, nulls are left out.

    Examples
    --------
    >>> ids = Ids(["b", "a"])
    >>> ids.values.tolist(), ids.codes(pd.Series(["a", "x", None])).tolist()
    (['a', 'b'], [0, -1, -1])
    """

    def __init__(self, values: Any) -> None:
        self._index = _arrow(values).unique().drop_null().sort()
        self.values: npt.NDArray[np.object_] = self._index.to_numpy(zero_copy_only=False)

    def __len__(self) -> int:
        return len(self.values)

    def codes(self, column: Any) -> Ints:
        """Return the codes of a column of ids, -1 for null and unknown ones."""
        return word_codes(column, self._index)


def codes_of(
    frame: pd.DataFrame, name: str, ids: Ids, table: str, *, elsewhere: bool = False
) -> Ints:
    """Return codes of an id column; a non-null id that is not among ``ids`` is a fault.

    Parameters
    ----------
    frame : DataFrame
    name : str
        Column of ids.
    ids : Ids
    table : str
        For the message.
    elsewhere : bool
        Whether the row may name what belongs to a customer of another block (a guarantor is
        called about somebody else's debt): such an id reads as null.

    Raises
    ------
    ContractError
        If an id leads nowhere (the contracts' loader finds and names these).
    """
    if name not in frame or len(frame) == 0:
        return np.full(len(frame), -1, dtype=np.int64)
    column = frame[name]
    codes = ids.codes(column)
    broken = 0 if elsewhere else int(((codes < 0) & column.notna().to_numpy()).sum())
    if broken:
        raise ContractError(
            f"{table}.{name}: {broken} rows name an id that no table has",
            hint="Portfolio.from_folder and Portfolio.from_frames name them",
        )
    return codes
