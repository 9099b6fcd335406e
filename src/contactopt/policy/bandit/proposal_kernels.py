"""Compiled passes of a proposal: scaled rows, widths, probabilities, and the draw from them.

Rows go through in blocks of at most a few hundred, columns of numbers with the rows of a block
side by side, so that every step is one vector instruction for several rows. A row's numbers depend
on nothing but the row: what is left of a block is filled with rows of zeros up to whole vectors.
The readable twin stands in tests/oracles/.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled
from contactopt.policy.kernels import FAR, LOG_BARRIER, UNIT
from contactopt.policy.weights import RANGE_SHARE, SMALLEST

__all__ = ["TOGETHER", "draw_rows", "propose_rows"]

#: rows are filled up to multiples of so many
TOGETHER = 32
#: standardised features beyond count as this: squares of single precision stay finite
_FARTHEST = 1e15
#: a row's probabilities are solved when their sum is so near to 1; steps that all rows take
_SOLVED, _STEPS = 1e-13, 2
#: bytes of a line of the cache
_LINE = 64
#: below every value of an eligible arm
_LOW = -1e300
_ULP = 1.0 / UNIT

_FAST = {"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}
_kernel = compiled(fastmath=_FAST, error_model="numpy")
#: tells NaN and infinity; said outright, as numba hands the options of a caller down
_exact = compiled(fastmath=False, error_model="numpy")
#: sums of whole numbers, exact in any order
_sums = compiled(fastmath={"reassoc", "contract"}, error_model="numpy")


@_exact
def _room(n):
    """Return room for n numbers of 8 bytes that begins with a line of the processor's cache.

    The products are a tenth quicker for it, and as quick in every process.
    """
    room = np.empty(8 * n + _LINE, np.uint8)
    begin = _LINE - np.int64(room.ctypes.data % np.uint64(_LINE))
    return room[begin : begin + 8 * n]


@_exact
def _scaled(x, centre, scale, tile, design, single):
    """Fill ``design`` (d, b) and ``single`` with the scaled numbers ``x`` of a block's rows.

    ``centre`` and ``scale`` are repeated for the `TOGETHER` rows of a ``tile``; what is left of the
    block are zeros. Return how many numbers are not finite.
    """
    d = design.shape[0]
    bad = 0
    for first in range(0, design.shape[1], TOGETHER):
        part = x[first * d : (first + TOGETHER) * d]
        for k in range(part.size):
            v = (part[k] - centre[k]) * scale[k]
            bad += not abs(v) < np.inf
            v = v if v < _FARTHEST else _FARTHEST
            tile[k] = v if v > -_FARTHEST else -_FARTHEST
        tile[part.size :] = 0.0
        for j in range(d):
            z, s = design[j, first : first + TOGETHER], single[j, first : first + TOGETHER]
            for r in range(TOGETHER):
                z[r] = tile[r * d + j]
            for r in range(TOGETHER):
                s[r] = z[r]
    return bad


@_kernel
def _add_lengths(made, constant, out):
    """Add to ``out`` (m, b) the squared lengths of ``made`` + ``constant``, some rows per arm."""
    m, b = out.shape
    size = made.shape[0] // m
    for a in range(m):
        total = out[a]
        i = a * size
        last = i + size
        while i + 4 <= last:
            x0, x1, x2, x3 = made[i], made[i + 1], made[i + 2], made[i + 3]
            k0, k1, k2, k3 = constant[i], constant[i + 1], constant[i + 2], constant[i + 3]
            for r in range(b):
                v0, v1, v2, v3 = x0[r] + k0, x1[r] + k1, x2[r] + k2, x3[r] + k3
                total[r] += v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3
            i += 4
        while i < last:
            x0, k0 = made[i], constant[i]
            for r in range(b):
                total[r] += (x0[r] + k0) * (x0[r] + k0)
            i += 1


@_kernel
def _weights(tau, optimism, level, value, width, opened, size, t):
    """Turn values into gaps to each row's best; fill the eligible arms' number and tau w."""
    m, b = value.shape
    best = np.full(b, _LOW)
    worst = np.full(b, -_LOW)
    spread = np.zeros(b)
    size[:] = 0.0
    for a in range(m):
        for r in range(b):
            sd = np.float64(np.sqrt(width[a, r]))
            v = value[a, r] + level[a] + optimism * sd
            value[a, r] = v
            o = opened[a, r]
            best[r] = max(best[r], v if o > 0.0 else _LOW)
            worst[r] = min(worst[r], v if o > 0.0 else -_LOW)
            spread[r] += sd * o
            size[r] += o
    for r in range(b):
        k = max(size[r], 1.0)
        t[r] = tau * max(max(spread[r] / k, RANGE_SHARE * (best[r] - worst[r])), SMALLEST)
    for a in range(m):
        for r in range(b):
            value[a, r] = best[r] - value[a, r] if opened[a, r] > 0.0 else 0.0


@_kernel
def _barrier_row(gap, opened, t, nu, q):
    """Go on with a row's Newton steps; fill ``q`` and return its sum."""
    total = 1.0
    for _ in range(100):
        total = 0.0
        square = 0.0
        for a in range(gap.size):
            x = opened[a] * t / (nu + gap[a])
            q[a] = x
            total += x
            square += x * x
        if total - 1.0 <= _SOLVED:
            break
        nu += (total - 1.0) * total * t / square
    return total


