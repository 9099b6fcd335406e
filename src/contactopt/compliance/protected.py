"""Protected states, and the channels that a strategy leaves open in them."""

from __future__ import annotations

from contactopt.compliance.words import root_of
from contactopt.config import StrategyConfig

__all__ = ["STATES", "treated"]

#: flag of the rule that silences -> state of the strategy's `treatments`
STATES = {
    "house.hardship": "hardship",
    "house.vulnerable": "vulnerable",
    "house.in_plan": "in_plan",
}


def treated(flag: object, channel: str, config: StrategyConfig) -> bool:
    """Return whether the strategy leaves a channel open although a rule's flag is set."""
    state = STATES.get(str(flag))
    if state is None:
        return False
    allowed = getattr(config.orchestration.treatments, state).channels
    return channel in allowed or root_of(channel, config) in allowed
