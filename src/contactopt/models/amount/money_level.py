"""What share of the expected money came in: the last word on who pays times how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MoneyLevel"]

Floats = npt.NDArray[np.float64]

#: sd assumed of the level and of its slope before money is seen
_PRIOR_SD = 0.2
#: the factor never leaves these bounds: beyond them the models are wrong, not their level
_LEAST, _MOST = 0.4, 2.5
#: standard units of the log amount beyond which the slope is not continued
_WIDEST = 2.5


@dataclass(frozen=True)
class MoneyLevel:
    """Factor on the expected money, log-linear in the log of the amount expected of a payer.

    A payment model that is calibrated over customers may still be wrong over money: errors on a few
    large debts hide among many small ones. Level and slope maximise a Poisson quasi-likelihood of
    the money (Gourieroux, Monfort, Trognon 1984: consistent for the mean whatever the
    distribution), with the dispersion of customers' sums and a normal prior around no change.

    Attributes
    ----------
    intercept, slope : float
    centre, scale : float
        Of the log amount.
    sd : float
        Standard error of the level, as a share.
    """

    intercept: float
    slope: float
    centre: float
    scale: float
    sd: float

    @classmethod
    def learn(
        cls, expected: Floats, amount: Floats, money: Floats, groups: npt.NDArray[Any]
    ) -> MoneyLevel:
        """Learn from rows with their expected money, amount given payment, and actual money.

        Parameters
        ----------
        expected, amount, money : float arrays, shape (n,)
        groups : array, shape (n,)
            Customer of each row.
        """
        keep = (expected > 0) & (amount > 0)
        expected, amount, money, groups = (v[keep] for v in (expected, amount, money, groups))
        if len(expected) == 0:
            return cls(0.0, 0.0, 0.0, 1.0, _PRIOR_SD)
        log = np.log(amount)
        # rows weigh by their money, so that level and slope are about different things
        centre = float(np.average(log, weights=expected))
        scale = float(np.sqrt(np.average((log - centre) ** 2, weights=expected))) or 1.0
        z = np.clip((log - centre) / scale, -_WIDEST, _WIDEST)
        design = np.column_stack([np.ones(len(z)), z])
        code = np.unique(groups, return_inverse=True)[1].ravel()
        dispersion = float((np.bincount(code, money - expected) ** 2).sum() / expected.sum())
        b = np.zeros(2)
        ridge = np.eye(2) * max(dispersion, 1e-12) / _PRIOR_SD**2
        information = ridge
        for _ in range(50):
            mean = expected * np.exp(np.clip(design @ b, np.log(_LEAST), np.log(_MOST)))
            information = (design * mean[:, None]).T @ design + ridge
            step = np.linalg.solve(information, design.T @ (money - mean) - ridge @ b)
            b = b + np.clip(step, -0.5, 0.5)
            if np.abs(step).max() < 1e-10:
                break
        sd = float(np.sqrt(max(dispersion, 1e-12) * np.linalg.inv(information)[0, 0]))
        return cls(float(b[0]), float(b[1]), centre, scale, sd)

    def factor(self, amount: Floats) -> Floats:
        """Return the factor on the expected money of each row, shape (n,)."""
        with np.errstate(divide="ignore"):
            z = np.clip((np.log(amount) - self.centre) / self.scale, -_WIDEST, _WIDEST)
        return np.clip(np.exp(self.intercept + self.slope * z), _LEAST, _MOST)

    def to_state(self) -> dict[str, float]:
        """Return the five numbers."""
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: dict[str, float]) -> MoneyLevel:
        """Rebuild from `to_state`."""
        return cls(**{name: float(value) for name, value in state.items()})
