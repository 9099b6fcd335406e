"""Training labels at many (customer, instant) pairs: what was paid within the horizon.

A label is the money of the whole window, whoever was contacted in it: it is never cut at, split
by or filtered on a later contact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from contactopt.journal.columns import text
from contactopt.journal.local_time import DAY_US, to_us

if TYPE_CHECKING:
    from contactopt.journal.journal import Journal

__all__ = ["debt_rates", "payment_labels"]

Floats = npt.NDArray[np.float64]


def payment_labels(
    journal: Journal,
    customers: Any,
    instants: Any,
    *,
    horizon_days: Any,
    as_of: Any,
    discount_rate_yearly: float = 0.0,
    rate_of: Callable[[str], float] | None = None,
) -> pd.DataFrame:
    """Return what each customer paid in (t, t + horizon], as known at ``as_of``.

    Payments of kind `voluntary` or `direct_debit` on any of the customer's debts count; those
    known to be reversed do not. Pairs whose window is not closed are returned with ``mature``
    False: their money is not a zero and must not train a model as one.

    Parameters
    ----------
    journal : Journal
    customers : int array, shape (n,)
        Customer codes.
    instants : int64 array, shape (n,)
        Starts of the windows, microseconds UTC.
    horizon_days : float or float array, shape (n,)
        Length of the window.
    as_of : Timestamp, str with a zone, or int microseconds
        What became known later is not used.
    discount_rate_yearly : float
        A payment d days after t counts (1 + rate) ** (-d / 365).
    rate_of : callable, optional
        Value of one unit of a currency in the strategy's (`StrategyConfig.rate_of`); without it
        money is taken as it stands.

    Returns
    -------
    DataFrame
        Row per pair: ``paid`` (bool), ``amount`` (undiscounted net money), ``amount_discounted``,
        ``n_payments``, ``first_delay_days`` (NaN where nothing was paid), ``first_amount`` and
        ``mature`` (the window and the delay of the payments table lie before ``as_of``).

    Examples
    --------
    >>> from contactopt.journal import Journal
    >>> journal = Journal({"customers": pd.DataFrame({"customer_id": ["a"], "time_zone": ["UTC"]})})
    >>> labels = payment_labels(journal, [0], [0], horizon_days=30, as_of="2026-06-02T12:00Z")
    >>> labels[["paid", "amount", "mature"]].values.tolist()
    [[False, 0.0, True]]
    """
    customers = np.asarray(customers, dtype=np.int64)
    start = np.ascontiguousarray(np.asarray(instants, dtype=np.int64))
    horizon = np.broadcast_to(np.asarray(horizon_days, dtype=np.float64), start.shape)
    end = start + np.round(horizon * DAY_US).astype(np.int64)
    as_of_us = to_us(as_of)
    log = journal.payments
    value = np.where(log.rewarded, log.amount, 0.0)
    value = value * debt_rates(journal, rate_of)[log.debt] if len(log) else value
    count, net, discounted, first, begun = _window_money(
        log.index.starts, log.index.known, log.index.until, log.index.time, value,
        customers, start, end, as_of_us, np.log1p(discount_rate_yearly) / (365 * DAY_US),
    )  # fmt: skip
    delay_us = round(journal.delay_hours("payments") * 3.6e9)
    return pd.DataFrame(
        {
            "paid": count > 0,
            "amount": net,
            "amount_discounted": discounted,
            "n_payments": count,
            "first_delay_days": np.where(count > 0, (first - start) / DAY_US, np.nan),
            "first_amount": begun,
            "mature": end + delay_us <= as_of_us,
        }
    )


def debt_rates(journal: Journal, rate_of: Callable[[str], float] | None) -> Floats:
    """Return the value of one unit of each debt's currency, shape (n_debts,); 1 without rates.

    Raises
    ------
    ConfigError
        From ``rate_of``, if a currency in use has no rate.
    """
    n = len(journal.debt_ids)
    if rate_of is None or n == 0:
        return np.ones(n)
    codes, names = pd.factorize(text(journal.debts.frame, "currency"))
    rates = np.array([rate_of(str(name)) for name in names] + [1.0])
    return rates[codes]


@njit(cache=True)
def _window_money(starts, known, until, time, value, customers, start, end, as_of, rate_per_us):
    """Add up rewarded payments in (start, end], known and not reversed by ``as_of``."""
    n = len(customers)
    count = np.zeros(n, np.int64)
    net, discounted, begun = np.zeros(n), np.zeros(n), np.zeros(n)
    first = end.copy()
    for i in range(n):
        for j in range(starts[customers[i]], starts[customers[i] + 1]):
            if known[j] > as_of:
                break
            if until[j] <= as_of or value[j] <= 0 or time[j] <= start[i] or time[j] > end[i]:
                continue
            count[i] += 1
            net[i] += value[j]
            discounted[i] += value[j] * np.exp(-rate_per_us * (time[j] - start[i]))
            if count[i] == 1 or time[j] < first[i]:
                first[i], begun[i] = time[j], value[j]
    return count, net, discounted, first, begun
