"""One written instant, read as ISO 8601 and as nothing else."""

from __future__ import annotations

from typing import Any

import pandas as pd

from contactopt.contracts.cast import WHOLE_DATE

__all__ = ["written_instant"]


def written_instant(value: Any) -> pd.Timestamp | None:
    """Read an instant that somebody wrote: as_of, received_at, complete_to.

    Text must be ISO 8601, as in the tables. The readers of pandas take `05/06/2026 12:00Z` for the
    sixth of May, which half the world writes for the fifth of June: a plan on the wrong day, blind
    to every hold since.

    Parameters
    ----------
    value : str, Timestamp, datetime or datetime64

    Returns
    -------
    Timestamp or None
        With the zone that is written, or naive; None for what is no instant.

    Examples
    --------
    >>> written_instant("2026-06-05T12:00Z")
    Timestamp('2026-06-05 12:00:00+0000', tz='UTC')
    >>> written_instant("05/06/2026 12:00Z") is None
    True
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            if WHOLE_DATE.fullmatch(text) is None:
                return None
            found = pd.to_datetime(text, format="ISO8601")
        else:
            found = pd.Timestamp(value)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, pd.Timestamp) else None
