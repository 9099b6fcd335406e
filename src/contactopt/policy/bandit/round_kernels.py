"""Compiled passes over the rounds of an update: checks, an order of their own, moments.

Rows are added up arm by arm in the order of their hashes, so that moments do not depend on the
order in which rows come.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled

__all__ = ["MOST", "add_moments", "add_sums", "row_keys", "sound_rounds"]

#: greatest number whose moments are surely finite
MOST = 1e100

#: sums of pairs rely on every rounding; said outright, as numba hands a caller's options down
_exact = compiled(fastmath=False, error_model="numpy")


@_exact
def sound_rounds(action, reward, propensity, eligible, n_actions):
    """Tell whether rounds need no further look; ``propensity`` and ``eligible`` may be empty.

    Actions are -1 (wait: propensity 1, nothing eligible) or below ``n_actions`` and eligible,
    rewards of the others finite, propensities in (0, 1].
    """
    unsound = 0
    for r in range(action.size):
        unsound += action[r] < -1 or action[r] >= n_actions
        unsound += action[r] >= 0 and not abs(reward[r]) <= MOST
    for r in range(propensity.size):
        p = propensity[r]
        unsound += not (0.0 < p <= 1.0) or (action[r] < 0 and p < 1.0)
    if unsound > 0:
        return False
    for r in range(eligible.shape[0]):
        a = action[r]
        if a >= eligible.shape[1]:
            return False
        if a >= 0:
            unsound += not eligible[r, a]
        else:
            for b in range(eligible.shape[1]):
                unsound += eligible[r, b]
    return unsound == 0


@_exact
def row_keys(X, arm, y, weight, mixers, n_arms, out):
    """Fill ``out`` with arm (upper bits) and a hash of the row: sorting by it fixes the order.

    Return how many rows hold a number that is not finite, or above 1e100, and how many arms are
    unknown.
    """
    bits = X.view(np.uint64)
    y_bits = y.view(np.uint64)
    w_bits = weight.view(np.uint64)
    half = np.uint64(32)
    d = X.shape[1]
    bad = 0
    unknown = 0
    for r in range(out.size):
        h = (y_bits[r] ^ (y_bits[r] >> half)) * mixers[d]
        h += (w_bits[r] ^ (w_bits[r] >> half)) * mixers[d + 1]
        fine = abs(y[r]) <= MOST
        for j in range(d):
            h += (bits[r, j] ^ (bits[r, j] >> half)) * mixers[j]
            fine &= abs(X[r, j]) <= MOST
        out[r] = (np.uint64(arm[r]) << np.uint64(48)) | (h >> np.uint64(16))
        bad += not fine
        unknown += arm[r] < 0 or arm[r] >= n_arms
    return bad, unknown


@_exact
def _add_pairs(high, low, block):
    for i in range(high.shape[0]):
        for j in range(i + 1):
            s = high[i, j]
            p = block[i, j]
            t = s + p
            b = t - s
            low[i, j] += (s - (t - b)) + (p - b)
            high[i, j] = t


@_exact
def add_sums(high, low, block):
    """Add lower halves (m, k, k) to the sums ``high + low``: pairs carry 106 bits (Knuth)."""
    for a in range(high.shape[0]):
        _add_pairs(high[a], low[a], block[a])


@_exact
def _in_order(keys, arm, starts):
    """Return the rows arm after arm, those of an arm by rising keys; ``starts`` (m + 1,).

    Keys are even enough that a place in proportion to their upper 32 bits is nearly right: rows are
    counted into places and what is left is put right by insertion. Equal keys stay as they come.
    """
    n = keys.size
    shift, rest = np.uint64(16), np.uint64(0xFFFFFFFF)
    place = np.empty(n, np.int64)
    upto = np.zeros(n + 1, np.int64)
    for r in range(n):
        a = arm[r]
        share = (keys[r] >> shift) & rest
        size = np.uint64(starts[a + 1] - starts[a])
        place[r] = starts[a] + np.int64((share * size) >> np.uint64(32))
        upto[place[r] + 1] += 1
    for k in range(n):
        upto[k + 1] += upto[k]
    order = np.empty(n, np.int64)
    for r in range(n):
        order[upto[place[r]]] = r
        upto[place[r]] += 1
    for k in range(1, n):
        r = order[k]
        j = k
        while j > 0 and keys[order[j - 1]] > keys[r]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = r
    return order


@_exact
def add_moments(X, arm, y, weight, keys, high, low):
    """Add w z z', z = (1, x, y), of rows in the order of their keys to the arms' sums.

    Only lower halves are kept. Every 1,024 rows a plain sum goes into the pair of doubles.
    Return the rows of every arm.
    """
    m, d = high.shape[0], X.shape[1]
    part = min(1024, arm.size)
    rows = np.empty((part, d + 2))
    block = np.empty((d + 2, d + 2))
    starts = np.zeros(m + 1, np.int64)
    for r in range(arm.size):
        starts[arm[r] + 1] += 1
    counts = starts[1:].copy()
    for a in range(m):
        starts[a + 1] += starts[a]
    order = _in_order(keys, arm, starts)
    for a in range(m):
        first, end = starts[a], starts[a + 1]
        while first < end:
            size = min(part, end - first)
            for k in range(size):
                r = order[first + k]
                x, z = X[r], rows[k]
                w = np.sqrt(weight[r])
                z[0] = w
                for j in range(d):
                    z[j + 1] = w * x[j]
                z[d + 1] = w * y[r]
            z = rows[:size]
            np.dot(z.T, z, block)
            _add_pairs(high[a], low[a], block)
            first += size
    return counts
