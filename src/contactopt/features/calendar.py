"""The customer's own calendar: weekday, day of the month, distance to pay days."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.features._base import Column, FeatureBlock
from contactopt.features.moments import Moments
from contactopt.journal.local_time import local_day

__all__ = ["Calendar"]

#: usual pay days; the last one is the end of shorter months too
PAY_DAYS = (1, 15, 30)
Ints = npt.NDArray[np.int64]


class Calendar(FeatureBlock):
    """Local calendar at the instant. A customer's own pay day is the circular mean of past ones.

    Parameters
    ----------
    min_payments : int
        Payments needed before an own pay day is estimated.

    Examples
    --------
    >>> [c.name for c in Calendar().columns()][:2]
    ['weekday', 'day_of_month']
    """

    name = "calendar"

    def __init__(self, *, min_payments: int = 3) -> None:
        self.min_payments = min_payments

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        return (
            Column("weekday", "0 = Monday", "latest", "customers"),
            Column("day_of_month", "days", "latest", "customers"),
            Column("month_sin", "phase", "latest", "customers"),
            Column("month_cos", "phase", "latest", "customers"),
            Column("days_to_pay_day", "days", "latest", "customers"),
            Column("days_since_pay_day", "days", "latest", "customers"),
            Column("days_to_own_pay_day", "days", "all", "payments"),
            Column("own_pay_day_strength", "share", "all", "payments"),
        )

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        day = moments.local_day
        of_month, length = _day_of_month(day)
        phase = 2 * np.pi * (of_month - 1) / length
        ahead, behind = _pay_day_distance(day)
        own, strength = self._own_pay_day(moments)
        current = (of_month - 1) / length
        return {
            "weekday": (day + 3) % 7,  # 1970-01-01 was a Thursday
            "day_of_month": of_month,
            "month_sin": np.sin(phase),
            "month_cos": np.cos(phase),
            "days_to_pay_day": ahead,
            "days_since_pay_day": behind,
            "days_to_own_pay_day": ((own - current) % 1.0) * length,
            "own_pay_day_strength": strength,
        }

    def _own_pay_day(self, m: Moments) -> tuple[Any, Any]:
        """Return phase (share of the month) and concentration of each customer's payments."""
        log = m.journal.payments
        position, moment = log.index.pairs(m.customers, m.instants)
        wanted = ~np.isnan(m.payment_values[position])
        wanted &= log.index.until[position] > m.instants[moment]
        position, moment = position[wanted], moment[wanted]
        paid_day, length = _day_of_month(local_day(log.time, m.journal.zones[log.index.owner]))
        angle = 2 * np.pi * (paid_day - 1) / length
        n = len(m)
        count = np.bincount(moment, minlength=n)
        x = np.bincount(moment, weights=np.cos(angle)[position], minlength=n)
        y = np.bincount(moment, weights=np.sin(angle)[position], minlength=n)
        enough = count >= self.min_payments
        phase = np.where(enough, np.arctan2(y, x) / (2 * np.pi) % 1.0, np.nan)
        strength = np.hypot(x, y) / np.maximum(count, 1)
        return phase, np.where(enough, strength, np.nan)


def _day_of_month(day: Ints) -> tuple[Ints, Ints]:
    """Return the day of the month (1 to 31) and the month's length."""
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    length = (month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")
    return (date - month).astype(np.int64) + 1, length.astype(np.int64)


def _pay_day_distance(day: Ints) -> tuple[Ints, Ints]:
    """Return days to the next and since the last usual pay day (0 on one)."""
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    ahead = np.full(day.shape, 99)
    behind = np.full(day.shape, 99)
    for shift in (-1, 0, 1):
        start = month + shift
        first = start.astype("datetime64[D]").astype(np.int64)
        length = (start + 1).astype("datetime64[D]").astype(np.int64) - first
        for pay_day in PAY_DAYS:
            distance = first + np.minimum(pay_day, length) - 1 - day
            ahead = np.where(distance >= 0, np.minimum(ahead, distance), ahead)
            behind = np.where(distance <= 0, np.minimum(behind, -distance), behind)
    return ahead, behind
