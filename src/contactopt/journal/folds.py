"""Compiled folds of known events over windows before many (owner, instant) pairs.

A fold sees the events of an `EventIndex` that are known at the pair's instant and still count
(``until`` later than it), each with a bucket (below 0: not wanted) and a value. Age is instant
minus event time; a window of length w holds ages in [0, w). Sums are taken from the event that
became known last to the first, so one pair gives the same bits alone and in any batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.event_index import EventIndex
from contactopt.journal.kernels import known_end

__all__ = ["decayed_sums", "gap_statistics", "largest", "last_times", "period_sums", "window_sums"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_ABSENT = int(NO_INSTANT)
#: a window this long never ends
FOREVER_US = 1 << 62


def window_sums(
    index: EventIndex,
    bucket: Any,
    n_buckets: int,
    windows_us: Any,
    owners: Ints,
    instants: Ints,
    values: Any = None,
) -> Floats:
    """Return, per pair, bucket and window, the sum of values (1 each where none are given).

    Parameters
    ----------
    index : EventIndex
    bucket : int array, shape (n_events,)
        Below 0: the event is left out.
    n_buckets : int
    windows_us : sequence of int, ascending
        Window lengths, microseconds; `FOREVER_US` for all of the past.
    owners, instants : int64 arrays, shape (n_pairs,)
    values : float array, shape (n_events,), optional

    Returns
    -------
    float64 array, shape (n_pairs, n_buckets, n_windows)
    """
    windows = np.asarray(windows_us, dtype=np.int64)
    value = np.ones(len(index)) if values is None else np.asarray(values, dtype=np.float64)
    return _window_sums(
        index.starts, index.known, index.until, index.time, np.asarray(bucket, dtype=np.int64),
        value, n_buckets, windows, owners, instants,
    )  # fmt: skip


@njit(cache=True)
def _window_sums(starts, known, until, time, bucket, value, n_buckets, windows, owners, instants):
    n_windows = len(windows)
    widest = windows[n_windows - 1]
    out = np.zeros((len(owners), n_buckets, n_windows))
    for i in range(len(owners)):
        t = instants[i]
        low = starts[owners[i]]
        j = known_end(known, low, starts[owners[i] + 1], t) - 1
        # an event known before the widest window began cannot have happened inside it
        while j >= low and t - known[j] < widest:
            if bucket[j] >= 0 and until[j] > t:
                age = t - time[j]
                w = n_windows - 1
                while w >= 0 and age < windows[w]:
                    out[i, bucket[j], w] += value[j]
                    w -= 1
            j -= 1
    return out


def period_sums(
    index: EventIndex,
    values: Any,
    period_us: int,
    n_periods: int,
    owners: Ints,
    instants: Ints,
) -> Floats:
    """Return sums of values by age in whole periods, the latest first, shape (n_pairs, n_periods).

    Events with a NaN value are left out.
    """
    return _period_sums(
        index.starts, index.known, index.until, index.time, np.asarray(values, dtype=np.float64),
        period_us, n_periods, owners, instants,
    )  # fmt: skip


@njit(cache=True)
def _period_sums(starts, known, until, time, value, period, n_periods, owners, instants):
    out = np.zeros((len(owners), n_periods))
    for i in range(len(owners)):
        t = instants[i]
        low = starts[owners[i]]
        j = known_end(known, low, starts[owners[i] + 1], t) - 1
        while j >= low and t - known[j] < period * n_periods:
            k = (t - time[j]) // period
            if k < n_periods and until[j] > t and not np.isnan(value[j]):
                out[i, k] += value[j]
            j -= 1
    return out


def last_times(
    index: EventIndex, bucket: Any, n_buckets: int, owners: Ints, instants: Ints
) -> Ints:
    """Return the latest event time per pair and bucket, `NO_INSTANT` where there is none."""
    return _last_times(
        index.starts, index.known, index.until, index.time, np.asarray(bucket, dtype=np.int64),
        n_buckets, owners, instants,
    )  # fmt: skip


@njit(cache=True)
def _last_times(starts, known, until, time, bucket, n_buckets, owners, instants):
    out = np.full((len(owners), n_buckets), _ABSENT, np.int64)
    for i in range(len(owners)):
        low = starts[owners[i]]
        end = known_end(known, low, starts[owners[i] + 1], instants[i])
        for j in range(low, end):
            if bucket[j] >= 0 and until[j] > instants[i]:
                out[i, bucket[j]] = max(out[i, bucket[j]], time[j])
    return out


def decayed_sums(
    index: EventIndex,
    bucket: Any,
    n_buckets: int,
    half_life_us: float,
    owners: Ints,
    instants: Ints,
) -> Floats:
    """Return, per pair and bucket, the number of events, each halved per half-life of its age."""
    return _decayed_sums(
        index.starts, index.known, index.until, index.time, np.asarray(bucket, dtype=np.int64),
        n_buckets, np.log(2.0) / half_life_us, owners, instants,
    )  # fmt: skip


@njit(cache=True)
def _decayed_sums(starts, known, until, time, bucket, n_buckets, rate, owners, instants):
    out = np.zeros((len(owners), n_buckets))
    for i in range(len(owners)):
        t = instants[i]
        low = starts[owners[i]]
        for j in range(known_end(known, low, starts[owners[i] + 1], t) - 1, low - 1, -1):
            if bucket[j] >= 0 and until[j] > t:
                out[i, bucket[j]] += np.exp(-rate * (t - time[j]))
    return out


def gap_statistics(
    index: EventIndex, wanted: Any, depth: int, owners: Ints, instants: Ints
) -> Floats:
    """Return mean and standard deviation of the gaps between a pair's latest events, in days.

    Of each owner the ``depth`` wanted events that became known last are taken. Shape
    (n_pairs, 2); NaN with fewer than two (mean) or three events (deviation).
    """
    return _gap_statistics(
        index.starts, index.known, index.until, index.time, np.asarray(wanted, dtype=np.bool_),
        depth, owners, instants,
    )  # fmt: skip


@njit(cache=True)
def _gap_statistics(starts, known, until, time, wanted, depth, owners, instants):
    out = np.full((len(owners), 2), np.nan)
    latest = np.empty(depth, np.int64)  # sorted by event time
    for i in range(len(owners)):
        low = starts[owners[i]]
        j = known_end(known, low, starts[owners[i] + 1], instants[i]) - 1
        n = 0
        while j >= low and n < depth:
            if wanted[j] and until[j] > instants[i]:
                k = n
                while k > 0 and latest[k - 1] > time[j]:
                    latest[k] = latest[k - 1]
                    k -= 1
                latest[k] = time[j]
                n += 1
            j -= 1
        if n < 2:
            continue
        mean = (latest[n - 1] - latest[0]) / 86_400e6 / (n - 1)
        out[i, 0] = mean
        if n > 2:
            square = 0.0
            for k in range(1, n):
                square += ((latest[k] - latest[k - 1]) / 86_400e6 - mean) ** 2
            out[i, 1] = np.sqrt(square / (n - 1))
    return out


def largest(index: EventIndex, values: Any, owners: Ints, instants: Ints) -> Floats:
    """Return the largest value among a pair's known events, NaN where there is none."""
    return _largest(
        index.starts, index.known, index.until, np.asarray(values, dtype=np.float64), owners,
        instants,
    )  # fmt: skip


@njit(cache=True)
def _largest(starts, known, until, value, owners, instants):
    out = np.full(len(owners), np.nan)
    for i in range(len(owners)):
        if owners[i] < 0:
            continue
        low = starts[owners[i]]
        for j in range(low, known_end(known, low, starts[owners[i] + 1], instants[i])):
            seen = until[j] > instants[i] and not np.isnan(value[j])
            if seen and not value[j] <= out[i]:  # true for the first, as nothing is <= NaN
                out[i] = value[j]
    return out
