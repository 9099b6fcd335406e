"""Rates of rare events, shrunken level by level: Gamma-Poisson pooling with learned strengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Rates", "child_rates", "pooled_factor", "strength_of"]

Floats = npt.NDArray[np.float64]

#: events that a parent is worth to its child: the choices, and where they start from
_STRENGTHS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
_USUAL = 4.0
#: events that the assumed rates are worth against the whole portfolio
_POPULATION = 2.0


@dataclass(frozen=True)
class Rates:
    """Posterior means of rates and their squared coefficients of variation, equal shapes."""

    mean: Floats
    relative_variance: Floats

    def quantile(self, level: float) -> Floats:
        """Quantile of the rate, at most 1, by a Gamma of the same two moments."""
        from scipy.stats import gamma

        shape = 1.0 / self.relative_variance
        return np.minimum(gamma.ppf(level, shape, scale=self.mean / shape), 1.0)


def strength_of(hits: Floats, expected: Floats) -> float:
    """Events that the parent's rate is worth, from how far the cells lie apart.

    Marginal likelihood of the Gamma-Poisson (negative binomial) model over a grid of strengths,
    times a log-normal prior around 4 events: few cells say little about their own spread.

    Parameters
    ----------
    hits, expected : float arrays, shape (cells,)
        Events seen, and expected under the parent's rate.
    """
    from scipy.special import gammaln

    h, e = hits[expected > 0, None], expected[expected > 0, None]
    k = _STRENGTHS[None, :]
    likelihood = gammaln(k + h) - gammaln(k) + k * np.log(k / (k + e)) + h * np.log(e / (k + e))
    prior = -0.5 * np.log(_STRENGTHS / _USUAL) ** 2
    return float(_STRENGTHS[int(np.argmax(likelihood.sum(axis=0) + prior))])


def pooled_factor(hits: Floats, expected: Floats, strength: float) -> tuple[float, float]:
    """Multiplier of all assumed rates and its squared coefficient of variation.

    A group tells at most ``strength`` events' worth about the others, however large it is.

    Parameters
    ----------
    hits, expected : float arrays, shape (groups,)
        Events seen, and expected under the assumed rates.
    strength : float
    """
    factor, told = 1.0, 0.0
    for _ in range(20):
        weight = strength / (strength + expected * factor)
        told = _POPULATION + float(weight @ hits)
        factor = told / (_POPULATION + float(weight @ expected))
    return factor, 1.0 / told


def child_rates(parent: Rates, hits: Floats, contacts: Floats, strength: float) -> Rates:
    """Posterior of the children's rates, each shrunken to its parent's.

    Parameters
    ----------
    parent : Rates
        Broadcastable to the children.
    hits, contacts : float arrays
    strength : float
        Events that the parent is worth.
    """
    expected = contacts * parent.mean
    own = 1.0 / (strength + hits)
    # share of the parent's own uncertainty that is left: all of it where nothing was seen
    left = strength / (strength + expected)
    mean = np.minimum(parent.mean * (strength + hits) / (strength + expected), 1.0)
    return Rates(mean, own + left**2 * parent.relative_variance)
