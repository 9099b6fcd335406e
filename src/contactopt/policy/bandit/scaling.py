"""One scale for all layers: pooled centres and scales, learned from the moments alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.errors import ContractError
from contactopt.policy.bandit.layer_kernels import scaled_moments

__all__ = ["Scaling", "refuse_not_finite"]

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
    def learned(
        cls, older: tuple[Floats, Floats], today: tuple[Floats, Floats]
    ) -> tuple[Scaling, Floats]:
        """Learn from the parts of statistics (`LinearStatistics.parts`); scale their total by it.

        Returns
        -------
        scaling : Scaling
        moments : float array, shape (m, d + 2, d + 2)
            Of the scaled columns, lower halves; above the diagonal 0.
        """
        m, k = today[0].shape[:2]
        centre, scale, out = np.empty(k), np.empty(k), np.empty((m, k, k))
        scaled_moments(older, today, _CONSTANT, centre, scale, out)
        return cls(centre, scale), out

    @property
    def unit(self) -> float:
        """Standard deviation of the response (1 where it never varied)."""
        return 1.0 / float(self.scale[-1])

    @property
    def n_slopes(self) -> int:
        """Number of features that vary."""
        return int(np.count_nonzero(self.scale[1:-1]))

    def rows(self, X: Floats) -> Floats:
        """Return the scaled design of rows X of shape (n, d), constant first, shape (n, d + 1).

        Raises
        ------
        ContractError
            If a number is not finite.
        """
        refuse_not_finite(X)
        out = np.ones((len(X), len(self.scale) - 1))
        np.multiply(X - self.centre[1:-1], self.scale[1:-1], out=out[:, 1:])
        return out


def refuse_not_finite(X: Floats) -> None:
    """Refuse rows with numbers that are not finite.

    Raises
    ------
    ContractError
    """
    bad = int((~np.isfinite(X)).any(axis=1).sum())
    if bad:
        raise ContractError(
            f"X holds NaN or infinity in {bad} rows",
            hint="give a pandas frame, whose missing values are taken as they are, or fill in",
        )
