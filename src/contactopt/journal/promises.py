"""The promise log: open, kept, partial, broken or cancelled, as payments known so far tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import (
    Floats,
    Ids,
    Ints,
    coded,
    codes_of,
    instants,
    known_at,
    numbers,
    text,
)
from contactopt.journal.event_index import EventIndex
from contactopt.journal.event_log import EventLog
from contactopt.journal.kernels import NEVER, promise_paid
from contactopt.journal.local_time import DAY_US
from contactopt.journal.payments import PaymentLog

__all__ = ["PROMISE_STATES", "PromiseLog", "promise_frame"]

PROMISE_STATES = ("open", "kept", "partial", "broken", "cancelled")


@dataclass(frozen=True, eq=False)
class PromiseLog(EventLog):
    """Promises by customer; arrays are in the order of ``index``.

    Parameters
    ----------
    index : EventIndex
        By customer; ``time`` is ``made_at``, ``until`` when a cancellation is known.
    frame : DataFrame
        The source table.
    debt : int64 array
    due_us : int64 array
        Last microsecond of the due day, without grace.
    amount : float64 array
    grace_days : int
        Days after ``due_us`` during which a payment still keeps the promise.
    code, payment_names : int64 arrays
        Promise id codes, and the code that each payment (by debt) names: -1 none, -2 not on record.
    """

    debt: Ints
    due_us: Ints
    amount: Floats
    grace_days: int
    code: Ints
    payment_names: Ints
    payments: PaymentLog

    @classmethod
    def build(
        cls,
        frame: pd.DataFrame,
        debts: Ids,
        debt_customer: Ints,
        n_customers: int,
        payments: PaymentLog,
        *,
        delay_hours: float,
        grace_days: int,
    ) -> PromiseLog:
        """Read the promises table."""
        made = instants(frame, "made_at")
        debt = codes_of(frame, "debt_id", debts, "promises")
        cancelled = instants(frame, "cancelled_at")
        ids = text(frame, "promise_id")
        index = EventIndex.build(
            debt_customer[debt] if len(debt_customer) else debt,
            n_customers,
            time=made,
            known=known_at(frame, made, delay_hours),
            ids=ids,
            until=np.where(cancelled == NO_INSTANT, NEVER, known_at(frame, cancelled, delay_hours)),
        )
        promise_ids = Ids(ids)
        names = text(payments.frame, "promise_id").iloc[payments.index.rows]
        # a promise that is not on record is still another one
        named = np.where(names.notna(), promise_ids.codes(names), -1)
        named = np.where(names.notna() & (named < 0), -2, named)
        return cls(
            index=index,
            frame=frame,
            debt=debt[index.rows],
            due_us=instants(frame, "due_at")[index.rows],
            amount=numbers(frame, "amount")[index.rows],
            grace_days=grace_days,
            code=promise_ids.codes(ids.iloc[index.rows]),
            payment_names=named[payments.by_debt.rows],
            payments=payments,
        )

    def states(self, positions: Ints, at_us: Ints) -> tuple[Ints, Floats]:
        """Return state (position in `PROMISE_STATES`) and money received, per (promise, instant).

        Paid in full keeps a promise, early too. Before the end of the due day plus grace an
        unpaid one is open; after it partial or broken. A known cancellation ends it, unless the
        promise was paid in full.
        """
        by = self.payments.by_debt
        end = self.due_us + self.grace_days * DAY_US
        paid = promise_paid(
            positions, at_us, self.debt, self.index.time, end, self.code,
            by.starts, by.known, by.until, by.time,
            self.payments.amount[by.rows], self.payments.rewarded[by.rows], self.payment_names,
        )  # fmt: skip
        full = paid >= self.amount[positions] * (1 - 1e-9)
        over = at_us > end[positions]
        gone = self.index.until[positions] <= at_us
        state = np.where(over, np.where(paid > 0, 2, 3), 0)
        return np.where(full, 1, np.where(gone, 4, state)), paid


def promise_frame(log: PromiseLog, at_us: int) -> pd.DataFrame:
    """Return the promises known at an instant with their state, by (customer, known-at, id)."""
    where = log.index.at(at_us)
    state, paid = log.states(where, np.full(len(where), at_us, dtype=np.int64))
    rows = log.index.rows[where]
    return pd.DataFrame(
        {
            "promise_id": text(log.frame, "promise_id").take(rows).reset_index(drop=True),
            "customer": log.index.owner[where],
            "debt": log.debt[where],
            "touch_id": text(log.frame, "touch_id").take(rows).reset_index(drop=True),
            "made_us": log.index.time[where],
            "due_us": log.due_us[where],
            "amount": log.amount[where],
            "paid": paid,
            "state": coded(state, PROMISE_STATES),
        }
    )
