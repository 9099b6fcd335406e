"""Compiled passes of the bandit: moments, layers, probabilities and the draw.

Every row and every arm is worked out alone, in an order that depends on nothing else, so that
results depend neither on the order of rows nor on blocks. The readable twin stands in
tests/oracles/.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled
from contactopt.policy.kernels import LOG_BARRIER, UNIT, _barrier, _entropy
from contactopt.policy.weights import RANGE_SHARE, SMALLEST

__all__ = [
    "MOST",
    "add_moments",
    "add_sums",
    "barrier_rows",
    "draw_rows",
    "lengths",
    "row_keys",
    "scaled_rows",
    "share_layers",
    "solve_layers",
    "standardised",
    "whole_rows",
]

#: greatest number whose moments are surely finite
MOST = 1e100

#: sums may be reordered only where the order is fixed by the loop itself
_kernel = compiled(fastmath={"contract"}, error_model="numpy")
#: sums of pairs rely on every rounding
_exact = compiled(error_model="numpy")


@_exact
def row_keys(X, arm, y, weight, mixers, out):
    """Fill ``out`` with arm (upper bits) and a hash of the row: sorting by it fixes the order.

    Return the number of rows that hold a number that is not finite, or above 1e100.
    """
    bits = X.view(np.uint64)
    y_bits = y.view(np.uint64)
    w_bits = weight.view(np.uint64)
    half = np.uint64(32)
    d = X.shape[1]
    bad = 0
    for r in range(out.size):
        h = (y_bits[r] ^ (y_bits[r] >> half)) * mixers[d]
        h += (w_bits[r] ^ (w_bits[r] >> half)) * mixers[d + 1]
        fine = abs(y[r]) <= MOST
        for j in range(d):
            h += (bits[r, j] ^ (bits[r, j] >> half)) * mixers[j]
            fine &= abs(X[r, j]) <= MOST
        out[r] = (np.uint64(arm[r]) << np.uint64(48)) | (h >> np.uint64(16))
        bad += not fine
    return bad


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
def add_moments(X, y, weight, order, starts, high, low):
    """Add w z z', z = (1, x, y), of rows ``order[starts[a]:starts[a + 1]]`` to arm a's sums.

    Only lower halves are kept. Every 1,024 rows a plain sum goes into the pair of doubles.
    """
    d = X.shape[1]
    part = 1024
    rows = np.empty((part, d + 2))
    for a in range(starts.size - 1):
        for first in range(starts[a], starts[a + 1], part):
            size = min(part, starts[a + 1] - first)
            z = rows[:size]
            for k in range(size):
                r = order[first + k]
                w = np.sqrt(weight[r])
                z[k, 0] = w
                for j in range(d):
                    z[k, j + 1] = w * X[r, j]
                z[k, d + 1] = w * y[r]
            _add_pairs(high[a], low[a], np.dot(z.T, z))


@_kernel
def standardised(moments, centre, scale, out):
    """Moments of (column - centre) scale; ``moments`` holds lower halves, ``out`` is whole."""
    for a in range(moments.shape[0]):
        S = moments[a]
        for i in range(centre.size):
            for j in range(i + 1):
                v = S[i, j] - centre[i] * S[j, 0] - centre[j] * S[i, 0]
                v = (v + centre[i] * centre[j] * S[0, 0]) * scale[i] * scale[j]
                out[a, i, j] = v
                out[a, j, i] = v


@_kernel
def _factor(A):
    """Turn the upper half of A into U with U'U = A (rows lie together in memory)."""
    D = A.shape[0]
    for k in range(D):
        f = 1.0 / np.sqrt(A[k, k])
        for j in range(k, D):
            A[k, j] *= f
        for i in range(k + 1, D):
            f = A[k, i]
            for j in range(i, D):
                A[i, j] -= f * A[k, j]


@_kernel
def _inverted(U, W):
    """Fill W with the inverse of the lower triangle U', zeros above."""
    D = U.shape[0]
    for i in range(D):
        for j in range(D):
            W[i, j] = 0.0
        W[i, i] = 1.0
        for k in range(i):
            f = U[k, i]
            for j in range(k + 1):
                W[i, j] -= f * W[k, j]
        f = 1.0 / U[i, i]
        for j in range(i + 1):
            W[i, j] *= f


@_kernel
def _covered(W, x, half, out):
    """Fill ``out`` with W' W x, ``half`` with W x."""
    D = W.shape[0]
    out[:] = 0.0
    for i in range(D):
        total = 0.0
        for j in range(i + 1):
            total += W[i, j] * x[j]
        half[i] = total
    for i in range(D):
        f = half[i]
        for j in range(i + 1):
            out[j] += f * W[i, j]


@_kernel
def solve_layers(moments, noise, prior, root, pulled, covered):
    """Posterior of every arm's coefficients under the prior N(0, diag(prior)).

    Parameters
    ----------
    moments : float array, shape (m, D + 1, D + 1)
        Standardised; the response is the last column.
    noise : float array, shape (m,)
    prior : float array, shape (D,)
    root : float array, shape (m, D, D)
        Filled with the inverse Cholesky factor W: covariance = W' W.
    pulled : float array, shape (m, D)
        Filled with the posterior mean.
    covered : float array, shape (D, D)
        Filled with the sum of the arms' covariances.
    """
    m, D = root.shape[0], root.shape[1]
    A = np.empty((D, D))
    half = np.empty(D)
    for a in range(m):
        s = 1.0 / noise[a]
        for i in range(D):
            for j in range(i, D):
                A[i, j] = moments[a, i, j] * s
            A[i, i] += 1.0 / prior[i]
        _factor(A)
        W = root[a]
        _inverted(A, W)
        _covered(W, moments[a, D, :D] * s, half, pulled[a])
    stacked = root.reshape((m * D, D))
    covered[:] = np.dot(stacked.T, stacked)


