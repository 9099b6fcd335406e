"""How many clusters: the best separated of those that two halves of the data agree on."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["centres_of", "choose_count", "count_table", "means_of", "nearest", "separation"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: agreement of two halves from which clusters count as found (Tibshirani and Walther 2005)
STRENGTH = 0.8
#: part of the best silhouette with which more clusters are still preferred
_NEAR_BEST = 0.9
_SPLITS, _SILHOUETTE_ROWS, _REFERENCES = 5, 800, 9
_BLOCK = 100_000


def centres_of(
    Z: Floats, k: int, *, seed: int, starts: int = 5, first: Floats | None = None
) -> Floats:
    """Return the centres of k-means, shape (k, width), the best of several starts."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    kind: Any = KMeans
    # sums of several threads differ in the last bits from run to run
    with threadpool_limits(1), warnings.catch_warnings():
        # fewer different rows than clusters: the empty one is refused by its share
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = kind(k, n_init=starts, random_state=seed).fit(Z)
        if first is not None and first.shape == model.cluster_centers_.shape:
            again = kind(k, n_init=1, init=first, random_state=seed).fit(Z)
            model = again if again.inertia_ <= model.inertia_ else model
    return np.asarray(model.cluster_centers_, dtype=np.float64)


def means_of(Z: Floats, code: Ints, k: int) -> Floats | None:
    """Return the mean of each segment's rows, None unless k segments are there."""
    held, at = np.unique(code, return_inverse=True)
    if len(held) != k:
        return None
    total = np.zeros((k, Z.shape[1]))
    np.add.at(total, at.ravel(), Z)
    return total / np.bincount(at.ravel())[:, None]


def nearest(Z: Floats, centres: Floats) -> tuple[Ints, Floats]:
    """Return the nearest centre of each row and the distance to it, shape (n,) each."""
    code, distance = np.zeros(len(Z), dtype=np.int64), np.zeros(len(Z))
    for start in range(0, len(Z), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squares = np.column_stack([((Z[rows] - c) ** 2).sum(axis=1) for c in centres])
        code[rows] = squares.argmin(axis=1)
        distance[rows] = np.sqrt(np.maximum(squares.min(axis=1), 0.0))
    return code, distance


def count_table(Z: Floats, *, counts: range, min_share: float, seed: int) -> pd.DataFrame:
    """Judge each number of clusters.

    Parameters
    ----------
    Z : float array, shape (n, width)
        In an order that does not depend on how rows came.
    counts : range
    min_share : float
    seed : int

    Returns
    -------
    DataFrame
        n_clusters, strength (mean over five splits into halves of the prediction strength: in
        the worst cluster of one half, the share of pairs that the other half's centres keep
        together), error (its standard error), smallest_share, silhouette, kept (strength + error
        reaches 0.8 and the smallest share ``min_share``).
    """
    from sklearn.metrics import silhouette_score

    rows = []
    for k in counts:
        rng = np.random.default_rng([seed, k])
        found = [_strength(Z, k, rng.permutation(len(Z)), seed + s) for s in range(_SPLITS)]
        code, _ = nearest(Z, centres_of(Z, k, seed=seed))
        share = np.bincount(code, minlength=k).min() / len(Z)
        some = rng.permutation(len(Z))[:_SILHOUETTE_ROWS]
        several = 1 < len(np.unique(code[some])) < len(some)
        silhouette = float(silhouette_score(Z[some], code[some])) if several else np.nan
        mean, error = float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(_SPLITS))
        kept = mean + error >= STRENGTH and share >= min_share
        rows.append((k, mean, error, share, silhouette, bool(kept)))
    columns = ["n_clusters", "strength", "error", "smallest_share", "silhouette", "kept"]
    return pd.DataFrame(rows, columns=columns)


def choose_count(table: pd.DataFrame, *, before: int | None = None) -> int:
    """Return the largest kept number whose silhouette is within a tenth of the best, 1 without.

    A number that was in use ``before`` goes on if it is kept.
    """
    kept = table[table["kept"].to_numpy(dtype=bool)]
    if before is not None and before in kept["n_clusters"].tolist():
        return before
    if kept.empty:
        return 1
    clear = kept["silhouette"] >= _NEAR_BEST * kept["silhouette"].max()
    return int(kept.loc[clear, "n_clusters"].max())


def _strength(Z: Floats, k: int, order: Ints, seed: int) -> float:
    one, other = Z[order[: len(Z) // 2]], Z[order[len(Z) // 2 :]]
    if min(len(one), len(other)) <= k:
        return 0.0
    own, _ = nearest(other, centres_of(other, k, seed=seed, starts=2))
    foreign, _ = nearest(other, centres_of(one, k, seed=seed, starts=2))
    table = np.zeros((k, k))
    np.add.at(table, (own, foreign), 1)
    size = table.sum(axis=1)
    pairs = (table * (table - 1)).sum(axis=1) / np.maximum(size * (size - 1), 1)
    return float(pairs[size > 1].min()) if (size > 1).any() else 0.0


def separation(Z: Floats, k: int, *, seed: int) -> tuple[float, float]:
    """Return the silhouette of k clusters, and the limit of what data without gaps reach.

    The references are drawn from a Gaussian copula with the same margins and rank correlations:
    one continuum, stretched as the data are (in the manner of SigClust: Liu, Hayes, Nobel and
    Marron 2008). The limit is their mean and three standard deviations.
    """
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng([seed, 7])
    some = Z[rng.permutation(len(Z))[:_SILHOUETTE_ROWS]]
    if k < 2 or len(some) <= k + 1:
        return float("nan"), float("nan")
    # equal values are spread at random, so that ties make no correlation
    ranks = np.column_stack(
        [rankdata(some[:, j] + 1e-9 * rng.random(len(some))) for j in range(some.shape[1])]
    )
    scores = ndtri((ranks - 0.5) / len(some))
    values, vectors = np.linalg.eigh(np.atleast_2d(np.corrcoef(scores, rowvar=False)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    margins = np.sort(some, axis=0)

    def told(data: Floats) -> float:
        code, _ = nearest(data, centres_of(data, k, seed=seed, starts=3))
        return float(silhouette_score(data, code)) if len(np.unique(code)) > 1 else -1.0

    references = []
    for _ in range(_REFERENCES):
        drawn = rng.normal(size=some.shape) @ root.T
        place = drawn.argsort(axis=0).argsort(axis=0)
        references.append(told(np.take_along_axis(margins, place, axis=0)))
    return told(some), float(np.mean(references) + 3 * np.std(references, ddof=1))