@_kernel
def _barrier(gap, opened, t, q, total):
    """Fill ``q`` / ``total`` with the log barrier's probabilities; Newton as in `policy.kernels`.

    Two steps settle nearly every row; the others go on alone, whatever their neighbours are.
    """
    m, b = gap.shape
    nu = t.copy()
    square = np.empty(b)
    for k in range(_STEPS + 1):
        if k > 0:
            for r in range(b):
                over = total[r] - 1.0
                nu[r] += over * total[r] * t[r] / square[r] if over > _SOLVED else 0.0
        total[:] = 0.0
        square[:] = 0.0
        for a in range(m):
            for r in range(b):
                x = opened[a, r] * t[r] / (nu[r] + gap[a, r])
                q[a, r] = x
                total[r] += x
                square[r] += x * x
    for r in range(b):
        if total[r] - 1.0 > _SOLVED:
            total[r] = _barrier_row(gap[:, r], opened[:, r], t[r], nu[r], q[:, r])


@_kernel
def _entropy(gap, opened, t, q, total):
    """Fill ``q`` / ``total`` with the softmax; terms below exp(-FAR) are exactly 0."""
    total[:] = 0.0
    for a in range(gap.shape[0]):
        for r in range(gap.shape[1]):
            far = gap[a, r] >= FAR * t[r]
            x = 0.0 if far else opened[a, r] * np.exp(-gap[a, r] / t[r])
            q[a, r] = x
            total[r] += x


@_kernel
def _write(q, total, opened, size, floor, floor_share, out):
    """Write rows in multiples of 2**-36 above the floor, the largest taking the remainder."""
    m, b = q.shape
    left = np.full(b, float(UNIT))
    top = np.zeros(b)
    largest = np.zeros(b, np.int64)
    eps = np.empty(b)
    room = np.empty(b)
    for r in range(b):
        k = max(size[r], 1.0)
        eps[r] = min(floor + floor_share / k, 0.5 / k)
        room[r] = (1.0 - eps[r] * k) / max(total[r], 0.5)
    for a in range(m):
        for r in range(b):
            whole = max(np.floor((eps[r] + room[r] * q[a, r]) * UNIT), 1.0) * opened[a, r]
            q[a, r] = whole
            left[r] -= whole
            larger = whole > top[r]
            top[r] = whole if larger else top[r]
            largest[r] = a if larger else largest[r]
    for r in range(out.shape[0]):
        for a in range(m):
            out[r, a] = q[a, r] * _ULP
        if size[r] > 0.0:
            out[r, largest[r]] += left[r] * _ULP


@_kernel
def _opened(mask, out):
    """Fill ``out`` (m, b) with 1 where a row's arm is eligible; ``mask`` (0, m): all are."""
    out[:] = 1.0
    for a in range(out.shape[0]):
        for r in range(mask.shape[0]):
            out[a, r] = 1.0 if mask[r, a] else 0.0


@_kernel
def _widths(bounds, level, slopes, single, made, out):
    """Fill ``out`` (m, b) with the squared lengths of rows (d, b) through every arm's root."""
    m, c = out.shape
    out[:] = 0.0
    at = 0
    for k in range(bounds.size - 1):
        rows, d = m * (bounds[k + 1] - bounds[k]), max(bounds[k + 1] - 1, 0)
        if rows == 0:
            continue
        part = made[: rows * c].reshape(rows, c)
        if d > 0:
            of_part = slopes[at : at + rows * d].reshape(rows, d)
            np.dot(of_part, single[: d * c].reshape(d, c), part)
        else:
            part[:] = 0.0
        _add_lengths(part, level[m * bounds[k] : m * bounds[k + 1]], out)
        at += rows * d


