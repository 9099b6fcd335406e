"""Slow, readable twins of the bandit: one dense Gaussian posterior, one row at a time."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq


def scaled_table(X, arm, y, weight, n_arms):
    """Standardise by the pooled weighted moments; return design, response, centre, unit."""
    centre = np.average(X, axis=0, weights=weight)
    sd = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=weight))
    level = np.average(y, weights=weight)
    unit = np.sqrt(np.average((y - level) ** 2, weights=weight))
    Z = np.column_stack([np.ones(len(X)), (X - centre) / sd])
    return Z, (y - level) / unit, (centre, sd, level, unit)


def posterior(X, arm, y, weight, n_arms, strengths, features=None):
    """Mean and covariance of every arm's coefficients (standardised), by one dense solve.

    The unknowns are shared coefficients b and every arm's own d_a; coefficients of arm a are
    load_a b + d_a, all of them independent normals before the data.
    """
    Z, r, scales = scaled_table(X, arm, y, weight, n_arms)
    D = Z.shape[1]
    q = 0 if features is None else features.shape[1]
    K = D * (1 + q)
    load = np.zeros((n_arms, D, K))
    prior_b = np.zeros(K)
    for row in range(D):
        load[:, row, row] = 1.0
        prior_b[row] = 1.0 if row == 0 else strengths.shared_slope
        for f in range(q):
            column = D + row * q + f
            load[:, row, column] = features[:, f]
            prior_b[column] = strengths.feature_level if row == 0 else strengths.feature_slope
    prior_d = np.array([strengths.level] + [strengths.slope] * (D - 1))
    H = np.zeros((len(r), K + n_arms * D))
    for i, a in enumerate(arm):
        H[i, :K] = Z[i] @ load[a]
        H[i, K + a * D : K + (a + 1) * D] = Z[i]
    prior = np.concatenate([prior_b, np.tile(prior_d, n_arms)])
    exactness = weight / strengths.noise[arm]
    cov = np.linalg.inv(H.T @ (exactness[:, None] * H) + np.diag(1.0 / prior))
    mean = cov @ (H.T @ (exactness * r))
    means, covs = np.zeros((n_arms, D)), np.zeros((n_arms, D, D))
    for a in range(n_arms):
        T = np.hstack([load[a], np.zeros((D, n_arms * D))])
        T[:, K + a * D : K + (a + 1) * D] = np.eye(D)
        means[a], covs[a] = T @ mean, T @ cov @ T.T
    return means, covs, scales


def predicted(X, means, covs, scales):
    """Posterior mean and sd of the expected response, (n, m) each."""
    centre, sd, level, unit = scales
    Z = np.column_stack([np.ones(len(X)), (X - centre) / sd])
    mean = np.array([[level + unit * z @ w for w in means] for z in Z])
    spread = np.array([[unit * np.sqrt(z @ C @ z) for C in covs] for z in Z])
    return mean, spread


def probabilities(method, value, sd, mask, tau, floor, floor_share):
    """Rows of the regularised problem without `wait`; ``value`` holds the optimism already."""
    out = np.zeros(value.shape)
    for i in range(len(value)):
        arms = np.flatnonzero(mask[i])
        if len(arms) == 0:
            continue
        v = value[i, arms]
        gap = v.max() - v
        t = tau * max(sd[i, arms].mean(), 0.01 * (v.max() - v.min()), 1e-9)
        if method == "softmax":
            q = np.exp(-gap / t)
            q /= q.sum()
        else:
            nu = brentq(
                lambda x, t=t, gap=gap: float(np.sum(t / (x + gap)) - 1.0),
                t * (1 - 1e-12), t * len(gap) * (1 + 1e-12), xtol=1e-300, rtol=1e-15,
            )  # fmt: skip
            q = t / (nu + gap)
            q /= q.sum()
        least = min(floor + floor_share / len(arms), 0.5 / len(arms))
        out[i, arms] = least + (1 - least * len(arms)) * q
    return out
