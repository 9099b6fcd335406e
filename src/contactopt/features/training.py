"""Training moments: customers in arrears at evenly spaced instants whose window has closed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.features.moments import Moments
from contactopt.journal.journal import Journal
from contactopt.journal.local_time import DAY_US, to_us

__all__ = ["training_instants", "training_pairs"]

Ints = npt.NDArray[np.int64]


def training_instants(
    journal: Journal, as_of: Any, *, step_days: float, horizon_days: float
) -> Ints:
    """Return instants spaced back from the last one whose window closes by ``as_of``.

    They reach back to the first snapshot, touch or payment known; sorted, microseconds UTC.
    """
    delay_us = round(journal.delay_hours("payments") * 3.6e9)
    last = to_us(as_of) - round(horizon_days * DAY_US) - delay_us
    logs = (journal.snapshots, journal.touches.index, journal.payments.index)
    firsts = [int(log.known.min()) for log in logs if len(log)]
    if not firsts or min(firsts) > last:
        return np.empty(0, dtype=np.int64)
    step = round(step_days * DAY_US)
    return np.arange(last, min(firsts) - 1, -step, dtype=np.int64)[::-1].copy()


def training_pairs(
    journal: Journal,
    as_of: Any,
    *,
    step_days: float,
    horizon_days: float,
    max_rows: int,
    random_state: int = 0,
) -> tuple[Ints, Ints]:
    """Return the (customer, instant) pairs at which a model may be trained.

    Every customer with a debt that is known to be collectable (running and in arrears) at the
    instant is in, whatever happened later: nothing is filtered on contacts or payments to come.
    Above ``max_rows`` the pairs with the smallest hash of customer id, instant and
    ``random_state`` are kept.

    Parameters
    ----------
    journal : Journal
    as_of : Timestamp, str with a zone, or int microseconds
        Labels must be closed by then.
    step_days : float
        Days between instants.
    horizon_days : float
        Length of the label window.
    max_rows : int
    random_state : int

    Returns
    -------
    customers, instants : int64 arrays, shape (n,)
        Sorted by instant, then customer; empty where history is too short.
    """
    instants = training_instants(journal, as_of, step_days=step_days, horizon_days=horizon_days)
    total = len(instants) * journal.n_customers
    if total == 0 or max_rows <= 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    ids = pd.util.hash_array(journal.customer_ids.astype(object), categorize=False)
    share = min(1.0, 2.0 * max_rows / total)
    while True:
        found = [_eligible(journal, ids, int(t), share, random_state) for t in instants]
        if share >= 1.0 or sum(len(c) for c, _ in found) >= max_rows:
            break
        share = min(1.0, share * 2.0)
    customers = np.concatenate([c for c, _ in found])
    hashes = np.concatenate([h for _, h in found])
    when = np.repeat(instants, [len(c) for c, _ in found])
    if len(customers) > max_rows:
        keep = np.sort(np.argsort(hashes, kind="stable")[:max_rows])
        customers, when = customers[keep], when[keep]
    return customers, when


def _eligible(
    journal: Journal, ids: npt.NDArray[np.uint64], at_us: int, share: float, random_state: int
) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """Return customers with a collectable debt at an instant whose hash is in the lower share."""
    hashes = _mixed(ids ^ _mixed(np.array([at_us, random_state]).astype(np.uint64)).sum())
    chosen = np.flatnonzero(hashes <= np.uint64(min(share, 1.0) * (2**64 - 2**11)))
    if share >= 1.0:
        chosen = np.arange(len(ids))
    moments = Moments(journal, chosen, np.full(len(chosen), at_us, dtype=np.int64))
    rows = moments.debts
    collectable = rows.total(rows.states.collectable) > 0
    return chosen[collectable], hashes[chosen][collectable]


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix the bits of 64-bit integers (finaliser of splitmix64: Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
