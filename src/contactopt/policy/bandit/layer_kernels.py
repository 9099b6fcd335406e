"""Compiled passes of the layers: scale of the moments, posteriors, what they say of the strengths.

Every arm is worked out alone, in an order that depends on nothing else. The readable twin stands in
tests/oracles/.
"""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled

__all__ = [
    "explained",
    "pooled_scale",
    "root_rows",
    "share_layers",
    "solve_layers",
    "standardised",
    "summed",
    "whole_moments",
]

_kernel = compiled(fastmath={"contract"}, error_model="numpy")
#: sums in whatever order suits the vector instructions
_quick = compiled(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")


@_kernel
def summed(high, low, out):
    """Fill the lower halves of ``out`` with the sums ``high + low``."""
    for a in range(out.shape[0]):
        for i in range(out.shape[1]):
            upper, lower, to = high[a, i], low[a, i], out[a, i]
            for j in range(i + 1):
                to[j] = upper[j] + lower[j]


@_kernel
def whole_moments(first, second, out):
    """Fill ``out`` (m, k, k) with the sum of two pairs of doubles, each rounded once."""
    for a in range(out.shape[0]):
        for i in range(out.shape[1]):
            for j in range(i + 1):
                older = first[0][a, i, j] + first[1][a, i, j]
                out[a, i, j] = older + (second[0][a, i, j] + second[1][a, i, j])


@_kernel
def standardised(moments, centre, scale, out):
    """Lower halves of the moments of (column - centre) scale from those of the columns."""
    k = centre.size
    first = np.empty(k)
    for a in range(moments.shape[0]):
        S = moments[a]
        whole = S[0, 0]
        for j in range(k):
            first[j] = S[j, 0]
        for i in range(k):
            c = centre[i]
            mine = first[i]
            f = scale[i]
            to = out[a, i]
            for j in range(i + 1):
                v = S[i, j] - c * first[j] - centre[j] * mine + c * centre[j] * whole
                to[j] = v * f * scale[j]


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
    m, D = root.shape[0], root.shape[1]
    A = np.empty((D, D))
    cross = np.empty(D)
    for a in range(m):
        s = 1.0 / noise[a]
        for i in range(D):
            for j in range(i + 1):
                A[j, i] = moments[a, i, j] * s
            A[i, i] += 1.0 / prior[i]
            cross[i] = moments[a, D, i] * s
        _factor(A)
        _inverted(A, root[a])
        _covered(root[a], cross, pulled[a])
    stacked = root.reshape((m * D, D))
    np.dot(stacked.T, stacked, covered)


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


@_quick
def explained(moments, prior, root, mean, load, shared_cov, variance, rss, used):
    """Fill what every arm's layer leaves and how uncertain it is, for the strengths.

    Parameters
    ----------
    moments, prior, root
        As in `solve_layers`.
    mean : float array, shape (m, D)
    load : float array, shape (m, D, K), or (0, D, D)
        What the shared coefficients add to each arm's; without arms: the identity.
    shared_cov : float array, shape (K, K)
    variance : float array, shape (m, D)
        Filled with the variances of an arm's own coefficients. Own = theta - load b, and given
        the shared b the pull is (V / T - 1) load b: diag(V) + diag(pull shared_cov pull').
    rss, used : float arrays, shape (m,)
        Filled with the sum of squared residuals, and the coefficients' worth that the fit used:
        trace(V G) / noise, which is D - trace(V / T) as V = (G / noise + 1 / T)^-1.
    """
    m, D = mean.shape
    pull = np.empty((D, D))
    exactness = 1.0 / prior
    for a in range(m):
        np.dot(root[a].T, root[a], pull)
        used[a] = D
        for i in range(D):
            variance[a, i] = pull[i, i]
            used[a] -= pull[i, i] * exactness[i]
            for j in range(D):
                pull[i, j] *= exactness[j]
            pull[i, i] -= 1.0
        given = np.dot(pull, load[a]) if load.shape[0] > 0 else pull
        carried = np.dot(given, shared_cov)
        G = moments[a]
        rss[a] = G[D, D]
        for i in range(D):
            more = 0.0
            for j in range(carried.shape[1]):
                more += given[i, j] * carried[i, j]
            variance[a, i] += more
            f = 0.0
            for j in range(i):
                f += G[i, j] * mean[a, j]
            rss[a] += mean[a, i] * (2.0 * f + G[i, i] * mean[a, i] - 2.0 * G[D, i])


@_kernel
def pooled_scale(moments, least, centre, scale):
    """Fill the pooled centre and scale of the columns (1, x, y); see `Scaling`.

    A column whose variance is below ``least`` of its mean square has scale 0, the response 1.
    """
    k = centre.size
    square = np.zeros(k)
    centre[:] = 0.0
    scale[:] = 0.0
    scale[0] = 1.0
    scale[k - 1] = 1.0
    for a in range(moments.shape[0]):
        for j in range(k):
            centre[j] += moments[a, j, 0]
            square[j] += moments[a, j, j]
    whole = centre[0]
    if not whole > 0.0:
        centre[:] = 0.0
        return
    for j in range(1, k):
        centre[j] /= whole
        variance = square[j] / whole - centre[j] * centre[j]
        if variance > least * (square[j] / whole):
            scale[j] = 1.0 / np.sqrt(variance)
    centre[0] = 0.0


@_kernel
def root_rows(root, bounds, level, slopes):
    """Take every arm's root (D, D) apart into some rows of all arms, and some, and so on.

    ``level`` (m D,) is filled with the constants and ``slopes`` with the other numbers left of the
    diagonal of the last row of each part, part after part.
    """
    m = root.shape[0]
    at = 0
    row = 0
    for part in range(bounds.size - 1):
        d = max(bounds[part + 1] - 1, 0)
        for a in range(m):
            for i in range(bounds[part], bounds[part + 1]):
                level[row] = root[a, i, 0]
                for j in range(d):
                    slopes[at + j] = root[a, i, j + 1]
                row += 1
                at += d
