"""Treatments inside an arm: which messages and offers are valid, and which one is drawn."""

from contactopt.policy.treatments.inner import (
    INNER_UNIT,
    InnerChoice,
    draw_treatments,
    inner_choice,
)
from contactopt.policy.treatments.offers import offers_in_flight
from contactopt.policy.treatments.valid import Treatments, valid_treatments

__all__ = [
    "INNER_UNIT",
    "InnerChoice",
    "Treatments",
    "draw_treatments",
    "inner_choice",
    "offers_in_flight",
    "valid_treatments",
]
