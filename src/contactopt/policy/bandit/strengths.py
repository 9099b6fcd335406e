"""How strongly layers are pulled together, and how noisy the response is: learned from the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Strengths"]

Floats = npt.NDArray[np.float64]

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
        groups: Mapping[str, tuple[Floats, Floats]],
        n_slopes: int,
        residual: tuple[Floats, Floats, Floats],
    ) -> Strengths:
        """One step of MacKay's fixed point for every group and the noise.

        Parameters
        ----------
        groups : mapping of str to (squares, shares)
            Per group the squared posterior means and the shares of the prior variance that the
            data have removed (1 - posterior variance / prior variance).
        n_slopes : int
        residual : float arrays, each of shape (m,)
            Sum of squared residuals, rows, and coefficients' worth that the fit has used.

        References
        ----------
        MacKay, "Bayesian interpolation", Neural Computation 4 (1992).
        """
        k = max(n_slopes, 1)
        found: dict[str, float] = {}
        for name, (squares, shares) in groups.items():
            prior = _PRIOR_SHARE / (1 if name.endswith("level") else k)
            above = squares.sum() + _PRIOR_COEFFICIENTS * prior
            below = np.maximum(shares, 1e-9).sum() + _PRIOR_COEFFICIENTS
            found[name] = max(float(above / below), _LEAST)
        rss, rows, used = residual
        rss = np.maximum(rss, 0.0)
        pooled = (rss.sum() + 1e-3) / max(rows.sum() - used.sum(), 0.05 * rows.sum(), 1e-3)
        own_rows = np.maximum(rows - used, 0.05 * rows)
        own = (_NOISE_ROWS * pooled + rss) / (_NOISE_ROWS + own_rows)
        noise = np.maximum(np.maximum(own, pooled), _LEAST_NOISE)
        return replace(self, noise=noise, **found)

    def near(self, other: Strengths, tolerance: float) -> bool:
        """Tell whether no strength differs by more than the factor 1 + tolerance."""
        return bool((np.abs(np.log(self._vector() / other._vector())) <= tolerance).all())

    def _vector(self) -> Floats:
        words = ("level", "slope", "shared_slope", "feature_level", "feature_slope")
        return np.concatenate([[getattr(self, w) for w in words], self.noise])

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
