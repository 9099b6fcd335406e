"""Segments by behaviour: clusters that two halves of the data agree on, named by their traits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils.validation import check_is_fitted

from contactopt.contracts.native_frames import to_pandas
from contactopt.errors import ConfigError
from contactopt.metrics.drift import FittedBins
from contactopt.segments.cluster_count import (
    centres_of,
    choose_count,
    count_table,
    means_of,
    nearest,
    separation,
)
from contactopt.segments.encoding import BehaviourEncoding, content_order
from contactopt.segments.matching import SegmentMatch, match_segments
from contactopt.segments.movement import movement
from contactopt.segments.naming import name_clusters, traits

__all__ = ["BehaviourSegments"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_log = logging.getLogger(__name__)

#: rows on which the number of clusters is chosen
_CHOICE_ROWS = 3_000


class BehaviourSegments(ClusterMixin, BaseEstimator):
    """Group customers who behave alike; k-means on robustly scaled columns, readable names.

    Columns are taken as they are: numbers, words, truth values, instants, missing values; each
    weighs the same (`BehaviourEncoding`). The number of clusters is the largest up to
    ``max_clusters`` on which two random halves of the data agree (prediction strength of
    Tibshirani and Walther 2005: 0.8 within one standard error), of which none is smaller than
    ``min_share``, and whose silhouette reaches nine tenths of the best of these; where there is
    none, everybody is one segment.
    Whether there are gaps between the segments, or a continuum was cut in pieces that can be
    found again, is said by ``separated_``.

    Parameters
    ----------
    n_clusters : int, optional
        Instead of choosing.
    max_clusters : int
    min_share : float
        Of the smallest segment, when choosing.
    columns : sequence of str, optional
        Columns to use; default all. Leave age and other protected traits out unless wanted.
    min_customers : int
        Rows below which everybody is one segment.
    max_rows : int
        Rows that centres are computed on (a sample by content where there are more); all rows
        are labelled.
    random_state : int

    Attributes
    ----------
    labels_ : object array, shape (n,)
        Of the fit's rows.
    names_ : tuple of str
        The segments, the largest first; after `refit` in the order of the previous ones.
    traits_ : DataFrame
        What sets each segment apart: segment, column, trait, strength in [0, 1].
    choice_ : DataFrame
        Every number of clusters that was tried, with the numbers it was judged by.
    shares_ : DataFrame
        segment, n, share at the fit.
    separated_ : bool or None
        Whether the silhouette exceeds what data without gaps reach; None for one segment.
    encoding_ : BehaviourEncoding
    match_ : SegmentMatch or None
        Agreement with the previous segments, after `refit`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"calls": np.r_[rng.normal(2, 1, 300), rng.normal(20, 1, 300)]})
    >>> X["paid"] = X["calls"].to_numpy() > 10
    >>> segments = BehaviourSegments(max_clusters=4).fit(X)
    >>> sorted(segments.names_), segments.separated_
    (['high calls · paid True', 'low calls · paid False'], True)
    """

    def __init__(
        self,
        *,
        n_clusters: int | None = None,
        max_clusters: int = 8,
        min_share: float = 0.03,
        columns: Sequence[str] | None = None,
        min_customers: int = 100,
        max_rows: int = 50_000,
        random_state: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.min_share = min_share
        self.columns = columns
        self.min_customers = min_customers
        self.max_rows = max_rows
        self.random_state = random_state

    # ---- fitting -------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn segments.

        Parameters
        ----------
        X : DataFrame (pandas, polars, pyarrow) or array, shape (n, k)
            One row per customer. No rows, or fewer than ``min_customers``: one segment.
        y : ignored

        Returns
        -------
        BehaviourSegments
            Itself; the same for any order of the rows.

        Raises
        ------
        ConfigError
            Parameters that cannot be, a column that is not there.
        """
        return self._fit(self._frame(X), None)

    def refit(self, X: Any, previous: BehaviourSegments | None = None) -> BehaviourSegments:
        """Return segments fitted anew, with the names of the previous ones where they go on.

        Numbers of clusters that still meet the criterion are kept, and the previous centres are
        one of the starts. Both label ``X``; new segments that share at least half of all who are
        in either take the name and the place of the old one.

        Parameters
        ----------
        X : as in `fit`
        previous : BehaviourSegments, optional
            Fitted; default these.

        Returns
        -------
        BehaviourSegments
            A new one with the parameters of these; ``match_.ari`` tells how much the labels of
            ``X`` agree, ``match_.frame`` which segment became which.

        Raises
        ------
        ConfigError
            As `fit`, and if ``X`` lacks a column of the previous segments.
        """
        before = self if previous is None else previous
        check_is_fitted(before, "names_")
        fresh: Any = clone(self)
        return fresh._fit(self._frame(X), before)

    def _fit(self, frame: pd.DataFrame, previous: BehaviourSegments | None) -> Self:
        self._check(frame)
        used = frame[[str(c) for c in self.columns]] if self.columns is not None else frame
        n = len(used)
        self.n_seen_ = n
        self.encoding_ = BehaviourEncoding.learn(used) if n else BehaviourEncoding((), {})
        Z = self.encoding_.encode(used)
        order = content_order(Z)
        rng = np.random.default_rng(self.random_state)
        rows = order if n <= self.max_rows else order[np.sort(rng.permutation(n)[: self.max_rows])]
        old = None if previous is None else previous._codes(frame)[0]
        k, self.choice_ = self._count(Z[rows], rng, previous)
        if k == 1:
            centres = Z[rows].mean(axis=0, keepdims=True) if n else np.zeros((1, Z.shape[1]))
        else:
            first = None if old is None else means_of(Z[rows], old[rows], k)
            centres = centres_of(Z[rows], k, seed=self.random_state, first=first)
        code, distance = nearest(Z, centres)
        told = separation(Z[rows], k, seed=self.random_state)
        self.separated_ = None if np.isnan(told[0]) else bool(told[0] > told[1])
        names, place = self._names(used.iloc[rows], code[rows], k, code, previous, old)
        self.centres_, self.names_ = centres[place], tuple(names[c] for c in place)
        position = np.empty(k, dtype=np.int64)
        position[place] = np.arange(k)
        self._describe(used, position[code], distance, rows)
        return self

    def _count(
        self, Z: Floats, rng: np.random.Generator, previous: BehaviourSegments | None
    ) -> tuple[int, pd.DataFrame]:
        few = len(Z) < max(self.min_customers, 2) or Z.shape[1] == 0
        distinct = 1 if few else len(np.unique(Z, axis=0))
        some = Z[np.sort(rng.permutation(len(Z))[:_CHOICE_ROWS])]
        counts = range(2, 2 if few else min(self.max_clusters, distinct) + 1)
        if self.n_clusters is not None:
            k = min(self.n_clusters, distinct)
            counts = range(k, k + 1) if k > 1 else range(0)
            table = count_table(some, counts=counts, min_share=0.0, seed=self.random_state)
            if k < self.n_clusters:
                _log.warning("%d clusters asked for, %d can be told apart", self.n_clusters, k)
            return k, table
        table = count_table(some, counts=counts, min_share=self.min_share, seed=self.random_state)
        if few and len(Z):
            told = "%d customers are one segment: %d and a column that differs are needed"
            _log.warning(told, len(Z), self.min_customers)
        before = None if previous is None else len(previous.names_)
        return choose_count(table, before=before), table

    def _names(
        self,
        X: pd.DataFrame,
        sample: Ints,
        k: int,
        code: Ints,
        previous: BehaviourSegments | None,
        old: Ints | None,
    ) -> tuple[list[str], Ints]:
        """Return a name per cluster and the order of the clusters."""
        found = traits(X, sample, self.encoding_.names, k)
        names = name_clusters(found, k) if k > 1 else ["everybody"]
        size = np.bincount(code, minlength=k)
        place = np.lexsort((np.array(names), -size))
        self.match_ = None
        if previous is None or old is None:
            return names, place
        before = np.array(previous.names_, dtype=object)
        keys = np.array([f"{c:04d}" for c in range(k)], dtype=object)
        match = match_segments(before[old], keys[code])
        kept = {int(new): str(was) for new, was in match.kept.items()}
        taken = set(kept.values())
        described = list(names)
        for c in range(k):
            names[c] = kept.get(c) or _free(names[c], taken)
            taken.add(names[c])
        current = match.frame["current"]
        frame = match.frame.assign(
            current=current.map(dict(zip(keys.tolist(), names, strict=True))),
            traits_now=current.map(dict(zip(keys.tolist(), described, strict=True))),
        )
        self.match_ = SegmentMatch(match.ari, frame, match.n)
        rank = {name: i for i, name in enumerate(previous.names_)}
        where = [rank.get(kept.get(c, ""), len(rank)) for c in range(k)]
        return names, np.lexsort((-size, np.array(where)))

    def _describe(self, used: pd.DataFrame, code: Ints, distance: Floats, rows: Ints) -> None:
        k = len(self.names_)
        names = np.array(self.names_, dtype=object)
        count = np.bincount(code, minlength=k)
        self.labels_ = names[code]
        self.shares_ = pd.DataFrame(
            {"segment": list(self.names_), "n": count, "share": count / max(len(code), 1)}
        )
        found = traits(used.iloc[rows], code[rows], self.encoding_.names, k)
        found.insert(0, "segment", [self.names_[c] for c in found.pop("cluster")])
        self.traits_ = found
        self.bins_ = {name: FittedBins.of(used[name]) for name in self.encoding_.names}
        self.distance_bins_ = FittedBins.of(distance)

    # ---- labelling -----------------------------------------------------------------------------

    def predict(self, X: Any) -> npt.NDArray[np.object_]:
        """Return the segment of each customer, object array of shape (n,).

        Raises
        ------
        ConfigError
            If a column of the fit is not there, or holds words instead of numbers. Columns may
            come in any order, levels never seen count as none.
        """
        check_is_fitted(self, "names_")
        return np.array(self.names_, dtype=object)[self._codes(self._frame(X))[0]]

    def transform(self, X: Any) -> pd.DataFrame:
        """Return `behaviour` (category) and `behaviour_distance` to its centre, n rows."""
        check_is_fitted(self, "names_")
        frame = self._frame(X)
        code, distance = self._codes(frame)
        dtype = pd.CategoricalDtype(pd.Index(list(self.names_), dtype="str"))
        return pd.DataFrame(
            {
                "behaviour": pd.Categorical.from_codes(code, dtype=dtype),  # pyright: ignore[reportCallIssue, reportArgumentType]
                "behaviour_distance": distance,
            },
            index=frame.index,
        )

    def fit_transform(self, X: Any, y: Any = None) -> pd.DataFrame:
        """Fit and transform the same customers."""
        return self.fit(X).transform(X)

    def drift(self, X: Any, *, level: float = 0.95) -> pd.DataFrame:
        """Compare customers today with those of the fit.

        Parameters
        ----------
        X : as in `fit`
        level : float
            Of intervals and of the limit of what chance gives.

        Returns
        -------
        DataFrame
            One row for the shares of the segments, one for the distances to the centres (people
            unlike anybody at the fit), one per column, the largest index first: kind, name, psi,
            low, high, noise, limit, drifted, verdict, n_fit, n_today; see
            `contactopt.metrics.population_stability_index`.
        """
        check_is_fitted(self, "names_")
        frame = self._frame(X)
        code, distance = self._codes(frame)
        counts = np.bincount(code, minlength=len(self.names_))
        return movement(
            self.shares_["n"].to_numpy(), counts, self.distance_bins_, distance, self.bins_, frame,
            level=level,
        )  # fmt: skip

    def _codes(self, frame: pd.DataFrame) -> tuple[Ints, Floats]:
        return nearest(self.encoding_.encode(frame), self.centres_)

    # ---- state ---------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return parameters and what was learned as plain data; not the labels of the fit."""
        check_is_fitted(self, "names_")
        params = self.get_params()
        params["columns"] = None if self.columns is None else [str(c) for c in self.columns]
        return {
            "params": params,
            "encoding": self.encoding_.to_state(),
            "centres": self.centres_.tolist(),
            "names": list(self.names_),
            "separated": self.separated_,
            "n_seen": self.n_seen_,
            "choice": self.choice_.to_dict("list"),
            "traits": self.traits_.to_dict("list"),
            "counts": self.shares_["n"].tolist(),
            "bins": {name: bins.to_state() for name, bins in self.bins_.items()},
            "distance_bins": self.distance_bins_.to_state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild from `to_state`; labels are equal."""
        self = cls(**state["params"])
        self.encoding_ = BehaviourEncoding.from_state(state["encoding"])
        self.names_ = tuple(state["names"])
        centres = np.asarray(state["centres"], dtype=np.float64)
        self.centres_ = centres.reshape(len(self.names_), -1)
        self.separated_, self.n_seen_ = state["separated"], int(state["n_seen"])
        self.choice_, self.traits_ = pd.DataFrame(state["choice"]), pd.DataFrame(state["traits"])
        count = np.asarray(state["counts"], dtype=np.int64)
        self.shares_ = pd.DataFrame(
            {"segment": list(self.names_), "n": count, "share": count / max(int(count.sum()), 1)}
        )
        self.bins_ = {name: FittedBins.from_state(bins) for name, bins in state["bins"].items()}
        self.distance_bins_ = FittedBins.from_state(state["distance_bins"])
        self.match_ = None
        return self

    # ---- parts ---------------------------------------------------------------------------------

    @staticmethod
    def _frame(X: Any) -> pd.DataFrame:
        if isinstance(X, np.ndarray):
            if X.ndim != 2:
                raise ConfigError(f"the array has {X.ndim} dimensions", hint="give shape (n, k)")
            X = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
        frame = to_pandas(X, "X")
        return frame.set_axis([str(c) for c in frame.columns], axis=1)

    def _check(self, frame: pd.DataFrame) -> None:
        if frame.columns.has_duplicates:
            raise ConfigError("two columns have the same name", hint="rename one of them")
        absent = [str(c) for c in self.columns or () if str(c) not in frame.columns]
        if absent:
            raise ConfigError(
                f"the frame has no column {', '.join(absent[:5])}", hint="columns= names those used"
            )
        if self.n_clusters is not None and self.n_clusters < 1:
            raise ConfigError("n_clusters must be at least 1")
        if self.max_clusters < 1 or not 0 <= self.min_share < 1 or self.max_rows < 2:
            raise ConfigError(
                "max_clusters >= 1, min_share in [0, 1) and max_rows >= 2 are what can be"
            )


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other segment has."""
    out, number = name, 2
    while out in taken:
        out, number = f"{name} ({number})", number + 1
    return out
