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

__all__ = ["attempt_frame", "check_ids", "check_shapes"]

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
        If X is no frame or has two columns of one name, lengths differ, or ``started_at`` is no
        instant or carries no time zone.
    """
    frame = _pandas(X)
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


def check_ids(ids: pd.Index, told: pd.Series) -> None:
    """Refuse customers asked for twice, and ids of another kind than those of the history."""
    if ids.has_duplicates:
        raise ContractError(
            "ReachModel: a customer comes twice, and a history is given",
            hint="ask for each customer once",
        )
    if {_kind(ids), _kind(told)} == {"words", "numbers"}:
        raise ContractError(
            "ReachModel: customers are words on one side and numbers in the history",
            hint="give ids as they are in the column `customer` of the history",
        )


def _kind(values: Any) -> str:
    """Words, numbers or something else, by the dtype where it tells."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.array.categories
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "numbers"
    kind = pd.api.types.infer_dtype(values, skipna=True)
    return {"string": "words", "integer": "numbers", "floating": "numbers"}.get(kind, kind)


def check_shapes(
    n: int, m: int, *, per_customer: dict[str, Any], per_action: dict[str, Any]
) -> None:
    """Raise a `ContractError` where what is known does not fit n customers and m actions."""
    for name, values in per_customer.items():
        if values is not None and len(values) != n:
            raise ContractError(
                f"{name} has {len(values)} values for {n} customers",
                hint="give one value per customer",
            )
    for name, values in per_action.items():
        if values is not None and np.shape(values) not in ((n, m), (n, 1)):
            raise ContractError(
                f"{name} has shape {np.shape(values)} for {n} customers and {m} actions",
                hint=f"give shape ({n}, {m}) or ({n}, 1)",
            )
    for name, values in (per_customer | per_action).items():
        if name in ("touches_7d", "point_quality") and values is not None:
            wrong = int(np.isinf(np.asarray(values, dtype=np.float64)).sum())
            if wrong:
                raise ContractError(
                    f"{name} is infinite in {wrong} places", hint="leave it missing if unknown"
                )


def _pandas(X: Any) -> pd.DataFrame:
    if not isinstance(X, pd.DataFrame):
        try:
            X = nw.from_native(X, eager_only=True).to_pandas()
        except TypeError:
            raise ContractError(
                f"attempts are given as {type(X).__name__}, which is no frame",
                hint="give a pandas, polars or pyarrow frame with one row per attempt",
            ) from None
    named = X.set_axis([str(c) for c in X.columns], axis=1)
    if named.columns.has_duplicates:
        raise ContractError(
            "two columns of the attempts have one name", hint="rename or drop one of them"
        )
    return named


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
    try:
        started = pd.to_datetime(frame["started_at"])
    except (TypeError, ValueError):
        # the message of pandas would quote a value
        raise ContractError(
            "started_at holds something that is no instant", hint="give timestamps with a zone"
        ) from None
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
