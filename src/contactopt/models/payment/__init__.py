"""Who pays within the horizon, calibrated."""

from contactopt.models.payment.model import PaymentModel

__all__ = ["PaymentModel"]
