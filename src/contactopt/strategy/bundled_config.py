"""The settings in a strategy's bundle, read as they were meant when its models were fitted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from contactopt.config import StrategyConfig
from contactopt.config.horizons import stage_word
from contactopt.contracts.vocabulary import ARREARS_STAGES

__all__ = ["config_of_bundle"]

_log = logging.getLogger(__name__)


def config_of_bundle(state: Mapping[str, Any]) -> StrategyConfig:
    """Return the settings of a saved strategy.

    ``horizon_days_by_stage`` was read and not used by earlier versions. Models that were fitted so
    know one horizon: with others a bundle would be corrected by labels that its models never saw,
    so its stages keep the one horizon until it is fitted again, and a warning says so.

    Parameters
    ----------
    state : mapping
        Of the bundle; ``config`` and ``models``.

    Raises
    ------
    ConfigError
        As `StrategyConfig.from_mapping`.
    """
    given = state["config"]
    objective = dict(given.get("objective", {}))
    named = objective.get("horizon_days_by_stage") or {}
    # one number per bucket of days past due says that the fit told stages apart
    told_apart = isinstance(state["models"]["payment"]["params"].get("horizon_days"), list)
    if told_apart or not _matters(named, objective.get("horizon_days")):
        return StrategyConfig.from_mapping(given)
    _log.warning(
        "this strategy was fitted when horizon_days_by_stage had no effect: every stage keeps "
        "%s days until it is fitted again", objective.get("horizon_days"),
    )  # fmt: skip
    return StrategyConfig.from_mapping(
        {**given, "objective": {**objective, "horizon_days_by_stage": {}}}
    )


def _matters(named: Mapping[str, Any], days: Any) -> bool:
    return any(stage_word(n) not in ARREARS_STAGES or d != days for n, d in named.items())