@_kernel
def propose_rows(
    X, centre, scale, mean, bounds, level, slopes, mask, setting, block, out
):  # fmt: skip
    """Fill the probabilities of rows; return how many numbers of X are not finite.

    Parameters
    ----------
    X : float array, shape (n, d)
    centre, scale : float arrays, shape (d,)
    mean : float array, shape (m, d + 1)
        Coefficients, constant first; they and the roots in units of the response's standard
        deviation.
    bounds : int array
        First row of every part of the roots; their number.
    level, slopes : float32 arrays
        Constants and slopes of the arms' roots, part after part; slopes right of the diagonal of
        a part's last row are left out.
    mask : bool array, shape (n, m), or (0, m) where all arms are eligible
    setting : (method, tau, floor, floor_share, optimism)
        Least probability of an eligible arm: ``floor + floor_share / (eligible arms)``.
    block : int
        Rows at once, a multiple of 32.
    out : float array, shape (n, m)
        Filled with multiples of 2**-36; a row without an eligible arm holds zeros.
    """
    method, tau, floor, floor_share, optimism = setting
    n, d = X.shape
    m = out.shape[1]
    b = min(block, (n + TOGETHER - 1) // TOGETHER * TOGETHER)
    most = 0
    for k in range(bounds.size - 1):
        most = max(most, m * (bounds[k + 1] - bounds[k]))
    constants, coefficients = mean[:, 0].copy(), mean[:, 1:].copy()
    centres, scales, tile = np.empty(TOGETHER * d), np.empty(TOGETHER * d), np.empty(TOGETHER * d)
    for k in range(0, TOGETHER * d, max(d, 1)):
        centres[k : k + d] = centre
        scales[k : k + d] = scale
    design, single = _room(b * d).view(np.float64), _room(b * d // 2).view(np.float32)
    made, width = _room(most * b // 2).view(np.float32), np.empty(m * b, np.float32)
    value, opened, q = np.empty(m * b), np.empty(m * b), np.empty(m * b)
    size, t, total = np.empty(b), np.empty(b), np.empty(b)
    bad = 0
    for begin in range(0, n, b):
        end = min(begin + b, n)
        c = (end - begin + TOGETHER - 1) // TOGETHER * TOGETHER
        x = X[begin:end].reshape((end - begin) * d)
        z, s = design[: c * d].reshape(d, c), single[: c * d].reshape(d, c)
        bad += _scaled(x, centres, scales, tile, z, s)
        values, widths = value[: m * c].reshape(m, c), width[: m * c].reshape(m, c)
        if d > 0:
            np.dot(coefficients, z, values)
        else:
            values[:] = 0.0
        _widths(bounds, level, slopes, single[: c * d], made, widths)
        opens, chances = opened[: m * c].reshape(m, c), q[: m * c].reshape(m, c)
        _opened(mask[begin:end], opens)
        _weights(tau, optimism, constants, values, widths, opens, size[:c], t[:c])
        if method == LOG_BARRIER:
            _barrier(values, opens, t[:c], chances, total[:c])
        else:
            _entropy(values, opens, t[:c], chances, total[:c])
        _write(chances, total[:c], opens, size[:c], floor, floor_share, out[begin:end])
    return bad


@_sums
def draw_rows(probabilities, ticket, action, propensity):
    """Draw the arm in whose share the ticket, in [0, 1), falls; -1 from rows of zeros.

    Tickets are rounded down to multiples of 2**-36, probabilities to the nearest: in these all sums
    are exact. Return how many rows are no lottery: a number outside 0 to 1, or a sum that is not 1
    or 0.
    """
    m = probabilities.shape[1]
    bad = 0
    for r in range(probabilities.shape[0]):
        mine = np.floor(ticket[r] * UNIT)
        row = probabilities[r]
        below = 0.0
        passed, wrong = 0, 0
        for a in range(m):
            p = row[a]
            wrong += (not p >= 0.0) + (not p <= 1.0)
            below += np.floor(p * UNIT + 0.5)
            passed += below <= mine
        waits = passed >= m
        action[r] = -1 if waits else passed
        propensity[r] = 1.0 if waits else np.floor(row[min(passed, m - 1)] * UNIT + 0.5) * _ULP
        bad += wrong > 0 or not (below == UNIT or below == 0.0)
    return bad
