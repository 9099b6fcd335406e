"""Money recovered within the horizon: who pays times how much, single and summed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ContactoptError
from contactopt.models.amount.spread import MoneySpread

__all__ = ["Recovery", "Total", "recovery_of"]

Floats = npt.NDArray[np.float64]
#: below this skewness a total is taken as normal
_STRAIGHT = 1e-3


class Total(NamedTuple):
    """Expected money of a group of customers, and the interval of what will really come in."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Recovery:
    """Expected money per customer within the horizon, and totals.

    ``low`` and ``high`` bound the money that the single customer will really pay with probability
    ``coverage`` (at least: most of it is a mass at nothing). `total` bounds the money that a group
    will really pay: chance of each customer, all independent, plus the error of the overall levels
    of payment and amount. Shocks that hit everybody in the window (a strike, a new law) are not in
    it unless they are in the level's error.

    Attributes
    ----------
    mean, low, high : float arrays, shape (n,)
        Currency of the amount model.
    coverage : float
    """

    mean: Floats
    low: Floats
    high: Floats
    coverage: float
    _variance: Floats = field(repr=False)
    _third: Floats = field(repr=False)
    _log_none: Floats = field(repr=False)
    _level_sd: float = field(repr=False)

    def total(self, rows: npt.ArrayLike | slice | None = None) -> Total:
        """Sum over all customers, or over those that ``rows`` (mask, positions, slice) picks.

        Returns
        -------
        Total
            Zeros for no customer.
        """
        pick = slice(None) if rows is None else rows
        if not isinstance(pick, slice):
            pick = np.asarray(pick)
        mean = float(self.mean[pick].sum())
        variance = float(self._variance[pick].sum())
        third = float(self._third[pick].sum())
        p_none = float(np.exp(self._log_none[pick].sum()))
        tail = (1.0 - self.coverage) / 2.0
        low, high = (
            _quantile_of_sum(level, mean, variance, third, p_none, self._level_sd)
            for level in (tail, 1.0 - tail)
        )
        return Total(mean, min(low, mean), max(high, 0.0))

    def by(self, labels: npt.ArrayLike) -> pd.DataFrame:
        """Totals per label (segment, stage, ...): columns customers, mean, low, high."""
        codes, names = pd.factorize(np.asarray(labels), sort=True)
        if len(codes) != len(self.mean):
            raise ContactoptError(
                f"{len(codes)} labels for {len(self.mean)} customers", hint="give one per row"
            )
        rows = [(int((codes == k).sum()), *self.total(codes == k)) for k in range(len(names))]
        return pd.DataFrame(rows, index=names, columns=["customers", "mean", "low", "high"])

    def __repr__(self) -> str:
        whole = self.total()
        return (
            f"Recovery({len(self.mean):,} customers, total {whole.mean:,.0f}, "
            f"{self.coverage:.0%} interval {whole.low:,.0f} to {whole.high:,.0f})"
        )


def recovery_of(
    p_pay: Floats,
    amount: Floats,
    share: Floats,
    cap: Floats,
    spread: MoneySpread,
    *,
    coverage: float,
    level_sd: float,
) -> Recovery:
    """Bring chance and amount together.

    Parameters
    ----------
    p_pay, amount, share, cap : float arrays, shape (n,)
        Probability, expected money given payment, predicted share, greatest amount possible.
    spread : MoneySpread
    coverage : float in (0, 1)
    level_sd : float
        Relative standard error of the overall level of expected money.
    """
    tail = (1.0 - coverage) / 2.0
    # a customer's money is a mass 1 - p at nothing, and the amount's distribution beyond it
    given = [
        np.divide(level - (1.0 - p_pay), p_pay, out=np.zeros_like(p_pay), where=p_pay > 0)
        for level in (tail, 1.0 - tail)
    ]
    low, high = (
        np.where(g > 0, np.minimum(amount * spread.quantile(share, g), cap), 0.0) for g in given
    )
    second, third = spread.moments(share)
    m1, m2, m3 = p_pay * amount, p_pay * amount**2 * second, p_pay * amount**3 * third
    with np.errstate(divide="ignore"):
        log_none = np.log1p(-p_pay)
    return Recovery(
        mean=m1,
        low=low,
        high=high,
        coverage=coverage,
        _variance=m2 - m1**2,
        _third=m3 - 3.0 * m1 * m2 + 2.0 * m1**3,
        _log_none=log_none,
        _level_sd=level_sd,
    )


def _quantile_of_sum(
    level: float, mean: float, variance: float, third: float, p_none: float, level_sd: float
) -> float:
    """Quantile of a sum of independent amounts, by three moments of what is not nothing.

    The sum is nothing with probability ``p_none``; given something it is taken as a translated
    log-normal with the same mean, variance and skewness (moment matching as in Kaas, Goovaerts,
    Dhaene, Denuit, Modern Actuarial Risk Theory, 2.5; the log-normal keeps its lower tail where few
    large payers make the sum skewed). The error of the levels widens the variance.
    """
    if mean <= 0 or level <= p_none:
        return 0.0
    some = 1.0 - p_none
    m1 = mean / some
    m2 = (variance + mean**2) / some
    m3 = (third + 3.0 * mean * variance + mean**3) / some
    chance = max(m2 - m1**2, 0.0)
    skewed = m3 - 3.0 * m1 * m2 + 2.0 * m1**3
    sd = float(np.sqrt(chance + (level_sd * m1) ** 2))
    if sd <= 0:
        return m1
    skewness = skewed / sd**3
    at = (level - p_none) / some
    return max(0.0, m1 + sd * _standard_quantile(at, float(skewness)))


def _standard_quantile(level: float, skewness: float) -> float:
    """Quantile of the log-normal translated and scaled to mean 0, variance 1 and a skewness."""
    from scipy.special import ndtri

    if skewness < _STRAIGHT:  # sums of amounts lean to the right; a hair to the left is straight
        return float(ndtri(level))
    # the skewness fixes w = exp(s ** 2): (w + 2) * sqrt(w - 1) = skewness
    b = 1.0 + skewness**2 / 2.0 + skewness * np.sqrt(1.0 + skewness**2 / 4.0)
    w = b ** (1.0 / 3.0) + b ** (-1.0 / 3.0) - 1.0
    s = np.sqrt(np.log(w))
    return float((np.exp(s * ndtri(level) - s**2 / 2.0) - 1.0) / np.sqrt(w - 1.0))
