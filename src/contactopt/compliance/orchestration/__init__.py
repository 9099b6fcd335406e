"""Orchestration: how channels, vendors and agreements take turns, told as facts of the pack house.

Each file tells one part of it from the journal's view; the rules of `house.json` hang on those
facts like on any other, so denials, releases and explanations are the engine's own.
"""

from __future__ import annotations

from contactopt.compliance.block import Block
from contactopt.compliance.fact_table import FactIndex, Facts, fact_arrays, joined
from contactopt.compliance.orchestration.commitments import (
    callbacks_told,
    plans_in_force,
    told_outcomes,
)
from contactopt.compliance.orchestration.futility import resting_channels
from contactopt.compliance.orchestration.history import History
from contactopt.compliance.orchestration.treatments import template_limits
from contactopt.compliance.orchestration.turns import (
    active_channel,
    daily_attempts,
    first_ones,
    quiet_days,
)

__all__ = [
    "History",
    "facts_of_orchestration",
    "first_ones",
    "history_of",
    "template_limits",
]


def history_of(block: Block) -> History:
    """Return the contacts and open plans that any of the rules may look back at."""
    turns = block.config.orchestration
    reach = max(
        turns.outcome_silence_days,
        turns.callback_days,
        turns.patience_days,
        turns.answer_keeps_days,
        turns.failure_opens_days,
        turns.futility_days + turns.futility_rest_days,
        turns.template_rest_days,
    )
    return History.of(block, reach + 1)


def facts_of_orchestration(block: Block, index: FactIndex, history: History) -> Facts:
    """Return the facts of every rule that needs no other rule's answer."""
    if block.told is not None:  # a contact described in words has no portfolio around it
        return fact_arrays(0)
    parts = [
        fact_arrays(0),
        told_outcomes(block, index, history),
        plans_in_force(block, index),
        callbacks_told(block, index, history),
        daily_attempts(block, index, history),
        quiet_days(block, index, history),
        active_channel(block, index, history),
        resting_channels(block, index, history),
    ]
    return joined(parts)
