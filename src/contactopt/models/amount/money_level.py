"""What share of the expected money came in: the last word on who pays times how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MoneyLevel"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: sd assumed of level and slope of who pays, before payers are seen
_PRIOR_SD = 0.17
#: sd assumed of a month's level around the usual one, of payers and of what a payer pays, and the
#: horizons after which a month's own level is mostly forgotten (assumptions)
_DRIFT_SD, _MEMORY = 0.07, 2.0
#: the factor never leaves these bounds: beyond them the models are wrong, not their level
_LEAST, _MOST = 0.4, 2.5
#: standard units of the log amount beyond which the slope is not continued
_WIDEST = 2.5


@dataclass(frozen=True)
class MoneyLevel:
    """Factor on the expected money, log-linear in the log of the amount expected of a payer.

    A payment model that is calibrated over customers may still be wrong over money: errors on a few
    large debts hide among many small ones. Counts tell who pays far better than money does, of
    which a few settlements decide, so that they speak first. Who paid gives level and slope of the
    chance along the amount (Poisson quasi-likelihood: Gourieroux, Monfort, Trognon 1984,
    consistent for the mean whatever the distribution; normal prior around no change), then the
    payers of each past window, and at last their money over what was expected of them, move the
    level as far as each can be believed: levels wander from window to window and come back (a
    Gaussian process with exponential correlation: Rasmussen, Williams, Gaussian Processes for
    Machine Learning, 2006, chapter 2). Dispersions are those of customers' sums, never below what
    the models themselves imply.

    Attributes
    ----------
    intercept, slope : float
    centre, scale : float
        Of the log amount.
    sd : float
        Standard error of the level today, as a share, beyond that of the amount model itself.
    """

    intercept: float
    slope: float
    centre: float
    scale: float
    sd: float

    @classmethod
    def learn(
        cls,
        chance: Floats,
        amount: Floats,
        variation: Floats,
        money: Floats,
        groups: npt.NDArray[Any],
        age: Floats,
    ) -> MoneyLevel:
        """Learn from rows with their chance of payment, amount given payment, and actual money.

        Parameters
        ----------
        chance, amount, money : float arrays, shape (n,)
        variation : float array, shape (n,)
            Variance of a payer's money over the square of its mean.
        groups : array, shape (n,)
            Customer of each row.
        age : float array, shape (n,)
            Horizons from the start of the row's window to today.
        """
        keep = (chance > 0) & (amount > 0)
        chance, amount, variation, money, groups, age = (
            v[keep] for v in (chance, amount, variation, money, groups, age)
        )
        if len(chance) == 0:
            sd = float(np.sqrt(_PRIOR_SD**2 + 2.0 * _DRIFT_SD**2))
            return cls(0.0, 0.0, 0.0, 1.0, sd)
        log, expected = np.log(amount), chance * amount
        # rows weigh by their money, so that level and slope are about different things
        centre = float(np.average(log, weights=expected))
        scale = float(np.sqrt(np.average((log - centre) ** 2, weights=expected))) or 1.0
        z = np.clip((log - centre) / scale, -_WIDEST, _WIDEST)
        code = np.unique(groups, return_inverse=True)[1].ravel()
        paid = money > 0
        (level, slope), sd = _who_paid(chance, z, paid.astype(np.float64), code)
        chance = chance * np.exp(np.clip(level + slope * z, np.log(_LEAST), np.log(_MOST)))
        implied = chance * np.clip(1.0 - chance, 0.0, 1.0)
        payers = _today(chance, paid.astype(np.float64), implied, code, age)
        implied = (variation * amount**2)[paid]
        payment = _today(amount[paid], money[paid], implied, code[paid], age[paid])
        for moved, _ in (payers, payment):
            level += float(np.log(np.clip(1.0 + moved, _LEAST, _MOST)))
        sd = float(np.sqrt(sd**2 + payers[1] ** 2 + payment[1] ** 2))
        return cls(level, slope, centre, scale, sd)

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


def _dispersion(expected: Floats, seen: Floats, implied: Floats, code: Ints) -> float:
    """Variance of customers' sums over their expectation, at the level that was seen."""
    ratio = float(np.clip(seen.sum() / expected.sum(), _LEAST, _MOST))
    gap = np.bincount(code, seen - ratio * expected)
    return max(float(gap @ gap), float(implied.sum()), 1e-12) / float(expected.sum())


def _who_paid(
    chance: Floats, z: Floats, paid: Floats, code: Ints
) -> tuple[tuple[float, float], float]:
    """Level and slope of log(paid over expected) along z, and the error of the level at z = 0."""
    dispersion = _dispersion(chance, paid, chance * (1.0 - chance), code)
    design = np.column_stack([np.ones(len(z)), z])
    ridge = np.eye(2) * dispersion / _PRIOR_SD**2
    b, information = np.zeros(2), ridge
    for _ in range(50):
        mean = chance * np.exp(np.clip(design @ b, np.log(_LEAST), np.log(_MOST)))
        information = (design * mean[:, None]).T @ design + ridge
        step = np.linalg.solve(information, design.T @ (paid - mean) - ridge @ b)
        b = b + np.clip(step, -0.5, 0.5)
        if np.abs(step).max() < 1e-10:
            break
    sd = float(np.sqrt(dispersion * np.linalg.inv(information)[0, 0]))
    return (float(b[0]), float(b[1])), sd


def _today(
    expected: Floats, seen: Floats, implied: Floats, code: Ints, age: Floats
) -> tuple[float, float]:
    """Share by which today's level lies above the expected one, from past windows; its error."""
    if len(expected) == 0:
        return 0.0, _DRIFT_SD
    # windows of one horizon, counted back from the newest; inside one a customer counts as one
    window = np.floor(age - age.min()).astype(np.int64)
    window = np.unique(window, return_inverse=True)[1].ravel()
    pair = np.unique(code * (window.max() + 1) + window, return_inverse=True)[1].ravel()
    told = np.bincount(window, expected)
    beyond = np.bincount(window, seen) / told - 1.0
    noise = _dispersion(expected, seen, implied, pair) / told
    at = np.bincount(window, expected * age) / told
    alike = _DRIFT_SD**2 * np.exp(-np.abs(at[:, None] - at) / _MEMORY)
    with_today = _DRIFT_SD**2 * np.exp(-at / _MEMORY)
    weight = np.linalg.solve(alike + np.diag(noise), with_today)
    return float(weight @ beyond), float(np.sqrt(max(_DRIFT_SD**2 - weight @ with_today, 0.0)))
