"""Columns that are not of the contract, in words: with the one of ours that may have been meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from contactopt.contracts.tables import TABLES

__all__ = ["dropped_text"]


def dropped_text(table: str, columns: Iterable[str]) -> str:
    """Name the columns of a table that were left out.

    Parameters
    ----------
    table : str
        A table of the contract.
    columns : iterable of str
        None at all gives an empty text.

    Returns
    -------
    str

    Examples
    --------
    >>> dropped_text("holds", ["end_at", "officer"])
    'end_at (is it `ends_at`?), officer'
    """
    known = list(TABLES[table].columns)
    told = []
    for name in columns:
        near = get_close_matches(name, known, n=1, cutoff=0.8)
        told.append(f"{name} (is it `{near[0]}`?)" if near else name)
    return ", ".join(told)
