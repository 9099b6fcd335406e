"""Do effects differ between customers at all? One test over all features, before any learner.

Cross-fitted evidence of a learner uses every pair of rows twice, so that under no difference its
standard error is too small by up to the square root of two; held against a larger bound it is
safe and blunt. The scores themselves can be asked directly: under equal effects they are
uncorrelated with every feature. The largest correlation over all features (one feature matters)
and the sum of squares of them all (many matter a little) are compared with what they would be by
chance, drawn from the normal law with the clustered covariance (Chernozhukov, Chetverikov and
Kato, Annals of Statistics 2013).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.models.effect.scores import EffectRows
from contactopt.models.learners.linear_design import LinearDesign

__all__ = ["difference_p_value", "feature_design"]

Floats = npt.NDArray[np.float64]
_DRAWS = 4_000
#: rows that a column must tell apart before the normal law holds for it
_MIN_ROWS = 100
#: columns x arms up to which arms are also asked one by one
_MAX_COLUMNS = 600


def feature_design(rows: EffectRows) -> Floats:
    """Return centred features of shape (n, p), standardised, with the constant ones left out."""
    Z = LinearDesign(rows.categories).fit(rows.X).transform(rows.X)
    # a flag that few rows have is not normal yet
    rare = np.array([min((z != z[0]).sum(), (z == z[0]).sum()) for z in Z.T]) if len(Z) else 0
    flags = np.array([len(np.unique(z[:1000])) <= 2 for z in Z.T], dtype=bool)
    Z = Z[:, ~flags | (rare >= _MIN_ROWS)]
    Z = Z - Z.mean(axis=0) if len(Z) else Z
    return Z[:, (Z**2).sum(axis=0) > 1e-9]


def difference_p_value(
    Z: Floats, noise: Floats, arm_weight: Floats, rows: EffectRows, *, seed: int = 0
) -> float:
    """Return the chance of such correlations of scores with features if effects are equal.

    Parameters
    ----------
    Z : float array, shape (n, p)
        `feature_design`.
    noise : float array, shape (n, n_arms)
        Scores less the constant.
    arm_weight : float array, shape (n_arms,)
    rows : EffectRows
    seed : int

    Returns
    -------
    float
        Smaller of the two tests' p-values, doubled; 1.0 without features.
    """
    if Z.shape[1] == 0 or len(Z) < 2 * _MIN_ROWS:
        return 1.0
    arms = [noise @ arm_weight]
    if 1 < noise.shape[1] <= _MAX_COLUMNS // Z.shape[1]:
        arms += list(noise.T)
    order = np.argsort(rows.cluster, kind="stable")
    starts = np.flatnonzero(np.diff(rows.cluster[order], prepend=-1))
    parts = [np.add.reduceat((Z * e[:, None])[order], starts, axis=0) for e in arms]
    totals = np.hstack(parts)
    sum_, covariance = totals.sum(axis=0), totals.T @ totals
    error = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    t = sum_ / error
    values, vectors = np.linalg.eigh(covariance / np.outer(error, error))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    chance = np.random.default_rng(seed).standard_normal((_DRAWS, len(t))) @ root.T
    largest = float((np.abs(chance).max(axis=1) >= np.abs(t).max()).mean())
    together = float(((chance**2).sum(axis=1) >= float(t @ t)).mean())
    return min(1.0, 2.0 * min(max(largest, 1 / _DRAWS), max(together, 1 / _DRAWS)))
