"""Which rows judge which: random folds of customers, and later time where instants are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.choice import HeldOut
from contactopt.models.learners.splits import (
    Fold,
    cross_fit_folds,
    group_hash,
    instants_of,
    own_hash,
    row_hash,
    temporal_split,
)

__all__ = ["held_out"]

Floats = npt.NDArray[np.float64]
#: validation rows that later time needs to have a say
_MIN_LATER_ROWS = 50


def held_out(
    X: Floats,
    y: Floats,
    times: npt.NDArray[Any] | None,
    groups: npt.NDArray[Any] | None,
    *,
    n_folds: int,
    embargo_us: int,
    max_rows: int,
    seed: int,
) -> tuple[HeldOut, str]:
    """Return the held-out rows and what they are called.

    Parameters
    ----------
    X : float array, shape (n, k)
    y : 0/1 array, shape (n,)
    times, groups : arrays, shape (n,), optional
        Instants and customers of the rows.
    n_folds : int
    embargo_us : int
        Microseconds before the later rows that their training leaves out.
    max_rows : int
        Above it a sample of whole groups is used.
    seed : int

    Returns
    -------
    HeldOut, and "random folds" or "random folds and later time"
    """
    hashes = own_hash(X, y) if groups is None else group_hash(groups, random_state=seed)
    rows = np.arange(len(y))
    sampled = len(y) > max_rows
    if sampled:
        rows = np.flatnonzero(hashes <= np.quantile(hashes, max_rows / len(y)))
    when = None if times is None else instants_of(times)[rows]
    own = None if groups is None else groups[rows]
    later = [] if when is None else _later(y[rows], when, own, n_folds, embargo_us, seed)
    return (
        HeldOut(
            rows,
            _random(y[rows], hashes[rows], n_folds, groups is not None),
            later[:1] if sampled else later,
            when,
            None if groups is None else hashes[rows],
        ),
        "random folds and later time" if later else "random folds",
    )


def _random(y: Floats, hashes: npt.NDArray[np.uint64], n_folds: int, grouped: bool) -> list[Fold]:
    folds = cross_fit_folds(hashes, n_folds, strata=None if grouped else y)
    if all(len(v) and len(np.unique(y[t])) == 2 for t, v in folds):
        return folds
    # too few groups to keep them apart: rows are split instead
    return cross_fit_folds(row_hash(np.arange(len(y), dtype=np.float64)), n_folds, strata=y)


def _later(
    y: Floats,
    when: npt.NDArray[np.int64],
    groups: npt.NDArray[Any] | None,
    n_folds: int,
    embargo_us: int,
    seed: int,
) -> list[Fold]:
    """Later rows of other customers, where both classes are on both sides."""
    folds = temporal_split(when, groups, n_folds=n_folds, embargo=embargo_us, random_state=seed)
    held = sum(len(valid) for _, valid in folds)
    both = all(len(np.unique(y[part])) == 2 for fold in folds for part in fold)
    return folds if both and held >= _MIN_LATER_ROWS else []
