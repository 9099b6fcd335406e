"""Payment arrangements: how much has fallen due, how much came, and what state that makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import (
    Ids,
    Ints,
    coded,
    codes_of,
    instants,
    known_at,
    numbers,
    text,
    words,
)
from contactopt.journal.kernels import sum_since
from contactopt.journal.local_time import local_day, local_day_start
from contactopt.journal.payments import PaymentLog

__all__ = ["ARRANGEMENT_STATES", "arrangement_frame"]

ARRANGEMENT_STATES = ("active", "behind", "finished", "ended")
_PERIOD_DAYS = {"daily": 1, "weekly": 7, "biweekly": 14}


def arrangement_frame(
    frame: pd.DataFrame,
    debts: Ids,
    debt_customer: Ints,
    zones: pd.Categorical,
    payments: PaymentLog,
    at_us: int,
    delay_hours: float,
) -> pd.DataFrame:
    """Return the arrangements known at an instant, sorted by (customer, id).

    The first instalment is due on the starting day, the others one period apart; a day counts
    as due once it is over. ``state`` is `ended` when an end is known, `finished` when all
    instalments are paid, `behind` when less came than has fallen due, else `active`.
    ``uncovered_due_us`` is the beginning of the due day of the first instalment that the money
    received does not cover, `NO_INSTANT` where all are covered.
    """
    starts = instants(frame, "starts_at")
    debt = codes_of(frame, "debt_id", debts, "arrangements")
    customer = debt_customer[debt] if len(debt_customer) else debt
    ids = text(frame, "arrangement_id")
    rows = np.flatnonzero((known_at(frame, starts, delay_hours) <= at_us) & (customer >= 0))
    rows = rows[np.lexsort((pd.factorize(ids.iloc[rows], sort=True)[0], customer[rows]))]
    debt, customer, starts = debt[rows], customer[rows], starts[rows]
    frequency = words(frame, "frequency", v.FREQUENCIES)[rows]
    count = numbers(frame, "n_instalments")[rows]
    instalment = numbers(frame, "instalment")[rows]
    now = np.full(len(rows), at_us, dtype=np.int64)
    by = payments.by_debt
    counted = np.where(payments.rewarded, payments.amount, 0.0)[by.rows]
    paid = sum_since(by.starts, by.known, by.until, by.time, counted, debt, now, starts - 1)
    n_due = np.minimum(_days_fallen_due(starts, now, zones[customer], frequency), count)
    ended = instants(frame, "ended_at")[rows]
    over = (ended != NO_INSTANT) & (ended <= at_us)
    due = n_due * instalment
    state = np.where(paid < due * (1 - 1e-9), 1, 0)
    state = np.where(paid >= count * instalment * (1 - 1e-9), 2, state)
    uncovered = _due_day(starts, paid, instalment, count, zones[customer], frequency)
    reason = text(frame, "end_reason").take(rows).to_numpy(dtype=object)
    return pd.DataFrame(
        {
            "arrangement_id": ids.take(rows).reset_index(drop=True),
            "customer": customer,
            "debt": debt,
            "starts_us": starts,
            "frequency": frequency,
            "instalment": instalment,
            "n_instalments": count,
            "n_due": n_due,
            "amount_due": due,
            "paid": paid,
            "uncovered_due_us": uncovered,
            "ended_us": np.where(over, ended, NO_INSTANT),
            "end_reason": np.where(over, reason, None),
            "state": coded(np.where(over, 3, state), ARRANGEMENT_STATES),
        }
    )


def _days_fallen_due(
    starts: Ints, now: Ints, zone: pd.Categorical, frequency: pd.Categorical
) -> Any:
    """Return how many due days lie before today: whole periods since the start, plus the first."""
    first, today = local_day(starts, zone), local_day(now, zone)
    days = today - 1 - first  # the last day that is over
    months = _months_between(first, today - 1)
    period = np.array([_PERIOD_DAYS.get(str(w), 0) for w in frequency.categories] or [0])
    length = period[frequency.codes] if len(frequency) else np.empty(0, np.int64)
    whole = np.where(length > 0, days // np.maximum(length, 1), months)
    return np.where(days < 0, 0, whole + 1)


def _due_day(
    starts: Ints, paid: Any, instalment: Any, count: Any, zone: pd.Categorical,
    frequency: pd.Categorical,
) -> Ints:  # fmt: skip
    """Return when the due day of the first instalment that is not covered begins."""
    if len(starts) == 0:
        return np.empty(0, dtype=np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        covered = np.floor(np.nan_to_num(paid / instalment, posinf=0.0) + 1e-9).astype(np.int64)
    first = local_day(starts, zone)
    period = np.array([_PERIOD_DAYS.get(str(w), 0) for w in frequency.categories] or [0])
    length = period[frequency.codes]
    a = first.astype("datetime64[D]")
    month = a.astype("datetime64[M]") + covered
    last = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    of_month = (a - a.astype("datetime64[M]")).astype(np.int64)
    monthly = month.astype("datetime64[D]").astype(np.int64) + np.minimum(of_month, last - 1)
    day = np.where(length > 0, first + covered * length, monthly)
    return np.where(covered >= count, NO_INSTANT, local_day_start(day, zone))


def _months_between(first: Ints, last: Ints) -> Ints:
    """Return whole calendar months between two days; a 31st falls due at shorter months' end."""
    a, b = first.astype("datetime64[D]"), last.astype("datetime64[D]")
    months = b.astype("datetime64[M]").astype(np.int64) - a.astype("datetime64[M]").astype(np.int64)
    day_a = (a - a.astype("datetime64[M]")).astype(np.int64)
    month_b = b.astype("datetime64[M]")
    length_b = ((month_b + 1).astype("datetime64[D]") - month_b.astype("datetime64[D]")).astype(int)
    day_b = (b - month_b).astype(np.int64)
    return months - (day_b < np.minimum(day_a, length_b - 1))