@_kernel
def share_layers(prior, shared_prior, root, pulled, covered, shared, shared_cov, mean):
    """Shared coefficients of all arms, and every arm's mean drawn towards them.

    ``shared_cov`` (D, D) is filled with their covariance, ``shared`` (D,) with their mean.
    """
    m, D = pulled.shape
    A = np.empty((D, D))
    W = np.empty((D, D))
    half = np.empty(D)
    pull = np.zeros(D)
    for i in range(D):
        for j in range(i, D):
            A[i, j] = -covered[i, j] / (prior[i] * prior[j])
        A[i, i] += m / prior[i] + 1.0 / shared_prior[i]
        for a in range(m):
            pull[i] += pulled[a, i]
        pull[i] /= prior[i]
    _factor(A)
    _inverted(A, W)
    _covered(W, pull, half, shared)
    shared_cov[:] = np.dot(W.T, W)
    for a in range(m):
        _covered(root[a], shared / prior, half, mean[a])
        for i in range(D):
            mean[a, i] += pulled[a, i]


@_kernel
def scaled_rows(X, centre, scale, out, single):
    """Fill ``out`` (n, d + 1) and ``single`` with the scaled design, constant first."""
    d = X.shape[1]
    for r in range(X.shape[0]):
        out[r, 0] = 1.0
        single[r, 0] = 1.0
        for j in range(d):
            v = (X[r, j] - centre[j]) * scale[j]
            out[r, j + 1] = v
            single[r, j + 1] = v


@_kernel
def lengths(upper, lower, out):
    """Fill ``out`` (m, n) with the lengths of rows through every arm's root.

    ``upper`` (m h, n) and ``lower`` (m (D - h), n) hold the first h and the other coordinates.
    """
    m, n = out.shape
    for a in range(m):
        out[a, :] = 0.0
        for part in (upper, lower):
            size = part.shape[0] // m
            for i in range(a * size, a * size + size):
                for r in range(n):
                    out[a, r] += part[i, r] * part[i, r]
        for r in range(n):
            out[a, r] = np.sqrt(out[a, r])


@_exact
def _write_row(q, arms, size, eps, out):
    """Write a row's integers, the largest taking the remainder."""
    left = np.int64(UNIT)
    top = np.int64(0)
    largest = 0
    room = 1.0 - eps * size
    for k in range(size):
        whole = max(np.int64((eps + room * q[k]) * UNIT), 1)
        out[arms[k]] = whole
        left -= whole
        if whole > top:
            top = whole
            largest = arms[k]
    out[largest] += left


@_kernel
def barrier_rows(method, tau, floor, floor_share, optimism, mean, sd, mask, out):
    """Fill the integer probabilities of rows: exploration and floor, without `wait`.

    Parameters
    ----------
    floor, floor_share : float
        Least probability of an eligible arm: ``floor + floor_share / (eligible arms)``.
    optimism : float
        Posterior standard deviations added to the mean.
    mean : float array, shape (n, m)
    sd : float32 array, shape (m, n)
        Both in units of the response's standard deviation.
    mask : bool array, shape (n, m), or (0, m) where all arms are eligible
    out : int64 array, shape (n, m)
        Zeros on entry; rows without an eligible arm stay 0.
    """
    n, m = mean.shape
    gap = np.empty(m)
    q = np.empty(m)
    arms = np.empty(m, np.int64)
    for r in range(n):
        size = 0
        best = -np.inf
        worst = np.inf
        spread = 0.0
        for a in range(m):
            if mask.shape[0] > 0 and not mask[r, a]:
                continue
            width = np.float64(sd[a, r])
            value = mean[r, a] + optimism * width
            gap[size] = value
            arms[size] = a
            spread += width
            best = max(best, value)
            worst = min(worst, value)
            size += 1
        if size == 0:
            continue
        for k in range(size):
            gap[k] = best - gap[k]
        t = tau * max(max(spread / size, RANGE_SHARE * (best - worst)), SMALLEST)
        if method == LOG_BARRIER:
            _barrier(gap, size, t, q)
        else:
            _entropy(gap, size, t, q)
        _write_row(q, arms, size, min(floor + floor_share / size, 0.5 / size), out[r])


@_exact
def whole_rows(probabilities, out):
    """Fill ``out`` with the integers of probabilities; return how many rows hold no lottery."""
    bad = 0
    for r in range(out.shape[0]):
        total = np.int64(0)
        fine = True
        for a in range(out.shape[1]):
            p = probabilities[r, a]
            fine &= 0.0 <= p <= 1.0
            out[r, a] = np.int64(p * UNIT + 0.5) if fine else 0
            total += out[r, a]
        bad += not (fine and (total == 0 or total == UNIT))
    return bad


@_exact
def draw_rows(whole, ticket, action, propensity):
    """Draw from integer rows: the arm in whose share the ticket of 0 to 2**36 - 1 falls."""
    for r in range(whole.shape[0]):
        left = ticket[r]
        action[r] = -1
        propensity[r] = 1.0
        for a in range(whole.shape[1]):
            w = whole[r, a]
            if w > 0:
                if left < w:
                    action[r] = a
                    propensity[r] = w / UNIT
                    break
                left -= w
