"""The payment log, by customer and by debt; reversals count from when they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import (
    Floats,
    Ids,
    Ints,
    coded,
    instants,
    known_at,
    numbers,
    text,
    words,
)
from contactopt.journal.columns import codes_of as column_codes
from contactopt.journal.event_index import EventIndex
from contactopt.journal.event_log import EventLog
from contactopt.journal.kernels import NEVER

__all__ = ["PaymentLog", "payment_frame"]

REWARDED = tuple(v.PAYMENT_KINDS.index(k) for k in v.REWARD_KINDS)


@dataclass(frozen=True, eq=False)
class PaymentLog(EventLog):
    """Payments by customer; arrays are in the order of ``index``.

    Parameters
    ----------
    index : EventIndex
        By customer; ``until`` is when a reversal is known.
    frame : DataFrame
        The source table.
    debt : int64 array
    amount : float64 array
        In the debt's currency.
    kind, method : Categorical
        A null kind is `voluntary`.
    rewarded : bool array
        Payments of kinds the policy may be rewarded for (they also keep promises).
    by_debt : EventIndex
        The same payments by debt; ``rows`` are positions of ``index``.
    """

    debt: Ints
    amount: Floats
    kind: pd.Categorical
    method: pd.Categorical
    rewarded: Any
    by_debt: EventIndex

    @classmethod
    def build(
        cls,
        frame: pd.DataFrame,
        debts: Ids,
        debt_customer: Ints,
        n_customers: int,
        delay_hours: float,
    ) -> PaymentLog:
        """Read the payments table."""
        paid = instants(frame, "paid_at")
        known = known_at(frame, paid, delay_hours)
        debt = column_codes(frame, "debt_id", debts, "payments")
        owner = debt_customer[debt] if len(debt_customer) else debt
        index = EventIndex.build(
            owner,
            n_customers,
            time=paid,
            known=known,
            ids=text(frame, "payment_id"),
            until=_reversal_known(frame, delay_hours),
        )
        rows = index.rows
        kind = words(frame, "kind", v.PAYMENT_KINDS)
        codes = np.where(kind.codes < 0, 0, kind.codes)[rows]  # voluntary unless said otherwise
        return cls(
            index=index,
            frame=frame,
            debt=debt[rows],
            amount=numbers(frame, "amount")[rows],
            kind=coded(codes, kind.categories),
            method=words(frame, "method", ())[rows],
            rewarded=np.isin(codes, REWARDED),
            by_debt=EventIndex.build(
                debt[rows],
                len(debts),
                time=index.time,
                known=index.known,
                ids=np.arange(len(rows)),
                until=index.until,
            ),
        )


def _reversal_known(frame: pd.DataFrame, delay_hours: float) -> Ints:
    """When a reversal is known: max(reversed_at, recorded_at), else reversed_at plus the delay."""
    reversed_at = instants(frame, "reversed_at")
    known = known_at(frame, reversed_at, delay_hours)
    return np.where(reversed_at == NO_INSTANT, NEVER, known)


def payment_frame(log: PaymentLog, at_us: int) -> pd.DataFrame:
    """Return the payments known at an instant, reversed ones flagged, by (customer, known-at)."""
    where = log.index.at(at_us)
    rows = log.index.rows[where]
    return pd.DataFrame(
        {
            "payment_id": text(log.frame, "payment_id").take(rows).reset_index(drop=True),
            "customer": log.index.owner[where],
            "debt": log.debt[where],
            "paid_us": log.index.time[where],
            "amount": log.amount[where],
            "kind": log.kind[where],
            "method": log.method[where],
            "reversed": log.index.until[where] <= at_us,
        }
    )
