"""Compiled loops over the event index: cuts, outcome timelines, promise, snapshot, point state.

Each kernel serves one instant for everybody and many (owner, instant) pairs alike, so that both
give the same bits. Slow readable twins stand in the tests' oracles. All times are int64
microseconds; owners (customers, debts, points) are integer codes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from contactopt.contracts.scored_batch import NO_INSTANT

NEVER = np.iinfo(np.int64).max
_ABSENT = int(NO_INSTANT)

#: rank of digital outcomes: a better one replaces a lesser one; rights come last, as they bind
LADDER = (
    "delivered",
    "opened",
    "clicked",
    "visited",
    "replied",
    "paid_online",
    "complained",
    "opted_out",
)


@njit(cache=True)
def known_end(known, low, high, instant):
    """Return the first position in [low, high) whose event is known later than ``instant``."""
    while low < high:
        middle = (low + high) // 2
        if known[middle] <= instant:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def known_ends(starts, known, owners, instants):
    """Return, per (owner, instant) pair, where the owner's known events end in the index."""
    out = np.empty(len(owners), np.int64)
    for i in range(len(owners)):
        out[i] = known_end(known, starts[owners[i]], starts[owners[i] + 1], instants[i])
    return out


@njit(cache=True)
def grouped(owner, known, n_owners):
    """Return CSR starts and rows by (owner, known, row); rows of owner -1 are left out.

    A counting sort by owner, then a merge sort inside each owner: rows that come sorted by owner
    stay in the cache.
    """
    starts = np.zeros(n_owners + 1, np.int64)
    for r in range(len(owner)):
        if owner[r] >= 0:
            starts[owner[r] + 1] += 1
    for c in range(n_owners):
        starts[c + 1] += starts[c]
    place = starts[:-1].copy()
    rows = np.empty(starts[n_owners], np.int64)
    for r in range(len(owner)):
        if owner[r] >= 0:
            rows[place[owner[r]]] = r
            place[owner[r]] += 1
    spare = np.empty(len(rows), np.int64)
    for c in range(n_owners):
        _sort_by(known, rows, spare, starts[c], starts[c + 1])
    return starts, rows


@njit(cache=True)
def _sort_by(key, rows, spare, low, high):
    """Sort rows[low:high] by key, stable: insertion in runs of 16, then merges of runs."""
    run = 16
    for a in range(low, high, run):
        for i in range(a + 1, min(a + run, high)):
            r = rows[i]
            k = i
            while k > a and key[rows[k - 1]] > key[r]:
                rows[k] = rows[k - 1]
                k -= 1
            rows[k] = r
    while run < high - low:
        for a in range(low, high, 2 * run):
            middle, end = min(a + run, high), min(a + 2 * run, high)
            i, j = a, middle
            for k in range(a, end):
                if j >= end or (i < middle and key[rows[i]] <= key[rows[j]]):
                    spare[k] = rows[i]
                    i += 1
                else:
                    spare[k] = rows[j]
                    j += 1
        rows[low:high] = spare[low:high]
        run *= 2


@njit(cache=True)
def expand_ranges(low, high):
    """Return all positions of the ranges [low, high), one range after the other, and their pair."""
    total = 0
    for i in range(len(low)):
        total += high[i] - low[i]
    positions = np.empty(total, np.int64)
    pair = np.empty(total, np.int64)
    k = 0
    for i in range(len(low)):
        for j in range(low[i], high[i]):
            positions[k] = j
            pair[k] = i
            k += 1
    return positions, pair


@njit(cache=True)
def value_at(line_known, low, high, instant):
    """Return the position of the last change known at ``instant`` in [low, high), or -1."""
    end = known_end(line_known, low, high, instant)
    return end - 1 if end > low else -1


@njit(cache=True)
def values_at(line_starts, line_known, items, instants):
    """Return `value_at` per (item, instant) pair."""
    out = np.empty(len(items), np.int64)
    for i in range(len(items)):
        k = items[i]
        out[i] = value_at(line_known, line_starts[k], line_starts[k + 1], instants[i])
    return out


@njit(cache=True)
def _effective(own, own_in, rank_of, beaten, best_human, any_event, demoted, unknown, ladder):
    """Return the outcome that the evidence so far supports (see `outcome_timeline`)."""
    own_rank = rank_of[own] if own_in else -1
    if own_in and own != unknown and own_rank < 0 and not (beaten[own] and best_human >= 0):
        return own
    best = best_human
    if any_event and best < 0:
        best = 0
    if own_rank >= 0:
        best = max(best, 0 if demoted else own_rank)
    if best < 0:
        return own if own_in else unknown
    return ladder[best]


@njit(cache=True)
def _louder(told, word, unknown, force):
    """Return the word that stands among events that are not digital: the later of equal force."""
    if word == unknown or (told >= 0 and force[word] < force[told]):
        return told
    return word


@njit(cache=True)
def _heard(seen, told, unknown, beaten, force):
    """Return the outcome once what events told (-1: nothing) is heard."""
    if told >= 0 and (seen == unknown or beaten[seen] or force[told] > force[seen]):
        return told
    return seen


