"""Day columns: plain dates become instants on the customer's own clock."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.zones import zones_of

__all__ = ["customer_zones", "place_days"]

_DAY = pd.Timedelta(days=1)
_LAST = pd.Timedelta(microseconds=1)


def customer_zones(customers: pd.DataFrame, *, due: bool) -> npt.NDArray[np.object_]:
    """Return the zone in which each customer's days are meant.

    A customer without a zone has the jurisdiction's; where that has several, a due day lasts
    until it ends in the westernmost and any other day begins where it begins first.

    Parameters
    ----------
    customers : pandas.DataFrame
        Columns time_zone, jurisdiction; values that are null or unknown count as absent.
    due : bool
        Whether due days are asked for.

    Returns
    -------
    object array, shape (n_customers,)
        IANA names; "UTC" where nothing is known.
    """
    codes, words = pd.factorize(customers["jurisdiction"])
    ends = [zones_of(str(w)) for w in words]
    default = np.array([(z[-1 if due else 0] if z else "UTC") for z in ends] + ["UTC"], object)
    own = customers["time_zone"]
    return np.where(own.notna(), own.to_numpy(object), default[codes])


def place_days(
    values: pd.Series,
    plain_date: npt.NDArray[np.bool_],
    zones: npt.NDArray[np.object_],
    *,
    due: bool,
) -> pd.Series:
    """Place days on local clocks.

    Parameters
    ----------
    values : pandas.Series of datetime64[us, UTC], shape (n,)
        Instants, or midnights UTC that stand for plain dates.
    plain_date : bool array, shape (n,)
        Which are plain dates; of the others the local date is taken.
    zones : object array, shape (n,)
        IANA zone of each row.
    due : bool
        Whether the day counts to its end.

    Returns
    -------
    pandas.Series of datetime64[us, UTC]
        First instant of the local day, or its last microsecond for due days.
    """
    placed = np.full(len(values), np.datetime64("NaT", "us"))
    present = np.asarray(values.notna())
    codes, names = pd.factorize(zones)
    codes = np.where(present, codes, -1)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
    instants = pd.DatetimeIndex(values)
    for k, name in enumerate(names):
        rows = order[starts[k] : starts[k + 1]]
        if len(rows):
            placed[rows] = _place_in(instants[rows], plain_date[rows], str(name), due)
    return pd.Series(pd.DatetimeIndex(placed).tz_localize("UTC"))


def _place_in(
    instants: pd.DatetimeIndex, plain: npt.NDArray[np.bool_], zone: str, due: bool
) -> npt.NDArray[np.datetime64]:
    local = instants.tz_convert(zone).tz_localize(None).normalize()
    dates = pd.DatetimeIndex(np.where(plain, instants.tz_localize(None), local)).as_unit("us")
    # few distinct days: the clock changes are looked up once for each
    codes, days = pd.factorize(dates)
    edge = pd.DatetimeIndex(days) + (_DAY if due else 0 * _DAY)
    first = np.ones(len(edge), bool)
    placed = edge.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    placed = placed.tz_convert("UTC") - (_LAST if due else 0 * _LAST)
    return placed.tz_localize(None).as_unit("us").to_numpy()[codes]
