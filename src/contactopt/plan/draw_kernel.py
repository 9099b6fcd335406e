"""Dependent rounding of a flow customer -> cell -> row -> ... -> root, in exact integers.

An edge is open while its flow is no whole number. Open edges are added to a forest one at a time;
an edge that closes a cycle is not added: the flow is pushed round the cycle by +e1 or -e2, the
largest steps that keep every edge between its whole numbers, + with probability e2 / (e1 + e2).
Each push closes an edge and changes no expectation; every node keeps its balance, so that in the
end every edge carries the whole number below or above its expectation
(Gandhi, Khuller, Parthasarathy and Srinivasan, "Dependent rounding and its applications to
approximation algorithms", Journal of the ACM 2006).
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled
from contactopt.policy.kernels import UNIT

__all__ = ["choose_arms", "merge_buckets", "round_buckets"]

_U = np.uint64


@compiled
def _mix(z):
    """Return the finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    z = (z ^ (z >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U(27))) * _U(0x94D049BB133111EB)
    return z ^ (z >> _U(31))


@compiled
def _below(state, bound):
    """Return a uniform integer in [0, bound), without bias: masked bits, drawn until they fit."""
    bits = _U(bound - 1)
    bits |= bits >> _U(1)
    bits |= bits >> _U(2)
    bits |= bits >> _U(4)
    bits |= bits >> _U(8)
    bits |= bits >> _U(16)
    bits |= bits >> _U(32)
    while True:
        state[0] += _U(0x9E3779B97F4A7C15)
        r = np.int64(_mix(state[0]) & bits)
        if r < bound:
            return r


@compiled
def _evert(v, parent, flow, up):
    """Make v the root of its tree; edge data live at the child's end."""
    below = np.int64(-1)
    f = np.int64(0)
    d = np.int8(0)
    while v >= 0:
        next_v, next_f, next_d = parent[v], flow[v], up[v]
        parent[v], flow[v], up[v] = below, f, np.int8(-d)
        below, v, f, d = v, next_v, next_f, next_d


@compiled
def _steps(v, stop, sense, parent, flow, up, room):
    """Narrow the largest steps (forward, back) along the path from v up to ``stop``."""
    while v != stop:
        along = up[v] * sense > 0
        ahead = UNIT - flow[v] if along else flow[v]
        back = flow[v] if along else UNIT - flow[v]
        room[0] = min(room[0], ahead)
        room[1] = min(room[1], back)
        v = parent[v]


@compiled
def _push(v, stop, sense, amount, parent, flow, up, customer, chosen, degree, n_low):
    """Push along the path and cut what became whole."""
    while v != stop:
        above = parent[v]
        flow[v] += amount if up[v] * sense > 0 else -amount
        if flow[v] == 0 or flow[v] == UNIT:
            slot, cell = (v, above) if v >= n_low else (above, v)
            if slot >= n_low:
                degree[slot - n_low] -= 1
                if flow[v] == UNIT:
                    chosen[customer[slot - n_low]] = cell
            parent[v] = -1
        v = above


@compiled
def _add(a, b, x, state, parent, flow, up, mark, stamp, customer, chosen, degree, n_low, room):
    """Add the open edge a -> b of flow x: link two trees, or push round the cycle it closes."""
    stamp[0] += 1
    v = a
    while v >= 0:
        mark[v] = stamp[0]
        v = parent[v]
    meet = b
    while meet >= 0 and mark[meet] != stamp[0]:
        meet = parent[meet]
    if meet >= 0:
        room[0], room[1] = UNIT - x, x
        _steps(b, meet, 1, parent, flow, up, room)  # from b up, then down to a
        _steps(a, meet, -1, parent, flow, up, room)
        amount = room[0] if _below(state, room[0] + room[1]) < room[1] else -room[1]
        _push(b, meet, 1, amount, parent, flow, up, customer, chosen, degree, n_low)
        _push(a, meet, -1, amount, parent, flow, up, customer, chosen, degree, n_low)
        x += amount
        if x == UNIT and a >= n_low:
            chosen[customer[a - n_low]] = b
        if x == 0 or x == UNIT:
            return
    _evert(a, parent, flow, up)
    parent[a], flow[a], up[a] = b, x, 1
    if a >= n_low:
        degree[a - n_low] += 1


@compiled
def _open_slot(i, customer, degree):
    """Return a free customer slot: customers without open edges have left the forest."""
    for k in range(degree.size):
        if degree[k] == 0:
            customer[k] = i
            return k
    return -1


@compiled
def _gather(p, cell, free, mass, touched):
    """Sum a customer's probabilities by cell; return how many cells have some."""
    m = cell.size
    n_touched = 0
    for j in range(m + 1):
        if p[j] == 0:
            continue
        c = free if j == m else np.int64(cell[j])
        if mass[c] == 0:
            touched[n_touched] = c
            n_touched += 1
        mass[c] += p[j]
    return n_touched


@compiled
def _forest(n_low):
    """Return an empty forest: parent, flow, up, mark, stamp, room, customer, degree."""
    slots = n_low + 2  # a forest of the lower nodes has fewer customers than lower nodes
    size = n_low + slots
    return (
        np.full(size, -1, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int8),
        np.zeros(size, np.int64), np.zeros(1, np.int64), np.zeros(2, np.int64),
        np.full(slots, -1, np.int64), np.zeros(slots, np.int64),
    )  # fmt: skip


