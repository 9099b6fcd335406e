"""Plain frames as the reach model reads them: one row per attempt, pandas or polars."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ContractError
from contactopt.journal.local_time import local_day, local_hour
from contactopt.models.reach.events import UNOBSERVABLE, is_reached

__all__ = ["attempt_frame"]

#: 1 January 1970 was a Thursday
_EPOCH_WEEKDAY = 3


def attempt_frame(
    X: Any,
    y: npt.ArrayLike | None = None,
    *,
    like: dict[str, str] | None = None,
    **columns: Any,
) -> pd.DataFrame:
    """Bring attempts into the columns that `ReachModel` reads.

    Parameters
    ----------
    X : DataFrame
        pandas, polars or pyarrow; one row per attempt. Columns as in `ReachModel.fit`.
    y : array-like, shape (n,), optional
        1 reached, 0 not, missing where it cannot be told: the column ``reached``. Without either
        it is derived from ``outcome``: openings by machines (``machine_only``), inbound contacts
        (``direction``), letters and unknown outcomes are missing, never 0.
    like : dict, optional
        As in `ReachModel`.
    **columns : array-like or scalar
        ``channel=``, ``hour=`` (of the customer), ``customer=``, ``propensity=`` or any other.

    Returns
    -------
    DataFrame
        With ``local_hour`` and ``weekday`` from ``started_at`` (an instant) and ``time_zone`` (of
        the customer; UTC where absent) if there is no hour.

    Raises
    ------
    ContractError
        If lengths differ, or ``started_at`` carries no time zone.
    """
    frame = X if isinstance(X, pd.DataFrame) else nw.from_native(X, eager_only=True).to_pandas()
    given = {"local_hour" if k == "hour" else k: v for k, v in columns.items() if v is not None}
    if y is not None:
        given["reached"] = y
    for name, values in given.items():
        if not np.isscalar(values) and len(values) != len(frame):
            raise ContractError(
                f"{name} has {len(values)} values for {len(frame)} attempts",
                hint="give one value per row",
            )
    plain: dict[str, Any] = {k: v if np.isscalar(v) else _array(v) for k, v in given.items()}
    frame = frame.assign(**plain)
    if "local_hour" not in frame and "hour" in frame:
        frame = frame.rename(columns={"hour": "local_hour"})
    if "local_hour" not in frame and "started_at" in frame:
        frame = _with_local_time(frame)
    if "reached" not in frame and {"outcome", "channel"} <= set(frame.columns):
        frame = frame.assign(reached=_reached(frame, like))
    return frame


def _array(values: Any) -> Any:
    if isinstance(values, pd.Series | pd.Categorical | pd.Index):
        return values.array if isinstance(values, pd.Series) else values
    return values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)


def _reached(frame: pd.DataFrame, like: dict[str, str] | None) -> npt.NDArray[np.float64]:
    machine = frame["machine_only"].fillna(False) if "machine_only" in frame else None
    return is_reached(
        frame["channel"].astype(object).to_numpy(),
        frame["outcome"].astype(object).to_numpy(),
        machine_only=None if machine is None else machine.to_numpy(dtype=bool),
        direction=frame["direction"].astype(object).to_numpy() if "direction" in frame else None,
        like=like,
    )


def _with_local_time(frame: pd.DataFrame) -> pd.DataFrame:
    started = pd.to_datetime(frame["started_at"])
    if started.dt.tz is None:
        raise ContractError(
            "started_at carries no time zone",
            hint="give instants (UTC) with the customer's time_zone, or the column local_hour",
        )
    us = started.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    known = us.notna().to_numpy()
    instant = np.where(known, us.fillna(pd.Timestamp(0)).astype("int64"), 0)
    zones = frame["time_zone"] if "time_zone" in frame else pd.Series("UTC", index=frame.index)
    zone = pd.Categorical(zones.fillna("UTC").astype(str))
    hour = local_hour(instant, zone).astype(np.float64)
    timed = known & ~frame["channel"].isin(UNOBSERVABLE).to_numpy()
    weekday = (local_day(instant, zone) + _EPOCH_WEEKDAY) % 7
    out = frame.assign(local_hour=np.where(timed, hour, np.nan))
    return out if "weekday" in out else out.assign(weekday=np.where(known, weekday, np.nan))
