"""Who validates whom: folds by group and by time that do not depend on the order of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ContactoptError

__all__ = [
    "Fold",
    "check_per_row",
    "content_order",
    "cross_fit_folds",
    "group_hash",
    "instants_of",
    "own_hash",
    "row_hash",
    "temporal_split",
]

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
#: positions of the training rows and of the validation rows
Fold = tuple[Ints, Ints]


def _mix(h: Hashes) -> Hashes:
    """Finaliser of splitmix64 (Steele, Lea, Flood 2014): spreads every input bit."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def row_hash(*columns: npt.NDArray[np.float64], random_state: int = 0) -> Hashes:
    """Hash the content of each row, shape (n,); equal rows get equal hashes.

    Parameters
    ----------
    *columns : float array, shape (n,) or (n, k)
        NaN is a value like any other, -0.0 equals 0.0.
    random_state : int
        Changes the order that the hashes give.
    """
    total = np.zeros(len(columns[0]), dtype=np.uint64)
    seed = np.array([random_state & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)
    j = 1
    for block in columns:
        values = np.asarray(block, dtype=np.float64) + 0.0
        flat = values[:, None] if values.ndim == 1 else values
        for k in range(flat.shape[1]):
            bits = np.where(np.isnan(flat[:, k]), np.nan, flat[:, k]).view(np.uint64)
            salt = _mix(seed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(j))
            total += _mix(bits ^ salt)
            j += 1
    return _mix(total)


def own_hash(*columns: npt.NDArray[np.float64]) -> Hashes:
    """`row_hash`, but rows of equal content get hashes of their own, shape (n,).

    Equal rows that share a fold bias what is held out: with few distinct features all payers of a
    kind would be validated together and missing from training. Which of several equal rows gets
    which hash does not matter where they are equal in all; give rows in `content_order`.
    """
    hashes = row_hash(*columns)
    order = np.argsort(hashes, kind="stable")
    place = np.arange(len(hashes))
    first = np.diff(hashes[order], prepend=~hashes[order][:1]) != 0
    copy = place - np.maximum.accumulate(np.where(first, place, 0))
    again = np.flatnonzero(copy)
    out = hashes.copy()
    out[order[again]] = _mix(hashes[order[again]] ^ _mix(copy[again].astype(np.uint64)))
    return out


def group_hash(groups: npt.ArrayLike, *, random_state: int = 0) -> Hashes:
    """Hash of each row's group, shape (n,); ids may be numbers or strings."""
    values = np.asarray(groups)
    if values.dtype.kind not in "iufb":
        values = values.astype(str).astype(object)
    hashed = pd.util.hash_array(values).astype(np.uint64)
    return _mix(hashed ^ _mix(np.array([random_state + 1], dtype=np.uint64)))


def check_per_row(n: int, **columns: npt.ArrayLike | None) -> None:
    """Raise a `ContactoptError` where a column is given without one entry per row."""
    for name, values in columns.items():
        if values is not None and np.shape(values) != (n,):
            raise ContactoptError(
                f"{name} has shape {np.shape(values)} for {n} rows",
                hint=f"give one entry of {name} per row of X",
            )


def content_order(
    X: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    times: npt.ArrayLike | None,
    groups: npt.ArrayLike | None,
    rows: Ints,
) -> Ints:
    """Order of rows by what they hold, shape (n,): the same whatever order they came in.

    X, y and weight have one entry per kept row; times and groups are indexed by ``rows``.
    """
    parts = [X, y, weight]
    if times is not None:
        parts.append(instants_of(times)[rows].astype(np.float64))
    if groups is not None:
        parts.append((group_hash(groups)[rows] >> np.uint64(12)).astype(np.float64))
    return np.argsort(row_hash(*parts), kind="stable")


def _buckets(hashes: Hashes, n_folds: int) -> Ints:
    """Bucket of each row; equal hashes share one, buckets hold equally many distinct hashes."""
    _, rank = np.unique(hashes, return_inverse=True)
    return rank.ravel() % n_folds


def cross_fit_folds(
    hashes: Hashes, n_folds: int, *, strata: npt.ArrayLike | None = None
) -> list[Fold]:
    """Split rows into ``n_folds`` by hash, evenly inside each stratum.

    Parameters
    ----------
    hashes : uint64 array, shape (n,)
        `row_hash` or `group_hash`; rows with one hash stay together.
    n_folds : int
    strata : array-like, shape (n,), optional
        Labels to balance; leave out where hashes are groups with mixed labels.

    Returns
    -------
    list of (training positions, validation positions)
    """
    bucket = np.zeros(len(hashes), dtype=np.int64)
    labels = np.zeros(len(hashes)) if strata is None else np.asarray(strata)
    for value in np.unique(labels):
        member = labels == value
        bucket[member] = _buckets(hashes[member], n_folds)
    return [(np.flatnonzero(bucket != k), np.flatnonzero(bucket == k)) for k in range(n_folds)]


def temporal_split(
    times: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    *,
    valid_share: float = 0.3,
    n_folds: int = 3,
    embargo: int = 0,
    random_state: int = 0,
) -> list[Fold]:
    """Train on earlier rows of some groups, validate on later rows of the other groups.

    The newest ``valid_share`` of the rows is the validation period. Groups (customers) are cut into
    ``n_folds`` buckets: fold k validates on bucket k in that period and trains on all other buckets
    before it, so that no customer and no instant is on both sides.

    Parameters
    ----------
    times : array-like, shape (n,)
        Instants: datetimes, or int64 microseconds since the epoch, UTC.
    groups : array-like, shape (n,), optional
        Without groups every row is its own and one fold is returned.
    valid_share : float in (0, 1)
    n_folds : int
    embargo : int
        Microseconds before the validation period that are left out of training (the label's
        horizon, where labels overlap).
    random_state : int

    Returns
    -------
    list of (training positions, validation positions)
        Empty where all instants are equal, or nothing is left on a side: there is no later time.

    Raises
    ------
    ContactoptError
        If the lengths of times and groups differ.

    Examples
    --------
    >>> [(train, valid)] = temporal_split([1, 2, 3, 4], valid_share=0.25)
    >>> train.tolist(), valid.tolist()
    ([0, 1, 2], [3])
    """
    instants = instants_of(times)
    if groups is not None and len(np.asarray(groups)) != len(instants):
        raise ContactoptError(
            f"{len(instants)} times but {len(np.asarray(groups))} groups",
            hint="give one group id per row",
        )
    if len(instants) == 0:
        return []
    cut = np.sort(instants)[int((1.0 - valid_share) * (len(instants) - 1))]
    late = instants > cut
    early = instants <= cut - embargo if embargo else ~late
    if groups is None:
        folds = [(np.flatnonzero(early), np.flatnonzero(late))]
    else:
        bucket = _buckets(group_hash(groups, random_state=random_state), n_folds)
        folds = [
            (np.flatnonzero(early & (bucket != k)), np.flatnonzero(late & (bucket == k)))
            for k in range(n_folds)
        ]
    return folds if all(len(t) and len(v) for t, v in folds) else []


def instants_of(times: npt.ArrayLike) -> Ints:
    """Return instants as int64 microseconds since the epoch, UTC; integers pass as they are."""
    values = np.asarray(times)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    instants: Any = pd.to_datetime(pd.Series(values), utc=True)
    return pd.DatetimeIndex(instants).as_unit("us").asi8
