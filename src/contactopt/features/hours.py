"""Touches by block of local hours: attempts and shrunken reach, by voice and by message."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts import vocabulary as v
from contactopt.features._base import Column, FeatureBlock
from contactopt.features.arithmetic import shrunken
from contactopt.features.channels import reached_by_code
from contactopt.features.moments import Moments
from contactopt.journal.folds import window_sums
from contactopt.journal.local_time import DAY_US

__all__ = ["FAMILIES", "HOUR_BLOCKS", "Hours", "family_by_channel"]

#: local hours [from, to); evenings and early mornings are few, but differ most
HOUR_BLOCKS = ((0, 8), (8, 11), (11, 14), (14, 17), (17, 20), (20, 24))
FAMILIES = {
    "voice": ("call_agent", "call_bot"),
    "message": ("sms", "whatsapp", "email", "push", "chat"),
}
_SOURCE = "touches+touch_events"


def family_by_channel() -> Any:
    """Return, per channel code, 0 for voice, 1 for messages, -1 for what has no hour."""
    family = [
        next((k for k, words in enumerate(FAMILIES.values()) if c in words), -1) for c in v.CHANNELS
    ]
    return np.array([*family, -1], dtype=np.int64)


class Hours(FeatureBlock):
    """Reach by local hour block, shrunken to the population's rate of that block.

    Parameters
    ----------
    rate_days : int
        Window of attempts and rates.
    prior_strength : float
        Attempts' worth of population in each rate.

    Examples
    --------
    >>> [c.name for c in Hours().columns()][:3]
    ['voice_00_08_known', 'voice_00_08_rate', 'voice_08_11_known']
    """

    name = "hour"
    fitted = ("rates_",)

    def __init__(self, *, rate_days: int = 365, prior_strength: float = 5.0) -> None:
        self.rate_days = rate_days
        self.prior_strength = prior_strength

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        out = []
        for stem in _stems():
            out.append(Column(f"{stem}_known", "count", f"{self.rate_days}d", _SOURCE))
            out.append(Column(f"{stem}_rate", "share", f"{self.rate_days}d", _SOURCE))
        return tuple(out)

    def learn(self, moments: Moments) -> None:
        """Learn the population's rate per family and block, shrunken to the family's rate."""
        reached, tried = (a.sum(axis=0).reshape(len(FAMILIES), -1) for a in self._outcomes(moments))
        family_tried = tried.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # a family without attempts has no rate
            family = reached.sum(axis=1, keepdims=True) / family_tried
        # fifty attempts' worth of the family: a block hardly tried says little
        self.rates_ = [float(r) for r in shrunken(reached, tried, family, 50.0).ravel()]

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        reached, tried = self._outcomes(moments)
        out: dict[str, Any] = {}
        for k, stem in enumerate(_stems()):
            out[f"{stem}_known"] = tried[:, k]
            out[f"{stem}_rate"] = shrunken(
                reached[:, k], tried[:, k], self.rates_[k], self.prior_strength
            )
        return out

    def _outcomes(self, m: Moments) -> tuple[Any, Any]:
        """Return reached and tried attempts, shape (n, families x blocks)."""
        return m.once(("hour", self.rate_days), lambda: self._fold_outcomes(m))

    def _fold_outcomes(self, m: Moments) -> tuple[Any, Any]:
        events = m.journal.outcomes
        touch = events.index.rows
        family = np.where(m.touch_outbound, family_by_channel()[m.touch_channel], -1)[touch]
        ends = [to for _, to in HOUR_BLOCKS]
        block = np.searchsorted(ends, m.journal.touch_hours[touch], side="right")
        n = len(FAMILIES) * len(HOUR_BLOCKS)
        hit = reached_by_code()[events.outcome]
        bucket = np.where(family < 0, -1, (family * len(HOUR_BLOCKS) + block) * 2 + hit)
        sums = window_sums(
            events.index, bucket, 2 * n, [self.rate_days * DAY_US], m.customers, m.instants
        )[:, :, 0]
        return sums[:, 1::2], sums[:, 0::2] + sums[:, 1::2]


def _stems() -> list[str]:
    return [f"{family}_{a:02d}_{b:02d}" for family in FAMILIES for a, b in HOUR_BLOCKS]
