"""What the amount model says once the chance of payment is known: money recovered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from contactopt.errors import ContactoptError
from contactopt.models.amount.money_level import MoneyLevel
from contactopt.models.amount.recovery import Recovery, recovery_of
from contactopt.models.learners.splits import check_per_row, content_order, instants_of

if TYPE_CHECKING:
    from contactopt.models.amount.spread import MoneySpread

__all__ = ["RecoversMoney"]

Floats = npt.NDArray[np.float64]
_US_PER_DAY = 86_400_000_000


class RecoversMoney:
    """The verbs of `AmountModel` that take a probability of payment."""

    money_level_: MoneyLevel | None
    fit_record_: dict[str, Any]

    if TYPE_CHECKING:

        def _checked(self, X: Any) -> Floats: ...
        def _share_and_mean(self, X: Floats) -> tuple[Floats, Floats]: ...
        def _cap_of(self, X: Floats) -> Floats: ...
        def _spread(self, coverage: float) -> MoneySpread: ...

    def match_recovery(
        self,
        p_pay: npt.ArrayLike,
        X: Any,
        money: npt.ArrayLike,
        *,
        groups: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        horizon_days: float = 30.0,
    ) -> Self:
        """Match chance times amount to the money that came in: `expected_recovery` then uses it.

        Who pays may be calibrated over customers and wrong over money. Give past rows, payers and
        others, with the probabilities of the model that will be used; see `MoneyLevel`. One
        month's money is mostly chance where a few settlements decide it: give all months.

        Parameters
        ----------
        p_pay : array-like, shape (n,)
        X : DataFrame or array, shape (n, k)
        money : array-like >= 0, shape (n,)
            Zero where nothing was paid.
        groups : array-like, shape (n,), optional
            Customer of each row.
        times : array-like, shape (n,), optional
            Instants of the rows: old windows then count less. Without them all are of today.
        horizon_days : float
            Length of the windows.

        Returns
        -------
        AmountModel
            Itself. No row changes nothing but the error of the level.

        Raises
        ------
        ContactoptError
            If ``p_pay`` is no probability, ``money``, ``groups`` or ``times`` have another length
            than X, or money is negative.
        """
        matrix = self._checked(X)
        p, told = self._probability(p_pay, matrix), np.asarray(money, dtype=np.float64)
        check_per_row(len(matrix), groups=groups, times=times)
        who = np.arange(len(matrix)) if groups is None else np.asarray(groups)
        age = np.zeros(len(matrix))
        if times is not None and len(matrix):
            when = instants_of(times)
            # a window that closed today began a horizon ago
            age = 1.0 + (when.max() - when) / (horizon_days * _US_PER_DAY)
        if told.shape != p.shape or not (told >= 0).all():
            raise ContactoptError(
                "money must hold one amount, zero or more, per row of X",
                hint="zero where nothing was paid",
            )
        # sorted by content: the sums do not depend on the order of the rows
        order = content_order(matrix, told, p, times, groups, np.arange(len(matrix)))
        share, amount = self._share_and_mean(matrix[order])
        variation = np.maximum(self._spread(0.5).moments(share)[0] - 1.0, 0.0)
        self.money_level_ = MoneyLevel.learn(
            p[order], amount, variation, told[order], who[order], age[order]
        )
        self.fit_record_ |= {
            "recovery_level": float(np.exp(self.money_level_.intercept)),
            "recovery_slope": self.money_level_.slope,
        }
        return self

    def expected_recovery(
        self, p_pay: npt.ArrayLike, X: Any, *, coverage: float = 0.9, p_level_sd: float = 0.0
    ) -> Recovery:
        """Money recovered within the horizon, per customer and in total, with intervals.

        Parameters
        ----------
        p_pay : array-like, shape (n,)
            Probability that each customer pays, for example ``PaymentModel.predict_proba(X)[:, 1]``
            (calibrated: without `match_recovery` the total is no better than it).
        X : DataFrame or array, shape (n, k)
        coverage : float in (0, 1)
        p_level_sd : float
            Relative standard error of the overall level of ``p_pay``. After `match_recovery` leave
            it at 0: the interval then holds that error, and how levels move from month to month.
            The error of the amounts' level is always in it.

        Returns
        -------
        Recovery
            Empty for no rows.

        Raises
        ------
        ContactoptError
            If ``p_pay`` is no probability or has another length than X.
        """
        matrix = self._checked(X)
        p = self._probability(p_pay, matrix)
        spread = self._spread(coverage)
        share, mean = self._share_and_mean(matrix)
        level_sd = spread.level_sd
        if self.money_level_ is not None:
            p = np.minimum(p * self.money_level_.factor(mean), 1.0)
            level_sd = float(np.hypot(level_sd, self.money_level_.sd))
        cap, level_sd = self._cap_of(matrix), float(np.hypot(level_sd, p_level_sd))
        return recovery_of(p, mean, share, cap, spread, coverage=coverage, level_sd=level_sd)

    @staticmethod
    def _probability(p_pay: npt.ArrayLike, matrix: Floats) -> Floats:
        p = np.asarray(p_pay, dtype=np.float64)
        if p.shape != (len(matrix),) or not ((p >= 0) & (p <= 1)).all():
            raise ContactoptError(
                "p_pay must hold one probability per row of X",
                hint="give PaymentModel.predict_proba(X)[:, 1]",
            )
        return p
