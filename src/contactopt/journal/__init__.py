"""What happened, by when it was known: the only room that compares times."""

from contactopt.journal.event_index import EventIndex
from contactopt.journal.journal import Journal
from contactopt.journal.labels import payment_labels
from contactopt.journal.local_time import SlotWindow
from contactopt.journal.view import JournalView

__all__ = ["EventIndex", "Journal", "JournalView", "SlotWindow", "payment_labels"]
