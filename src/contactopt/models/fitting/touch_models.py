"""The models that learn from touches alone: who is reached, and who complains or opts out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.models.harm import HarmModel
from contactopt.models.reach.memory import choose_half_life
from contactopt.models.reach.model import ReachModel

__all__ = ["fit_harm", "fit_reach", "followed_words"]


def followed_words(config: StrategyConfig) -> dict[str, str]:
    """Return the channels of the strategy's own with the contract's word that each follows."""
    return {c: r for c in config.channels if (r := config.channel_root(c)) != c}


def fit_reach(attempts: pd.DataFrame, config: StrategyConfig) -> ReachModel:
    """Learn from attempts who answers where and when, as long as habits have held."""
    like = followed_words(config)
    memory = choose_half_life(attempts, like=like)
    return ReachModel(half_life_days=memory.half_life_days, like=like).fit(attempts)


def fit_harm(attempts: pd.DataFrame, config: StrategyConfig) -> HarmModel:
    """Learn from attempts who complains or opts out; unknown outcomes say nothing."""
    outcome = attempts["outcome"]
    told = (outcome != "unknown").to_numpy()
    harmed = attempts.assign(
        **{k: np.where(told, outcome == k, np.nan) for k in ("complained", "opted_out")}
    )
    return HarmModel(like=followed_words(config)).fit(harmed)
