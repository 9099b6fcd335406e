"""Why a score is what it is: each column's part of the logit, largest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["OTHERS", "readable_name", "tidy_reasons"]

Floats = npt.NDArray[np.float64]
#: name of the row that holds all columns not shown
OTHERS = "(others)"


def readable_name(feature: str) -> str:
    """Name a column in words: its block of the feature pipeline stands behind.

    Examples
    --------
    >>> readable_name("debt.days_past_due"), readable_name("PAY_0")
    ('days past due (debt)', 'PAY 0')
    """
    block, dot, rest = feature.partition(".")
    words = (rest if dot and rest else feature).replace("_", " ").strip()
    return f"{words} ({block.replace('_', ' ')})" if dot and rest else words


def tidy_reasons(
    parts: Floats,
    base: Floats,
    names: list[str],
    values: pd.DataFrame,
    top: int | None,
) -> pd.DataFrame:
    """Order each row's parts by size and write them below each other.

    Parameters
    ----------
    parts : float array, shape (n, k)
        Parts of the logit.
    base : float array, shape (n,)
        Logit before any column is known.
    names : list of str
    values : DataFrame, shape (n, k)
        The columns as they were given; its index names the rows.
    top : int, optional
        Columns shown per row; the rest is one row `OTHERS`. None shows all.

    Returns
    -------
    DataFrame
        Columns row, rank (from 1), feature, reason, value, contribution, base, logit; the
        contributions of a row and its base add up to its logit.
    """
    n, k = parts.shape
    shown = k if top is None else min(max(int(top), 0), k)
    order = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :shown]
    row = np.arange(n)[:, None]
    largest = parts[row, order]
    rest = parts.sum(axis=1) - largest.sum(axis=1)
    with_rest = shown < k
    wide = shown + with_rest
    labels = np.array([*names, OTHERS], dtype=object)
    which = np.hstack([order, np.full((n, 1), k)]) if with_rest else order
    cells = [values.iloc[:, j].astype(object).to_numpy() for j in range(k)]
    table = np.empty((n, k + 1), dtype=object)
    for j, column in enumerate(cells):
        table[:, j] = column
    reason = np.array([*(readable_name(name) for name in names), "all other columns"], dtype=object)
    told = np.hstack([largest, rest[:, None]]) if with_rest else largest
    logit = base + parts.sum(axis=1)
    flat: dict[str, Any] = {
        "row": np.repeat(values.index.to_numpy(), wide),
        "rank": np.tile(np.arange(1, wide + 1), n),
        "feature": labels[which].ravel(),
        "reason": reason[which].ravel(),
        "value": table[row, which].ravel(),
        "contribution": told.ravel(),
        "base": np.repeat(base, wide),
        "logit": np.repeat(logit, wide),
    }
    return pd.DataFrame(flat)