@njit(cache=True)
def outcome_timeline(own, own_known, starts, known, event, machine, rank_of, beaten, ladder,
                     unknown, force):  # fmt: skip
    """Return when each touch's effective outcome changes, as a CSR of changes per touch.

    A machine open or click shows delivery only. A touch's own `opened` or `clicked` counts as
    delivery while every such event known of it was made by a machine. Among digital outcomes the
    best human one holds (`LADDER`); outcomes in ``beaten`` (nobody there) give way to human
    events; all others stand. An event whose word is not digital (a bounce, a request to stop)
    is heard as well: it beats words of less ``force``, nobody there, and unknown.

    Parameters
    ----------
    own, own_known : int arrays, shape (n,)
        The touch row's outcome code and the instant from which it is known.
    starts, known, event, machine : arrays
        Digital events per touch, sorted by (touch, known, id).
    rank_of, beaten : arrays, shape (n_outcomes,)
        Rank in `LADDER` (-1: not digital; rank 0 is the code ``delivered``); bool.
    ladder : int array
        Outcome code of each rank.
    unknown : int
        Code of `unknown`.
    force : int array, shape (n_outcomes,)
        2 for words that act like a hold, 1 for those that end an address, else 0.

    Returns
    -------
    line_starts, line_known, line_outcome : arrays
    """
    n = len(own)
    line_starts = np.zeros(n + 1, np.int64)
    line_known = np.empty(n + len(known), np.int64)
    line_outcome = np.empty(n + len(known), np.int64)
    out = 0
    for i in range(n):
        best_human, any_event, own_machine, own_human = -1, False, False, False
        own_in, current, told = False, unknown, -1
        j = starts[i]
        while j < starts[i + 1] or not own_in:
            now = own_known[i] if not own_in else NEVER
            if j < starts[i + 1]:
                now = min(now, known[j])
            if not own_in and own_known[i] <= now:
                own_in = True
            while j < starts[i + 1] and known[j] <= now:
                if rank_of[event[j]] < 0:
                    told = _louder(told, event[j], unknown, force)
                else:
                    any_event = True
                    if not machine[j]:
                        best_human = max(best_human, rank_of[event[j]])
                    if event[j] == own[i]:
                        own_machine = own_machine or machine[j]
                        own_human = own_human or not machine[j]
                j += 1
            seen = _effective(
                own[i], own_in, rank_of, beaten, best_human, any_event,
                own_machine and not own_human, unknown, ladder,
            )  # fmt: skip
            seen = _heard(seen, told, unknown, beaten, force)
            if seen != current:
                line_known[out] = now
                line_outcome[out] = seen
                out += 1
                current = seen
        line_starts[i + 1] = out
    return line_starts, line_known[:out].copy(), line_outcome[:out].copy()


@njit(cache=True)
def machine_only(starts, known, machine, items, instants):
    """Return, per (touch, instant), whether events are known and all were made by machines."""
    out = np.zeros(len(items), np.bool_)
    for i in range(len(items)):
        for j in range(starts[items[i]], starts[items[i] + 1]):
            if known[j] > instants[i]:
                break
            if not machine[j]:
                out[i] = False
                break
            out[i] = True
    return out


@njit(cache=True)
def promise_paid(promises, instants, debt, made, due, own_id, starts, known, until, time, amount,
                 counts, names):  # fmt: skip
    """Return the money received, as known at the instant, inside each promise's window.

    Payments of the promise's debt count from ``made`` to ``due`` (end of the due day plus
    grace), if they are of a kind that keeps promises, not known to be reversed, and do not name
    another promise.
    """
    out = np.zeros(len(promises))
    for i in range(len(promises)):
        p = promises[i]
        for j in range(starts[debt[p]], starts[debt[p] + 1]):
            if known[j] > instants[i]:
                break
            if until[j] <= instants[i] or not counts[j]:
                continue
            if made[p] <= time[j] <= due[p] and (names[j] == -1 or names[j] == own_id[p]):
                out[i] += amount[j]
    return out


@njit(cache=True)
def latest_by_time(starts, known, time, owners, instants, depth):
    """Return the positions of the ``depth`` latest events by event time among those known.

    Late corrections of older days do not overtake newer days. Shape (n_pairs, depth), newest
    first, -1 where there are fewer.
    """
    out = np.full((len(owners), depth), -1, np.int64)
    for i in range(len(owners)):
        for j in range(starts[owners[i]], starts[owners[i] + 1]):
            if known[j] > instants[i]:
                break
            k = depth
            while k > 0 and (out[i, k - 1] < 0 or time[out[i, k - 1]] <= time[j]):
                if k < depth:
                    out[i, k] = out[i, k - 1]
                k -= 1
            if k < depth:
                out[i, k] = j
    return out


@njit(cache=True)
def sum_since(starts, known, until, time, value, owners, instants, since):
    """Return the sum of values of known, still valid events later than ``since``, per pair."""
    out = np.zeros(len(owners))
    for i in range(len(owners)):
        for j in range(starts[owners[i]], starts[owners[i] + 1]):
            if known[j] > instants[i]:
                break
            if until[j] > instants[i] and time[j] > since[i]:
                out[i] += value[j]
    return out


@njit(cache=True)
def dead_points(starts, known, touch, time, line_starts, line_known, line_outcome, role, points,
                instants):  # fmt: skip
    """Return, per (point, instant), whether the point no longer leads to its customer.

    ``role`` of an outcome: 1 the address failed, 2 somebody else's, 3 it was delivered, 4 the
    customer answered. A failed address is cleared by a later delivery or answer, somebody
    else's only by a later answer.
    """
    out = np.zeros(len(points), np.bool_)
    last = np.empty(5, np.int64)
    for i in range(len(points)):
        last[:] = _ABSENT
        for j in range(starts[points[i]], starts[points[i] + 1]):
            if known[j] > instants[i]:
                break
            t = touch[j]
            k = value_at(line_known, line_starts[t], line_starts[t + 1], instants[i])
            if k >= 0:
                what = role[line_outcome[k]]
                last[what] = max(last[what], time[j])
        failed = last[1] > max(last[3], last[4]) and last[1] != _ABSENT
        wrong = last[2] > last[4] and last[2] != _ABSENT
        out[i] = failed or wrong
    return out
