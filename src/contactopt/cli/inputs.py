"""What verbs read: the instant, the portfolio for a strategy, the strategy itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from contactopt.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from contactopt.config import StrategyConfig
    from contactopt.contracts import Portfolio
    from contactopt.strategy import ContactStrategy

__all__ = ["instant_of", "read_config", "read_portfolio", "read_strategy"]

_HINT = "write ISO 8601 with zone, for example 2026-06-02T12:00Z, or the word latest"


def instant_of(text: str, portfolio: Portfolio, config: StrategyConfig | None) -> pd.Timestamp:
    """Read ``--as-of``.

    Raises
    ------
    ConfigError
        No instant, or one without a zone.
    ContractError
        ``latest`` of a portfolio without touches, payments and snapshots.
    """
    from contactopt.contracts.instants import written_instant

    if text == "latest":
        return portfolio.latest_instant(config.data_delay if config else None)
    found = written_instant(text)
    if found is None:
        raise ConfigError("--as-of is no instant", hint=_HINT)
    if found.tzinfo is None:
        raise ConfigError("--as-of has no time zone", hint=_HINT)
    return found.tz_convert("UTC")


def read_config(path: Path | None) -> StrategyConfig | None:
    """Read the strategy file, if one is named."""
    from contactopt.config import StrategyConfig

    return None if path is None else StrategyConfig.from_yaml(path)


def read_strategy(model: str, tracking_uri: str | None) -> ContactStrategy:
    """Load a fitted strategy by its registered name or from its folder."""
    from contactopt.tracking import load_strategy

    return load_strategy(model, tracking_uri=tracking_uri)


def read_portfolio(
    folder: Path,
    config: StrategyConfig | None,
    *,
    max_quarantined_share: float | None,
    progress: bool,
) -> Portfolio:
    """Load a portfolio as a strategy needs it: its own channels, its quarantine limit."""
    from contactopt.contracts import Portfolio

    share = max_quarantined_share
    if share is None:
        share = config.max_quarantined_share if config else 0.0
    return Portfolio.from_folder(
        folder,
        max_quarantined_share=share,
        extra_channels=tuple(config.channels) if config else (),
        progress=progress,
    )
