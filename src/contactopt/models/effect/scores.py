"""What each row says of every arm's effect: doubly robust scores from cross-fitted outcomes.

For a row that drew arm A with probability p and paid y, the score of arm c is

    psi_c = mu_c - mu_wait + 1[A = c] (y - mu_c) / p - 1[A = wait] (y - mu_wait) / p

with mu predicted by models that never saw the row's customer. Its mean is the effect of drawing c
whatever mu is, as long as the probabilities are right (Robins, Rotnitzky and Zhao, JASA 1994;
Chernozhukov et al., Econometrics Journal 2018). Inverse probabilities are normalised to mean 1
per arm and cut at a multiple of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.splits import Fold, cross_fit_folds

__all__ = ["EffectRows", "cluster_error", "dr_scores", "effect_folds"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: small tables need all their rows in training, large ones the time
_FOLDS_SMALL, _FOLDS_LARGE, _LARGE_ROWS = 5, 3, 20_000


@dataclass(frozen=True)
class EffectRows:
    """Rows to learn effects from, in an order that does not depend on how they came.

    Parameters
    ----------
    X : float array, shape (n, k)
        Encoded features, NaN where missing.
    y : 0/1 array, shape (n,)
    arm : int array, shape (n,)
        0 .. n_arms - 1, -1 for wait.
    weight : float array, shape (n,)
        Inverse probability of the drawn arm, mean 1 per arm over its share of the rows.
    cluster : int array, shape (n,)
        Customer of the row as a code 0 .. ; never on both sides of a fold.
    hashes : uint64 array, shape (n,)
        Hash of the customer, from which folds are cut.
    n_arms : int
    categories : list of int
        Columns of X that hold category codes.
    p_wait : float array, shape (n,), optional
        P(pays | wait) from a model that never saw the row's customer.
    reach : float array, shape (n,), optional
        Whether, or how likely, the drawn arm reached; ignored for wait.
    """

    X: Floats
    y: Floats
    arm: Ints
    weight: Floats
    cluster: Ints
    hashes: npt.NDArray[np.uint64]
    n_arms: int
    categories: list[int]
    p_wait: Floats | None = None
    reach: Floats | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Ints) -> EffectRows:
        """Return some of the rows."""
        return replace(
            self,
            X=self.X[rows],
            y=self.y[rows],
            arm=self.arm[rows],
            weight=self.weight[rows],
            cluster=np.unique(self.cluster[rows], return_inverse=True)[1].ravel(),
            hashes=self.hashes[rows],
            p_wait=None if self.p_wait is None else self.p_wait[rows],
            reach=None if self.reach is None else self.reach[rows],
        )


def effect_folds(rows: EffectRows) -> list[Fold]:
    """Folds by customer, fewer for large tables."""
    n_folds = _FOLDS_SMALL if len(rows) < _LARGE_ROWS else _FOLDS_LARGE
    return cross_fit_folds(rows.hashes, n_folds)


def dr_scores(rows: EffectRows, outcome: Floats) -> Floats:
    """Doubly robust score of every arm, shape (n, n_arms).

    Parameters
    ----------
    rows : EffectRows
    outcome : float array, shape (n, n_arms + 1)
        Out-of-fold P(pays) under wait (column 0) and every arm.
    """
    column = rows.arm + 1
    n = len(rows)
    # weights are normalised over the rows at hand: mean over all rows of 1[arm] * weight is 1
    total = np.bincount(column, weights=rows.weight, minlength=rows.n_arms + 1)
    scaled = rows.weight * (n / np.maximum(total, 1e-12))[column]
    residual = scaled * (rows.y - outcome[np.arange(n), column])
    psi = outcome[:, 1:] - outcome[:, :1]
    psi -= np.where(column == 0, residual, 0.0)[:, None]
    drawn = np.flatnonzero(column > 0)
    psi[drawn, column[drawn] - 1] += residual[drawn]
    return psi


def cluster_error(influence: Floats, cluster: Ints) -> float:
    """Return the clustered standard error of the mean of centred ``influence``."""
    n = len(influence)
    if n < 2:
        return float("nan")
    totals = np.bincount(cluster, weights=influence)
    g = len(totals)
    return float(np.sqrt(g / max(g - 1, 1) * float(totals @ totals)) / n)
