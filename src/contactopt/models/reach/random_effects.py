"""Logistic regression with crossed random effects, by penalised likelihood, vectorised.

Each family of effects (channel, hour, customer, customer x channel, ...) has one value per level,
drawn around a prior mean with the family's variance. Values are found by Newton steps family by
family (Breslow and Clayton, "Approximate Inference in Generalized Linear Mixed Models", JASA 1993),
with probabilities averaged over what is still uncertain in a row's effects, so that the shared
effects are not pulled to zero by customers with few rows. Variances of shared families are learned
by EM; those of customers are given (`variance_components`). All work is in sums per level: a sweep
costs one pass over the rows for each family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from contactopt.models.reach.slopes import SlopeStep
from contactopt.models.reach.variance_components import logistic_shrink

__all__ = ["Family", "fit_effects"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LEAST_VARIANCE, _MOST_VARIANCE = 1e-4, 4.0
#: levels that the starting variance is worth in its own estimate
_VARIANCE_WEIGHT = 10.0
_LONGEST_STEP = 2.0


@dataclass
class Family:
    """One family of effects.

    Parameters
    ----------
    code : int array, shape (n,)
        Level of each row, -1 where the family does not apply.
    mean : float array, shape (n_levels,)
        Prior mean.
    variance : float
        Prior variance, the start of its estimate.
    learn_variance : bool
    """

    code: Ints
    mean: Floats
    variance: float
    learn_variance: bool = True
    value: Floats = field(init=False)
    #: posterior variance of each level
    spread2: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.value = self.mean.copy()
        self.spread2 = np.full(len(self.mean), self.variance)
        self._start = self.variance
        self._row = np.where(self.code < 0, len(self.mean), self.code)
        n = len(self.mean)
        self._seen = np.bincount(self._row, minlength=n + 1)[:n] > 0

    def per_row(self, values: Floats) -> Floats:
        """Value of each row's level, 0 where the family does not apply."""
        return np.append(values, 0.0)[self._row]

    def step(self, gradient: Floats, curvature: Floats) -> Floats:
        """Newton step of all levels given the rows' gradient and curvature; returns the step."""
        n = len(self.mean)
        g = np.bincount(self._row, weights=gradient, minlength=n + 1)[:n]
        h = np.bincount(self._row, weights=curvature, minlength=n + 1)[:n] + 1.0 / self.variance
        move = (g - (self.value - self.mean) / self.variance) / h
        move = np.clip(move, -_LONGEST_STEP, _LONGEST_STEP)
        self.value = self.value + move
        self.spread2 = np.asarray(1.0 / h, dtype=np.float64)
        return move

    def update_variance(self) -> None:
        """EM step; the start counts as a few levels, so that few levels cannot collapse it."""
        if not self.learn_variance or not self._seen.any():
            return
        second = (self.value - self.mean) ** 2 + self.spread2
        total = _VARIANCE_WEIGHT * self._start + float(second[self._seen].sum())
        new = total / (_VARIANCE_WEIGHT + int(self._seen.sum()))
        self.variance = float(np.clip(new, _LEAST_VARIANCE, _MOST_VARIANCE))


def fit_effects(
    y: Floats,
    weight: Floats,
    families: list[Family],
    *,
    offset: Floats,
    slopes: Sequence[SlopeStep] = (),
    population: list[Family] | None = None,
    population_weight: Floats | None = None,
    max_sweeps: int = 40,
    tolerance: float = 3e-3,
) -> int:
    """Find posterior modes and variances in place.

    Parameters
    ----------
    y : 0/1 array, shape (n,)
    weight : float array, shape (n,)
    families : list of Family
    offset : float array, shape (n,)
    slopes : sequence of `SlopeStep`
    population : list of Family, optional
        Families (and the slopes) whose rows weigh ``weight * population_weight``: inverse
        propensities undo that an incumbent chose hours for whom it chose.
    population_weight : float array, shape (n,), optional
    max_sweeps, tolerance
        Stop when no effect moves more than ``tolerance`` on the logit scale.

    Returns
    -------
    int
        Sweeps done.
    """
    shared = weight if population_weight is None else weight * population_weight
    work = [(f, shared) for f in population or []] + [(f, weight) for f in families]
    eta = offset + sum((f.per_row(f.value) for f, _ in work), np.zeros(len(y)))
    for some in slopes:
        eta = eta + some.predictor()
    sweep = 0
    while sweep < max_sweeps:
        sweep += 1
        largest = 0.0
        uncertain = sum((f.per_row(f.spread2) for f in families), np.zeros(len(y)))
        shrink = logistic_shrink(uncertain)
        for family, w in work:
            p = expit(shrink * eta)
            move = family.step(w * (y - p), w * shrink * p * (1.0 - p))
            eta += family.per_row(move)
            largest = max(largest, float(np.abs(move).max(initial=0.0)))
        for some in slopes:
            p = expit(shrink * eta)
            change, moved = some.step(shared * (y - p), shared * shrink * p * (1.0 - p))
            eta += change
            largest = max(largest, moved)
        for family, _ in work:
            family.update_variance()
        if largest < tolerance:
            break
    return sweep
