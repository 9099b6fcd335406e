"""Who is reached, through which channel and at which hour."""

from contactopt.models.reach.events import is_reached
from contactopt.models.reach.model import Reach, ReachModel

__all__ = ["Reach", "ReachModel", "is_reached"]
