"""The whole conversation with one customer, as it was known at an instant."""

from contactopt.journal.timeline.conversation import KINDS, Timeline, timeline, timeline_of

__all__ = ["KINDS", "Timeline", "timeline", "timeline_of"]
