"""Compiled loops over (customer, action) pairs: their cell, gathering them, leaving the idle out.

All of them take a block of customers as contiguous arrays and write into that block's own part of
the output, so that blocks may run in any order and on any thread.
"""

from __future__ import annotations

from contactopt.policy.compiled import compiled

__all__ = ["LARGEST", "active_pass", "cell_pass", "count_pass", "gather_pass", "span_pass"]

#: a number of that size or above counts as infinite
LARGEST = 1e300


@compiled
def span_pass(start, none, span):
    """Widen ``span = [lowest, highest]`` by the instants of a block; ``none`` is no instant."""
    low, high = span[0], span[1]
    for i in range(start.shape[0]):
        for j in range(start.shape[1]):
            x = start[i, j]
            if x != none:
                low = x if x < low else low
                high = x if x > high else high
    span[0], span[1] = low, high


@compiled
def cell_pass(pool, start, none, first, width, lookup, cell):
    """Look up each pair's cell by pool and bin of ``width``; the last bin is for no instant."""
    last = lookup.shape[1] - 1
    for i in range(start.shape[0]):
        for j in range(start.shape[1]):
            x = start[i, j]
            at = last if x == none else x // width - first
            cell[i, j] = lookup[pool[i, j], at]


@compiled
def count_pass(allowed, cell, size):
    """Count each customer's eligible pairs."""
    for i in range(allowed.shape[0]):
        some = 0
        for j in range(allowed.shape[1]):
            some += allowed[i, j] and cell[i, j] >= 0
        size[i] = some


@compiled
def gather_pass(
    allowed, cell, value, spread, usage, first, out_arm, out_value, out_usage, out_cell,
    out_spread, smallest, largest
):  # fmt: skip
    """Copy the eligible pairs of a block to ``first`` onwards; return how many are faulty.

    ``out_spread`` begins with the block. ``smallest`` and ``largest`` usage are kept by cell. A
    pair is faulty if its value is not finite, or spread or usage are not or are negative.
    """
    k = first
    bad = 0
    for i in range(allowed.shape[0]):
        for j in range(allowed.shape[1]):
            c = cell[i, j]
            if not allowed[i, j] or c < 0:
                continue
            v, s, u = value[i, j], spread[i, j], usage[i, j]
            if not (abs(v) < LARGEST and 0.0 <= s < LARGEST and 0.0 <= u < LARGEST):
                bad += 1
            out_arm[k] = j
            out_value[k] = v
            out_usage[k] = u
            out_cell[k] = c
            out_spread[k - first] = s
            smallest[c] = min(smallest[c], u)
            largest[c] = max(largest[c], u)
            k += 1
    return bad


@compiled
def active_pass(starts, value, usage, cell, weight, room, price, reach, far, keep, size):
    """Mark the pairs that can get probability while every cell price stays within ``reach``.

    Parameters
    ----------
    starts, value, usage, cell, weight, room
        A block of customers; ``starts`` counts in the whole arrays of pairs.
    price, reach : float array, shape (n_cells + 1,)
        Cell prices, and how far each may move to either side.
    far : float
        Multiple of a customer's weight beyond which a pair's probability is exactly 0.
    keep : bool array, one per pair
    size : int64 array, shape (n,)
        Pairs kept of each customer of the block.
    """
    for i in range(weight.size):
        least = 0.0  # what the best arm is worth at the least; waiting is worth 0
        for k in range(starts[i], starts[i + 1]):
            c = cell[k]
            s = value[k] - usage[k] * (price[c] + reach[c])
            least = s if s > least else least
        some = 0
        bar = least - far * weight[i]
        for k in range(starts[i], starts[i + 1]):
            c = cell[k]
            kept = room[i] > 0.0 and value[k] - usage[k] * (price[c] - reach[c]) >= bar
            keep[k] = kept
            some += kept
        size[i] = some
