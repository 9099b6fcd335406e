"""Earlier decisions: what was planned, what of it was executed, and which plans are still open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import (
    Ids,
    Ints,
    coded,
    codes_of,
    instants,
    known_at,
    numbers,
    text,
    words,
)
from contactopt.journal.local_time import DAY_US, HOUR_US

__all__ = ["decision_frame"]

#: a plan in one of these states, or in none, may still be carried out
_LIVE = ("pending", "sent")


def decision_frame(
    frame: pd.DataFrame,
    customers: Ids,
    debts: Ids,
    touches: pd.DataFrame,
    at_us: int,
    delay_hours: float,
) -> pd.DataFrame:
    """Return the decisions known at an instant, sorted by (customer, decided, id).

    Parameters
    ----------
    touches : DataFrame
        The touches known at the instant: one with the decision's id and channel executes it.

    Notes
    -----
    ``slot_end_us`` is the end of the slot's hour, or 24 hours after the decision where no slot
    is on record. ``open`` marks a commitment: not `wait`, not executed, not called off, and less
    than 24 hours past the end of its slot (later it counts as not executed). The dispatch status
    is told once it was dispatched or its slot is over.
    """
    decided = instants(frame, "decided_at")
    ids = text(frame, "decision_id")
    customer = codes_of(frame, "customer_id", customers, "decisions")
    rows = np.flatnonzero((known_at(frame, decided, delay_hours) <= at_us) & (customer >= 0))
    names = pd.factorize(ids.iloc[rows], sort=True)[0]
    rows = rows[np.lexsort((names, decided[rows], customer[rows]))]
    ids, decided = ids.take(rows).reset_index(drop=True), decided[rows]
    channel = words(frame, "channel", (*v.CHANNELS, v.WAIT))[rows]
    start = instants(frame, "slot_start")[rows]
    end = np.where(start == NO_INSTANT, decided + DAY_US, start + HOUR_US)
    status = _status_known(frame, rows, end, at_us)
    executed = _executed(ids, channel, touches)
    waiting = np.asarray(channel == v.WAIT)
    live = (status.codes < 0) | np.asarray(status.isin(_LIVE))

    def text_of(name: str) -> Any:
        return text(frame, name).take(rows).to_numpy(dtype=object)

    return pd.DataFrame(
        {
            "decision_id": ids,
            "batch_id": text_of("batch_id"),
            "customer": customer[rows],
            "decided_us": decided,
            "action_id": text_of("action_id"),
            "channel": channel,
            "slot_start_us": start,
            "slot_end_us": end,
            "slot_local_hour": numbers(frame, "slot_local_hour")[rows],
            "template_id": text_of("template_id"),
            "offer_id": text_of("offer_id"),
            "debt": codes_of(frame, "debt_id", debts, "decisions", elsewhere=True)[rows],
            "propensity": numbers(frame, "propensity")[rows],
            "holdout": numbers(frame, "holdout")[rows] > 0,
            "policy_version": text_of("policy_version"),
            "dispatch_status": status,
            "executed": executed,
            "open": live & ~waiting & ~executed & (end + DAY_US > at_us),
        }
    )


def _status_known(frame: pd.DataFrame, rows: Ints, end: Ints, at_us: int) -> pd.Categorical:
    status = words(frame, "dispatch_status", v.DISPATCH_STATUSES)[rows]
    dispatched = instants(frame, "dispatched_at")[rows]
    told = np.where(dispatched == NO_INSTANT, end, dispatched) <= at_us
    return coded(np.where(told, status.codes, -1), status.categories)


def _executed(ids: pd.Series, channel: pd.Categorical, touches: pd.DataFrame) -> Any:
    """Bool per decision: a known touch bears its id and channel."""
    executed = np.zeros(len(ids), dtype=bool)
    bears = touches["decision_id"].notna().to_numpy(dtype=bool)
    if not bears.any() or len(ids) == 0:
        return executed
    place = pd.Index(ids.to_numpy(dtype=object)).get_indexer(
        touches["decision_id"].to_numpy(dtype=object)[bears]
    )
    # one code per channel word on both sides
    words = pd.Index(channel.categories)
    theirs = words.get_indexer(pd.Index(touches["channel"].astype(object)))[bears]
    same = (place >= 0) & (channel.codes[place] == theirs)
    executed[place[same]] = True
    return executed
