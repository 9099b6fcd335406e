"""The payment, amount and roll model of a strategy, as its file sets them up, not yet fitted."""

from __future__ import annotations

from typing import Any

from contactopt.config import StrategyConfig
from contactopt.models.amount import AmountModel
from contactopt.models.payment.model import PaymentModel
from contactopt.models.payment.roll import RollModel

__all__ = ["BALANCE", "DAYS_PAST_DUE", "PAST_DUE", "amount_model", "payment_model", "roll_model"]

#: features that priors and the money scale rest on
DAYS_PAST_DUE = "debt.days_past_due"
PAST_DUE, BALANCE = "debt.total_past_due_now", "debt.total_balance"


def payment_model(config: StrategyConfig, **settings: Any) -> PaymentModel:
    """Return the model of who pays; ``settings`` win over those of the strategy file."""
    return PaymentModel(
        **{
            "horizon_days": config.objective.horizon_days,
            "days_past_due": DAYS_PAST_DUE,
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
            "horizon_days": config.objective.horizon_days,
            "days_past_due": DAYS_PAST_DUE,
            "n_folds": config.models.n_folds,
            "max_rounds": 100,
            "learning_rate": 0.15,
            "num_threads": config.models.num_threads,
            "random_state": config.random_state,
            **settings,
        }
    )
