"""Compiled step of the strengths: what the layers leave unexplained, and what that tells."""

from __future__ import annotations

import numpy as np

from contactopt.policy.compiled import compiled

__all__ = ["next_strengths"]

#: sums in whatever order suits the vector instructions
_quick = compiled(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")


@_quick
def _explained(moments, prior, root, mean, load, shared_cov, variance, rss, used):
    """Fill what every arm's layer leaves and how uncertain it is, for the strengths.

    Parameters
    ----------
    moments, prior, root
        As in `solve_layers` of the posteriors.
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


@_quick
def _next_noise(rss, rows, used, settings, noise):
    """Fill ``noise`` with every arm's, the pooled one for so many rows' worth, and never below."""
    rows_of_prior, least = settings
    left, known, spent = 0.0, 0.0, 0.0
    for a in range(noise.size):
        rss[a] = max(rss[a], 0.0)
        left += rss[a]
        known += rows[a]
        spent += used[a]
    pooled = (left + 1e-3) / max(known - spent, 0.05 * known, 1e-3)
    for a in range(noise.size):
        free = max(rows[a] - used[a], 0.05 * rows[a])
        own = (rows_of_prior * pooled + rss[a]) / (rows_of_prior + free)
        noise[a] = max(own, pooled, least)


@_quick
def next_strengths(moments, rows, layers, group, believed, settings, found, noise):
    """One step of MacKay's fixed point for the variances of every group, and the noise.

    Parameters
    ----------
    moments : float array, shape (m, D + 1, D + 1)
        Standardised, lower halves.
    rows : float array, shape (m,)
    layers : (mean, root, load, shared, shared_cov, own_prior, shared_prior)
        As in `Layers`; ``load`` (0, D, D) for the identity.
    group : int array, shape (K,)
        Group of every shared coefficient, -1 for those that are free.
    believed : float array, shape (5,)
        Every group's variance before any evidence; groups 0 and 1 are arms' own constants and
        slopes.
    settings : (weight of that in coefficients, least variance, noise's rows of prior, least noise)
    found : float array, shape (5,)
        Filled with the variances of the groups; a group without coefficients keeps its own.
    noise : float array, shape (m,)
        Filled.
    """
    mean, root, load, shared, shared_cov, own_prior, shared_prior = layers
    weight, least, noise_rows, least_noise = settings
    m, D = mean.shape
    variance, rss, used = np.empty((m, D)), np.empty(m), np.empty(m)
    _explained(moments, own_prior, root, mean, load, shared_cov, variance, rss, used)
    above, below = weight * believed, np.full(believed.size, weight)
    known = np.zeros(believed.size)
    for a in range(m):
        for i in range(D):
            drawn_to = 0.0 if load.shape[0] > 0 else shared[i]
            for k in range(shared.size if load.shape[0] > 0 else 0):
                drawn_to += load[a, i, k] * shared[k]
            g = min(i, 1)
            known[g] += 1.0
            above[g] += (mean[a, i] - drawn_to) ** 2
            below[g] += max(1.0 - variance[a, i] / own_prior[i], 1e-9)
    for k in range(shared.size):
        g = group[k]
        if g >= 0:
            known[g] += 1.0
            above[g] += shared[k] ** 2
            below[g] += max(1.0 - shared_cov[k, k] / shared_prior[k], 1e-9)
    for g in range(found.size):
        if known[g] > 0.0:
            found[g] = max(above[g] / below[g], least)
    _next_noise(rss, rows, used, (noise_rows, least_noise), noise)
