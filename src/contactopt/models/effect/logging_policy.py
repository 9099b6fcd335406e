"""The policy that wrote a log without propensities, estimated from what it did: second best.

One boosted model per arm (wait included), each predicting customers it never saw, calibrated by
Platt's sigmoid and normalised to sum to one. It can only see what the features hold: whatever else
moved the old policy and payment together stays in every contrast that rests on it, so what comes
out is marked *estimated* wherever it is used.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from contactopt.models.learners.boosted import BoostingPlan, train_trees
from contactopt.models.learners.calibrator import Calibrator
from contactopt.models.learners.splits import cross_fit_folds

__all__ = ["estimated_policy"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_FOLDS, _ROUNDS = 2, 40
#: rows that each fold's models are trained on, at most
_TRAIN_ROWS = 60_000


def estimated_policy(
    X: Floats,
    arm: Ints,
    hashes: npt.NDArray[np.uint64],
    *,
    n_arms: int,
    categories: list[int],
    plan: BoostingPlan,
) -> Floats:
    """Return the estimated probability of waiting (column 0) and of every arm, (n, n_arms + 1).

    Parameters
    ----------
    X : float array, shape (n, k)
        Features known before the decision.
    arm : int array, shape (n,)
        0 .. n_arms - 1, -1 for wait.
    hashes : uint64 array, shape (n,)
        Of the customer: nobody is predicted from himself.
    n_arms : int
    categories : list of int
        Columns of category codes.
    plan : BoostingPlan
    """
    n = len(X)
    out = np.zeros((n, n_arms + 1))
    small = replace(plan, num_leaves=8, learning_rate=0.1)
    for train, held in cross_fit_folds(hashes, _FOLDS):
        train = train[:: max(1, -(-len(train) // _TRAIN_ROWS))]
        grown = replace(small, min_child_samples=int(np.clip(len(train) / 100, 20, 400)))
        for c in range(n_arms + 1):
            drew = (arm[train] == c - 1).astype(np.float64)
            if drew.min(initial=1.0) == drew.max(initial=0.0):
                out[held, c] = drew.mean() if len(drew) else 0.0
                continue
            trees = train_trees(
                X[train],
                drew,
                np.ones(len(train)),
                plan=grown,
                rounds=_ROUNDS,
                categories=categories,
            )
            out[held, c] = 1.0 / (1.0 + np.exp(-np.clip(trees.raw(X[held]), -30.0, 30.0)))
    for c in range(n_arms + 1):
        drew = (arm == c - 1).astype(np.float64)
        if n and 0 < drew.sum() < n:
            raw = logit(np.clip(out[:, c], 1e-9, 1 - 1e-9))
            out[:, c] = Calibrator("platt").fit(raw, drew, np.ones(n)).probability(raw)
    return out / np.maximum(out.sum(axis=1, keepdims=True), 1e-12)
