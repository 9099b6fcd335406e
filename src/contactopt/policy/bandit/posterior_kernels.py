"""Compiled posteriors of the arms given what they share.

Arms go through side by side in groups of `LANES`; every one is worked out alone, in an order that
depends on nothing else. Triangles are kept row after row without what lies beyond the diagonal.
The readable twin stands in tests/oracles/.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.bandit.lanes import LANES, reduce
from contactopt.policy.compiled import compiled

__all__ = ["solve_layers"]

_kernel = compiled(fastmath={"contract"}, error_model="numpy")


@_kernel
def _factor(A, inverse, one):
    """Turn lower triangles into L with L L' = A; fill ``inverse`` with 1 / L_ii.

    What stands on the diagonal of ``A`` afterwards is not used.
    """
    D = inverse.size // LANES
    row = 0
    for j in range(D):
        reduce(A, row + j, A, row, A, row, j, one, 0)
        for a in range(LANES):
            inverse[j * LANES + a] = 1.0 / np.sqrt(A[(row + j) * LANES + a])
        other = row + j + 1
        for i in range(j + 1, D):
            reduce(A, other + j, A, other, A, row, j, inverse, j)
            other += i + 1
        row += j + 1


@_kernel
def _inverted(L, inverse, W):
    """Fill ``W`` with the upper triangles of the inverses of L'."""
    D = inverse.size // LANES
    W[:] = 0.0
    row = 0
    for i in range(D):
        other = 0
        for j in range(i):
            reduce(W, other + i - j, L, row + j, W, other, i - j, inverse, i)
            other += D - j
        for a in range(LANES):
            W[other * LANES + a] = inverse[i * LANES + a]
        row += i + 1


@_kernel
def _solved(L, inverse, W, x, out, minus):
    """Fill ``out`` with the solutions of L L' s = x; W holds the inverses of L'. Spoils ``x``."""
    D = inverse.size // LANES
    row = 0
    for i in range(D):
        reduce(x, i, L, row, x, 0, i, inverse, i)
        row += i + 1
    out[:] = 0.0
    row = 0
    for i in range(D):
        reduce(out, i, W, row, x, i, D - i, minus, 0)
        row += D - i


@_kernel
def _less_products(W, D, one, out):
    """Take W W' of upper triangles W from the lower triangles ``out``."""
    row = 0
    at = 0
    for i in range(D):
        other = 0
        for j in range(i + 1):
            reduce(out, at, W, row, W, other + i - j, D - i, one, 0)
            other += D - j
            at += 1
        row += D - i


@_kernel
def _less_lanes(triangles, out):
    """Fill ``out`` (D, D) with minus the sum of the lanes of lower triangles."""
    at = 0
    for i in range(out.shape[0]):
        for j in range(i + 1):
            total = 0.0
            for a in range(LANES):
                total -= triangles[at + a]
            out[i, j] = total
            out[j, i] = total
            at += LANES


@_kernel
def _idle(A, x):
    """Make all lanes those of nothing: exactly known zeros, which add nothing anywhere."""
    A[:] = 0.0
    x[:] = 0.0
    last = 0
    for i in range(x.size // LANES):
        for a in range(LANES):
            A[last * LANES + a] = np.inf
        last += i + 2


@_kernel
def solve_layers(moments, noise, prior, root, pulled, covered):
    """Posterior of every arm's coefficients under the prior N(0, diag(prior)).

    Parameters
    ----------
    moments : float array, shape (m, D + 1, D + 1)
        Standardised, lower halves; the response is the last column.
    noise : float array, shape (m,)
    prior : float array, shape (D,)
    root : float array, shape (m, D, D)
        Filled with the inverse Cholesky factor W: covariance = W' W.
    pulled : float array, shape (m, D)
        Filled with the posterior mean.
    covered : float array, shape (D, D)
        Filled with the sum of the arms' covariances.
    """
    m, D = pulled.shape
    size = D * (D + 1) // 2 * LANES
    A, W = np.empty(size), np.empty(size)
    x, y, inverse = np.empty(D * LANES), np.empty(D * LANES), np.empty(D * LANES)
    one, minus = np.ones(LANES), -np.ones(LANES)
    exactness = 1.0 / prior
    products = np.zeros(size)
    for first in range(0, m, LANES):
        n = min(LANES, m - first)
        if n < LANES:
            _idle(A, x)
        for a in range(n):
            S, s = moments[first + a], 1.0 / noise[first + a]
            at = a
            for i in range(D):
                for j in range(i + 1):
                    A[at] = S[i, j] * s
                    at += LANES
                A[at - LANES] += exactness[i]
                x[i * LANES + a] = S[D, i] * s
        _factor(A, inverse, one)
        _inverted(A, inverse, W)
        _solved(A, inverse, W, x, y, minus)
        _less_products(W, D, one, products)
        for a in range(n):
            to = root[first + a]
            to[:] = 0.0
            at = a
            for j in range(D):
                pulled[first + a, j] = y[j * LANES + a]
                for i in range(j, D):
                    to[i, j] = W[at]
                    at += LANES
    _less_lanes(products, covered)
