"""What payment and roll have in common: a calibrated probability of a yes within a horizon."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin

from contactopt.models.learners.blend import Blend
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.choice import fit_blend
from contactopt.models.learners.debt_age import bucket_of, shrunken_rates
from contactopt.models.learners.encoder import Encoder, checked_matrix, checked_weight, column_of
from contactopt.models.learners.settings import check_settings
from contactopt.models.learners.splits import check_per_row, content_order
from contactopt.models.payment.drift import drift_record, drift_told
from contactopt.models.payment.evidence import held_out
from contactopt.models.payment.labels import two_classes
from contactopt.models.payment.quality import (
    few_rows_told,
    held_out_record,
    level_over_all_rows,
    useless_columns,
)
from contactopt.models.payment.reasons import tidy_reasons
from contactopt.models.payment.signs import signs_of

__all__ = ["OutcomeModel"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)

#: fewer rows, or fewer of a class, leave only the prior
_MIN_ROWS, _MIN_CLASS = 50, 10
#: cells above which trees are grown in fewer, longer steps, and the choice is made on a sample
_LARGE_CELLS = 4_000_000
#: leaves per tree up to so many rows; few rows want nearly additive trees
_LEAVES = ((5_000, 6), (50_000, 12), (np.inf, 24))
_US_PER_DAY = 86_400_000_000


class OutcomeModel(ClassifierMixin, BaseEstimator):
    """Calibrated probability of a yes; see `PaymentModel` for what holds of both of its kinds."""

    #: directions that "auto" demands, by column name
    _known_signs: ClassVar[dict[str, int]] = {}

    classes_: npt.NDArray[Any]
    encoder_: Encoder
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def __init__(
        self,
        *,
        learner: str = "auto",
        horizon_days: float | list[float] = 30.0,
        days_past_due: str | None = None,
        monotone: Any = "auto",
        n_folds: int = 4,
        max_rounds: int = 600,
        learning_rate: float = 0.04,
        num_leaves: int | None = None,
        min_child_samples: int = 40,
        feature_fraction: float = 0.4,
        lambda_l2: float = 5.0,
        num_threads: int = 1,
        random_state: int | None = 0,
    ) -> None:
        self.learner = learner
        self.horizon_days = horizon_days
        self.days_past_due = days_past_due
        self.monotone = monotone
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

    @abstractmethod
    def _prior(self) -> Floats:
        """P(yes) per bucket of days past due, shape (8,): what the two models differ in."""

    def fit(
        self,
        X: Any,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        times: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        embargo_days: float = 0.0,
    ) -> Self:
        """Learn from labelled rows.

        Parameters
        ----------
        X : pandas or polars DataFrame, or array, shape (n, k)
            Numbers, booleans, times, text and categories as they are, missing allowed
            (`Encoder`). An empty frame gives the prior.
        y : array-like, shape (n,)
            Two labels; the larger is the yes.
        sample_weight : array-like, shape (n,), optional
        times : array-like, shape (n,), optional
            Instants at which the rows were cut: for early stopping on later time, the level of
            the newest rows, and drift.
        groups : array-like, shape (n,), optional
            Customer of each row: never on both sides of a split.
        embargo_days : float
            Days before the validation period that training leaves out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the input is not as scikit-learn's contract asks (infinite values among it), or has
            more than two labels.
        ConfigError
            If ``days_past_due`` or ``monotone`` names a column that is not there, or a setting
            cannot be.
        ContactoptError
            If ``times`` or ``groups`` do not have one entry per row.
        """
        matrix = checked_matrix(self, X, reset=True)
        self.classes_, label = two_classes(y, len(matrix))
        weight = checked_weight(sample_weight, matrix)
        check_settings(self)
        check_per_row(len(matrix), times=times, groups=groups)
        keep = np.flatnonzero(weight > 0)
        # sorted by content: the fit does not depend on the order of the rows
        keep = keep[content_order(matrix[keep], label[keep], weight[keep], times, groups, keep)]
        matrix, label, weight = matrix[keep], label[keep], weight[keep]
        days = column_of(self, matrix, self.days_past_due, "days_past_due")
        bucket = bucket_of(days, len(matrix))
        self.bucket_rates_ = shrunken_rates(bucket, weight * label, weight, self._prior())
        signs = signs_of(self.monotone, self._known_signs, self._names(), self._categories())
        rare = int(min((label == 1).sum(), (label == 0).sum()))
        self.cold_start_ = len(label) < _MIN_ROWS or rare < _MIN_CLASS
        self.verdict_: list[str] = few_rows_told(len(label), rare, self.cold_start_)
        self.blend_: Blend | None = None
        record: dict[str, Any] = {"learner": "prior"}
        if not self.cold_start_:
            at = None if times is None else np.asarray(times)[keep]
            group = None if groups is None else np.asarray(groups)[keep]
            record = self._learn(matrix, label, weight, at, group, embargo_days, signs)
        for line in self.verdict_:
            # columns without content do no harm
            harmless = "constant or empty" in line
            level = logging.INFO if harmless else logging.WARNING
            _log.log(level, "%s: %s", type(self).__name__, line)
        counts = {"rows": len(label), f"{self._yes}_rows": int(label.sum())}
        self.fit_record_ = {**counts, **record, "verdict": list(self.verdict_)}
        return self

    #: word for a yes in the record
    _yes: ClassVar[str] = "yes"

    def _learn(
        self,
        X: Floats,
        y: Floats,
        weight: Floats,
        times: npt.NDArray[Any] | None,
        groups: npt.NDArray[Any] | None,
        embargo_days: float,
        signs: dict[int, int],
    ) -> dict[str, Any]:
        """Fit the learners and tell how well, what moved and what was of no use."""
        seed = self._seed()
        held, how = held_out(
            X,
            y,
            times,
            groups,
            n_folds=self.n_folds,
            embargo_us=int(embargo_days * _US_PER_DAY),
            max_rows=max(_MIN_ROWS, _LARGE_CELLS // X.shape[1]),
            seed=seed,
        )
        self.blend_, record, logits = fit_blend(
            X,
            y,
            weight,
            held=held,
            learner=self.learner,
            plan=self._plan(seed, X),
            categories=self._categories(),
            signs=signs,
        )
        rows, names = held.rows, self._names()
        if len(rows) < len(y):
            record["sample_shift"] = level_over_all_rows(self.blend_, X, y, weight)
        record |= {"validation": how, "monotone": {names[k]: s for k, s in signs.items()}}
        record |= held_out_record(logits, y[rows], weight[rows], held.groups)
        self.verdict_ += useless_columns(X, names) + record.pop("told")
        if held.when is not None:
            record["drift"] = drift_record(X[rows], y[rows], logits, held.when, held.groups, names)
            if record["drift"].get("drifted"):
                self.verdict_.append(drift_told(record["drift"], len(names)))
        return record

    def _seed(self) -> int:
        from sklearn.utils import check_random_state

        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _names(self) -> list[str]:
        """Columns by name; x0, x1, ... of a plain matrix."""
        named = getattr(self, "feature_names_in_", None)
        if named is None:
            return [f"x{k}" for k in range(self.n_features_in_)]
        return [str(name) for name in named]

    def _categories(self) -> list[int]:
        named = [str(c) for c in getattr(self, "feature_names_in_", ())]
        return self.encoder_.category_positions(named)

    def _plan(self, seed: int, X: Floats) -> BoostingPlan:
        large = X.size > _LARGE_CELLS
        by_size = next(leaves for rows, leaves in _LEAVES if len(X) <= rows)
        return BoostingPlan(
            max_rounds=min(self.max_rounds, 200) if large else self.max_rounds,
            patience=20 if large else 40,
            learning_rate=max(self.learning_rate, 0.12) if large else self.learning_rate,
            max_bin=63 if large else 127,
            bagging_fraction=1.0 if large else 0.8,
            num_leaves=by_size if self.num_leaves is None else self.num_leaves,
            min_child_samples=self.min_child_samples,
            feature_fraction=self.feature_fraction,
            lambda_l2=self.lambda_l2,
            num_threads=self.num_threads,
            seed=seed % (2**31 - 1),
        )

    def predict_proba(self, X: Any) -> Floats:
        """Return P(no), P(yes), shape (n, 2); an empty frame gives shape (0, 2).

        Raises
        ------
        ValueError
            If columns are missing, unknown or in another order than at fit, or hold infinite
            values; the hint says how to put it right.
        ContractError
            If a column that held numbers at fit holds text.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        matrix = checked_matrix(self, X, reset=False)
        p = self._by_age(matrix) if self.blend_ is None else self.blend_.probability(matrix)
        return np.column_stack([1.0 - p, p])

    def _by_age(self, X: Floats) -> Floats:
        days = column_of(self, X, self.days_past_due, "days_past_due")
        return self.bucket_rates_[bucket_of(days, len(X))]

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likelier label per row, shape (n,)."""
        likely = (self.predict_proba(X)[:, 1] >= 0.5).astype(np.int64)
        return self.classes_[likely]

    def explain(self, X: Any, top: int | None = 5) -> pd.DataFrame:
        """Tell why: each column's part of the logit of P(yes), the largest first.

        Shapley values of the trees (Lundberg, Erion and Lee 2018) and the line's terms less their
        mean at fit are mixed as the scores are; the calibration stretches all parts of a row by
        one factor (`Blend.contributions`). They say what the model made of the columns, not what
        would happen if one were changed. A prior is told by days past due alone.

        Parameters
        ----------
        X : DataFrame or array, shape (n, k)
            As in `predict_proba`.
        top : int, optional
            Columns shown per row, the others summed up in one row; None shows all.

        Returns
        -------
        DataFrame
            Columns row (index of X), rank, feature, reason (the column in words), value,
            contribution, base, logit. Contributions of a row and its base add up to its logit.
            An empty frame gives no rows.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        matrix = checked_matrix(self, X, reset=False)
        if not isinstance(X, pd.DataFrame) and hasattr(X, "to_pandas"):
            X = X.to_pandas()
        given = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
        if self.blend_ is not None:
            parts, base = self.blend_.contributions(matrix)
        else:
            base = float(logit(self.bucket_rates_[-1]))
            parts = np.zeros(matrix.shape)
            if self.days_past_due is not None:
                at = self._names().index(self.days_past_due)
                parts[:, at] = logit(self._by_age(matrix)) - base
        return tidy_reasons(parts, np.full(len(matrix), base), self._names(), given, top)

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
    def from_state(cls, state: dict[str, Any]) -> Self:
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
        self.verdict_ = list(self.fit_record_.get("verdict", []))
        return self
