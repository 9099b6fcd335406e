"""What the contracts room asks of a strategy's configuration, which stands above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["StrategyNeeds"]


class StrategyNeeds(Protocol):
    """The part of a strategy's configuration that data are checked against."""

    @property
    def channels(self) -> Mapping[str, Any]:
        """Channels by name."""
        ...

    @property
    def pools(self) -> Mapping[str, Any]:
        """Pools by name."""
        ...

    @property
    def data_delay(self) -> Mapping[str, float]:
        """Hours by table."""
        ...

    @property
    def max_staleness_hours(self) -> float:
        """Largest age of touches and payments."""
        ...

    def rate_of(self, currency: str) -> float:
        """Return the exchange rate or raise ConfigError."""
        ...
