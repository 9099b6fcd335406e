"""To which instant each table is complete, as its source says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.faults import Fault
from contactopt.contracts.instants import written_instant
from contactopt.contracts.known import known_at
from contactopt.contracts.tables import TABLES

__all__ = ["newest_seen", "read_complete_to", "seen_hours"]

#: tables whose age is that of their newest row
_SEEN = ("touches", "payments", "debt_snapshots")
_HOUR_NS = 3_600 * 10**9


def read_complete_to(given: Mapping[str, Any]) -> tuple[dict[str, pd.Timestamp], list[Fault]]:
    """Read instants of completeness.

    Parameters
    ----------
    given : mapping of str to instant
        Table name to the instant to which it is complete, with a time zone.

    Returns
    -------
    instants : dict of str to Timestamp
        UTC.
    faults : list of Fault
        They name the table only. No table, no fault.
    """
    instants: dict[str, pd.Timestamp] = {}
    faults: list[Fault] = []
    for table, value in given.items():
        if table not in TABLES:
            faults.append(Fault(str(table), "", "unknown table", detail="named by complete_to"))
            continue
        when = written_instant(value)
        if when is None or when.tzinfo is None:
            detail = "complete_to needs an instant with a time zone"
            faults.append(Fault(str(table), "", "naive or unreadable instant", detail=detail))
            continue
        instants[str(table)] = when.tz_convert("UTC").as_unit("us")
    return instants, faults


def seen_hours(tables: Mapping[str, pd.DataFrame]) -> dict[str, npt.NDArray[np.int64]]:
    """Return the hours in which rows of touches, payments and snapshots became known.

    Of one customer who has not paid for a month the payments are no older than those of the others:
    a part of a portfolio is as old as the whole, and keeps these hours of it.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of the whole portfolio.

    Returns
    -------
    dict of str to int64 array
        Hours since 1970, sorted, each once; empty for a table without rows.
    """
    hours = {}
    for name in _SEEN:
        known = known_at(name, tables[name]).dropna()
        since = known.dt.tz_localize(None).to_numpy("datetime64[h]").astype(np.int64)
        hours[name] = np.sort(pd.unique(since))
    return hours


def newest_seen(hours: npt.NDArray[np.int64], when: pd.Timestamp) -> Any:
    """Return the start of the last of these hours that has begun by an instant, or NaT."""
    at = int(np.searchsorted(hours, when.value // _HOUR_NS, side="right")) - 1
    return pd.NaT if at < 0 else pd.Timestamp(int(hours[at]) * _HOUR_NS, tz="UTC")
