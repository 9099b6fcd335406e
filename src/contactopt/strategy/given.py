"""What a strategy is given, looked at before the work: the error names what to write instead."""

from __future__ import annotations

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.errors import ConfigError, ContractError

__all__ = ["check_given"]


def check_given(portfolio: object, config: object) -> None:
    """Refuse tables that are no portfolio, and settings that are no configuration.

    Raises
    ------
    ContractError
        For a dict of frames, or a path.
    ConfigError
        For a path or a dict in place of a `StrategyConfig`.
    """
    if not isinstance(config, StrategyConfig):
        raise ConfigError(
            f"the strategy's config is given as {type(config).__name__}",
            hint="ContactStrategy.from_yaml(path), or config=StrategyConfig.from_mapping({...})",
        )
    if not isinstance(portfolio, Portfolio):
        raise ContractError(
            f"the portfolio is given as {type(portfolio).__name__}",
            hint="contactopt.Portfolio.from_folder(path), or .from_frames({'customers': ..., ...})",
        )
