"""When rows of an event table became known."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from contactopt.contracts.tables import TABLES

__all__ = ["known_at"]


def known_at(
    table: str, frame: pd.DataFrame, data_delay: Mapping[str, float] | None = None
) -> pd.Series:
    """Return when each row of an event table became known.

    The later of its event time and `recorded_at`; without `recorded_at` the event time plus the
    delay of that table (hours, default 0).

    Raises
    ------
    ValueError
        If the table holds no events.
    """
    column = TABLES[table].event_time
    if column is None:
        raise ValueError(f"{table} holds no events")
    event, recorded = frame[column], frame["recorded_at"]
    delay = pd.Timedelta(hours=(data_delay or {}).get(table, 0.0))
    known = recorded.where(recorded > event, event)
    return known.where(recorded.notna(), event + delay)
