"""How much is paid, given that a customer pays, and what is recovered in all."""

from contactopt.models.amount.model import AmountModel
from contactopt.models.amount.recovery import Recovery

__all__ = ["AmountModel", "Recovery"]
