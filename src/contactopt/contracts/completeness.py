"""To which instant each table is complete, as its source says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from contactopt.contracts.faults import Fault
from contactopt.contracts.tables import TABLES

__all__ = ["read_complete_to"]


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
        try:
            when = pd.Timestamp(value)
        except (ValueError, TypeError):
            when = pd.NaT
        if not isinstance(when, pd.Timestamp) or when.tzinfo is None:
            detail = "complete_to needs an instant with a time zone"
            faults.append(Fault(str(table), "", "naive or unreadable instant", detail=detail))
            continue
        instants[str(table)] = when.tz_convert("UTC").as_unit("us")
    return instants, faults
