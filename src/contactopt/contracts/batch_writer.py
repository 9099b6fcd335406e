"""From a scored batch to the long form of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.batch_columns import BATCH_COLUMNS, REASON_SEPARATOR
from contactopt.contracts.cast import STRING
from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch

__all__ = ["batch_to_frame"]


def batch_to_frame(batch: ScoredBatch) -> pd.DataFrame:
    """Write the long form; see `ScoredBatch.to_frame`."""
    n, m = batch.allowed.shape
    hours = batch.actions.hours
    channels = [a.channel for a in batch.actions]
    reasons = [REASON_SEPARATOR.join(s) or None for s in batch.reason_sets]
    columns: dict[str, Any] = {
        "customer_id": np.repeat(_texts(batch.customer_ids, np.arange(n)), m),
        "action_id": _texts(batch.actions.action_ids, np.tile(np.arange(m), n)),
        "channel": _texts(channels, np.tile(np.arange(m), n)),
        "slot_local_hour": np.tile(np.where(hours < 0, np.nan, hours), n),
        "template_id": _texts(batch.template_ids, batch.template),
        "offer_id": _texts(batch.offer_ids, _or_none(batch.offer, (n, m))),
        "contact_point_id": _texts(batch.contact_point_ids, batch.contact_point),
        "debt_id": _texts(batch.debt_ids, batch.debt),
        "allowed": np.ravel(batch.allowed),
        "reasons": _texts(reasons, batch.reason),
        "p_pay_wait": np.repeat(batch.p_pay_wait, m),
        "amount": np.repeat(batch.amount, m),
        "pool": _texts(batch.pools, batch.pool),
        "time_zone": np.repeat(_texts(batch.time_zone, np.arange(n)), m),
        "slot_start": _instants(batch.slot_start),
        "start_before": _instants(batch.start_before),
    }
    for name in ("p_reach", "p_pay", "lift", "cost", "harm", "value", "spread", "usage"):
        columns[name] = np.ravel(getattr(batch, name))
    frame = pd.DataFrame({name: columns[name] for name in BATCH_COLUMNS})
    frame["as_of"] = pd.Series([batch.as_of] * 1).dt.as_unit("us").repeat(len(frame)).array
    frame["currency"] = pd.Series([batch.currency], dtype=STRING).repeat(len(frame)).array
    return frame


def _or_none(codes: npt.NDArray[np.int16] | None, shape: tuple[int, int]) -> npt.NDArray[Any]:
    return np.broadcast_to(np.int16(-1), shape) if codes is None else codes


def _texts(names: Sequence[str | None] | npt.NDArray[np.object_], codes: npt.ArrayLike) -> Any:
    """Return names by position; null where the position is -1."""
    words = pd.array(np.asarray(names, object), dtype=STRING)
    at = np.ravel(np.asarray(codes)).astype(np.int64)
    if not len(words):
        words = pd.array(np.array([None], object), dtype=STRING)
    return words.take(at, allow_fill=True)


def _instants(us: npt.NDArray[np.int64]) -> pd.DatetimeIndex:
    flat = np.ravel(us)
    found = flat.astype("datetime64[us]")
    found[flat == NO_INSTANT] = np.datetime64("NaT")
    return pd.DatetimeIndex(found).tz_localize("UTC")
