"""A share of a count with its interval."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from contactopt.metrics.interval import Estimate

__all__ = ["share_estimate"]


def share_estimate(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a share with its score interval (Wilson 1927), which stays inside [0, 1].

    Parameters
    ----------
    successes : int
    n : int
        Denominator; 0 gives NaN.
    level : float
        Confidence level.

    Examples
    --------
    >>> print(share_estimate(3, 10))
    0.3000 [0.1078, 0.6032] (n=10)
    """
    if n <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    share, z = successes / n, float(ndtri(0.5 + level / 2.0))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half), int(n))
