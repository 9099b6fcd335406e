"""Logged probabilities of all considered actions, added up per channel, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from contactopt.models import logged_probabilities

if TYPE_CHECKING:
    from contactopt.plan import DecisionLog

__all__ = ["logged_by_channel"]

_COLUMNS = ["decision_id", "action_id", "probability"]


def logged_by_channel(log: DecisionLog, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return one row per decision up to ``as_of``: customer_id, wait and a column per channel.

    One block of considered actions is held at a time. Control customers are left out.
    """
    found = []
    for batch_id, at in zip(log.batch_ids, log.batches["as_of"], strict=True):
        if pd.Timestamp(at) > as_of:
            continue
        decisions, parts = log.decisions(batch_id), log.parts(batch_id)
        for first, last in parts.blocks():
            actions = parts.read(first, last, columns=_COLUMNS).to_pandas()
            found.append(logged_probabilities(actions, decisions.iloc[first:last]))
    if not found:
        return pd.DataFrame({"customer_id": [], "wait": []})
    return pd.concat(found, ignore_index=True)
