"""What a fitted strategy tells of customers, beside plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.exceptions import NotFittedError
from tqdm import tqdm

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.contracts.checks import as_instant

if TYPE_CHECKING:
    from contactopt.models.fitting import FittedModels
    from contactopt.segments import StageSegments

__all__ = ["TellsOfCustomers"]

#: customers scored at a time: bounds the memory of features
_BLOCK_CUSTOMERS = 10_000


class TellsOfCustomers:
    """Verbs of `ContactStrategy` that describe customers and decide nothing."""

    config: StrategyConfig
    models_: FittedModels
    segments_: StageSegments
    _check: Any

    def score_customers(
        self,
        portfolio: Portfolio,
        *,
        as_of: str | pd.Timestamp,
        coverage: float = 0.9,
        progress: bool = False,
    ) -> pd.DataFrame:
        """Score every customer in arrears: propensity to pay, money, best channel and hour.

        Law, consent, effect and capacity are not in these numbers: they describe, `score` and
        `rank` decide. A likely payer is not a customer worth a call.

        Parameters
        ----------
        portfolio : Portfolio
        as_of : Timestamp or str with a zone
        coverage : float in (0, 1)
            Of the interval of the money.
        progress : bool
            Show a bar over blocks of customers.

        Returns
        -------
        DataFrame
            One row per customer with a debt in arrears, by id; no row without one.

            - ``segment``: stage and balance.
            - ``p_pay``: pays anything within the horizon of the stage, contacted as in the past.
            - ``self_cure``: the same when nobody makes contact.
            - ``p_roll``: is further past due, by a bucket at least, when the horizon ends; missing
              in bundles from before there was such a model.
            - ``expected_recovery``, ``recovery_low``, ``recovery_high``: money within the horizon,
              strategy currency, and the interval of what the one customer will really pay.
            - ``best_channel``, ``best_hour``: likeliest to reach the right party, among the
              strategy's channels and hours; hour on the customer's clock, missing where the
              channel has none or the log cannot tell hours apart (``hour_reason``).
            - ``p_reach``, ``p_reach_low``, ``p_reach_high``: of that channel and hour, 95 %.
            - ``reach_rests_on``: person, type (same medium), segment or population.

        Raises
        ------
        NotFittedError
            If the strategy was never fitted.
        StalenessError, ConfigError
            As in `fit`.
        """
        from contactopt.policy.customer_scores import score_customers

        if not hasattr(self, "models_"):
            raise NotFittedError("this ContactStrategy is not fitted yet: call `fit` first")
        instant = as_instant(as_of)
        self._check(portfolio, instant)
        n_blocks = -(-max(portfolio.n_customers, 1) // _BLOCK_CUSTOMERS)
        with tqdm(total=n_blocks, desc="score", disable=not progress) as bar:

            def tick(name: str) -> None:
                bar.set_postfix_str(name)
                bar.update()

            return score_customers(
                portfolio,
                models=self.models_,
                segments=self.segments_,
                config=self.config,
                as_of=instant,
                block_customers=_BLOCK_CUSTOMERS,
                coverage=coverage,
                on_block=tick,
            )
