"""Contact points: how many lead to the customer, of what kind, how many are dead, how good."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts import vocabulary as v
from contactopt.features._base import Column, FeatureBlock
from contactopt.features.moments import Moments
from contactopt.journal.columns import numbers

__all__ = ["Reachability"]

_SOURCE = "contact_points"
_WITH_TOUCHES = "contact_points+touches+touch_events"


class Reachability(FeatureBlock):
    """Contact points valid at the instant; dead ones do not count as live.

    Examples
    --------
    >>> [c.name for c in Reachability().columns()][:2]
    ['n_live_mobile', 'n_live_landline']
    """

    name = "points"

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        return (
            *(Column(f"n_live_{k}", "count", "latest", _WITH_TOUCHES) for k in v.POINT_KINDS),
            Column("n_live", "count", "latest", _WITH_TOUCHES),
            Column("n_dead", "count", "latest", _WITH_TOUCHES),
            Column("n_expired", "count", "latest", _SOURCE),
            Column("best_quality", "share", "latest", _WITH_TOUCHES),
        )

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        m, log = moments, moments.journal.points
        where, moment = log.index.pairs(m.customers, m.instants)
        codes = log.index.rows[where]
        at = m.instants[moment]
        valid = log.index.until[where] > at
        dead = log.dead(codes, at)
        live = valid & ~dead
        n, kinds = len(m), len(v.POINT_KINDS)
        kind = log.kind.codes[codes].astype(np.int64)
        counted = live & (kind >= 0) & (kind < kinds)
        by_kind = np.bincount(moment[counted] * kinds + kind[counted], minlength=n * kinds)
        by_kind = by_kind.reshape(n, kinds)
        quality = numbers(log.frame, "quality_share")[codes]
        best = np.full(n, -1.0)
        rated = live & ~np.isnan(quality)
        np.maximum.at(best, moment[rated], quality[rated])
        out: dict[str, Any] = {f"n_live_{k}": by_kind[:, j] for j, k in enumerate(v.POINT_KINDS)}
        out["n_live"] = np.bincount(moment, weights=live, minlength=n)
        out["n_dead"] = np.bincount(moment, weights=valid & dead, minlength=n)
        out["n_expired"] = np.bincount(moment, weights=~valid, minlength=n)
        out["best_quality"] = np.where(best < 0, np.nan, best)
        return out
