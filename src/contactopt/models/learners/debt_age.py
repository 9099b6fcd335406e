"""Rates by days past due when data are few: a prior per bucket, updated by what was seen.

Prior rates of payment while waiting are monthly self-cure shares by bucket (1-7 days 60 %, 8-30
40 %, 31-60 18 %, 61-90 8 %, 91-180 4 %, charged off 0.5 %): assumptions of the field, anchored on
published 40-60 % self-cure of early arrears. Prior shares of the past-due amount that a payer pays,
and monthly shares that roll into a later bucket, are assumptions without a source.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "DAY_OF_BUCKET",
    "bucket_of",
    "prior_paid_share",
    "prior_payment_rate",
    "prior_roll_rate",
    "shrunken_rates",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: a bucket holds days above its left edge and up to its right edge; the last two are current
#: (0 days) and unknown (NaN)
_EDGES = np.array([7.0, 30.0, 60.0, 90.0, 180.0])
_CURRENT, _UNKNOWN = 6, 7
#: days past due in the middle of each bucket
DAY_OF_BUCKET = np.array([4.0, 19.0, 45.0, 75.0, 135.0, np.inf, 0.0, np.nan])
_MONTHLY_SELF_CURE = np.array([0.60, 0.40, 0.18, 0.08, 0.04, 0.005, 0.90, 0.20])
_PAID_SHARE = np.array([0.90, 0.80, 0.60, 0.50, 0.35, 0.15, 1.00, 0.50])
_MONTHLY_ROLL = np.array([0.10, 0.30, 0.55, 0.65, 0.75, 0.005, 0.03, 0.25])
#: how many observed rows the prior of a bucket is worth; little where the age is unknown
_STRENGTH = np.array([20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 4.0])


def bucket_of(days_past_due: Floats | None, n: int) -> Ints:
    """Bucket 0..7 of each row; without a column every row is of unknown age.

    Examples
    --------
    >>> bucket_of(np.array([0.0, 7.0, 8.0, 181.0, np.nan]), 5).tolist()
    [6, 0, 1, 5, 7]
    """
    if days_past_due is None:
        return np.full(n, _UNKNOWN, dtype=np.int64)
    bucket = np.searchsorted(_EDGES, days_past_due, side="left")
    bucket = np.where(days_past_due <= 0, _CURRENT, bucket)
    return np.where(np.isnan(days_past_due), _UNKNOWN, bucket).astype(np.int64)


def prior_payment_rate(horizon_days: Any) -> Floats:
    """P(pays within the horizon when waiting) per bucket, shape (8,); one horizon, or one each."""
    return 1.0 - (1.0 - _MONTHLY_SELF_CURE) ** _months(horizon_days)


def prior_roll_rate(horizon_days: Any) -> Floats:
    """P(rolls into a later bucket within the horizon) per bucket; shapes as for payment."""
    return 1.0 - (1.0 - _MONTHLY_ROLL) ** _months(horizon_days)


def _months(days: Any) -> Any:
    return np.asarray(days, dtype=np.float64) / 30.0 if isinstance(days, list) else days / 30.0


def prior_paid_share() -> Floats:
    """Share of the past-due amount that a payer pays, per bucket, shape (8,)."""
    return _PAID_SHARE.copy()


def shrunken_rates(bucket: Ints, hits: Floats, trials: Floats, prior: Floats) -> Floats:
    """Posterior mean per bucket of hits over trials, under a Beta prior (Gelman et al., BDA, 2.4).

    Parameters
    ----------
    bucket : int array, shape (n,)
    hits, trials : float array, shape (n,)
        Weighted successes and rows (or money and exposure).
    prior : float array, shape (8,)

    Returns
    -------
    float array, shape (8,)
        The prior itself where a bucket holds no row.
    """
    hit = np.bincount(bucket, weights=hits, minlength=8)
    trial = np.bincount(bucket, weights=trials, minlength=8)
    return (_STRENGTH * prior + hit) / (_STRENGTH + trial)
