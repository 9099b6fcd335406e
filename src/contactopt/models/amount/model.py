"""Expected money within the horizon, given that the customer pays, and money recovered in all."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin

from contactopt.errors import ConfigError, ContactoptError
from contactopt.models.amount.expectation import RecoversMoney
from contactopt.models.amount.mean_learner import LogMixture, credible_factor, fit_mixture
from contactopt.models.amount.money_level import MoneyLevel
from contactopt.models.amount.spread import AmountInterval, MoneySpread, weighted_quantile
from contactopt.models.amount.state import restored, state_of
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.debt_age import bucket_of, prior_paid_share, shrunken_rates
from contactopt.models.learners.encoder import Encoder, checked_matrix, checked_weight, column_of
from contactopt.models.learners.settings import check_settings
from contactopt.models.learners.splits import (
    check_per_row,
    content_order,
    cross_fit_folds,
    group_hash,
    own_hash,
)

__all__ = ["AmountModel"]

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]
_log = logging.getLogger(__name__)

#: payers below which the prior weighs and a flag is set; from which the totals are matched
_MIN_PAYERS, _MIN_FOR_TOTALS = 50, 100
#: quantile at which shares are winsorised while learning
_TAIL = 0.995
_MAX_CROSS_FIT = 50_000


class AmountModel(RecoversMoney, RegressorMixin, BaseEstimator):
    """E[money paid within the horizon | pays], with intervals, and what is recovered in all.

    The second part of a two-part model (Duan et al. 1983); the first is `PaymentModel`. The share
    of the amount past due that a payer pays is predicted by means per days past due, shrunken to a
    prior, and where held-out rows show that it helps by a log-linear Gamma regression (from 100
    payers) and LightGBM with the Gamma loss (from 500), mixed on the log scale: both give the mean
    itself, no smearing. Shares are winsorised while learning, then one factor matches predictions
    out of fold: shares first, and money as far as its heavy tail lets it be believed
    (`credible_factor`); predictions stay between 0 and the balance. Intervals come from the
    held-out ratios of money to prediction, which keep the spike of full payments and the tail.

    Parameters
    ----------
    exposure : str, optional
        Column with the amount past due (money); None predicts money directly.
    balance : str, optional
        Column with the balance, an upper bound.
    days_past_due : str, optional
        Column that groups the means.
    n_folds : int
    max_rounds, learning_rate, num_leaves, min_child_samples, feature_fraction, lambda_l2
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
        Payers, learner, its shares, ``gain_over_means`` (held-out Gamma deviance), ``factor`` and
        what it was made of, ``level_sd`` (relative standard error of a predicted total).

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"past_due": [100.0, 200.0], "dpd": [5.0, 200.0]})
    >>> model = AmountModel(exposure="past_due", days_past_due="dpd").fit(frame.iloc[:0], [])
    >>> model.predict(frame)
    array([90., 30.])
    >>> model.expected_recovery([0.5, 0.5], frame).mean
    array([45., 15.])
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
        lambda_l2: float = 5.0,
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
        self.lambda_l2 = lambda_l2
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
            If a named column is not there, a setting cannot be, or without an exposure there is no
            payer to learn from.
        ContactoptError
            If ``groups`` does not have one entry per row.
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
            raise ValueError(
                f"amounts must not be negative: {int((money < 0).sum())} of {len(money)} are"
            )
        weight = checked_weight(sample_weight, matrix)
        check_settings(self)
        check_per_row(len(matrix), groups=groups)
        keep = np.flatnonzero((weight > 0) & (money > 0))
        order = content_order(matrix[keep], money[keep], weight[keep], None, groups, keep)
        keep = keep[order]
        matrix, money, weight = matrix[keep], money[keep], weight[keep]
        hashes = own_hash(matrix, money) if groups is None else group_hash(groups)[keep]
        self._fit_payers(matrix, money, weight, hashes)
        return self

    def _fit_payers(self, X: Floats, money: Floats, weight: Floats, hashes: Hashes) -> None:
        if self.exposure is None and len(money) == 0:
            raise ConfigError(
                "AmountModel: no payer, and no column to which a prior share applies",
                hint="name the column with the amount past due: AmountModel(exposure=...)",
            )
        self._fit_scale(X)
        exposure = self._exposure_of(X)
        share = money / exposure
        if len(share):
            share = np.minimum(share, weighted_quantile(share, weight, _TAIL))
        self.bucket_shares_ = self._bucket_means(X, share, exposure, weight)
        self.cold_start_ = len(money) < _MIN_PAYERS
        if self.cold_start_:
            _log.warning("%d payers: amounts rest on prior shares", len(money))
        self.mixture_ = LogMixture()
        self.factor_ = 1.0
        rows = np.arange(len(money))
        if len(rows) > _MAX_CROSS_FIT:
            rows = np.flatnonzero(hashes <= np.quantile(hashes, _MAX_CROSS_FIT / len(rows)))
        held, record = self._fit_mean(X, share, exposure, weight, hashes, rows)
        X, share, money = X[rows], np.exp(held), money[rows]
        predicted = share * exposure[rows]
        if len(money) >= _MIN_FOR_TOTALS:
            cap = self._cap_of(X)
            self.factor_, told = credible_factor(
                share, exposure[rows], money, weight[rows], cap, hashes[rows]
            )
            record |= told
        bounded = np.maximum(self._bounded(X, predicted * self.factor_), 1e-9 * money)
        spread = MoneySpread.learn(share, bounded, money, hashes[rows])
        self.spread_: MoneySpread | None = spread
        self.money_level_: MoneyLevel | None = None
        self.fit_record_ = {
            "payers": len(weight),
            **record,
            "factor": self.factor_,
            "level_sd": spread.level_sd,
        }

    def _fit_scale(self, X: Floats) -> None:
        """Learn the typical exposure, which stands in where a row's own is missing or zero."""
        column = column_of(self, X, self.exposure, "exposure")
        column_of(self, X, self.balance, "balance")
        self.typical_exposure_: float | None = 1.0
        if column is not None and (column > 0).any():
            self.typical_exposure_ = float(np.median(column[column > 0]))
        elif column is not None and len(column):
            _log.warning("column %s holds no amount: money is predicted directly", self.exposure)
            self.typical_exposure_ = None

    def _exposure_of(self, X: Floats) -> Floats:
        column = column_of(self, X, self.exposure, "exposure")
        if column is None or self.typical_exposure_ is None:
            return np.ones(len(X))
        return np.where(column > 0, column, self.typical_exposure_)

    def _bucket_means(self, X: Floats, share: Floats, exposure: Floats, weight: Floats) -> Floats:
        """Mean share per bucket of days past due, money over exposure, shrunken to the prior."""
        bucket = bucket_of(column_of(self, X, self.days_past_due, "days_past_due"), len(X))
        prior = prior_paid_share()
        if self.exposure is None or self.typical_exposure_ is None:
            prior = np.full(8, float(weight @ share) / float(weight.sum()))
        # rows weigh by their exposure, in units of the mean one
        unit = weight * exposure
        if len(unit):
            unit = unit * (float(weight.sum()) / float(unit.sum()))
        return shrunken_rates(bucket, unit * share, unit, prior)

    def _log_bucket_share(self, X: Floats, shares: Floats) -> Floats:
        days = column_of(self, X, self.days_past_due, "days_past_due")
        return np.log(shares)[bucket_of(days, len(X))]

    def _fit_mean(
        self,
        X: Floats,
        share: Floats,
        exposure: Floats,
        weight: Floats,
        hashes: Hashes,
        rows: npt.NDArray[np.int64],
    ) -> tuple[Floats, dict[str, Any]]:
        """Fit the mixture; return held-out log shares of ``rows`` and the record."""
        record = {"learner": "means by days past due", "rounds": 0}
        if len(rows) < _MIN_PAYERS:
            return self._log_bucket_share(X, self.bucket_shares_), record
        folds = cross_fit_folds(hashes[rows], self.n_folds)
        if not all(len(t) and len(v) for t, v in folds):
            # all rows of a handful of customers: nothing can be held out
            return self._log_bucket_share(X[rows], self.bucket_shares_), record
        means = np.empty(len(rows))
        for train, valid in folds:
            at = rows[train]
            found = self._bucket_means(X[at], share[at], exposure[at], weight[at])
            means[valid] = self._log_bucket_share(X[rows[valid]], found)
        names = [str(c) for c in getattr(self, "feature_names_in_", ())]
        self.mixture_, held, record = fit_mixture(
            X,
            share,
            weight,
            rows=rows,
            folds=folds,
            bucket_log_mean=means,
            plan=self._plan(),
            categories=self.encoder_.category_positions(names),
        )
        return held, record

    def _plan(self) -> BoostingPlan:
        seed = int(np.random.RandomState(self.random_state).randint(2**31 - 1))
        return BoostingPlan(
            objective="gamma",
            max_rounds=self.max_rounds,
            learning_rate=self.learning_rate,
            num_leaves=self.num_leaves,
            min_child_samples=self.min_child_samples,
            feature_fraction=self.feature_fraction,
            lambda_l2=self.lambda_l2,
            num_threads=self.num_threads,
            seed=seed,
        )

    def _bounded(self, X: Floats, money: Floats) -> Floats:
        return np.clip(money, 0.0, self._cap_of(X))

    def _cap_of(self, X: Floats) -> Floats:
        balance = column_of(self, X, self.balance, "balance")
        if balance is None:
            return np.full(len(X), np.inf)
        return np.where(balance >= 0, balance, np.inf)

    def _share_and_mean(self, X: Floats) -> tuple[Floats, Floats]:
        share = np.exp(self.mixture_.log_mean(X, self._log_bucket_share(X, self.bucket_shares_)))
        return share, self._bounded(X, share * self._exposure_of(X) * self.factor_)

    def predict(self, X: Any) -> Floats:
        """Return expected money given payment, shape (n,), the currency of the exposure."""
        return self._share_and_mean(self._checked(X))[1]

    def predict_interval(self, X: Any, coverage: float = 0.9) -> AmountInterval:
        """Bounds between which a payer's money lies with probability ``coverage``.

        Parameters
        ----------
        X : DataFrame or array, shape (n, k)
        coverage : float in (0, 1)
            Holds on average over payers like those of the fit (and, from 600 payers on, for low
            and high predicted shares apart), not for each single customer.

        Returns
        -------
        AmountInterval
            ``low`` and ``high``, shape (n,). Where too few payers were seen to promise the
            coverage, 0 and the balance (infinity without one).

        Raises
        ------
        ContactoptError
            If the coverage is not inside (0, 1), or the model was saved before intervals existed.
        """
        matrix = self._checked(X)
        spread = self._spread(coverage)
        share, mean = self._share_and_mean(matrix)
        low, high = spread.bounds(share, coverage)
        cap = self._cap_of(matrix)
        # nothing owed is nothing paid, however wide the ratio
        high = np.multiply(mean, high, out=np.zeros_like(mean), where=mean > 0)
        return AmountInterval(np.minimum(mean * low, cap), np.minimum(high, cap))

    def _checked(self, X: Any) -> Floats:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        return checked_matrix(self, X, reset=False)

    def _spread(self, coverage: float) -> MoneySpread:
        if not 0.0 < coverage < 1.0:
            raise ContactoptError("coverage must lie between 0 and 1", hint="0.9 is 90 %")
        if self.spread_ is None:
            raise ContactoptError(
                "this amount model was saved before it knew intervals", hint="fit it again"
            )
        return self.spread_

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict; plain values, lists and `ModelText`."""
        return state_of(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AmountModel:
        """Rebuild from `to_state`; predictions are equal bit for bit.

        States of the first format (trees of the log share and a smearing factor) predict as they
        did, without intervals.
        """
        return restored(cls(**state["params"]), state)
