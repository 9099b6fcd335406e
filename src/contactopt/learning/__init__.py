"""What came of the plans: logged decisions joined with their outcomes, and what they teach."""

from contactopt.learning.refresh import refreshed_models
from contactopt.learning.replay import Learned, learn_from_log

__all__ = ["Learned", "learn_from_log", "refreshed_models"]
