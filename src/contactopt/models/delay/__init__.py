"""When money comes after a decision, and what is still to come: late rewards are never zeros."""

from contactopt.models.delay.model import DelayModel

__all__ = ["DelayModel"]
