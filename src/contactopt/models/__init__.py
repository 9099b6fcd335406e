"""What is likely: payment, amount, reach, effect of contact, harm; each alone on plain frames."""

from contactopt.models.amount import AmountModel
from contactopt.models.effect import Effect, EffectModel
from contactopt.models.harm import Harm, HarmModel
from contactopt.models.learners.splits import temporal_split
from contactopt.models.payment import PaymentModel
from contactopt.models.pressure import touches_before
from contactopt.models.reach import Reach, ReachModel, is_reached

__all__ = [
    "AmountModel",
    "Effect",
    "EffectModel",
    "Harm",
    "HarmModel",
    "PaymentModel",
    "Reach",
    "ReachModel",
    "is_reached",
    "temporal_split",
    "touches_before",
]
