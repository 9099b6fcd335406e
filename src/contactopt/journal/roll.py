"""Training labels of closeness to default: who rolls into a later bucket of days past due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.kernels import expand_ranges
from contactopt.journal.local_time import DAY_US, to_us

if TYPE_CHECKING:
    from contactopt.journal.journal import Journal

__all__ = ["ROLL_BUCKETS", "roll_labels"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: current, 1-30, 31-60, 61-90, 91-120, 121-150, 151-180 days past due, charged off or beyond
ROLL_BUCKETS = ("current", "1-30", "31-60", "61-90", "91-120", "121-150", "151-180", "charged_off")
_EDGES = np.array([0.5, 30.5, 60.5, 90.5, 120.5, 150.5, 180.5])
_LAST, _NONE = len(ROLL_BUCKETS) - 1, -1


def roll_labels(
    journal: Journal, customers: Any, instants: Any, *, horizon_days: Any, as_of: Any
) -> pd.DataFrame:
    """Return whether each customer's worst debt rolls into a later bucket in (t, t + horizon].

    Buckets are the usual ones of 30 days. The bucket at t is that of the customer's worst open
    debt, as known at t (snapshots brought forward by local days, payments taken into account). A
    roll is a later bucket in a snapshot of one of those debts, or a charge-off, inside the window
    and known at ``as_of``: one that is cured again inside the window is still a roll. Nothing is
    brought forward in the window: what no snapshot showed is not told.

    Parameters
    ----------
    journal : Journal
    customers : int array, shape (n,)
        Customer codes.
    instants : int64 array, shape (n,)
        Starts of the windows, microseconds UTC.
    horizon_days : float or float array, shape (n,)
    as_of : Timestamp, str with a zone, or int microseconds
        What became known later is not used.

    Returns
    -------
    DataFrame
        Row per pair: ``rolled`` (bool), ``bucket`` (category of `ROLL_BUCKETS`, null without an
        open debt whose days past due are known), ``at_risk`` (there is a later bucket) and
        ``mature``: the window and the delay of the snapshots lie before ``as_of``, and every open
        debt has a snapshot in the second half of the window, or ended or was charged off in it
        (whether or not a roll was seen: else rolls would be kept and quiet rows dropped).
        Rows that are not mature or not at risk are no zeros and must not train a model.

    Examples
    --------
    >>> from contactopt.journal import Journal
    >>> journal = Journal({"customers": pd.DataFrame({"customer_id": ["a"], "time_zone": ["UTC"]})})
    >>> roll_labels(journal, [0], [0], horizon_days=30, as_of="2026-06-02T12:00Z").values.tolist()
    [[False, nan, False, True]]
    """
    customers = np.asarray(customers, dtype=np.int64)
    start = np.ascontiguousarray(np.asarray(instants, dtype=np.int64))
    horizon = np.broadcast_to(np.asarray(horizon_days, dtype=np.float64), start.shape)
    end = start + np.round(horizon * DAY_US).astype(np.int64)
    as_of_us, n, log = to_us(as_of), len(start), journal.debts
    pair, debts = _own_debts(journal, customers)
    at_start, collected = _bucket_at(journal, debts, start[pair])
    pair, debts, at_start = pair[collected], debts[collected], at_start[collected]
    bucket = np.full(n, _NONE, dtype=np.int64)
    np.maximum.at(bucket, pair, at_start)
    s = log.snapshots
    worst, late = _seen_in_window(
        s.starts, s.known, s.time, log.days_past_due, debts, start[pair], end[pair], as_of_us
    )
    later = np.where(np.isnan(worst), _NONE, np.searchsorted(_EDGES, worst))
    charged = _date_in(log.dates["charged_off_at"][debts], start[pair], end[pair], as_of_us)
    later = np.where(charged, _LAST, later)
    ended = np.zeros(len(pair), dtype=bool)
    for name in ("closed_at", "recalled_at"):
        ended |= _date_in(log.dates[name][debts], start[pair], end[pair], as_of_us)
    rolled, unseen = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    rolled[pair[later > bucket[pair]]] = True
    unseen[pair[~(late | ended | charged)]] = True
    closed = end + round(journal.delay_hours("debt_snapshots") * 3.6e9) <= as_of_us
    return pd.DataFrame(
        {
            "rolled": rolled,
            "bucket": pd.Categorical.from_codes(bucket, list(ROLL_BUCKETS)),
            "at_risk": (bucket > _NONE) & (bucket < _LAST),
            "mature": closed & ~unseen,
        }
    )


def _own_debts(journal: Journal, customers: Ints) -> tuple[Ints, Ints]:
    """Every (pair, debt) of which the customer is the main obligor."""
    by = journal.debts.by_customer
    position, pair = expand_ranges(by.starts[customers], by.starts[customers + 1])
    return pair, by.rows[position]


def _bucket_at(journal: Journal, debts: Ints, at_us: Ints) -> tuple[Ints, Any]:
    """Bucket of each debt at its instant, and whether it is open with a known bucket."""
    states = journal.debts.states(debts, at_us)
    days = states.days_past_due
    bucket = np.where(states.charged_off, _LAST, np.searchsorted(_EDGES, days))
    known = states.exists & ~states.ended & (states.charged_off | ~np.isnan(days))
    return bucket.astype(np.int64), known


def _date_in(date: Ints, start: Ints, end: Ints, as_of_us: int) -> Any:
    return (date != NO_INSTANT) & (date > start) & (date <= np.minimum(end, as_of_us))


@njit(cache=True)
def _seen_in_window(starts, known, time, days, debts, start, end, as_of):
    """Most days past due per debt in (start, end] (NaN: none), and whether its 2nd half is seen."""
    n = len(debts)
    worst, late = np.full(n, np.nan), np.zeros(n, np.bool_)
    for i in range(n):
        half = start[i] + (end[i] - start[i]) // 2
        for j in range(starts[debts[i]], starts[debts[i] + 1]):
            if known[j] > as_of:
                break
            if time[j] <= start[i] or time[j] > end[i] or np.isnan(days[j]):
                continue
            if np.isnan(worst[i]) or days[j] > worst[i]:
                worst[i] = days[j]
            if time[j] > half:
                late[i] = True
    return worst, late
