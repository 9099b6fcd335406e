"""Who pays within the horizon, and who rolls towards default, calibrated."""

from contactopt.models.payment.model import PaymentModel
from contactopt.models.payment.roll import RollModel

__all__ = ["PaymentModel", "RollModel"]
