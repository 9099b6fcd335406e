"""Compiled passes over customers: probabilities, dual, gradient and curvature at given prices.

A batch is held by its eligible pairs, customer after customer: pairs ``starts[i]:starts[i+1]`` of
``value`` (m_ia), ``usage`` (u_ia) and ``cell``. Every pair lies in one cell; the price of a cell is
the sum of the prices of the capacity rows that cover it, the last cell has no row and price 0.
`wait` is not stored: value 0, usage 0. With t_i = tau w_i and s_ia = m_ia - u_ia price(cell),

    log barrier   q_ia = t_i / (nu_i + g_ia), g the gap to the best s, sum_a q_ia = 1
    entropy       q_ia = exp(-g_ia / t_i) / Z_i

Customers are taken in chunks of fixed size whose partial sums are added in order, so that results
do not depend on the number of threads. The readable twin stands in tests/oracles/.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled

__all__ = [
    "FAR",
    "LOG_BARRIER",
    "SOFTMAX",
    "UNIT",
    "dual_pass",
    "final_pass",
    "floor_pass",
    "weight_pass",
]

LOG_BARRIER, SOFTMAX = 0, 1
#: probabilities are multiples of 1 / UNIT
UNIT = 1 << 36
#: gaps beyond so many tau w have entropy probability exactly 0
FAR = 40.0
#: no `ninf`: gaps may be infinite nowhere, but prices may become large. Scores that are not finite
#: are refused before any pass; `nnan` lets the search for the best arm use vector instructions
_FAST = {"contract", "reassoc", "nsz", "arcp", "nnan"}


@compiled(fastmath=_FAST)
def _barrier(gap, size, t, q):
    """Fill ``q`` with the barrier's probabilities; return sum log q. Newton from the left end.

    Newton's method on 1 / sum = 1 instead of sum = 1: a harmonic mean of the nu + gap is concave
    and rises with nu, so that from the left every step stays left of the root; for arms of equal
    gap it is a straight line and one step suffices.
    """
    nu = t
    total = 1.0
    for _ in range(100):
        total = 0.0
        square = 0.0
        for j in range(size):
            x = t / (nu + gap[j])
            total += x
            square += x * x
        if total - 1.0 <= 1e-13:
            break
        nu += (total - 1.0) * total * t / square
    for j in range(size):
        q[j] = t / ((nu + gap[j]) * total)
    logs = 0.0
    product = 1.0
    for j in range(size):
        product *= max(q[j], 1e-37)
        if j % 8 == 7:  # one logarithm for eight factors
            logs += np.log(product)
            product = 1.0
    return logs + np.log(product)


@compiled(fastmath=_FAST)
def _entropy(gap, size, t, q):
    """Fill ``q`` with the softmax; return log Z. Terms below exp(-FAR) are exactly 0."""
    total = 0.0
    far = FAR * t
    for j in range(size):
        x = np.exp(-gap[j] / t) if gap[j] < far else 0.0
        q[j] = x
        total += x
    for j in range(size):
        q[j] /= total
    return np.log(total)


@compiled(fastmath=_FAST)
def _solve(method, k0, size, value, usage, cell, price, t, gap, q):
    """Return best priced value and the value of the regularised inner problem; fill ``q``."""
    best = 0.0
    for j in range(size - 1):
        s = value[k0 + j] - usage[k0 + j] * price[cell[k0 + j]]
        gap[j] = s
        best = s if s > best else best
    for j in range(size - 1):
        gap[j] = best - gap[j]
    gap[size - 1] = best
    if method == LOG_BARRIER:
        logs = _barrier(gap, size, t, q)
        expected = best
        for j in range(size):
            expected -= q[j] * gap[j]
        return best, expected + t * logs
    return best, best + t * _entropy(gap, size, t, q)


@compiled(fastmath=_FAST)
def _take_outer(curv, pull, touched, n_touched, scale):
    """Take scale x pull pull' off the curvature and clear ``pull``; below the diagonal if many.

    Few cells are gone through one by one; for many, whole rows up to the diagonal are faster,
    since they stand in order (`dual_pass` mirrors what lies below the diagonal at the end).
    """
    if n_touched * 4 <= pull.size:
        for a in range(n_touched):
            ga = scale * pull[touched[a]]
            for b in range(n_touched):
                if touched[b] <= touched[a]:
                    curv[touched[a], touched[b]] -= ga * pull[touched[b]]
    else:
        for a in range(pull.size):
            ga = scale * pull[a]
            if ga != 0.0:
                for b in range(a + 1):
                    curv[a, b] -= ga * pull[b]
    for a in range(n_touched):
        pull[touched[a]] = 0.0


@compiled(fastmath=_FAST)
def dual_pass(
    method, tau, starts, value, usage, cell, weight, room, price, chunk, first, last,
    sums, use, curv
):  # fmt: skip
    """Sum value, dual, bound, usage and curvature of the chunks ``first`` to ``last``.

    ``sums[c] = (sum r <q, m>, sum r max_q {<q, s> + t R(q)}, sum r max_a s)``, ``use[c, cell]``
    is sum r u q, and ``curv[c]`` is sum_i r_i U_i' (diag(h) - h h' / 1'h) U_i over cells, with
    h = q^2 / t (barrier) or q / t (entropy); r_i is the probability left beside the floor.
    """
    n = weight.size
    n_cells = price.size
    longest = 1
    for i in range(first * chunk, min(last * chunk, n)):
        longest = max(longest, starts[i + 1] - starts[i] + 1)
    gap = np.empty(longest)
    q = np.empty(longest)
    pull = np.zeros(n_cells)
    seen = np.full(n_cells, -1, np.int64)
    touched = np.empty(n_cells, np.int64)
    for c in range(first, last):
        used, diagonal, curvature = use[c], np.zeros(n_cells), curv[c]
        gained_all, dual_all, best_all = 0.0, 0.0, 0.0
        for i in range(c * chunk, min((c + 1) * chunk, n)):
            r = room[i]
            if r <= 0.0:
                continue
            k0 = starts[i]
            size = starts[i + 1] - k0 + 1
            t = tau * weight[i]
            best, dual = _solve(method, k0, size, value, usage, cell, price, t, gap, q)
            gained = 0.0
            all_h = 0.0
            n_touched = 0
            for j in range(size - 1):
                x = q[j]
                if x == 0.0:
                    continue
                b = np.uint64(cell[k0 + j])  # unsigned: no look from the end of the array
                u = usage[k0 + j]
                h = x * x / t if method == LOG_BARRIER else x / t
                all_h += h
                gained += x * value[k0 + j]
                if seen[b] != i:
                    seen[b] = i
                    touched[n_touched] = b
                    n_touched += 1
                used[b] += r * x * u
                diagonal[b] += r * h * u * u
                pull[b] += h * u
            x = q[size - 1]
            all_h += x * x / t if method == LOG_BARRIER else x / t
            _take_outer(curvature, pull, touched, n_touched, r / all_h)
            gained_all += r * gained
            dual_all += r * dual
            best_all += r * best
        sums[c, 0], sums[c, 1], sums[c, 2] = gained_all, dual_all, best_all
        for a in range(n_cells):
            curvature[a, a] += diagonal[a]
            for b in range(a):
                curvature[b, a] = curvature[a, b]


@compiled
def weight_pass(value, spread, starts, range_share, smallest, weight):
    """Fill w_i: mean spread, at least ``range_share`` of the values' range with `wait` at 0."""
    first = starts[0]
    for i in range(weight.size):
        a, b = starts[i] - first, starts[i + 1] - first
        total, top, bottom = 0.0, 0.0, 0.0
        for k in range(a, b):
            total += spread[k]
            top = max(top, value[k])
            bottom = min(bottom, value[k])
        mean = total / (b - a) if b > a else 0.0
        weight[i] = max(mean, range_share * (top - bottom), smallest)


