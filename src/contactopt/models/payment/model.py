"""P(a customer pays within the horizon) when waiting, under the policy that made the log."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from contactopt.models.learners.blend import Blend, fit_blend
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.debt_age import bucket_of, prior_payment_rate, shrunken_rates
from contactopt.models.learners.encoder import Encoder, checked_matrix, checked_weight, column_of
from contactopt.models.learners.splits import (
    Fold,
    content_order,
    cross_fit_folds,
    group_hash,
    row_hash,
    temporal_split,
)

__all__ = ["PaymentModel"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)

#: fewer rows, or fewer of a class, leave only the prior
_MIN_ROWS, _MIN_CLASS = 50, 10
#: cells above which trees are grown in fewer, longer steps, and the choice is made on a sample
_LARGE_CELLS = 4_000_000


class PaymentModel(ClassifierMixin, BaseEstimator):
    """Calibrated probability of payment; learner and calibration are chosen on held-out rows.

    Few rows give a regularised logistic regression, many LightGBM, a mixture of both where it has
    the least held-out log-loss. With ``times`` the held-out rows are later rows of other customers
    (`temporal_split`), else random folds. With fewer than 50 rows or 10 of a class the answer is a
    prior by days past due, updated by the rows there are (``cold_start_`` is True).

    Parameters
    ----------
    learner : {"auto", "logistic", "lightgbm", "blend"}
    horizon_days : float
        Window of the label; scales the prior.
    days_past_due : str, optional
        Column that holds the days past due of the customer's debt, for the prior.
    n_folds : int
    max_rounds, learning_rate, num_leaves, min_child_samples, feature_fraction, lambda_l2
        LightGBM's settings; rounds stop early.
    num_threads : int
        Does not change the result.
    random_state : int

    Attributes
    ----------
    classes_ : array, shape (2,)
        The larger label means "pays".
    cold_start_ : bool
    fit_record_ : dict
        Rows, learner chosen, rounds, held-out log-loss, calibration.

    Examples
    --------
    >>> import pandas as pd
    >>> model = PaymentModel(days_past_due="dpd")
    >>> model = model.fit(pd.DataFrame({"dpd": []}, dtype=float), [])
    >>> model.cold_start_, model.predict_proba(pd.DataFrame({"dpd": [3.0, 45.0]}))[:, 1].round(2)
    (True, array([0.6 , 0.18]))
    """

    encoder_: Encoder
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def __init__(
        self,
        *,
        learner: str = "auto",
        horizon_days: float = 30.0,
        days_past_due: str | None = None,
        n_folds: int = 3,
        max_rounds: int = 600,
        learning_rate: float = 0.04,
        num_leaves: int = 12,
        min_child_samples: int = 40,
        feature_fraction: float = 0.4,
        lambda_l2: float = 5.0,
        num_threads: int = 1,
        random_state: int | None = 0,
    ) -> None:
        self.learner = learner
        self.horizon_days = horizon_days
        self.days_past_due = days_past_due
        self.n_folds = n_folds
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.feature_fraction = feature_fraction
        self.lambda_l2 = lambda_l2
        self.num_threads = num_threads
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Missing values are taken as they are; two classes only."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags

    def fit(
        self,
        X: Any,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        times: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        embargo_days: float = 0.0,
    ) -> PaymentModel:
        """Learn from labelled rows.

        Parameters
        ----------
        X : DataFrame or array, shape (n, k)
            Numbers and categories, missing allowed. An empty frame gives the prior.
        y : array-like, shape (n,)
            Two labels; the larger means that the customer paid within the horizon.
        sample_weight : array-like, shape (n,), optional
        times : array-like, shape (n,), optional
            Instants at which the rows were cut, for early stopping on later time.
        groups : array-like, shape (n,), optional
            Customer of each row: never on both sides of a split.
        embargo_days : float
            Days before the validation period that training leaves out.

        Returns
        -------
        PaymentModel

        Raises
        ------
        ValueError
            If the input is not as scikit-learn's contract asks, or has more than two labels.
        ConfigError
            If ``days_past_due`` names a column that is not there.
        """
        matrix = checked_matrix(self, X, reset=True)
        label = self._labels(y, len(matrix))
        weight = checked_weight(sample_weight, matrix)
        keep = np.flatnonzero(weight > 0)
        # sorted by content: the fit does not depend on the order of the rows
        keep = keep[content_order(matrix[keep], label[keep], weight[keep], times, groups, keep)]
        matrix, label, weight = matrix[keep], label[keep], weight[keep]
        self._fit_prior(matrix, label, weight)
        rare = min(float((label == 1).sum()), float((label == 0).sum()))
        self.cold_start_ = len(label) < _MIN_ROWS or rare < _MIN_CLASS
        self.blend_ = None
        record: dict[str, Any] = {"learner": "prior"}
        if self.cold_start_:
            _log.warning("%d rows, %d of the rarer class: prior by days past due", len(label), rare)
        else:
            at = None if times is None else np.asarray(times)[keep]
            group = None if groups is None else np.asarray(groups)[keep]
            record = self._fit_learned(matrix, label, weight, at, group, embargo_days)
        self.fit_record_ = {"rows": len(label), "paying_rows": int(label.sum()), **record}
        return self

    def _seed(self) -> int:
        from sklearn.utils import check_random_state

        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _labels(self, y: npt.ArrayLike, n: int) -> Floats:
        from sklearn.utils.multiclass import check_classification_targets, type_of_target
        from sklearn.utils.validation import (
            assert_all_finite,
            check_consistent_length,
            column_or_1d,
        )

        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        values = column_or_1d(y, warn=True)
        assert_all_finite(values, input_name="y")
        check_consistent_length(values, np.empty((n, 0)))
        if n == 0:
            self.classes_ = np.array([0, 1])
            return np.zeros(0)
        check_classification_targets(values)
        labels = np.unique(values)
        if len(labels) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(values)}."
            )
        if len(labels) == 1:
            if labels[0] not in (0, 1):
                raise ValueError("one class only, and it is not 0 or 1: which means 'pays'?")
            labels = np.array([0, 1], dtype=labels.dtype)
        self.classes_ = labels
        return (values == labels[1]).astype(np.float64)

    def _fit_prior(self, X: Floats, y: Floats, weight: Floats) -> None:
        days = column_of(self, X, self.days_past_due, "days_past_due")
        bucket = bucket_of(days, len(X))
        prior = prior_payment_rate(self.horizon_days)
        self.bucket_rates_ = shrunken_rates(bucket, weight * y, weight, prior)

    def _fit_learned(
        self,
        X: Floats,
        y: Floats,
        weight: Floats,
        times: npt.NDArray[Any] | None,
        groups: npt.NDArray[Any] | None,
        embargo_days: float,
    ) -> dict[str, Any]:
        seed = self._seed()
        large = X.size > _LARGE_CELLS
        hashes = row_hash(X, y) if groups is None else group_hash(groups, random_state=seed)
        rows = np.arange(len(y))
        if large:
            rows = np.flatnonzero(hashes <= np.quantile(hashes, min(1.0, _LARGE_CELLS / X.size)))
        folds, how = self._folds(
            y[rows],
            hashes[rows],
            None if times is None else times[rows],
            None if groups is None else groups[rows],
            int(embargo_days * 86_400_000_000),
        )
        names = [str(c) for c in getattr(self, "feature_names_in_", ())]
        self.blend_, record = fit_blend(
            X,
            y,
            weight,
            rows=rows,
            folds=folds,
            learner=self.learner,
            plan=self._plan(seed, large),
            categories=self.encoder_.category_positions(names),
        )
        return {**record, "validation": how}

    def _folds(
        self,
        y: Floats,
        hashes: npt.NDArray[np.uint64],
        times: npt.NDArray[Any] | None,
        groups: npt.NDArray[Any] | None,
        embargo: int,
    ) -> tuple[list[Fold], str]:
        """Later time where it exists and holds both classes everywhere, else random folds."""
        if times is not None:
            folds = temporal_split(
                times, groups, n_folds=self.n_folds, embargo=embargo, random_state=self._seed()
            )
            held = sum(len(v) for _, v in folds)
            both = all(len(np.unique(y[part])) == 2 for fold in folds for part in fold)
            if folds and both and held >= _MIN_ROWS:
                return folds, "later time"
        strata = y if groups is None else None
        folds = cross_fit_folds(hashes, self.n_folds, strata=strata)
        if not all(len(v) and len(np.unique(y[t])) == 2 for t, v in folds):
            # too few groups to keep them apart: rows are split instead
            folds = cross_fit_folds(
                row_hash(np.arange(len(y), dtype=np.float64)), self.n_folds, strata=y
            )
        return folds, "random folds"

    def _plan(self, seed: int, large: bool) -> BoostingPlan:
        return BoostingPlan(
            max_rounds=min(self.max_rounds, 200) if large else self.max_rounds,
            patience=20 if large else 40,
            learning_rate=max(self.learning_rate, 0.12) if large else self.learning_rate,
            max_bin=63 if large else 127,
            bagging_fraction=1.0 if large else 0.8,
            num_leaves=self.num_leaves,
            min_child_samples=self.min_child_samples,
            feature_fraction=self.feature_fraction,
            lambda_l2=self.lambda_l2,
            num_threads=self.num_threads,
            seed=seed % (2**31 - 1),
        )

    def predict_proba(self, X: Any) -> Floats:
        """Return P(does not pay), P(pays), shape (n, 2); an empty frame gives shape (0, 2)."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        matrix = checked_matrix(self, X, reset=False)
        if self.blend_ is None:
            days = column_of(self, matrix, self.days_past_due, "days_past_due")
            p = self.bucket_rates_[bucket_of(days, len(matrix))]
        else:
            p = self.blend_.probability(matrix)
        return np.column_stack([1.0 - p, p])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likelier label per row, shape (n,)."""
        likely = (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)
        return self.classes_[likely]

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict; plain values, lists and `ModelText`."""
        names = getattr(self, "feature_names_in_", None)
        return {
            "params": self.get_params(deep=False),
            "classes": self.classes_.tolist(),
            "classes_dtype": self.classes_.dtype.str,
            "n_features_in": int(self.n_features_in_),
            "feature_names_in": None if names is None else [str(c) for c in names],
            "levels": self.encoder_.levels,
            "cold_start": bool(self.cold_start_),
            "bucket_rates": self.bucket_rates_.tolist(),
            "blend": None if self.blend_ is None else self.blend_.to_state(),
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PaymentModel:
        """Rebuild from `to_state`; predictions are equal bit for bit."""
        self = cls(**state["params"])
        self.classes_ = np.array(state["classes"], dtype=state["classes_dtype"])
        self.n_features_in_ = int(state["n_features_in"])
        if state["feature_names_in"] is not None:
            self.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
        self.encoder_ = Encoder({k: list(v) for k, v in state["levels"].items()})
        self.cold_start_ = bool(state["cold_start"])
        self.bucket_rates_ = np.asarray(state["bucket_rates"], dtype=np.float64)
        blend = state["blend"]
        self.blend_ = None if blend is None else Blend.from_state(blend, self.num_threads)
        self.fit_record_ = dict(state["fit_record"])
        return self
