"""How lately and how hard the customer was contacted, how it went, and who came to us."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts import vocabulary as v
from contactopt.features._base import Column, FeatureBlock
from contactopt.features.arithmetic import days_between
from contactopt.features.channels import reached_by_code
from contactopt.features.hours import FAMILIES, family_by_channel
from contactopt.features.moments import Moments
from contactopt.features.windows import window_lengths, window_name
from contactopt.journal.folds import decayed_sums, last_times, window_sums
from contactopt.journal.local_time import DAY_US

__all__ = ["Pressure"]

#: what a touch came to, in groups that mean different things for the next one
RESULTS = {
    "agreed": ("promise", "paid", "plan_agreed", "settlement_agreed", "paid_online"),
    "willing": ("callback", "claims_paid", "no_commitment", "clicked", "replied", "visited"),
    "unwilling": ("refused", "hung_up", "asked_to_stop", "opted_out", "complained"),
    "hardship": ("hardship", "vulnerable", "dispute"),
    "nobody": ("no_answer", "busy", "voicemail", "unreachable", "undelivered"),
    "bad_address": ("invalid", "bounced", "wrong_number", "third_party", "blocked"),
}
_TOUCHES, _OUTCOMES = "touches", "touches+touch_events"
#: a week: by then half of an attempt's weight on the customer's patience is gone (an assumption)
HALF_LIFE_DAYS = 7.0


class Pressure(FeatureBlock):
    """Recency, fatigue, results of contacts, inbound contacts.

    Parameters
    ----------
    windows_days : tuple of float, ascending
    half_life_days : float
        Half-life of the fatigue sums.

    Examples
    --------
    >>> [c.name for c in Pressure().columns()][:2]
    ['days_since_touch', 'days_since_reached']
    """

    name = "pressure"

    def __init__(
        self,
        *,
        windows_days: tuple[float, ...] = (7, 30, 90),
        half_life_days: float = HALF_LIFE_DAYS,
    ) -> None:
        self.windows_days = windows_days
        self.half_life_days = half_life_days

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        names = [window_name(w) for w in self.windows_days]
        widest = names[-1]
        days = ("touch", "reached", "inbound", *FAMILIES)
        return (
            *(Column(f"days_since_{d}", "days", "all", _OUTCOMES) for d in days),
            *(Column(f"n_{w}", "count", w, _TOUCHES) for w in names),
            *(Column(f"reached_{w}", "count", w, _OUTCOMES) for w in names),
            *(Column(f"inbound_{w}", "count", w, _TOUCHES) for w in names),
            Column("fatigue", "touches", "decayed", _TOUCHES),
            *(Column(f"fatigue_{f}", "touches", "decayed", _TOUCHES) for f in FAMILIES),
            *(Column(f"{r}_{widest}", "count", widest, _OUTCOMES) for r in RESULTS),
        )

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        m, index = moments, moments.journal.touches.index
        pairs = (m.customers, m.instants)
        windows = window_lengths(self.windows_days)
        names = [window_name(w) for w in self.windows_days]
        inbound = np.where(m.touch_outbound, 0, 1)
        counts = window_sums(index, inbound, 2, windows, *pairs)
        out: dict[str, Any] = {}
        for k, w in enumerate(names):
            out[f"n_{w}"], out[f"inbound_{w}"] = counts[:, 0, k], counts[:, 1, k]
        family = np.where(m.touch_outbound, family_by_channel()[m.touch_channel], -1)
        last = last_times(index, inbound, 2, *pairs)
        by_family = last_times(index, family, len(FAMILIES), *pairs)
        out["days_since_touch"] = days_between(last[:, 0], m.instants)
        out["days_since_inbound"] = days_between(last[:, 1], m.instants)
        half_life = self.half_life_days * DAY_US
        # letters and visits count in the total alone
        weighed = np.where(m.touch_outbound & (family < 0), len(FAMILIES), family)
        fatigue = decayed_sums(index, weighed, len(FAMILIES) + 1, half_life, *pairs)
        out["fatigue"] = fatigue[:, -1]
        for k, f in enumerate(FAMILIES):
            out[f"days_since_{f}"] = days_between(by_family[:, k], m.instants)
            out[f"fatigue_{f}"] = fatigue[:, k]
        return out | self._results(m, windows)

    def _results(self, m: Moments, windows: list[int]) -> dict[str, Any]:
        """Count what came of touches in both directions, as known at the instants."""
        events = m.journal.outcomes
        pairs = (m.customers, m.instants)
        hit = np.where(reached_by_code()[events.outcome], 0, -1)
        reached = window_sums(events.index, hit, 1, windows, *pairs)[:, 0]
        names = [window_name(w) for w in self.windows_days]
        out: dict[str, Any] = {f"reached_{w}": reached[:, k] for k, w in enumerate(names)}
        last = last_times(events.index, hit, 1, *pairs)[:, 0]
        out["days_since_reached"] = days_between(last, m.instants)
        group = np.full(len(v.OUTCOMES), -1, dtype=np.int64)
        for k, words in enumerate(RESULTS.values()):
            group[[v.OUTCOMES.index(w) for w in words]] = k
        results = window_sums(
            events.index, group[events.outcome], len(RESULTS), windows[-1:], *pairs
        )[:, :, 0]
        return out | {f"{r}_{names[-1]}": results[:, k] for k, r in enumerate(RESULTS)}
