"""Who is reached, through which channel and at which hour."""

from contactopt.models.reach.events import is_reached
from contactopt.models.reach.model import Reach, ReachModel
from contactopt.models.reach.plain_frames import attempt_frame

__all__ = ["Reach", "ReachModel", "attempt_frame", "is_reached"]
