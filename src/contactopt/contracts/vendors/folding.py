"""Several rows of one id become one, whatever their order and however files were cut.

Every rule is a smallest or largest value, so folding a part and then the rest gives the same as
folding all at once, and folding what is there already changes nothing.

- Instants that begin something (`started_at`, `paid_at`, `made_at`, `responded_at`, ...): the
  earliest that is stated. A due day: the latest.
- `outcome`: the loudest (`loudness.LOUDNESS`), with the earliest instant at which it was known.
  Where its row reached us later than the first row of the id, it was not known before that.
- Amounts, costs, lengths: the largest. Ids, words, texts: the first in alphabetical order.
- `machine`: true only if every row says so.
- `recorded_at`: the earliest stated; of a row that stands in the portfolio without one, none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.loudness import outcome_rank

__all__ = ["fold_rows"]

Ints = npt.NDArray[np.int64]
_MIN, _MAX = np.iinfo(np.int64).min, np.iinfo(np.int64).max
#: columns in which rows of one id may differ without contradicting one another
_STATUS = (
    "outcome", "outcome_at", "responded_at", "started_at", "recorded_at", "duration_s", "cost",
    "machine", "cancelled_at", "reversed_at",
)  # fmt: skip
#: a touch that one row calls ours and another the customer's counts as ours: against the caps
_LATEST = ("due_at", "direction")


def fold_rows(
    frame: pd.DataFrame, table: str, settled: npt.NDArray[np.bool_] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Fold rows that share their key.

    Parameters
    ----------
    frame : pandas.DataFrame
        Typed rows of a contract table.
    table : str
    settled : bool array, shape (n_rows,), optional
        Rows that stand in the portfolio already.

    Returns
    -------
    pandas.DataFrame
        One row per key, in the order of the keys.
    dict of str to int
        Ids whose rows contradict one another, by column.
    """
    spec = TABLES[table]
    key = list(spec.key)
    old = np.zeros(len(frame), bool) if settled is None else np.asarray(settled, bool)
    frame = frame.reset_index(drop=True)
    codes = frame.groupby(key, sort=True, dropna=False).ngroup().to_numpy(np.int64)
    order = np.argsort(codes, kind="stable")
    size = np.bincount(codes, minlength=0)
    starts = np.cumsum(size) - size
    if len(size) == len(frame):
        return frame.take(order).reset_index(drop=True), {}
    # only ids with several rows need work
    several = np.flatnonzero(size > 1)
    single = order[starts[size == 1]]
    rows = order[np.isin(codes[order], several)]
    begin = np.cumsum(size[several]) - size[several]
    folded, differ = _fold(frame.take(rows).reset_index(drop=True), begin, old[rows], spec.key)
    out = pd.concat([frame.take(single), folded], ignore_index=True)
    place = np.argsort(np.append(codes[single], several), kind="stable")
    return out.take(place).reset_index(drop=True), differ


def _fold(
    rows: pd.DataFrame, begin: Ints, old: npt.NDArray[np.bool_], key: tuple[str, ...]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Fold groups of rows that follow one another from ``begin``."""
    done: dict[str, pd.Series] = {}
    differ: dict[str, int] = {}
    kept = _recorded(rows, begin, old)
    for name in rows.columns:
        values = rows[name]
        sort = _sort_key(values)
        low, high = _smallest(sort, begin), _largest(sort, begin)
        if name not in (*key, *_STATUS) and (low != high).any():
            differ[str(name)] = int((low != high).sum())
        wanted = high if name in _LATEST or values.dtype == np.float64 else low
        done[str(name)] = _take(values, sort, wanted, begin)
    if "recorded_at" in rows:
        done["recorded_at"] = _instants(kept)
    if "outcome" in rows:
        winner, known = _loudest(rows, begin, kept)
        done["outcome"] = rows["outcome"].take(winner).reset_index(drop=True)
        done["outcome_at"] = _instants(known)
    return pd.DataFrame(done, columns=rows.columns), differ


def _us(values: pd.Series) -> Ints:
    """Return instants as microseconds; the smallest integer where there is none."""
    return values.dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64)


def _instants(us: Ints) -> pd.Series:
    # NaT is the smallest integer as well
    return pd.Series(pd.DatetimeIndex(us.astype("datetime64[us]")).tz_localize("UTC"))


def _recorded(rows: pd.DataFrame, begin: Ints, old: npt.NDArray[np.bool_]) -> Ints:
    """Return when each id became known, the smallest integer where that is not recorded."""
    if "recorded_at" not in rows:
        return np.full(len(begin), _MIN)
    us = _us(rows["recorded_at"])
    earliest = np.minimum.reduceat(np.where(us == _MIN, _MAX, us), begin)
    unsaid = np.logical_or.reduceat(old & (us == _MIN), begin)
    return np.where(unsaid | (earliest == _MAX), _MIN, earliest)


def _loudest(rows: pd.DataFrame, begin: Ints, kept: Ints) -> tuple[Ints, Ints]:
    """Return the row whose outcome stands, and from when it is known (`outcome_at`)."""
    rank = outcome_rank(rows["outcome"].to_numpy(object))
    stated, recorded = _us(rows["outcome_at"]), _us(rows["recorded_at"])
    known = np.maximum(stated, recorded)
    group = np.zeros(len(rows), np.int64)
    group[begin[1:]] = 1
    group = np.cumsum(group)
    order = np.lexsort((stated, known, -rank, group))
    winner = order[begin]
    late = recorded[winner] > kept
    return winner, np.where(late, known[winner], stated[winner])


def _sort_key(values: pd.Series) -> npt.NDArray:
    """Return integers or floats that sort as the values do; null is `_MIN` or NaN."""
    if values.dtype == bool:
        return values.to_numpy().astype(np.int64)
    if values.dtype == np.float64:
        return values.to_numpy()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _us(values)
    codes = pd.factorize(values, sort=True)[0].astype(np.int64)
    return np.where(codes < 0, _MIN, codes)


def _smallest(sort: npt.NDArray, begin: Ints) -> npt.NDArray:
    """Return the smallest value that is stated per group, the null of the key if none is."""
    if sort.dtype == np.float64:
        found = np.fmin.reduceat(sort, begin)
        return np.where(np.isnan(found), -np.inf, found)
    found = np.minimum.reduceat(np.where(sort == _MIN, _MAX, sort), begin)
    return np.where(found == _MAX, _MIN, found)


def _largest(sort: npt.NDArray, begin: Ints) -> npt.NDArray:
    if sort.dtype == np.float64:
        found = np.fmax.reduceat(sort, begin)
        return np.where(np.isnan(found), -np.inf, found)
    return np.maximum.reduceat(sort, begin)


def _take(values: pd.Series, sort: npt.NDArray, wanted: npt.NDArray, begin: Ints) -> pd.Series:
    """Return, per group, the value of the first row that has the wanted key."""
    sizes = np.diff(np.append(begin, len(sort)))
    spread = np.repeat(wanted, sizes)
    same = sort == spread
    if sort.dtype == np.float64:
        same |= np.isnan(sort) & (spread == -np.inf)
    position = np.where(same, np.arange(len(sort)), len(sort))
    first = np.minimum.reduceat(position, begin)
    return values.take(first).reset_index(drop=True)
