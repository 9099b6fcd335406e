"""How strongly layers are pulled together, and how noisy the response is: learned from the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.policy.bandit.strength_kernels import next_strengths

__all__ = ["GROUPS", "Strengths"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: groups of coefficients with one prior variance: of an arm's own, of what all arms share, and of
#: the effects of action features
GROUPS = ("level", "slope", "shared_slope", "feature_level", "feature_slope")
#: before any evidence a layer is expected to explain this share of the response's variance,
#: with the weight of so many coefficients
_PRIOR_SHARE, _PRIOR_COEFFICIENTS = 0.05, 0.2
#: least variances of coefficients and least noise, in units of the response's variance
_LEAST, _LEAST_NOISE = 1e-7, 1e-6
#: rows' worth of the pooled noise in every arm's own
_NOISE_ROWS = 50.0


@dataclass(frozen=True)
class Strengths:
    """Prior variances of standardised coefficients and noise, relative to the response's variance.

    Parameters
    ----------
    level, slope : float
        Of an arm's own deviation from what arms share: constant and slopes.
    shared_slope : float
        Of the slopes all arms share; the shared constant is free (variance 1).
    feature_level, feature_slope : float
        Of the effects of action features on constant and slopes.
    noise : float array, shape (m,)
        Variance of the response around the layer; at least the pooled one for every arm.
    """

    level: float
    slope: float
    shared_slope: float
    feature_level: float
    feature_slope: float
    noise: Floats

    @classmethod
    def start(cls, n_arms: int, n_slopes: int) -> Strengths:
        """Return what is believed before any evidence."""
        k = max(n_slopes, 1)
        share = _PRIOR_SHARE
        return cls(share, share / k, share / k, share, share / k, np.ones(n_arms))

    def own(self, size: int) -> Floats:
        """Prior variance of an arm's own coefficients, constant first, shape (size,)."""
        out = np.full(size, self.slope)
        out[0] = self.level
        return out

    def updated(
        self,
        moments: Floats,
        rows: Floats,
        layers: tuple[Floats, ...],
        group: Ints,
        n_slopes: int,
    ) -> Strengths:
        """One step of MacKay's fixed point for every group of coefficients and the noise.

        A group's variance is the sum of its squared posterior means over the number of its
        coefficients that the data have settled (each by the share of its prior variance that is
        gone); the noise is the sum of squared residuals over the rows that fitting has left free.

        Parameters
        ----------
        moments : float array, shape (m, D + 1, D + 1)
            Standardised, lower halves.
        rows : float array, shape (m,)
        layers : tuple of arrays
            As `next_strengths` takes them.
        group : int array, shape (K,)
            Group of every shared coefficient (its place in `GROUPS`), -1 for the shared constant.
        n_slopes : int

        References
        ----------
        MacKay, "Bayesian interpolation", Neural Computation 4 (1992).
        """
        k = max(n_slopes, 1)
        believed = np.array([_PRIOR_SHARE / (1 if v.endswith("level") else k) for v in GROUPS])
        settings = (_PRIOR_COEFFICIENTS, _LEAST, _NOISE_ROWS, _LEAST_NOISE)
        found = np.array([getattr(self, v) for v in GROUPS])
        noise = np.empty(len(rows))
        next_strengths(moments, rows, layers, group, believed, settings, found, noise)
        return Strengths(*found.tolist(), noise=noise)

    def near(self, other: Strengths, tolerance: float) -> bool:
        """Tell whether no strength differs by more than the factor 1 + tolerance."""
        noise = self.noise / other.noise
        factors = [getattr(self, v) / getattr(other, v) for v in GROUPS]
        factors += [float(noise.min()), float(noise.max())]
        return max(abs(math.log(f)) for f in factors) <= tolerance

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "level": self.level,
            "slope": self.slope,
            "shared_slope": self.shared_slope,
            "feature_level": self.feature_level,
            "feature_slope": self.feature_slope,
            "noise": self.noise.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Strengths:
        """Rebuild from `to_state`."""
        return cls(
            **{k: float(v) for k, v in state.items() if k != "noise"},
            noise=np.asarray(state["noise"], dtype=np.float64),
        )
