"""Bayesian linear layers: every arm its own, drawn towards what all arms share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.errors import ConfigError
from contactopt.policy.bandit.layers import solve
from contactopt.policy.bandit.scaling import Scaling
from contactopt.policy.bandit.statistics import LinearStatistics
from contactopt.policy.bandit.strengths import Strengths

__all__ = ["BayesianLinear"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: rows whose standard deviations are worked out at once
_BLOCK = 4096
#: strengths have settled when none moves by more than this share
_SETTLED = 0.01


class BayesianLinear:
    """Posterior of y = x'(shared + action features + own) + noise from mergeable statistics.

    Coefficients of an arm are normal around what the arms share, these around 0 (slopes) or free
    (constant): a cold arm starts from the others, and arms with many rows stand alone. Features are
    standardised by the pooled moments, a feature that does not vary counts nothing. Prior variances
    and noise are estimated from the same statistics by empirical Bayes; nothing has to be set.

    Parameters
    ----------
    action_features : float array, shape (m, q), optional
        What arms have in common with some others: channel, slot, tone, offer (one-hot where
        categories). Arms of equal features share their expected coefficients.
    max_iterations : int
        Most steps of the strengths' fixed point.

    References
    ----------
    Lindley and Smith, "Bayes estimates for the linear model", JRSS B 34 (1972).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, arm = rng.normal(size=(4000, 1)), rng.integers(0, 2, 4000)
    >>> statistics = LinearStatistics(2, 1)
    >>> statistics.add(X, arm, 5 + (arm + 1) * X[:, 0] + rng.normal(size=4000))
    >>> mean, sd = BayesianLinear().fit(statistics).predict(np.array([[1.0]]))
    >>> mean.round(1), bool((sd < 0.05).all())
    (array([[6., 7.]]), True)
    """

    def __init__(self, *, action_features: Any = None, max_iterations: int = 30) -> None:
        self.action_features = action_features
        self.max_iterations = max_iterations

    def fit(
        self, statistics: LinearStatistics, strengths: Strengths | None = None
    ) -> BayesianLinear:
        """Learn from statistics; from given strengths on, where some are given.

        Parameters
        ----------
        statistics : LinearStatistics
            Without rows every mean is 0 and the standard deviation 1.
        strengths : Strengths, optional
            Where to start; with ``max_iterations=0`` they are used as they are.

        Raises
        ------
        ConfigError
            If action features are not one finite row per arm.
        """
        older, today, rows = statistics.parts()
        features = checked_features(self.action_features, statistics.n_arms)
        self.scaling_, scaled = Scaling.learned(older, today)
        n_slopes = self.scaling_.n_slopes
        now = strengths or Strengths.start(statistics.n_arms, n_slopes)
        layers = solve(scaled, now, features)
        self.n_iterations_ = 0
        for _ in range(self.max_iterations):
            self.n_iterations_ += 1
            last, now = now, layers.stronger(scaled, rows, n_slopes, now)
            layers = solve(scaled, now, features)
            if now.near(last, _SETTLED):
                break
        self.strengths_, self.layers_ = now, layers
        self.n_features_in_ = statistics.n_features
        return self

    @property
    def coefficients_(self) -> tuple[Floats, Floats]:
        """Constants, shape (m,), and slopes, shape (m, d), for features as they are given."""
        scaling, layers = self.scaling_, self.layers_
        slopes = layers.mean[:, 1:] * scaling.scale[1:-1] * scaling.unit
        constant = scaling.centre[-1] + layers.mean[:, 0] * scaling.unit
        return constant - slopes @ scaling.centre[1:-1], slopes

    @property
    def noise_(self) -> Floats:
        """Standard deviation of the response around each arm's layer, shape (m,)."""
        return np.sqrt(self.strengths_.noise) * self.scaling_.unit

    def predict(self, X: Floats, arm: Ints | None = None) -> tuple[Floats, Floats]:
        """Return posterior mean and standard deviation of the expected response.

        Parameters
        ----------
        X : float array, shape (n, d)
        arm : int array, shape (n,), optional
            One arm per row; every arm where None.

        Returns
        -------
        mean, sd : float arrays, shape (n, m), or (n,) with ``arm``
            The uncertainty about what arms share is included.
        """
        X = np.ascontiguousarray(X, dtype=np.float64)
        layers = self.layers_
        shape = (len(X), len(layers.mean)) if arm is None else (len(X),)
        mean, variance = np.empty(shape), np.empty(shape)
        whole = layers.whole_covariance()
        for first in range(0, len(X), _BLOCK):
            part = slice(first, first + _BLOCK)
            z = self.scaling_.rows(X[part])
            if arm is None:
                mean[part] = z @ layers.mean.T
                for a, covariance in enumerate(whole):
                    variance[part, a] = ((z @ covariance) * z).sum(axis=1)
                continue
            mean[part] = (z * layers.mean[arm[part]]).sum(axis=1)
            for a in np.unique(arm[part]):
                rows = np.flatnonzero(arm[part] == a)
                variance[first + rows] = ((z[rows] @ whole[a]) * z[rows]).sum(axis=1)
        unit = self.scaling_.unit
        return self.scaling_.centre[-1] + unit * mean, unit * np.sqrt(np.maximum(variance, 0.0))


def checked_features(features: Any, n_arms: int) -> Floats | None:
    """Return action features standardised over arms, columns that do not vary left out."""
    if features is None:
        return None
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or len(values) != n_arms or not np.isfinite(values).all():
        raise ConfigError(
            f"action_features must be finite numbers, one row for each of {n_arms} actions",
            hint="categories as one-hot columns, actions in their order",
        )
    spread = values.std(axis=0)
    varies = spread > 1e-12 * np.maximum(np.abs(values).max(axis=0, initial=0.0), 1e-300)
    if not varies.any():
        return None
    values = values[:, varies]
    return (values - values.mean(axis=0)) / spread[varies]
