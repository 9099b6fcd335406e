"""Money by customer and period: each payment once, whoever was contacted how often before it.

Window labels overlap, so they never add up to money. Totals, key figures and lifts use this ledger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal.labels import debt_rates
from contactopt.journal.local_time import DAY_US, to_us
from contactopt.journal.view import JournalView

__all__ = ["money_ledger"]

Ints = npt.NDArray[np.int64]

_HARMS = {"complaints": "complained", "opt_outs": "opted_out"}


def money_ledger(
    view: JournalView,
    *,
    since: Any,
    period_days: float = 1.0,
    cost_per_complaint: float = 0.0,
    cost_per_opt_out: float = 0.0,
    rate_of: Any = None,
) -> pd.DataFrame:
    """Add up what customers paid and what contacting them cost, period by period.

    A payment of kind `voluntary` or `direct_debit` counts once, in the period in which it was
    paid. A reversal is subtracted in the period in which it became known, also long after: what
    was told of an earlier period does not change.

    Parameters
    ----------
    view : JournalView
        Everything known at an instant.
    since : Timestamp, str with a zone, or int microseconds
        Start of the first period; the last one ends at the view's instant or after it.
    period_days : float
    cost_per_complaint, cost_per_opt_out : float
        Strategy currency.
    rate_of : callable, optional
        Value of a currency in the strategy's, where the journal still holds debts' currencies.

    Returns
    -------
    DataFrame
        Row per customer and period in which something happened, sorted: ``customer`` (code),
        ``period`` (0, 1, ...), ``period_start`` (UTC), ``paid``, ``reversed``, ``cost`` (of
        touches), ``contacts`` (outbound), ``complaints``, ``opt_outs``, ``harm`` and ``net`` =
        paid - reversed - cost - harm. Empty tables: no rows.

    Examples
    --------
    >>> from contactopt.journal import Journal
    >>> tables = {"customers": pd.DataFrame({"customer_id": ["a"], "time_zone": ["UTC"]})}
    >>> view = Journal(tables).as_of("2026-06-02T12:00Z")
    >>> money_ledger(view, since="2026-05-02T12:00Z").empty
    True
    """
    since_us, length = to_us(since), round(period_days * DAY_US)
    parts = [_paid(view, rate_of), _reversed(view, rate_of), _touched(view)]
    events = pd.concat(parts, ignore_index=True)
    inside = (events["us"] >= since_us) & (events["us"] <= view.as_of_us)
    events = events[inside].fillna(0.0)
    period = (events["us"] - since_us) // length
    keys = [events["customer"].rename("customer"), period.rename("period")]
    out = events.drop(columns=["us", "customer"]).groupby(keys, sort=True).sum().reset_index()
    start = since_us + out["period"].to_numpy(dtype=np.int64) * length
    out.insert(2, "period_start", pd.DatetimeIndex(start.view("M8[us]"), tz="UTC"))
    for name in ("contacts", *_HARMS):
        out[name] = out[name].astype(np.int64)
    out["harm"] = out["complaints"] * cost_per_complaint + out["opt_outs"] * cost_per_opt_out
    return out.assign(net=out["paid"] - out["reversed"] - out["cost"] - out["harm"])


def _paid(view: JournalView, rate_of: Any) -> pd.DataFrame:
    log = view.journal.payments
    at = log.index.at(view.as_of_us)
    at = at[log.rewarded[at]]
    return _payments(view, rate_of, at, log.index.time[at], "paid")


def _reversed(view: JournalView, rate_of: Any) -> pd.DataFrame:
    log = view.journal.payments
    at = log.index.at(view.as_of_us)
    at = at[log.rewarded[at] & (log.index.until[at] <= view.as_of_us)]
    return _payments(view, rate_of, at, log.index.until[at], "reversed")


def _payments(view: JournalView, rate_of: Any, at: Ints, us: Ints, name: str) -> pd.DataFrame:
    log = view.journal.payments
    rates = debt_rates(view.journal, rate_of)
    value = log.amount[at] * rates[log.debt[at]] if len(at) else np.zeros(0)
    return pd.DataFrame({"customer": log.index.owner[at], "us": us, name: value})


def _touched(view: JournalView) -> pd.DataFrame:
    touches = view.touches
    outcome = touches["outcome"].astype(object)
    known = touches["outcome_known_us"].to_numpy(dtype=np.int64)
    started = touches["started_us"].to_numpy(dtype=np.int64)
    harmed = outcome.isin(list(_HARMS.values())).to_numpy()
    sent = pd.DataFrame(
        {
            "customer": touches["customer"].to_numpy(dtype=np.int64),
            "us": started,
            "cost": np.nan_to_num(touches["cost"].to_numpy(dtype=np.float64)),
            "contacts": (touches["direction"] == "outbound").to_numpy().astype(np.float64),
        }
    )
    # harm falls on the period in which it became known
    harm = pd.DataFrame(
        {"customer": sent["customer"][harmed], "us": np.maximum(known, started)[harmed]}
    ).assign(
        **{name: (outcome[harmed] == word).astype(np.float64) for name, word in _HARMS.items()}
    )
    return pd.concat([sent, harm], ignore_index=True)