@compiled
def floor_pass(starts, value, usage, cell, floor, factor, open_customer, room, use):
    """Set the floor aside: fill ``room`` and ``use`` (by cell), return the floor's value.

    Every eligible pair gets ``floor`` times the ``factor`` of its cell, `wait` gets ``floor``; a
    customer with so many arms that the floors would take more than half gets less.
    """
    total = 0.0
    for i in range(room.size):
        if not open_customer[i]:
            room[i] = 0.0
            continue
        size = starts[i + 1] - starts[i] + 1
        eps = min(floor, 0.5 / size)
        left = 1.0 - eps
        for k in range(starts[i], starts[i + 1]):
            p = eps * factor[cell[k]]
            left -= p
            use[cell[k]] += p * usage[k]
            total += p * value[k]
        room[i] = left
    return total


@compiled
def final_pass(
    method,
    tau,
    starts,
    arm,
    value,
    usage,
    cell,
    weight,
    room,
    price,
    floor,
    floor_factor,
    shrink,
    least,
    out,
    count,
    use,
):
    """Write integer probabilities, the largest entry taking the remainder; return their value.

    Parameters
    ----------
    shrink : float array, shape (n_cells + 1,)
        What stays of a cell's probability where a row would be exceeded; the rest waits.
    least : int
        Smallest integer of an eligible pair (1 where the plan explores, 0 otherwise).
    out : int64 array, shape (n, m + 1)
        Zeros on entry; `wait` is the last column.
    count : int64 array, shape (n_cells + 1,)
        Sums of the integers by cell.
    use : float array, shape (n_cells + 1,)
        Expected usage by cell.
    """
    m = out.shape[1] - 1
    total = 0.0
    longest = 1
    for i in range(weight.size):
        longest = max(longest, starts[i + 1] - starts[i] + 1)
    gap = np.empty(longest)
    q = np.empty(longest)
    for i in range(weight.size):
        k0 = starts[i]
        size = starts[i + 1] - k0 + 1
        if room[i] <= 0.0 or size == 1:
            out[i, m] = UNIT
            continue
        _solve(method, k0, size, value, usage, cell, price, tau * weight[i], gap, q)
        eps = min(floor, 0.5 / size)
        largest = m
        left = np.int64(UNIT)
        top = np.int64(0)
        waits = 1.0
        for j in range(size - 1):
            c = cell[k0 + j]
            p = (eps * floor_factor[c] + room[i] * q[j]) * shrink[c]
            waits -= p
            whole = max(np.int64(p * UNIT), least)
            out[i, arm[k0 + j]] = whole
            left -= whole
            if whole > top:
                top = whole
                largest = arm[k0 + j]
        whole = max(np.int64(waits * UNIT), least)
        out[i, m] = whole
        left -= whole
        if whole >= top:
            largest = m
        out[i, largest] += left
        for j in range(size - 1):
            whole = out[i, arm[k0 + j]]
            count[cell[k0 + j]] += whole
            use[cell[k0 + j]] += usage[k0 + j] * whole / UNIT
            total += value[k0 + j] * whole / UNIT
    return total