@compiled
def round_buckets(probabilities, cell, free, n_low, order, edges, first, seed, chosen, total):
    """Round consecutive buckets, each by itself; return what they leave open.

    Parameters
    ----------
    probabilities : int64 array, shape (n, m + 1)
    cell : int16 array, shape (n, m)
        Lowest node of each pair.
    free : int
        Node of `wait` and of pairs that no row covers.
    n_low : int
        Number of nodes below the customers' edges, the root included.
    order : int64 array
        Customers of these buckets in the order of the draw.
    edges : int64 array, shape (n_buckets + 1,)
        Bounds of the buckets in ``order``.
    first : int
        Number of the first bucket in the whole batch: its stream of random numbers.
    seed : uint64
    chosen : int64 array, shape (n,)
        Filled with the node of every customer whose edges all became whole.
    total : int64 array, shape (n_low,)
        Flow through each node is added, modulo UNIT.

    Returns
    -------
    int64 array, shape (k, 3)
        Open edges in the order of the buckets: customer, node, flow.
    """
    parent, flow, up, mark, stamp, room, customer, degree = _forest(n_low)
    mass = np.zeros(n_low, np.int64)
    touched = np.empty(n_low, np.int64)
    n_buckets = edges.size - 1
    left = np.empty((n_buckets * 2 * n_low + 1, 3), np.int64)
    n_left = 0
    state = np.zeros(1, np.uint64)
    for b in range(n_buckets):
        state[0] = _mix(seed ^ _mix(_U(first + b + 1)))
        for o in range(edges[b], edges[b + 1]):
            i = order[o]
            n_touched = _gather(probabilities[i], cell[i], free, mass, touched)
            slot = -1
            for t in range(n_touched):
                c = touched[t]
                x = mass[c]
                mass[c] = 0
                total[c] = (total[c] + x) & (UNIT - 1)
                if x == UNIT:
                    chosen[i] = c
                    continue
                if slot < 0:
                    slot = _open_slot(i, customer, degree)
                _add(n_low + slot, c, x, state, parent, flow, up, mark, stamp, customer, chosen,
                     degree, n_low, room)  # fmt: skip
        n_left = _unload(parent, flow, customer, degree, n_low, left, n_left)
    return left[:n_left]


@compiled
def merge_buckets(left, above, total, n_buckets, seed, chosen):
    """Round what the buckets left open, then the rows' own edges up to the root.

    Parameters
    ----------
    left : int64 array, shape (k, 3)
        Open edges of all buckets, in their order.
    above : int64 array, shape (n_low,)
        Next node towards the root; -1 for the root, which is the last.
    total : int64 array, shape (n_low,)
        Flow through each node from the customers, modulo UNIT.
    n_buckets : int
    seed : uint64
    chosen : int64 array, shape (n,)
    """
    n_low = above.size
    parent, flow, up, mark, stamp, room, customer, degree = _forest(n_low)
    state = np.zeros(1, np.uint64)
    state[0] = _mix(seed ^ _mix(_U(n_buckets + 1)))
    k = 0
    while k < left.shape[0]:
        i = left[k, 0]
        slot = _open_slot(i, customer, degree)
        while k < left.shape[0] and left[k, 0] == i:
            _add(n_low + slot, left[k, 1], left[k, 2], state, parent, flow, up, mark, stamp,
                 customer, chosen, degree, n_low, room)  # fmt: skip
            k += 1
    for v in range(n_low - 1):  # children stand before parents
        if total[v] != 0:
            _add(v, above[v], total[v], state, parent, flow, up, mark, stamp, customer, chosen,
                 degree, n_low, room)  # fmt: skip
        total[above[v]] = (total[above[v]] + total[v]) & (UNIT - 1)


@compiled
def _unload(parent, flow, customer, degree, n_low, left, n_left):
    """Move the open edges of a bucket's forest to the list, customer by customer; empty it."""
    for s in range(degree.size):
        if degree[s] == 0:
            continue
        v = n_low + s
        for c in range(n_low):
            if parent[c] != v and parent[v] != c:
                continue
            left[n_left, 0], left[n_left, 1] = customer[s], c
            left[n_left, 2] = flow[c] if parent[c] == v else flow[v]
            n_left += 1
        degree[s] = 0
    parent[:] = -1
    return n_left


@compiled
def choose_arms(probabilities, cell, free, chosen, key, seed, arm):
    """Inside the drawn cell take an arm in proportion to its probability, exactly."""
    n, m = cell.shape
    state = np.zeros(1, np.uint64)
    for i in range(n):
        mass = np.int64(0)
        for j in range(m + 1):
            x = probabilities[i, j]
            if x > 0 and (free if j == m else np.int64(cell[i, j])) == chosen[i]:
                mass += x
                arm[i] = j
        if mass == probabilities[i, arm[i]]:
            continue  # one arm only
        state[0] = _mix(seed ^ key[i])
        r = _below(state, mass)
        for j in range(m + 1):
            x = probabilities[i, j]
            if x > 0 and (free if j == m else np.int64(cell[i, j])) == chosen[i]:
                if r < x:
                    arm[i] = j
                    break
                r -= x
