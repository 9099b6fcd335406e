"""Whether what two shards learned may be added up."""

from __future__ import annotations

from typing import Any

from contactopt.errors import ConfigError, ContractError
from contactopt.policy.bandit.state import plain_numbers

__all__ = ["check_shards"]


def check_shards(mine: Any, theirs: Any) -> None:
    """Refuse policies that differ, or have learned a decision both; ``theirs`` has learned.

    Raises
    ------
    ConfigError
        Other actions, columns, action features or forgetting.
    ContractError
        A decision was learned by both.
    """
    features = [plain_numbers(p.action_features) for p in (mine, theirs)]
    actions = getattr(mine, "n_actions_", mine.n_actions)
    same = mine.forgetting == theirs.forgetting and features[0] == features[1]
    if not same or actions not in (None, theirs.n_actions_):
        raise ConfigError("BanditPolicy: shards differ in actions, action features or forgetting")
    if not hasattr(mine, "statistics_"):
        return
    if not mine.design_.same_as(theirs.design_):
        raise ConfigError(
            "BanditPolicy: the shards differ in columns",
            hint="frames: let every shard begin with the same first rows",
        )
    both = mine.decisions_.overlap(theirs.decisions_)
    if both:
        raise ContractError(f"{both} decisions were learned by both shards")
