"""One scale for all layers: pooled centres and scales, learned from the moments alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.errors import ContractError

__all__ = ["Scaling"]

Floats = npt.NDArray[np.float64]

#: a column whose variance is below this share of its mean square counts as constant
_CONSTANT = 1e-11


@dataclass(frozen=True)
class Scaling:
    """Pooled centre and scale of the constant, the features and the response.

    Parameters
    ----------
    centre, scale : float arrays, shape (d + 2,)
        Columns of (1, x, y); ``scale`` multiplies. The constant stays as it is, a feature that
        does not vary has scale 0 and so counts nothing.
    """

    centre: Floats
    scale: Floats

    @classmethod
    def of_moments(cls, moments: Floats) -> Scaling:
        """Learn from moments, lower halves, shape (m, d + 2, d + 2)."""
        first = moments[:, :, 0].sum(axis=0)
        scale = np.zeros(len(first))
        scale[[0, -1]] = 1.0
        if not first[0] > 0:
            return cls(np.zeros(len(first)), scale)
        centre = first / first[0]
        square = np.einsum("ajj->j", moments) / first[0]
        variance = square - centre**2
        varies = variance > _CONSTANT * square
        varies[0] = False
        scale[varies] = 1.0 / np.sqrt(variance[varies])
        centre[0] = 0.0
        return cls(centre, scale)

    @property
    def unit(self) -> float:
        """Standard deviation of the response (1 where it never varied)."""
        return 1.0 / float(self.scale[-1])

    @property
    def n_slopes(self) -> int:
        """Number of features that vary."""
        return int((self.scale[1:-1] > 0).sum())

    def moments(self, moments: Floats) -> Floats:
        """Return the moments of the scaled columns, whole, shape (m, d + 2, d + 2)."""
        from contactopt.policy.bandit.kernels import standardised

        out = np.empty(moments.shape)
        standardised(moments, self.centre, self.scale, out)
        return out

    def rows(self, X: Floats) -> tuple[Floats, npt.NDArray[np.float32]]:
        """Return the scaled design of rows X of shape (n, d), constant first, in both precisions.

        Raises
        ------
        ContractError
            If a number is not finite.
        """
        from contactopt.policy.bandit.kernels import scaled_rows

        shape = (len(X), len(self.scale) - 1)
        design, single = np.empty(shape), np.empty(shape, np.float32)
        scaled_rows(X, self.centre[1:-1], self.scale[1:-1], design, single)
        if not np.isfinite(design.sum()):
            bad = int((~np.isfinite(design)).any(axis=1).sum())
            raise ContractError(
                f"X holds NaN or infinity in {bad} rows",
                hint="give a pandas frame, whose missing values are taken as they are, or fill in",
            )
        return design, single
