"""What contact adds over waiting, and what a log can tell about it."""

from contactopt.models.effect.choice import EffectChoice
from contactopt.models.effect.model import Effect, EffectModel
from contactopt.models.effect.support import (
    SupportReport,
    logged_probabilities,
    support_report,
)

__all__ = [
    "Effect",
    "EffectChoice",
    "EffectModel",
    "SupportReport",
    "logged_probabilities",
    "support_report",
]
