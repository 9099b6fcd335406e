"""What is likely: payment, amount, reach, effect of contact, harm; each alone on plain frames."""

from contactopt.models.amount import AmountModel
from contactopt.models.card import ModelCard
from contactopt.models.effect import (
    Effect,
    EffectChoice,
    EffectModel,
    SupportReport,
    logged_probabilities,
    support_report,
)
from contactopt.models.harm import Harm, HarmModel
from contactopt.models.learners.splits import temporal_split
from contactopt.models.payment import PaymentModel, RollModel
from contactopt.models.pressure import touches_before
from contactopt.models.reach import Reach, ReachModel, is_reached
from contactopt.models.report import ModelReport, score_report

__all__ = [
    "AmountModel",
    "Effect",
    "EffectChoice",
    "EffectModel",
    "Harm",
    "HarmModel",
    "ModelCard",
    "ModelReport",
    "PaymentModel",
    "Reach",
    "ReachModel",
    "RollModel",
    "SupportReport",
    "is_reached",
    "logged_probabilities",
    "score_report",
    "support_report",
    "temporal_split",
    "touches_before",
]
