"""Compiled loops from rules by channel to verdicts by action; slow twins stand in the oracles.

Rows are debts (and stand-ins); ``rank_starts`` and ``ranked`` list the rows of each customer, the
most telling first. Instants are int64 microseconds. Denials are bits, 64 rules to a word.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["best_of", "first_opens", "latest_release", "lay_out", "reason_codes"]

_ABSENT = int(NO_INSTANT)
_LAST = int(np.iinfo(np.int64).max)


@njit(cache=True, nogil=True)
def lay_out(
    slot, ends, closed, key, action, channel, denied, released, start, before, bits, release
):  # fmt: skip
    """Fill start, before, bits and release of every row and column.

    Parameters
    ----------
    slot, ends : (keys, m); closed : (words, keys, m)
        By timing key and action.
    key : (rows,)
    action, channel : (1, width) or (rows, width)
    denied : (words, rows, channels); released : (rows, channels)
        By row and channel.
    start, before, release : (rows, width); bits : (words, rows, width)
        Written to.
    """
    words = bits.shape[0]
    rows, width = start.shape
    own = action.shape[0] > 1
    for r in range(rows):
        k = key[r]
        at = r if own else 0
        for j in range(width):
            a, c = action[at, j], channel[at, j]
            start[r, j] = slot[k, a]
            before[r, j] = ends[k, a]
            release[r, j] = released[r, c]
        for w in range(words):
            for j in range(width):
                bits[w, r, j] = closed[w, k, action[at, j]] | denied[w, r, channel[at, j]]


@njit(cache=True, nogil=True)
def best_of(allowed, rank_starts, ranked, best, some):
    """Find the first allowed row of every (customer, action), else the customer's first row."""
    m = allowed.shape[1]
    for i in range(len(rank_starts) - 1):
        low, high = rank_starts[i], rank_starts[i + 1]
        if low == high:
            continue
        first = ranked[low]
        for a in range(m):
            best[i, a] = first
            some[i, a] = allowed[first, a]
        for at in range(low + 1, high):
            row = ranked[at]
            for a in range(m):
                if allowed[row, a] and not some[i, a]:
                    best[i, a] = row
                    some[i, a] = True


@njit(cache=True, nogil=True)
def reason_codes(  # noqa: C901  (compiled: one loop in one piece)
    bits, some, open_row, rank_starts, ranked, code, sets, table
):
    """Give numbers to the distinct unions of denials over each customer's open rows.

    Parameters
    ----------
    bits : (words, rows, m)
    some : (n, m)
        Allowed pairs: their code stays as it is.
    code : int32 (n, m)
        Written to: position in ``sets``.
    sets : uint64 (room, words)
        Written to: the distinct unions, in the order in which they are met.
    table : int32 (size,)
        Empty (-1) hash table, a power of two; at least twice as large as ``sets``.

    Returns
    -------
    Number of sets, or -1 where there are more than ``sets`` has room for.
    """
    words, _, m = bits.shape
    room, mask = sets.shape[0], len(table) - 1
    found, last = 0, -1
    union = np.zeros(words, np.uint64)
    for i in range(len(rank_starts) - 1):
        low, high = rank_starts[i], rank_starts[i + 1]
        for a in range(m):
            if some[i, a]:
                continue
            for w in range(words):
                union[w] = 0
            for at in range(low, high):
                row = ranked[at]
                if open_row[row]:
                    for w in range(words):
                        union[w] |= bits[w, row, a]
            if last >= 0 and _same(sets, last, union):
                code[i, a] = last
                continue
            mixed = np.uint64(1469598103934665603)
            for w in range(words):
                mixed = (mixed ^ union[w]) * np.uint64(11400714819323198485)
                mixed ^= mixed >> np.uint64(29)
            place = np.int64(mixed & np.uint64(mask))
            while table[place] >= 0 and not _same(sets, table[place], union):
                place = (place + 1) & mask
            if table[place] < 0:
                if found == room:
                    return -1
                for w in range(words):
                    sets[found, w] = union[w]
                table[place] = found
                found += 1
            last = table[place]
            code[i, a] = last
    return found


@njit(cache=True, nogil=True)
def _same(sets, at, union):
    for w in range(len(union)):  # noqa: SIM110  (compiled)
        if sets[at, w] != union[w]:
            return False
    return True


@njit(cache=True, nogil=True)
def latest_release(
    some, allowed, release, customer, key, group_of, open_row, with_zone, latest
):  # fmt: skip
    """Raise ``latest`` (keys, groups) to the latest release of the rows that wait for one.

    Shapes as in `first_opens`; releases without an end do not count.
    """
    rows, m = allowed.shape
    for r in range(rows):
        if not open_row[r] or not with_zone[r]:
            continue
        for a in range(m):
            if allowed[r, a] or some[customer[r], a] or release[r, a] == _LAST:
                continue
            k, g = key[r], group_of[a]
            # nothing but the hour denies: that is a release in the past, and not none
            latest[k, g] = max(latest[k, g], release[r, a], _ABSENT + 1)


@njit(cache=True, nogil=True)
def first_opens(  # noqa: C901  (compiled: one loop in one piece)
    some, allowed, release, begin, until, channel_of, key, group_of, list_of, open_starts, opens,
    open_row, with_zone, rank_starts, ranked, out,
):  # fmt: skip
    """Find the earliest instant at which a blocked pair becomes lawful by some open row.

    Parameters
    ----------
    some : (n, m); allowed : (rows, m); release : (rows, m)
    begin : int
        The window's beginning: nothing is looked for before it.
    until : (rows, channels)
        From then on a basis of consent has expired: what opens later does not count.
    key : (rows,); group_of : (m,)
        Timing key, and group of actions that open alike.
    list_of : (keys, groups); open_starts, opens
        Position of a list of sorted open starts, -1 where none was worked out; CSR of the lists.
    open_row, with_zone : bool (rows,)
    out : (n, m)
        Written to: the largest int64 where nothing opens.
    """
    m = some.shape[1]
    for i in range(len(rank_starts) - 1):
        for a in range(m):
            nearest = _LAST
            if not some[i, a]:
                for at in range(rank_starts[i], rank_starts[i + 1]):
                    row = ranked[at]
                    if not open_row[row] or not with_zone[row] or allowed[row, a]:
                        continue
                    if release[row, a] == _LAST:
                        continue
                    own = list_of[key[row], group_of[a]]
                    if own < 0:
                        continue
                    after = max(release[row, a], begin)
                    low, high = open_starts[own], open_starts[own + 1]
                    end = high
                    while low < high:
                        middle = (low + high) // 2
                        if opens[middle] < after:
                            low = middle + 1
                        else:
                            high = middle
                    if low < end and opens[low] < until[row, channel_of[a]]:
                        nearest = min(nearest, opens[low])
            out[i, a] = nearest
