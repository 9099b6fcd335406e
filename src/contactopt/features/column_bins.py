"""Columns of any kind as few bins: missing, special values, levels, quantiles; their rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

__all__ = ["Bins", "bins_of", "out_of_fold_rates", "row_folds"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_FOLDS = 5
_N_QUANTILES = 20
_MAX_LEVELS = 200
#: a number that stands in this share of the rows is a value of its own, not a point on a scale
_SPECIAL_SHARE = 0.01
_MAX_SPECIAL = 10
#: rows' worth of the mean in each rate
_PRIOR_ROWS = 10.0


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of one column.

    Parameters
    ----------
    code : int array, shape (n,)
    labels : list of str
        What each bin holds, in words.
    missing : int
        Bin of missing values, -1 where there is none.
    position : int array, shape (n_bins,)
        Order along the scale of a number, -1 for bins that have no place on it.
    """

    code: Ints
    labels: list[str]
    missing: int
    position: Ints

    def __len__(self) -> int:
        return len(self.labels)


def bins_of(column: pd.Series) -> Bins:
    """Return the bins of a column of numbers, times, booleans, words or categories."""
    if types.is_datetime64_any_dtype(column.dtype):
        column = column.astype("int64").where(column.notna()).astype("float64")
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return _number_bins(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return _level_bins(column)


def _number_bins(x: Floats) -> Bins:
    missing = np.isnan(x)
    if missing.all():
        return Bins(np.zeros(len(x), dtype=np.int64), ["missing"], 0, np.array([-1]))
    values, inverse, count = np.unique(x[~missing], return_inverse=True, return_counts=True)
    often = np.flatnonzero(count >= max(2.0, _SPECIAL_SHARE * len(x)))
    often = np.sort(often[np.argsort(-count[often], kind="stable")[:_MAX_SPECIAL]])
    # every value's bin: edges lie where a quantile is passed, and around each special value
    rest = count.astype(np.float64)
    rest[often] = 0.0
    rank = np.cumsum(rest) - rest / 2
    edge = np.floor(rank / max(rest.sum(), 1.0) * _N_QUANTILES)
    new = np.append(True, edge[1:] != edge[:-1])
    new[often] = True
    after = often + 1
    new[after[after < len(values)]] = True
    firsts = np.flatnonzero(new)
    lasts = np.append(firsts[1:], len(values)) - 1
    labels = [
        f"{values[a]:g}" if a == b else f"{values[a]:g} to {values[b]:g}"
        for a, b in zip(firsts, lasts, strict=True)
    ]
    code = np.full(len(x), len(labels), dtype=np.int64)
    code[~missing] = (np.cumsum(new) - 1)[inverse.ravel()]
    position = np.arange(len(labels))
    if not missing.any():
        return Bins(code, labels, -1, position)
    return Bins(code, [*labels, "missing"], len(labels), np.append(position, -1))


def _level_bins(column: pd.Series) -> Bins:
    text = column.astype(object).where(column.notna(), None)
    codes, names = pd.factorize(text.map(lambda v: None if v is None else str(v)), sort=True)
    count = np.bincount(codes[codes >= 0], minlength=len(names))
    kept = np.sort(np.argsort(-count, kind="stable")[:_MAX_LEVELS])
    new = np.full(len(names) + 1, len(kept), dtype=np.int64)  # rare levels share a bin
    new[kept] = np.arange(len(kept))
    labels = [repr(str(names[k])) for k in kept]
    if len(kept) < len(names):
        labels.append("rare levels")
    missing = len(labels) if (codes < 0).any() else -1
    new[-1] = missing
    if missing >= 0:
        labels.append("missing")
    return Bins(new[codes], labels, missing, np.full(len(labels), -1))


def row_folds(frame: pd.DataFrame, groups: Any = None) -> Ints:
    """Return a fold per row from a hash of its group, or of what stands in it: any order will do.

    Rows of one group, and equal rows, are in one fold.
    """
    if groups is not None:
        hashed = pd.util.hash_array(np.asarray(groups).astype(str).astype(object), categorize=False)
    else:
        hashed = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return ((hashed >> np.uint64(7)) % np.uint64(N_FOLDS)).astype(np.int64)


def out_of_fold_rates(bins: Bins, y: Floats, fold: Ints) -> Floats:
    """Return each row's bin rate of the label, from the rows of other folds."""
    n = len(bins)
    cell = bins.code * N_FOLDS + fold
    hits = np.bincount(cell, weights=y, minlength=n * N_FOLDS).reshape(n, N_FOLDS)
    rows = np.bincount(cell, minlength=n * N_FOLDS).reshape(n, N_FOLDS)
    others = rows.sum(axis=1, keepdims=True) - rows
    wins = hits.sum(axis=1, keepdims=True) - hits
    rate = (wins + _PRIOR_ROWS * y.mean()) / (others + _PRIOR_ROWS)
    return rate[bins.code, fold]
