"""Readable names of clusters from what sets them apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from contactopt.metrics.columns import numbers_of, words_of

__all__ = ["name_clusters", "traits"]

Ints = npt.NDArray[np.int64]
#: a trait is told from this strength on; two of them make a name
_CLEAR, _WORDS = 0.25, 2
_COLUMNS = ("cluster", "column", "trait", "strength")


def traits(X: pd.DataFrame, code: Ints, columns: tuple[str, ...], k: int) -> pd.DataFrame:
    """Return what sets each cluster apart, the strongest first.

    Parameters
    ----------
    X : DataFrame, n rows
    code : int array, shape (n,)
        Cluster of each row.
    columns : tuple of str
    k : int

    Returns
    -------
    DataFrame
        cluster, column, trait (words), strength: of a number twice the distance of the
        cluster's mean percentile from the middle, of a level (or of missing) how much larger its
        share is than among all; in [0, 1].
    """
    size = np.maximum(np.bincount(code, minlength=k), 1)
    rows: list[tuple[int, str, str, float]] = []
    for name in columns:
        said = _plain(name)
        numbers = numbers_of(X[name])
        known = X[name].notna().to_numpy(dtype=bool)
        if numbers is None:
            words = words_of(X[name].reset_index(drop=True))
            for word in sorted(words.dropna().unique()):
                more = _more((words == word).to_numpy(dtype=bool), code, size, k)
                rows += [(c, name, f"{said} {_plain(word)}", float(more[c])) for c in range(k)]
        elif known.any():
            held = np.maximum(np.bincount(code[known], minlength=k), 1)
            rank = (rankdata(numbers[known]) - 0.5) / known.sum()
            mean = np.bincount(code[known], weights=rank, minlength=k) / held
            side = np.where(mean < 0.5, "low", "high")
            # few known values say little about a cluster
            force = 2 * np.abs(mean - 0.5) * np.bincount(code[known], minlength=k) / size
            rows += [(c, name, f"{side[c]} {said}", float(force[c])) for c in range(k)]
        if not known.all():
            more = _more(~known, code, size, k)
            rows += [(c, name, f"no {said} on record", float(more[c])) for c in range(k)]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    frame = frame[frame["strength"] > 0].copy()
    # sums differ in the last bits with the order of the rows: no name may hang on that
    frame["strength"] = frame["strength"].round(9)
    order = ["cluster", "strength", "column", "trait"]
    return frame.sort_values(order, ascending=[True, False, True, True], ignore_index=True)


def name_clusters(found: pd.DataFrame, k: int) -> list[str]:
    """Return a name per cluster, all different: its two clearest traits, more where needed."""
    words: list[list[str]] = []
    for c in range(k):
        own = found[found["cluster"] == c].drop_duplicates("column")
        clear = own[own["strength"] >= _CLEAR]["trait"].tolist()
        words.append(clear or own["trait"].tolist()[:1])
    used = [min(_WORDS, len(w)) for w in words]
    while True:
        names = [" · ".join(w[:n]) or "average" for w, n in zip(words, used, strict=True)]
        twins = [c for c in range(k) if names.count(names[c]) > 1 and used[c] < len(words[c])]
        if not twins:
            break
        for c in twins:
            used[c] += 1
    seen: dict[str, int] = {}
    for c, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        names[c] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names


def _more(holds: npt.NDArray[np.bool_], code: Ints, size: Ints, k: int) -> npt.NDArray[np.float64]:
    return np.bincount(code[holds], minlength=k) / size - holds.mean()


def _plain(name: object) -> str:
    return " ".join(str(name).replace("_", " ").replace(".", " ").split())
