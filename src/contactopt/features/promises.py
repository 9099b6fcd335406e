"""Promises: open, kept, partial, broken, cancelled, and how far a promise can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.features._base import Column, FeatureBlock
from contactopt.features.arithmetic import days_between, shrunken
from contactopt.features.moments import Moments
from contactopt.journal.promises import PROMISE_STATES

__all__ = ["Promises"]

_SOURCE = "promises+payments"
_NEVER = np.iinfo(np.int64).max


class Promises(FeatureBlock):
    """Promises on all debts, in the states that payments known at the instant make.

    Parameters
    ----------
    prior_strength : float
        Promises' worth of population in the kept share.

    Examples
    --------
    >>> [c.name for c in Promises().columns()][:3]
    ['n_open', 'n_kept', 'n_partial']
    """

    name = "promises"
    fitted = ("kept_share_",)

    def __init__(self, *, prior_strength: float = 3.0) -> None:
        self.prior_strength = prior_strength

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        return (
            *(Column(f"n_{s}", "count", "all", _SOURCE) for s in PROMISE_STATES),
            Column("kept_share", "share", "all", _SOURCE),
            Column("open_amount", "money", "latest", _SOURCE),
            Column("days_to_due", "days", "latest", "promises"),
            Column("days_since_last", "days", "all", "promises"),
            Column("days_since_broken", "days", "all", _SOURCE),
        )

    def learn(self, moments: Moments) -> None:
        """Learn the population's share of kept among closed promises."""
        counts = _counts(moments)[0]
        closed = counts[:, 1:4].sum()
        self.kept_share_ = float(counts[:, 1].sum() / closed) if closed > 0 else float("nan")

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        m, log = moments, moments.journal.promises
        counts, where, moment, state, paid = _counts(m)
        n = len(m)
        out: dict[str, Any] = {f"n_{s}": counts[:, k] for k, s in enumerate(PROMISE_STATES)}
        closed = counts[:, 1] + counts[:, 2] + counts[:, 3]
        out["kept_share"] = shrunken(counts[:, 1], closed, self.kept_share_, self.prior_strength)
        is_open = state == 0
        owed = np.where(is_open, log.amount[where] - paid, 0.0)
        out["open_amount"] = np.bincount(moment, weights=owed, minlength=n)
        due = np.full(n, _NEVER)
        np.minimum.at(due, moment[is_open], log.due_us[where][is_open])
        due = np.where(due == _NEVER, NO_INSTANT, due)
        out["days_to_due"] = -days_between(due, m.instants)
        made = np.full(n, NO_INSTANT)
        np.maximum.at(made, moment, log.time[where])
        out["days_since_last"] = days_between(made, m.instants)
        broken = np.full(n, NO_INSTANT)
        failed = (state == 2) | (state == 3)
        np.maximum.at(broken, moment[failed], log.due_us[where][failed])
        out["days_since_broken"] = days_between(broken, m.instants)
        return out


def _counts(m: Moments) -> tuple[Any, ...]:
    """Return counts by state (n, 5), and the promises of each moment with state and money."""
    return m.once("promise_counts", lambda: _count(m))


def _count(m: Moments) -> tuple[Any, ...]:
    log = m.journal.promises
    where, moment = log.index.pairs(m.customers, m.instants)
    state, paid = log.states(where, m.instants[moment])
    k = len(PROMISE_STATES)
    counts = np.bincount(moment * k + state, minlength=len(m) * k)
    return counts.reshape(len(m), k).astype(np.float64), where, moment, state, paid
