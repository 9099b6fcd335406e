"""Which new segment is which old one, and how much two labellings agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["SegmentMatch", "match_segments"]

#: a new segment is the old one if they share this part of all who are in either
_SAME = 0.5


@dataclass(frozen=True, eq=False)
class SegmentMatch:
    """How a labelling agrees with an earlier one of the same customers.

    Parameters
    ----------
    ari : float
        Adjusted Rand index (Hubert and Arabie 1985): 1 the same groups, 0 as by chance; NaN for
        nobody.
    frame : DataFrame
        One row per pair that was matched, and per segment left alone: previous, current, overlap
        (those in both of those in either), n_previous, n_current, same (overlap of at least half).
    n : int
        Customers compared.
    """

    ari: float
    frame: pd.DataFrame
    n: int

    @property
    def kept(self) -> dict[str, str]:
        """Current label to the previous one it continues."""
        same = self.frame[self.frame["same"].to_numpy(dtype=bool)]
        return dict(zip(same["current"], same["previous"], strict=True))

    def __repr__(self) -> str:
        return f"SegmentMatch(ari={self.ari:.3f}, {len(self.kept)} kept, n={self.n:,})"


def match_segments(previous: npt.ArrayLike, current: npt.ArrayLike) -> SegmentMatch:
    """Match the labels of two labellings of the same customers, each to at most one other.

    The assignment has the largest sum of overlaps (Hungarian method).

    Parameters
    ----------
    previous, current : array-like of str, shape (n,)

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> match_segments(["a", "a", "b", "b"], ["x", "x", "y", "y"]).kept
    {'x': 'a', 'y': 'b'}
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score

    old, new = (np.asarray(labels, dtype=object).astype(str) for labels in (previous, current))
    if old.shape != new.shape:
        raise ValueError(f"{len(old)} previous labels but {len(new)} current ones")
    names_old, a = np.unique(old, return_inverse=True)
    names_new, b = np.unique(new, return_inverse=True)
    table = np.zeros((len(names_old), len(names_new)))
    np.add.at(table, (a.ravel(), b.ravel()), 1)
    n_old, n_new = table.sum(axis=1), table.sum(axis=0)
    overlap = table / np.maximum(n_old[:, None] + n_new - table, 1)
    at_old, at_new = linear_sum_assignment(-overlap)
    held = overlap[at_old, at_new] > 0
    pairs = list(zip(at_old[held].tolist(), at_new[held].tolist(), strict=True))
    lost = set(range(len(names_old))) - {i for i, _ in pairs}
    fresh = set(range(len(names_new))) - {j for _, j in pairs}
    rows = [
        (str(names_old[i]), str(names_new[j]), float(overlap[i, j]), int(n_old[i]), int(n_new[j]),
         bool(overlap[i, j] >= _SAME))
        for i, j in pairs
    ]  # fmt: skip
    rows += [(str(names_old[i]), None, 0.0, int(n_old[i]), 0, False) for i in sorted(lost)]
    rows += [(None, str(names_new[j]), 0.0, 0, int(n_new[j]), False) for j in sorted(fresh)]
    columns = ["previous", "current", "overlap", "n_previous", "n_current", "same"]
    ari = float(adjusted_rand_score(a.ravel(), b.ravel())) if len(old) else float("nan")
    return SegmentMatch(ari, pd.DataFrame(rows, columns=columns), len(old))
