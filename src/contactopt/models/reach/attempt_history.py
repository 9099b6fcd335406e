"""Attempts of a journal view as the reach and harm models read them, one row each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal import JournalView
from contactopt.journal.local_time import DAY_US, local_day, local_hour
from contactopt.models.pressure import touches_before
from contactopt.models.reach.events import UNOBSERVABLE, is_reached

__all__ = ["attempt_history", "recent_touches"]

#: 1 January 1970 was a Thursday
_EPOCH_WEEKDAY = 3


def attempt_history(view: JournalView, *, since_days: float | None = None) -> pd.DataFrame:
    """Return every outbound attempt known in a view, with what was true when it was made.

    Parameters
    ----------
    view : JournalView
    since_days : float, optional
        Leave out attempts older than this.

    Returns
    -------
    DataFrame
        customer (code), channel, local_hour, weekday (0 Monday), reached (1, 0, NaN where it
        cannot be told yet), outcome, age_days, touches_7d (of the same customer before it),
        point_quality, propensity (of the logged decision it executed, NaN without one). Empty
        where nothing is known.
    """
    touches = view.touches
    out = touches[(touches["direction"] == "outbound").to_numpy()].reset_index(drop=True)
    started = out["started_us"].to_numpy(dtype=np.int64)
    customer = out["customer"].to_numpy(dtype=np.int64)
    zone = pd.Categorical(view.journal.zones)[customer]
    channel = out["channel"].astype(object).to_numpy()
    timed = ~np.isin(channel.astype(str), UNOBSERVABLE)
    frame = pd.DataFrame(
        {
            "customer": customer,
            "channel": channel,
            "local_hour": np.where(timed, local_hour(started, zone), np.nan),
            "weekday": (local_day(started, zone) + _EPOCH_WEEKDAY) % 7,
            "reached": is_reached(
                channel,
                out["outcome"].astype(object).to_numpy(),
                machine_only=out["machine_only"].to_numpy(dtype=bool),
            ),
            "outcome": out["outcome"].astype(object).to_numpy(),
            "age_days": (view.as_of_us - started) / DAY_US,
            "touches_7d": touches_before(customer, started),
            "point_quality": _quality_of(view, out["contact_point"].to_numpy(dtype=np.int64)),
            "propensity": _propensity_of(view, out["decision_id"]),
        }
    )
    return frame if since_days is None else frame[frame["age_days"] <= since_days]


def recent_touches(view: JournalView, days: float = 7.0) -> npt.NDArray[np.float64]:
    """Count each customer's outbound touches in the last ``days`` days, shape (n,)."""
    touches = view.touches
    recent = (touches["direction"] == "outbound").to_numpy(dtype=bool)
    age = view.as_of_us - touches["started_us"].to_numpy(dtype=np.int64)
    recent = recent & (age <= days * DAY_US)
    customer = touches["customer"].to_numpy(dtype=np.int64)[recent]
    return np.bincount(customer, minlength=len(view.customer_ids)).astype(np.float64)


def _quality_of(view: JournalView, point: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    quality = np.full(len(view.point_ids) + 1, np.nan)
    points = view.points
    quality[points["contact_point"].to_numpy(dtype=np.int64)] = points["quality_share"].to_numpy(
        dtype=np.float64
    )
    return quality[point]


def _propensity_of(view: JournalView, decision_id: pd.Series) -> npt.NDArray[np.float64]:
    decisions = view.decisions
    place = pd.Index(decisions["decision_id"]).get_indexer(pd.Index(decision_id))
    known = np.append(decisions["propensity"].to_numpy(dtype=np.float64), np.nan)
    return known[place]
