"""Segments by payment: a shallow tree with rules that can be read, its rates told honestly."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.contracts.native_frames import to_pandas
from contactopt.errors import ConfigError
from contactopt.metrics.columns import numbers_of, words_of
from contactopt.metrics.interval import mean_estimate
from contactopt.metrics.share import share_estimate
from contactopt.segments.encoding import content_order
from contactopt.segments.tree_rules import ShallowTree, leaf_rules

__all__ = ["PaymentTreeSegments"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_log = logging.getLogger(__name__)
#: levels held by less than this share of the rows have no rule of their own
_LEAST_LEVEL = 0.02
_FOLDS = 5
#: a shallow tree needs no more rows than these; rates rest on all of the other half
_GROWING_ROWS = 50_000


class PaymentTreeSegments(BaseEstimator):
    """Split customers by what tells payers from others, in at most ``max_segments`` rules.

    One half of the customers (by content) grows the tree: a scikit-learn decision tree whose
    number of leaves is the smallest whose cross-validated log-loss is within two standard errors
    of the best; thresholds are rounded to numbers that people remember. The other half gives the
    payment rates and their intervals, so that they are not flattered by the choice of the splits
    (honest estimation: Athey and Imbens 2016).

    Parameters
    ----------
    max_segments : int
        2 to 16.
    max_depth : int
    min_leaf : int
        Customers per leaf, in each half.
    columns : sequence of str, optional
        Columns to use; default all. Leave age and other protected traits out unless wanted.
    random_state : int

    Attributes
    ----------
    rules_ : DataFrame
        One row per segment, the best payers first: segment (the rule in words), rate, low, high,
        n (customers the rate rests on), share (of all at the fit).
    labels_ : object array, shape (n,)
        Of the fit's rows.

    Examples
    --------
    >>> days = np.arange(2000) % 100
    >>> paid = (np.arange(2000) * 7919 % 97) / 97 < np.where(days <= 30, 0.6, 0.1)
    >>> tree = PaymentTreeSegments(max_segments=2).fit(pd.DataFrame({"days_past_due": days}), paid)
    >>> tree.rules_["segment"].tolist()
    ['days past due up to 30', 'days past due over 30']
    """

    def __init__(
        self,
        *,
        max_segments: int = 8,
        max_depth: int = 3,
        min_leaf: int = 50,
        columns: Sequence[str] | None = None,
        random_state: int = 0,
    ) -> None:
        self.max_segments = max_segments
        self.max_depth = max_depth
        self.min_leaf = min_leaf
        self.columns = columns
        self.random_state = random_state

    def fit(self, X: Any, y: npt.ArrayLike, *, groups: npt.ArrayLike | None = None) -> Self:
        """Grow the tree and tell the rates.

        Parameters
        ----------
        X : DataFrame (pandas, polars, pyarrow), shape (n, k)
            Numbers, words, truth values, instants; missing allowed.
        y : array-like of 0/1 or bool, shape (n,)
            Whether the customer paid in the window.
        groups : array-like, shape (n,), optional
            Customer of each row, where there are several: never in both halves.

        Returns
        -------
        PaymentTreeSegments
            One segment, ``everybody``, where rows or one of the classes are too few; a logged
            warning says so.

        Raises
        ------
        ConfigError
            Labels other than 0/1, lengths that differ, a column that is not there.
        """
        frame = self._frame(X)
        paid = np.asarray(y, dtype=np.float64).ravel()
        if len(paid) != len(frame) or not np.isin(paid, (0.0, 1.0)).all():
            raise ConfigError("y must hold 0 or 1 for each row of X", hint="1 is: paid")
        if not 1 <= self.max_segments <= 16 or self.max_depth < 1 or self.min_leaf < 1:
            raise ConfigError("max_segments is 1 to 16, max_depth and min_leaf at least 1")
        self._learn_columns(frame)
        Z = self._matrix(frame)
        grows = self._half(Z, paid, groups)
        self.tree_ = self._grow(Z[grows], paid[grows])
        leaf = self.tree_.leaves(Z)
        self._with_missing = np.flatnonzero(np.isnan(Z).any(axis=0)).tolist()
        ids = None if groups is None else np.asarray(groups)[~grows]
        self._tell(leaf, paid, grows, ids)
        return self

    def _half(self, Z: Floats, paid: Floats, groups: npt.ArrayLike | None) -> Any:
        """Rows that grow the tree: every other customer by content, or by hash of the group."""
        if groups is not None:
            ids = np.asarray(groups)
            if len(ids) != len(Z):
                raise ConfigError(f"{len(Z)} rows but {len(ids)} groups")
            words = ids if ids.dtype.kind in "iu" else ids.astype(str).astype(object)
            return pd.util.hash_array(words) % np.uint64(2) == 0
        grows = np.zeros(len(Z), dtype=bool)
        order = content_order(np.column_stack([np.nan_to_num(Z, nan=-1.5e300), paid]))
        grows[order[::2]] = True
        return grows

    def _grow(self, Z: Floats, paid: Floats) -> ShallowTree:
        rare = min(paid.sum(), len(paid) - paid.sum())
        few = len(paid) < 2 * self.min_leaf or rare < 10 or self.max_segments == 1
        if few or not Z.shape[1]:
            _log.warning("%d rows to grow on, %d of the rarer class: one segment", len(paid), rare)
            return ShallowTree.single()
        # by content: the folds do not depend on the order of the rows
        order = content_order(np.column_stack([np.nan_to_num(Z, nan=-1.5e300), paid]))
        if len(order) > _GROWING_ROWS:
            chosen = np.random.default_rng(self.random_state).permutation(len(order))
            order = order[np.sort(chosen[:_GROWING_ROWS])]
        Z, paid = Z[order], paid[order]
        best = self._size(Z, paid)
        if best < 2:
            return ShallowTree.single()
        return ShallowTree.of(self._tree(best).fit(Z, paid))

    def _tree(self, leaves: int) -> Any:
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(
            max_depth=self.max_depth,
            max_leaf_nodes=leaves,
            min_samples_leaf=self.min_leaf,
            random_state=self.random_state,
        )

    def _size(self, Z: Floats, paid: Floats) -> int:
        """Fewest leaves whose held-out log-loss is within two standard errors of the least."""
        sizes = range(1, self.max_segments + 1)
        fold = np.arange(len(paid)) % _FOLDS
        loss = np.zeros((len(sizes), len(paid)))
        for f in range(_FOLDS):
            train, valid = fold != f, fold == f
            base = (paid[train].sum() + 0.5) / (train.sum() + 1)
            for i, k in enumerate(sizes):
                p = np.full(int(valid.sum()), base)
                if k > 1 and 0 < paid[train].sum() < train.sum():
                    p = self._tree(k).fit(Z[train], paid[train]).predict_proba(Z[valid])[:, 1]
                p = np.clip(p, 1e-3, 1 - 1e-3)
                loss[i, valid] = -np.where(paid[valid] == 1, np.log(p), np.log1p(-p))
        mean = loss.mean(axis=1)
        best = int(mean.argmin())
        # paired with the best: what matters is the difference
        error = (loss - loss[best]).std(axis=1) / np.sqrt(len(paid))
        return sizes[int(np.flatnonzero(mean - mean[best] <= 2.0 * error)[0])]

    def _tell(self, leaf: Ints, paid: Floats, grows: Any, ids: Any) -> None:
        rules = leaf_rules(self.tree_, self.inputs_, self._with_missing)
        count = np.bincount(leaf, minlength=len(rules))
        rows = []
        for k, rule in enumerate(rules):
            if not count[k]:
                continue
            held = (leaf == k) & ~grows
            n = int(held.sum())
            found = share_estimate(int(paid[held].sum()), n)
            if ids is not None:
                found = mean_estimate(paid[held], np.ones(n), ids[held[~grows]], 0.95)
            low, high = max(found.low, 0.0), min(found.high, 1.0)
            rows.append((k, rule, found.value, low, high, found.n, count[k] / max(len(leaf), 1)))
        columns = ["leaf", "segment", "rate", "low", "high", "n", "share"]
        table = pd.DataFrame(rows, columns=columns)
        table = table.sort_values(["rate", "segment"], ascending=[False, True], ignore_index=True)
        self.names_ = tuple(rules)
        self.labels_ = np.array(rules, dtype=object)[leaf]
        self.rules_ = table.drop(columns="leaf")

    # ---- labelling ---------------------------------------------------------------------------

    def predict(self, X: Any) -> npt.NDArray[np.object_]:
        """Return the rule each customer falls under, object array of shape (n,).

        Raises
        ------
        ConfigError
            If a column of the fit is not there, or holds words instead of numbers.
        """
        check_is_fitted(self, "tree_")
        leaf = self.tree_.leaves(self._matrix(self._frame(X)))
        return np.array(self.names_, dtype=object)[leaf]

    def to_text(self) -> str:
        """Return the rules, one a line, with their rates."""
        check_is_fitted(self, "tree_")
        lines = [
            f"{r.segment}: pays {r.rate:.1%} [{r.low:.1%}, {r.high:.1%}] (n={r.n:,}), "
            f"{r.share:.0%} of customers"
            for r in self.rules_.itertuples()
        ]
        return "\n".join(lines)

    # ---- state -------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return parameters, tree and rules as plain data; not the labels of the fit."""
        check_is_fitted(self, "tree_")
        params = self.get_params()
        params["columns"] = None if self.columns is None else [str(c) for c in self.columns]
        return {
            "params": params,
            "inputs": [list(i) for i in self.inputs_],
            "kinds": dict(self.kinds_),
            "tree": self.tree_.to_state(),
            "names": list(self.names_),
            "rules": self.rules_.to_dict("list"),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild from `to_state`; labels are equal."""
        self = cls(**state["params"])
        self.inputs_ = [(str(c), level) for c, level in state["inputs"]]
        self.kinds_ = dict(state["kinds"])
        self.tree_ = ShallowTree.from_state(state["tree"])
        self.names_ = tuple(state["names"])
        self.rules_ = pd.DataFrame(state["rules"])
        return self

    # ---- parts -------------------------------------------------------------------------------

    def _frame(self, X: Any) -> pd.DataFrame:
        frame = to_pandas(X, "X")
        frame = frame.set_axis([str(c) for c in frame.columns], axis=1)
        wanted = self.columns if self.columns is not None else getattr(self, "kinds_", None)
        if wanted is None:
            return frame
        if absent := [str(c) for c in wanted if str(c) not in frame.columns]:
            raise ConfigError(
                f"the frame has no column {', '.join(absent[:5])}",
                hint="give the columns that the tree was fitted on",
            )
        return frame[[str(c) for c in wanted]]

    def _learn_columns(self, frame: pd.DataFrame) -> None:
        #: one per input of the tree: column, and level (None: the number itself)
        self.inputs_: list[tuple[str, str | None]] = []
        self.kinds_: dict[str, str] = {}
        for name in frame.columns:
            if numbers_of(frame[name]) is not None:
                self.kinds_[name] = "number"
                self.inputs_.append((name, None))
                continue
            self.kinds_[name] = "words"
            share = words_of(frame[name]).value_counts(normalize=True)
            levels = sorted(str(w) for w in share.index[share >= _LEAST_LEVEL])
            self.inputs_ += [(name, level) for level in levels]

    def _matrix(self, frame: pd.DataFrame) -> Floats:
        columns: list[Floats] = []
        read: dict[str, Any] = {}
        for name, level in self.inputs_:
            if level is not None:
                if name not in read:
                    read[name] = words_of(frame[name].reset_index(drop=True)).to_numpy(object)
                columns.append((read[name] == level).astype(np.float64))
                continue
            numbers = numbers_of(frame[name])
            if numbers is None and frame[name].notna().any():
                raise ConfigError(
                    f"column {name} held numbers at the fit, now it holds words",
                    hint="give the column as it was at the fit",
                )
            values = np.full(len(frame), np.nan) if numbers is None else numbers
            # scikit-learn's trees compare single precision and know no infinity
            columns.append(np.clip(values, -1e30, 1e30))
        return np.column_stack(columns) if columns else np.zeros((len(frame), 0))
