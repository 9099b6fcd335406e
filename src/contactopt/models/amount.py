"""Expected money within the horizon, given that the customer pays."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin

from contactopt.errors import ConfigError
from contactopt.models.learners.boosted import BoostingPlan, Trees, cross_fit_trees, train_trees
from contactopt.models.learners.debt_age import bucket_of, prior_paid_share, shrunken_rates
from contactopt.models.learners.encoder import Encoder, checked_matrix, checked_weight, column_of
from contactopt.models.learners.splits import content_order, cross_fit_folds, group_hash, row_hash

__all__ = ["AmountModel"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)

#: payers below which group means are used; below which the prior weighs and a flag is set
_MIN_FOR_TREES, _MIN_PAYERS = 2_000, 50
#: payers from which the totals are matched, and the quantile at which amounts are winsorised
_MIN_FOR_TOTALS, _TAIL = 100, 0.995
_MAX_CROSS_FIT = 50_000


def _weighted_quantile(values: Floats, weight: Floats, q: float) -> float:
    """Least value whose cumulative weight reaches the share ``q``."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    position = int(np.searchsorted(cumulative, q * cumulative[-1] * (1 - 1e-12)))
    return float(values[order][min(position, len(values) - 1)])


class AmountModel(RegressorMixin, BaseEstimator):
    """E[money paid within the horizon | pays], as a share of the amount past due.

    The second part of a two-part model (Duan et al. 1983); the first is `PaymentModel`. From 2,000
    payers on, LightGBM predicts the log of the share and is brought back to the mean by a smearing
    factor (Duan, JASA 1983); below that, means by days past due are shrunken to a prior. Shares are
    winsorised while learning, then one factor matches predicted to actual money out of fold;
    predictions stay between 0 and the balance.

    Parameters
    ----------
    exposure : str, optional
        Column with the amount past due (money); None predicts money directly.
    balance : str, optional
        Column with the balance, an upper bound.
    days_past_due : str, optional
        Column that groups the means.
    n_folds : int
    max_rounds, learning_rate, num_leaves, min_child_samples, feature_fraction
        LightGBM's settings.
    num_threads : int
        Does not change the result.
    random_state : int

    Attributes
    ----------
    cold_start_ : bool
        Fewer than 50 payers: the prior carries the answer.
    factor_ : float
        What predictions are multiplied with so that totals match.
    fit_record_ : dict

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"past_due": [100.0, 200.0], "dpd": [5.0, 200.0]})
    >>> model = AmountModel(exposure="past_due", days_past_due="dpd").fit(frame.iloc[:0], [])
    >>> model.predict(frame)
    array([90., 30.])
    """

    encoder_: Encoder
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]

    def __init__(
        self,
        *,
        exposure: str | None = None,
        balance: str | None = None,
        days_past_due: str | None = None,
        n_folds: int = 3,
        max_rounds: int = 400,
        learning_rate: float = 0.05,
        num_leaves: int = 12,
        min_child_samples: int = 40,
        feature_fraction: float = 0.5,
        num_threads: int = 1,
        random_state: int | None = 0,
    ) -> None:
        self.exposure = exposure
        self.balance = balance
        self.days_past_due = days_past_due
        self.n_folds = n_folds
        self.max_rounds = max_rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.feature_fraction = feature_fraction
        self.num_threads = num_threads
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Missing values are taken as they are; money is not negative; few rows give means."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True
        return tags

    def fit(
        self,
        X: Any,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        groups: npt.ArrayLike | None = None,
    ) -> AmountModel:
        """Learn from rows with the money paid; rows that paid nothing are left out.

        Parameters
        ----------
        X : DataFrame or array, shape (n, k)
        y : array-like >= 0, shape (n,)
            Money paid within the horizon.
        sample_weight : array-like, shape (n,), optional
        groups : array-like, shape (n,), optional
            Customer of each row.

        Returns
        -------
        AmountModel

        Raises
        ------
        ValueError
            If the input is not as scikit-learn's contract asks, or an amount is negative.
        ConfigError
            If a named column is not there, or without an exposure there is no payer to learn from.
        """
        from sklearn.utils.validation import (
            assert_all_finite,
            check_consistent_length,
            column_or_1d,
        )

        matrix = checked_matrix(self, X, reset=True)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        money = column_or_1d(y, dtype=np.float64, warn=True)
        check_consistent_length(money, matrix)
        assert_all_finite(money, input_name="y")
        if (money < 0).any():
            raise ValueError("amounts must not be negative")
        weight = checked_weight(sample_weight, matrix)
        keep = np.flatnonzero((weight > 0) & (money > 0))
        order = content_order(matrix[keep], money[keep], weight[keep], None, groups, keep)
        keep = keep[order]
        matrix, money, weight = matrix[keep], money[keep], weight[keep]
        hashes = row_hash(matrix, money) if groups is None else group_hash(groups)[keep]
        self._fit_payers(matrix, money, weight, hashes)
        return self

    def _fit_payers(
        self, X: Floats, money: Floats, weight: Floats, hashes: npt.NDArray[np.uint64]
    ) -> None:
        if self.exposure is None and len(money) == 0:
            raise ConfigError(
                "AmountModel: no payer, and no column to which a prior share applies",
                hint="name the column with the amount past due: AmountModel(exposure=...)",
            )
        self._fit_scale(X)
        exposure = self._exposure_of(X)
        share = money / exposure
        if len(share):
            share = np.minimum(share, _weighted_quantile(share, weight, _TAIL))
        self._fit_means(X, share, exposure, weight)
        self.cold_start_ = len(money) < _MIN_PAYERS
        if self.cold_start_:
            _log.warning("%d payers: amounts rest on prior shares", len(money))
        self.trees_: Trees | None = None
        self.smear_ = 1.0
        base = self._mean_share(X)
        rounds = 0
        if len(money) >= _MIN_FOR_TREES:
            base, rounds = self._fit_trees(X, share, weight, hashes)
        self.factor_ = 1.0
        if len(money) >= _MIN_FOR_TOTALS:
            self.factor_ = self._match_totals(X, base * exposure, money, weight)
        self.fit_record_ = {
            "payers": len(money),
            "learner": "means by days past due" if self.trees_ is None else "lightgbm",
            "rounds": rounds,
            "factor": self.factor_,
        }

    def _fit_scale(self, X: Floats) -> None:
        """Learn the typical exposure, which stands in where a row's own is missing or zero."""
        column = column_of(self, X, self.exposure, "exposure")
        column_of(self, X, self.balance, "balance")
        self.typical_exposure_ = 1.0
        if column is not None and (column > 0).any():
            self.typical_exposure_ = float(np.median(column[column > 0]))

    def _exposure_of(self, X: Floats) -> Floats:
        column = column_of(self, X, self.exposure, "exposure")
        if column is None:
            return np.ones(len(X))
        return np.where(column > 0, column, self.typical_exposure_)

    def _fit_means(self, X: Floats, share: Floats, exposure: Floats, weight: Floats) -> None:
        """Mean share per bucket of days past due, money over exposure, shrunken to the prior."""
        bucket = bucket_of(column_of(self, X, self.days_past_due, "days_past_due"), len(X))
        prior = prior_paid_share()
        if self.exposure is None:
            prior = np.full(8, float(weight @ share) / float(weight.sum()))
        # rows weigh by their exposure, in units of the mean one
        unit = weight * exposure
        if len(unit):
            unit = unit * (float(weight.sum()) / float(unit.sum()))
        self.bucket_shares_ = shrunken_rates(bucket, unit * share, unit, prior)

    def _mean_share(self, X: Floats) -> Floats:
        days = column_of(self, X, self.days_past_due, "days_past_due")
        return self.bucket_shares_[bucket_of(days, len(X))]

    def _fit_trees(
        self, X: Floats, share: Floats, weight: Floats, hashes: npt.NDArray[np.uint64]
    ) -> tuple[Floats, int]:
        """Fit the log share; return out-of-fold shares (NaN where not held out) and rounds."""
        names = [str(c) for c in getattr(self, "feature_names_in_", ())]
        categories = self.encoder_.category_positions(names)
        seed = int(np.random.RandomState(self.random_state).randint(2**31 - 1))
        plan = BoostingPlan(
            objective="regression",
            max_rounds=self.max_rounds,
            learning_rate=self.learning_rate,
            num_leaves=self.num_leaves,
            min_child_samples=self.min_child_samples,
            feature_fraction=self.feature_fraction,
            num_threads=self.num_threads,
            seed=seed,
        )
        rows = np.arange(len(share))
        if len(share) > _MAX_CROSS_FIT:
            rows = np.flatnonzero(hashes <= np.quantile(hashes, _MAX_CROSS_FIT / len(share)))
        target = np.log(share)
        folds = cross_fit_folds(hashes[rows], self.n_folds)
        held, rounds = cross_fit_trees(
            X[rows], target[rows], weight[rows], plan=plan, folds=folds, categories=categories
        )
        self.trees_ = train_trees(
            X, target, weight, plan=plan, rounds=rounds, categories=categories
        )
        out = np.full(len(share), np.nan)
        out[rows] = np.exp(held)
        seen = ~np.isnan(out)
        self.smear_ = float(
            (weight[seen] @ share[seen]) / max(float(weight[seen] @ out[seen]), 1e-300)
        )
        return out * self.smear_, rounds

    def _match_totals(self, X: Floats, predicted: Floats, money: Floats, weight: Floats) -> float:
        """Factor under which bounded predictions add up to the money of the held-out rows."""
        held = ~np.isnan(predicted)
        X, predicted, money, weight = X[held], predicted[held], money[held], weight[held]
        factor, total = 1.0, float(weight @ money)
        for _ in range(50):
            now = float(weight @ self._bounded(X, predicted * factor))
            if now <= 0 or abs(now / total - 1.0) < 1e-9:
                break
            factor = float(np.clip(factor * total / now, 0.1, 10.0))
        return factor

    def _bounded(self, X: Floats, money: Floats) -> Floats:
        balance = column_of(self, X, self.balance, "balance")
        if balance is None:
            return np.maximum(money, 0.0)
        return np.clip(money, 0.0, np.where(balance >= 0, balance, np.inf))

    def predict(self, X: Any) -> Floats:
        """Return expected money given payment, shape (n,), the currency of the exposure."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        matrix = checked_matrix(self, X, reset=False)
        if self.trees_ is None:
            share = self._mean_share(matrix)
        else:
            share = np.exp(self.trees_.raw(matrix)) * self.smear_
        return self._bounded(matrix, share * self._exposure_of(matrix) * self.factor_)

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict; plain values, lists and `ModelText`."""
        from contactopt.bundle import ModelText

        names = getattr(self, "feature_names_in_", None)
        return {
            "params": self.get_params(deep=False),
            "n_features_in": int(self.n_features_in_),
            "feature_names_in": None if names is None else [str(c) for c in names],
            "levels": self.encoder_.levels,
            "cold_start": bool(self.cold_start_),
            "typical_exposure": self.typical_exposure_,
            "bucket_shares": self.bucket_shares_.tolist(),
            "trees": None if self.trees_ is None else ModelText(self.trees_.text),
            "smear": self.smear_,
            "factor": self.factor_,
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AmountModel:
        """Rebuild from `to_state`; predictions are equal bit for bit."""
        self = cls(**state["params"])
        self.n_features_in_ = int(state["n_features_in"])
        if state["feature_names_in"] is not None:
            self.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
        self.encoder_ = Encoder({k: list(v) for k, v in state["levels"].items()})
        self.cold_start_ = bool(state["cold_start"])
        self.typical_exposure_ = float(state["typical_exposure"])
        self.bucket_shares_ = np.asarray(state["bucket_shares"], dtype=np.float64)
        trees = state["trees"]
        self.trees_ = None if trees is None else Trees(str(trees), self.num_threads)
        self.smear_, self.factor_ = float(state["smear"]), float(state["factor"])
        self.fit_record_ = dict(state["fit_record"])
        return self
