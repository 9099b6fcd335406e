"""The payment, amount and roll model of a strategy, as its file sets them up, not yet fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import ARREARS_STAGES
from contactopt.journal.arrears import stage_positions
from contactopt.models.amount import AmountModel
from contactopt.models.learners.debt_age import DAY_OF_BUCKET
from contactopt.models.payment.model import PaymentModel
from contactopt.models.payment.roll import RollModel
from contactopt.models.payment.signs import PAYMENT_SIGNS

__all__ = [
    "BALANCE",
    "DAYS_PAST_DUE",
    "PAST_DUE",
    "amount_model",
    "payment_model",
    "payment_signs",
    "prior_horizons",
    "roll_model",
]

#: features that priors and the money scale rest on
DAYS_PAST_DUE = "debt.days_past_due"
PAST_DUE, BALANCE = "debt.total_past_due_now", "debt.total_balance"


def prior_horizons(config: StrategyConfig) -> float | list[float]:
    """Return the horizon that priors by days past due are scaled to, or one per bucket.

    A bucket takes the horizon of the stage that its middle day is in; where a strategy's stages end
    inside a bucket, the prior of the rest of it is that of the neighbouring stage until rows are
    seen.
    """
    objective = config.objective
    if not objective.horizons.differ:
        return objective.horizon_days
    stages = stage_positions(DAY_OF_BUCKET, False, config.segments.stage_days)
    return objective.horizons.of([ARREARS_STAGES[k] for k in stages]).tolist()


def payment_signs(config: StrategyConfig) -> Any:
    """Return the directions that chances of payment keep, as `PaymentModel` takes them.

    Longer past due is less likely to pay within the same time or a shorter one, not within a longer
    one: where windows lengthen with the arrears, days past due have no direction.
    """
    in_arrears = config.objective.horizons.of(ARREARS_STAGES[1:-1])
    if not (np.diff(in_arrears) > 0).any():
        return "auto"
    return {name: sign for name, sign in PAYMENT_SIGNS.items() if "days_past_due" not in name}


def payment_model(config: StrategyConfig, **settings: Any) -> PaymentModel:
    """Return the model of who pays; ``settings`` win over those of the strategy file."""
    return PaymentModel(
        **{
            "horizon_days": prior_horizons(config),
            "days_past_due": DAYS_PAST_DUE,
            "monotone": payment_signs(config),
            "n_folds": config.models.n_folds,
            "num_threads": config.models.num_threads,
            "random_state": config.random_state,
            **config.models.payment.given,
            **settings,
        }
    )


def amount_model(config: StrategyConfig, **settings: Any) -> AmountModel:
    """Return the model of how much is paid; ``settings`` win over those of the strategy file."""
    return AmountModel(
        **{
            "exposure": PAST_DUE,
            "balance": BALANCE,
            "days_past_due": DAYS_PAST_DUE,
            "max_rounds": 200,
            "learning_rate": 0.1,
            "num_threads": config.models.num_threads,
            "random_state": config.random_state,
            **config.models.amount.given,
            **settings,
        }
    )


def roll_model(config: StrategyConfig, **settings: Any) -> RollModel:
    """Return the model of who rolls towards default; ``settings`` win."""
    return RollModel(
        **{
            "horizon_days": prior_horizons(config),
            "days_past_due": DAYS_PAST_DUE,
            "n_folds": config.models.n_folds,
            "max_rounds": 100,
            "learning_rate": 0.15,
            "num_threads": config.models.num_threads,
            "random_state": config.random_state,
            **settings,
        }
    )
