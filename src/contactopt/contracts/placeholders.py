"""Instants that no record can mean: placeholders and slips that would switch a protection off.

Warehouses write 1900-01-01 or 9999-12-31 where they know nothing. A hold that begins in the year
9999 protects nobody, and a revocation of 1900 gives way to every later grant: such rows are told,
and fail closed with the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from contactopt.contracts.faults import FaultLog
from contactopt.contracts.tables import TABLES

__all__ = ["check_placeholders"]

#: nobody recorded a consent, or the end of a hold, by instant before this
_FIRST = pd.Timestamp("1990-01-01T00:00Z")
#: nothing that has happened is dated later than this
_LAST = pd.Timestamp("2100-01-01T00:00Z")
#: nor this long after the newest touch, payment or snapshot
_AHEAD = pd.Timedelta(days=5 * 365)
_OBSERVED = ("touches", "payments", "debt_snapshots")
#: instants that must have come before the row protects
_BEGINS = {"holds": ("starts_at", "recorded_at"), "consents": ("changed_at", "recorded_at")}
_TOO_LATE, _TOO_EARLY = "too far in the future", "too long ago"


def check_placeholders(typed: Mapping[str, pd.DataFrame], log: FaultLog) -> None:
    """Tell rows of holds and consents whose instants cannot be meant.

    Too far ahead is later than the year 2100, or than five years after the newest touch, payment
    or snapshot of the same data; too long ago, for the end of a hold and for a revocation, is
    before 1990.
    """
    limit = _limit(typed)
    for table, columns in _BEGINS.items():
        for column in columns:
            log.rows(table, column, _TOO_LATE, np.asarray(typed[table][column] > limit))
    ends = typed["holds"]["ends_at"]
    log.rows("holds", "ends_at", _TOO_EARLY, np.asarray(ends < _FIRST))
    consents = typed["consents"]
    old = (consents["changed_at"] < _FIRST) & (consents["status"] == "revoked")
    log.rows("consents", "changed_at", _TOO_EARLY, np.asarray(old, bool))


def _limit(typed: Mapping[str, pd.DataFrame]) -> pd.Timestamp:
    newest = []
    for name in _OBSERVED:
        column = TABLES[name].event_time
        assert column is not None
        times = typed[name][column]
        newest.append(times[times < _LAST].max())
    seen = [t for t in newest if t is not pd.NaT]
    return min(_LAST, max(seen) + _AHEAD) if seen else _LAST
