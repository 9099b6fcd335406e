"""Decisions counted by channel, stage and day: who was at risk of a first payment at which age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal.local_time import DAY_US

__all__ = ["AGE_EDGES", "DelayCells", "age_bin", "calendar_of", "cells_of", "count_cells"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: ages in days at which the hazard of a first payment may change, finer at the beginning
AGE_EDGES = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18, 23, 30, 45, 60, 90, 180])


@dataclass(frozen=True, eq=False)
class DelayCells:
    """Cells (channel, stage, decided day) by age in whole days.

    Parameters
    ----------
    channel, stage, day : int64 arrays, shape (k,)
        Codes, and days since the epoch (UTC).
    at_risk, paid : float arrays, shape (k, horizon)
        Weighted days on which a first payment could come and was watched, and first payments.
    """

    channel: Ints
    stage: Ints
    day: Ints
    at_risk: Floats
    paid: Floats


def age_bin(days: Ints) -> Ints:
    """Return the position of ages in `AGE_EDGES`."""
    return np.searchsorted(AGE_EDGES, days, side="right") - 1


def calendar_of(day: Ints) -> tuple[Ints, Ints]:
    """Return the place in the month (0..30) and the weekday (0..6) of days since the epoch.

    The second half of a month is counted from its end, so that its last day is 30 in any month:
    paydays stand at the beginning or at the end.
    """
    dates = day.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    begun = (dates - month).astype(np.int64)
    left = ((month + 1).astype("datetime64[D]") - dates).astype(np.int64)
    return np.where(begun < 15, begun, 31 - left), (day + 3) % 7


def cells_of(channel: Ints, stage: Ints, day: Ints) -> tuple[Ints, Ints]:
    """Return the combinations that occur, shape (k, 3), sorted, and each row's place among them."""
    if len(day) == 0:
        return np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64)
    first, n_stages = day.min(), stage.max() + 1
    days = day.max() - first + 1
    key = (channel * n_stages + stage) * days + (day - first)
    found, place = np.unique(key, return_inverse=True)
    rest, own_day = np.divmod(found, days)
    return np.column_stack([*np.divmod(rest, n_stages), own_day + first]), place


def count_cells(rows: pd.DataFrame, codes: tuple[Ints, Ints], horizon: int) -> DelayCells:
    """Count weighted exposure and first payments.

    Parameters
    ----------
    rows : DataFrame
        ``decided_us``, ``age_days`` (how long each was watched), ``first_delay_days`` (NaN where
        nothing was paid yet) and ``weight``.
    codes : tuple of int64 arrays
        Channel and stage of each row.
    horizon : int
        Days of the longest window. A row is watched for ``age_days`` of its own.

    Notes
    -----
    A day that was watched in part counts in part, so a hazard is per whole day of exposure.
    """
    channel, stage = codes
    day = rows["decided_us"].to_numpy(dtype=np.int64) // DAY_US
    weight = rows["weight"].to_numpy(dtype=np.float64)
    found, cell = cells_of(channel, stage, day)
    k = len(found)
    first = rows["first_delay_days"].to_numpy(dtype=np.float64)
    end = np.clip(rows["age_days"].to_numpy(dtype=np.float64), 0, horizon)
    has_paid = first <= end
    until = np.where(has_paid, first, end)
    whole = np.floor(until).astype(np.int64)
    # exposure of age a: those watched beyond a, whole or in part
    part = np.zeros((k, horizon + 1))
    ends = np.zeros((k, horizon + 2))
    # the part of its last day that a row was watched
    np.add.at(part, (cell, np.minimum(whole, horizon)), weight * (until - whole))
    np.add.at(ends, (cell, np.minimum(whole, horizon)), weight)
    beyond = ends[:, ::-1].cumsum(axis=1)[:, ::-1]
    paid = np.zeros((k, horizon + 1))
    late = np.minimum(whole[has_paid], horizon - 1)
    np.add.at(paid, (cell[has_paid], late), weight[has_paid])
    return DelayCells(
        channel=found[:, 0],
        stage=found[:, 1],
        day=found[:, 2],
        at_risk=beyond[:, 1 : horizon + 1] + part[:, :horizon],
        paid=paid[:, :horizon],
    )
