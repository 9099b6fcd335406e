"""Ids that depend on content alone: batch, decision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import ScoredBatch

__all__ = ["decision_ids", "default_batch_id", "table_hash"]

_HASHED = ("allowed", "value", "spread", "usage", "pool", "slot_start")


def decision_ids(batch_id: str, customer_ids: Iterable[str]) -> npt.NDArray[np.object_]:
    """Return one idempotency key per customer: a hash of batch and customer id."""
    start = hashlib.blake2b(f"{batch_id}|".encode(), digest_size=16)

    def one(customer: str) -> str:
        h = start.copy()
        h.update(str(customer).encode())
        return h.hexdigest()

    ids = [one(c) for c in customer_ids]
    out = np.empty(len(ids), dtype=object)
    out[:] = ids
    return out


def table_hash(table: pd.DataFrame) -> str:
    """Return a hash of the capacity table in its normal form."""
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def default_batch_id(
    batch: ScoredBatch, capacity: pd.DataFrame, policy_version: str, random_state: int
) -> str:
    """Return the hash of portfolio content, policy_version, as_of, capacity and random_state.

    The portfolio's content is ``batch.meta["portfolio_hash"]``; for scores that come without it,
    the scores themselves.
    """
    content = batch.meta.get("portfolio_hash") or _scores_hash(batch)
    as_of = pd.Timestamp(batch.as_of).tz_convert("UTC").isoformat()
    parts = (content, policy_version, as_of, table_hash(capacity), str(random_state))
    return "b-" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:24]


def _scores_hash(batch: ScoredBatch) -> str:
    h = hashlib.blake2b("\n".join(map(str, batch.customer_ids)).encode(), digest_size=32)
    h.update("\n".join(batch.actions.action_ids).encode())
    step = max(1, 2_000_000 // max(len(batch.actions), 1))
    for name in _HASHED:
        array = getattr(batch, name)
        for a in range(0, len(array), step):
            h.update(np.ascontiguousarray(array[a : a + step]).tobytes())
    return h.hexdigest()
