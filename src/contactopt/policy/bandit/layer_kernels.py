"""Compiled passes of the layers: scale of the moments, what arms share, what tells the strengths.

Every arm is worked out alone, in an order that depends on nothing else; `posterior_kernels` solves
the arms. The readable twin stands in tests/oracles/.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.bandit.posterior_kernels import solve_layers
from contactopt.policy.compiled import compiled

__all__ = [
    "root_rows",
    "scaled_moments",
    "share_layers",
    "solve_together",
    "whole_moments",
]

_kernel = compiled(fastmath={"contract"}, error_model="numpy")
#: sums in whatever order suits the vector instructions
_quick = compiled(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")


@_kernel
def whole_moments(older, today, out):
    """Fill ``out`` (m, k, k) with the sum of two pairs of doubles, each rounded once.

    Above the diagonal all of them are 0. ``older`` may be empty, (0, k, k).
    """
    whole, high, low = out.ravel(), today[0].ravel(), today[1].ravel()
    for i in range(whole.size):
        whole[i] = high[i] + low[i]
    high, low = older[0].ravel(), older[1].ravel()
    for i in range(high.size):
        whole[i] = (high[i] + low[i]) + whole[i]


@_kernel
def _pooled_scale(first, square, least, centre, scale):
    """Fill the pooled centre and scale of the columns (1, x, y); see `Scaling`.

    ``first`` (m, k) holds the sums of every arm's columns, ``square`` (k,) those of all squares.
    """
    k = centre.size
    centre[:] = 0.0
    scale[:] = 0.0
    scale[0] = 1.0
    scale[k - 1] = 1.0
    whole = first[:, 0].sum()
    if not whole > 0.0:
        return
    for a in range(first.shape[0]):
        for j in range(1, k):
            centre[j] += first[a, j]
    for j in range(1, k):
        centre[j] /= whole
        variance = square[j] / whole - centre[j] * centre[j]
        if variance > least * (square[j] / whole):
            scale[j] = 1.0 / np.sqrt(variance)


@_kernel
def scaled_moments(older, today, least, centre, scale, out):
    """Moments of (column - centre) scale, with the pooled centre and scale, lower halves, else 0.

    Parameters
    ----------
    older, today : (high, low), each of shape (m, k, k)
        Pairs of doubles, lower halves; ``older`` may be empty, (0, k, k).
    least : float
        A column whose variance is below this share of its mean square has scale 0, the response 1.
    centre, scale : float arrays, shape (k,)
        Filled.
    out : float array, shape (m, k, k)
    """
    m, k = out.shape[0], out.shape[1]
    whole_moments(older, today, out)
    first, square, drawn = np.empty((m, k)), np.zeros(k), np.empty(k)
    for a in range(m):
        for i in range(k):
            first[a, i] = out[a, i, 0]
            square[i] += out[a, i, i]
    _pooled_scale(first, square, least, centre, scale)
    for a in range(m):
        for j in range(k):
            drawn[j] = centre[j] * first[a, 0] - first[a, j]
        for i in range(k):
            c, mine, f = centre[i], first[a, i], scale[i]
            for j in range(i + 1):
                v = out[a, i, j] + c * drawn[j] - centre[j] * mine
                out[a, i, j] = v * f * scale[j]


@_quick
def _factor(A):
    """Turn the upper half of A into U with U'U = A, four rows at once."""
    D = A.shape[0]
    for k in range(0, D, 4):
        last = min(k + 4, D)
        for p in range(k, last):
            f = 1.0 / np.sqrt(A[p, p])
            for j in range(p, D):
                A[p, j] *= f
            for i in range(p + 1, last):
                f = A[p, i]
                for j in range(i, D):
                    A[i, j] -= f * A[p, j]
        for i in range(last, D):
            f0, f1, f2, f3 = A[k, i], A[k + 1, i], A[k + 2, i], A[k + 3, i]
            for j in range(i, D):
                A[i, j] -= f0 * A[k, j] + f1 * A[k + 1, j] + f2 * A[k + 2, j] + f3 * A[k + 3, j]


@_quick
def _inverted(U, W):
    """Fill W with the inverse of the lower triangle U', zeros above."""
    D = U.shape[0]
    for i in range(D):
        W[i, :] = 0.0
        W[i, i] = 1.0
        k = 0
        while k + 4 <= i:
            f0, f1, f2, f3 = U[k, i], U[k + 1, i], U[k + 2, i], U[k + 3, i]
            for j in range(k + 4):
                W[i, j] -= f0 * W[k, j] + f1 * W[k + 1, j] + f2 * W[k + 2, j] + f3 * W[k + 3, j]
            k += 4
        while k < i:
            f = U[k, i]
            for j in range(k + 1):
                W[i, j] -= f * W[k, j]
            k += 1
        f = 1.0 / U[i, i]
        for j in range(i + 1):
            W[i, j] *= f


@_quick
def _covered(W, x, out):
    """Fill ``out`` with W' W x."""
    D = W.shape[0]
    out[:] = 0.0
    for i in range(D):
        f = 0.0
        for j in range(i + 1):
            f += W[i, j] * x[j]
        for j in range(i + 1):
            out[j] += f * W[i, j]


@_kernel
def share_layers(prior, shared_prior, root, pulled, covered, shared, shared_cov, mean):
    """Shared coefficients of all arms, and every arm's mean drawn towards them.

    ``shared_cov`` (D, D) is filled with their covariance, ``shared`` (D,) with their mean.
    """
    m, D = pulled.shape
    A = np.empty((D, D))
    W = np.empty((D, D))
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
    _covered(W, pull, shared)
    np.dot(W.T, W, shared_cov)
    for a in range(m):
        _covered(root[a], shared / prior, mean[a])
        for i in range(D):
            mean[a, i] += pulled[a, i]


@_kernel
def solve_together(moments, noise, prior, shared_prior, root, pulled, shared, shared_cov, mean):
    """`solve_layers`, then `share_layers`."""
    covered = np.empty(shared_cov.shape)
    solve_layers(moments, noise, prior, root, pulled, covered)
    share_layers(prior, shared_prior, root, pulled, covered, shared, shared_cov, mean)


@_kernel
def root_rows(root, bounds, level, slopes):
    """Take every arm's root (D, D) apart into some rows of all arms, and some, and so on.

    ``level`` (m D,) is filled with the constants and ``slopes`` with the other numbers left of the
    diagonal of the last row of each part, part after part.
    """
    at = 0
    row = 0
    for part in range(bounds.size - 1):
        first, last = bounds[part], bounds[part + 1]
        d = max(last - 1, 0)
        for a in range(root.shape[0]):
            for i in range(first, last):
                of_row = root[a, i]
                level[row] = of_row[0]
                to = slopes[at : at + d]
                for j in range(d):
                    to[j] = of_row[j + 1]
                row += 1
                at += d
