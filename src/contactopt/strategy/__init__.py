"""The rooms of the house composed."""

from contactopt.strategy.contact_strategy import ContactStrategy

__all__ = ["ContactStrategy"]
