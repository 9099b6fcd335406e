"""Columns of a journal view as plain arrays, each read from its frame once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.words import code_words

__all__ = ["ViewColumns", "columns_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class ViewColumns:
    """Reads columns of a view's frames and keeps them; callers must not change what they get.

    Parameters
    ----------
    view : JournalView
    """

    def __init__(self, view: Any) -> None:
        self.view = view
        self._kept: dict[tuple[str, str, str], tuple[pd.DataFrame, Any]] = {}

    def size(self, table: str) -> int:
        """Return the number of rows of a frame."""
        return len(getattr(self.view, table))

    def ints(self, table: str, name: str) -> Ints:
        """Return a column of codes or instants."""
        return self._read(table, name, "int64")

    def floats(self, table: str, name: str) -> Floats:
        """Return a column of numbers, null as NaN."""
        return self._read(table, name, "float64")

    def bools(self, table: str, name: str) -> Bools:
        """Return a column of yes and no."""
        return self._read(table, name, "bool")

    def known(self, table: str, name: str) -> Bools:
        """Return whether each value is there."""
        return self._read(table, name, "known")

    def words(self, table: str, name: str) -> tuple[Ints, list[str]]:
        """Return codes of a column of words (-1: null) and the words."""
        return self._read(table, name, "words")

    def coded(self, table: str, name: str) -> tuple[Ints, Any]:
        """Return codes of a column of ids (-1: null) in no order, and the ids."""
        return self._read(table, name, "coded")

    def among(self, table: str, name: str, *words: str) -> Bools:
        """Return whether each entry of a column is one of some words; null is none."""
        code, known = self.words(table, name)
        return np.array([*(w in words for w in known), False])[code]

    def _read(self, table: str, name: str, how: str) -> Any:
        frame, key = getattr(self.view, table), (table, name, how)
        kept = self._kept.get(key)
        if kept is None or kept[0] is not frame:
            kept = self._kept[key] = (frame, _as(frame[name], how))
        return kept[1]


def _as(column: pd.Series, how: str) -> Any:
    if how == "words":
        return code_words(column)
    if how == "coded":
        return _coded(column)
    if how == "known":
        return column.notna().to_numpy(dtype=bool)
    return column.to_numpy(dtype=how)


def _coded(column: pd.Series) -> tuple[Ints, Any]:
    if len(column) == 0 or column.isna().all():
        return np.full(len(column), -1, dtype=np.int64), np.empty(0, dtype=object)
    codes, found = pd.factorize(column.array)
    return codes.astype(np.int64), np.asarray(found, dtype=object)


def columns_of(view: Any) -> ViewColumns:
    """Return the columns of a view, kept with it: a view judged twice is read once."""
    own = view.__dict__
    if "_columns" not in own:
        own["_columns"] = ViewColumns(view)
    return own["_columns"]
