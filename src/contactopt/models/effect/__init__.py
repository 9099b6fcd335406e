"""What contact adds over waiting."""

from contactopt.models.effect.model import Effect, EffectModel

__all__ = ["Effect", "EffectModel"]
