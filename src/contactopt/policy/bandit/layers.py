"""The posterior of all layers at given strengths, and what it says about the strengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.policy.bandit.layer_kernels import share_layers, solve_together
from contactopt.policy.bandit.posterior_kernels import solve_layers
from contactopt.policy.bandit.strengths import Strengths

__all__ = ["Layers", "solve"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: up to this many coefficients an arm is solved in the compiled kernel, beyond by LAPACK
_SMALL = 64
#: most shared coefficients with slopes of action features among them
_MOST_SHARED = 256


@dataclass(frozen=True)
class Layers:
    """Posterior in standardised units, around shared coefficients b ~ N(shared, shared_cov).

    Parameters
    ----------
    mean : float array, shape (m, D)
    root : float array, shape (m, D, D)
        W with W'W the covariance of an arm's coefficients given the shared ones.
    shared, shared_cov : float arrays, shapes (K,) and (K, K)
    load : float array, shape (m, D, K) or None
        What the shared coefficients add to each arm's; None: the identity.
    design : (row, feature) int arrays, shape (K,)
        Coefficient (0: constant) and action feature (0: none) of each shared coefficient.
    own_prior : float array, shape (D,)
    shared_prior : float array, shape (K,)
    """

    mean: Floats
    root: Floats
    shared: Floats
    shared_cov: Floats
    load: Floats | None
    design: tuple[Ints, Ints]
    own_prior: Floats
    shared_prior: Floats

    def covariance(self) -> Floats:
        """Covariance of every arm's coefficients given the shared ones, shape (m, D, D)."""
        return self.root.transpose(0, 2, 1) @ self.root

    def whole_covariance(self) -> Floats:
        """Covariance of every arm's coefficients, shared uncertainty included, (m, D, D)."""
        covariance = self.covariance()
        pulled = covariance / self.own_prior
        if self.load is not None:
            pulled = pulled @ self.load
        return covariance + pulled @ self.shared_cov @ pulled.transpose(0, 2, 1)

    def stronger(
        self, moments: Floats, rows: Floats, n_slopes: int, strengths: Strengths
    ) -> Strengths:
        """Return the next strengths: see `Strengths.updated`."""
        D = self.mean.shape[1]
        load = np.zeros((0, D, D)) if self.load is None else self.load
        of_row, of_feature = self.design
        group = np.where(of_feature > 0, 3, 1) + (of_row > 0)
        group[(of_row == 0) & (of_feature == 0)] = -1
        layers = (
            self.mean, self.root, load, self.shared, self.shared_cov,
            self.own_prior, self.shared_prior,
        )  # fmt: skip
        return strengths.updated(moments, rows, layers, group, n_slopes)


def solve(moments: Floats, strengths: Strengths, features: Floats | None) -> Layers:
    """Return the posterior of standardised moments, lower halves, shape (m, D + 1, D + 1).

    With T the prior variances of an arm's own part, G and c its gram and cross products over the
    noise, V = (G + 1/T)^-1 and H the arm's load: given b, theta ~ N(V (c + H b / T), V), and the
    shared b has precision 1/S + sum_a H' (1/T - V / T^2) H and pull sum_a H' V c / T.
    """
    m, D = len(moments), moments.shape[1] - 1
    prior = strengths.own(D)
    design, load, shared_prior = _shared_design(strengths, features, D)
    root, pulled, mean = np.empty((m, D, D)), np.empty((m, D)), np.empty((m, D))
    shared, shared_cov = np.empty(D), np.empty((D, D))
    if load is None and D <= _SMALL:
        solve_together(
            moments, strengths.noise, prior, shared_prior, root, pulled, shared, shared_cov, mean
        )
        return Layers(mean, root, shared, shared_cov, load, design, prior, shared_prior)
    covered = np.empty((D, D))
    if D <= _SMALL:
        solve_layers(moments, strengths.noise, prior, root, pulled, covered)
    else:
        _solve_large(moments, strengths.noise, prior, root, pulled, covered)
    if load is None:
        share_layers(prior, shared_prior, root, pulled, covered, shared, shared_cov, mean)
    else:
        covariance = root.transpose(0, 2, 1) @ root
        told = np.diag(1.0 / prior) - covariance / np.outer(prior, prior)
        precision = (load.transpose(0, 2, 1) @ (told @ load)).sum(axis=0)
        precision[np.diag_indices_from(precision)] += 1.0 / shared_prior
        shared_cov = np.linalg.inv((precision + precision.T) / 2.0)
        shared = shared_cov @ ((pulled / prior)[:, None, :] @ load).sum(axis=(0, 1))
        mean = pulled + (covariance @ (load @ shared / prior)[:, :, None])[:, :, 0]
    return Layers(mean, root, shared, shared_cov, load, design, prior, shared_prior)


def _solve_large(
    moments: Floats, noise: Floats, prior: Floats, root: Floats, pulled: Floats, covered: Floats
) -> None:
    """As the kernel, by LAPACK, one arm at a time."""
    from scipy.linalg import solve_triangular

    D = len(prior)
    covered[:] = 0.0
    for a, (N, s) in enumerate(zip(moments, noise, strict=True)):
        lower = np.linalg.cholesky(N[:D, :D] / s + np.diag(1.0 / prior))
        root[a] = solve_triangular(lower, np.eye(D), lower=True)
        covered += root[a].T @ root[a]
        pulled[a] = root[a].T @ (root[a] @ N[D, :D]) / s


def _shared_design(
    strengths: Strengths, features: Floats | None, D: int
) -> tuple[tuple[Ints, Ints], Floats | None, Floats]:
    """Which coefficients are shared, how they load on arms, and their prior variances.

    Action features bend constant and slopes where that stays below 256 coefficients, beyond it
    the constant only.
    """
    row, feature = np.arange(D), np.zeros(D, np.int64)
    slopes = np.full(D, strengths.shared_slope)
    slopes[0] = 1.0
    if features is None:
        return (row, feature), None, slopes
    q = features.shape[1]
    rows = D if D * (1 + q) <= _MOST_SHARED else 1
    more_row, more_feature = np.repeat(np.arange(rows), q), np.tile(np.arange(1, q + 1), rows)
    prior = np.where(more_row == 0, strengths.feature_level, strengths.feature_slope)
    row = np.concatenate([row, more_row])
    feature = np.concatenate([feature, more_feature])
    load = np.zeros((len(features), D, len(row)))
    full = np.column_stack([np.ones(len(features)), features])
    load[:, row, np.arange(len(row))] = full[:, feature]
    return (row, feature), load, np.concatenate([slopes, prior])
