"""Touches by channel: attempts by window, contacts, and a shrunken rate of reaching somebody."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.contracts import vocabulary as v
from contactopt.features._base import Column, FeatureBlock
from contactopt.features.arithmetic import shrunken
from contactopt.features.moments import Moments
from contactopt.features.windows import window_lengths, window_name
from contactopt.journal.folds import window_sums
from contactopt.journal.local_time import DAY_US
from contactopt.journal.outcome_events import REACHED_OUTCOMES

__all__ = ["OUTBOUND", "Channels", "reached_by_code"]

OUTBOUND = tuple(c for c in v.CHANNELS if c not in v.INBOUND_ONLY)
_TOUCHES = "touches"
_OUTCOMES = "touches+touch_events"


def reached_by_code() -> npt.NDArray[np.bool_]:
    """Return, per outcome code, whether the customer was there."""
    return np.array([o in REACHED_OUTCOMES for o in v.OUTCOMES])


class Channels(FeatureBlock):
    """Outbound attempts and reach per channel.

    The rate is (reached + strength x population rate) / (attempts + strength) over attempts with
    a known outcome within ``rate_days``; where the population has none it is missing.

    Parameters
    ----------
    windows_days : tuple of float, ascending
        Windows of attempts; where there are several, the widest is left out.
    rate_days : int
    prior_strength : float
        Attempts' worth of population in each rate.

    Examples
    --------
    >>> [c.name for c in Channels(windows_days=(7,)).columns()][:4]
    ['call_agent_n_7d', 'call_agent_reached', 'call_agent_known', 'call_agent_rate']
    """

    name = "channel"
    fitted = ("rates_",)

    def __init__(
        self,
        *,
        windows_days: tuple[float, ...] = (7, 30, 90),
        rate_days: int = 365,
        prior_strength: float = 5.0,
    ) -> None:
        self.windows_days = windows_days
        self.rate_days = rate_days
        self.prior_strength = prior_strength

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        past = f"{self.rate_days}d"
        out = []
        for c in OUTBOUND:
            out += [Column(f"{c}_n_{w}", "count", w, _TOUCHES) for w in self._recent()]
            out += [
                Column(f"{c}_reached", "count", past, _OUTCOMES),
                Column(f"{c}_known", "count", past, _OUTCOMES),
                Column(f"{c}_rate", "share", past, _OUTCOMES),
            ]
        return tuple(out)

    def learn(self, moments: Moments) -> None:
        """Learn the population's rate of reaching somebody per channel."""
        reached, tried = self._outcomes(moments)
        hits, trials = reached.sum(axis=0), tried.sum(axis=0)
        self.rates_ = [
            float(h / t) if t > 0 else float("nan") for h, t in zip(hits, trials, strict=True)
        ]

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        m = moments
        windows = window_lengths(self.windows_days)[: len(self._recent())]
        bucket = np.where(m.touch_outbound, m.touch_channel, -1)
        n = window_sums(
            m.journal.touches.index, _outbound_only(bucket), len(OUTBOUND), windows, m.customers,
            m.instants,
        )  # fmt: skip
        reached, tried = self._outcomes(m)
        out: dict[str, Any] = {}
        for k, c in enumerate(OUTBOUND):
            for j, w in enumerate(self._recent()):
                out[f"{c}_n_{w}"] = n[:, k, j]
            out[f"{c}_reached"], out[f"{c}_known"] = reached[:, k], tried[:, k]
            out[f"{c}_rate"] = shrunken(
                reached[:, k], tried[:, k], self.rates_[k], self.prior_strength
            )
        return out

    def _recent(self) -> list[str]:
        """Return the names of the windows of attempts: the widest one is left to the rate."""
        return [window_name(w) for w in self.windows_days[:-1] or self.windows_days]

    def _outcomes(self, m: Moments) -> tuple[Any, Any]:
        """Return reached and tried attempts with a known outcome, shape (n, n_channels)."""
        return m.once(("channel", self.rate_days), lambda: self._fold_outcomes(m))

    def _fold_outcomes(self, m: Moments) -> tuple[Any, Any]:
        events = m.journal.outcomes
        touch = events.index.rows
        channel = _outbound_only(np.where(m.touch_outbound, m.touch_channel, -1)[touch])
        hit = reached_by_code()[events.outcome]
        bucket = np.where(channel < 0, -1, channel * 2 + hit)
        window = [self.rate_days * DAY_US]
        sums = window_sums(
            events.index, bucket, 2 * len(OUTBOUND), window, m.customers, m.instants
        )[:, :, 0]
        return sums[:, 1::2], sums[:, 0::2] + sums[:, 1::2]


def _outbound_only(channel: Any) -> Any:
    """Return channel codes with those that are inbound only left out."""
    return np.where(channel < len(OUTBOUND), channel, -1)


assert v.CHANNELS[: len(OUTBOUND)] == OUTBOUND  # codes of `OUTBOUND` are codes of the channels
