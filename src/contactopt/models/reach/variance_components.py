"""How much customers differ: variances of crossed effects from products of residuals.

Two attempts on one customer agree more than two on different customers by the variance of what
they share. With residuals r = y - p of the population's model and v = p (1 - p), the sum of r r'
over pairs that share an effect is, to first order, the effect's variance times the sum of v v'
(the method of moments for variance components; Searle, Casella and McCulloch 1992). Unlike the
curvature at a mode this has no downward bias with few attempts per customer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["logistic_shrink", "shared_variances"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: pairs of attempts that the starting variances are worth
_PRIOR_PAIRS = 300.0
_LEAST, _MOST = 1e-3, 3.0
#: largest total on the marginal scale that the logistic curve can show
_MOST_MARGINAL = 2.0
_C = np.pi / 8.0


def logistic_shrink(variance: Floats | float) -> Floats:
    """Factor that takes a logit to that of its mean probability (MacKay 1992).

    Examples
    --------
    >>> float(logistic_shrink(0.0))
    1.0
    """
    return 1.0 / np.sqrt(1.0 + _C * np.asarray(variance, dtype=np.float64))


def _pair_sum(codes: list[Ints], x: Floats) -> float:
    """Sum of x x' over ordered pairs of different rows that agree in every code."""
    used = np.all([c >= 0 for c in codes], axis=0)
    key = np.zeros(int(used.sum()), dtype=np.int64)
    for c in codes:
        key = key * (int(c.max(initial=0)) + 1) + c[used]
    _, level = np.unique(key, return_inverse=True)
    total = np.bincount(level.ravel(), weights=x[used])
    return float(total @ total - x[used] @ x[used])


def shared_variances(
    y: Floats, p: Floats, weight: Floats, codes: list[Ints], start: list[float]
) -> list[float]:
    """Variance of each family of effects on the logit scale.

    Parameters
    ----------
    y, p, weight : float arrays, shape (n,)
        Results, the population's probabilities, row weights.
    codes : list of int array, shape (n,)
        Level of each row per family, -1 where it does not apply; one customer's rows only share
        levels with each other.
    start : list of float
        Variances that hold where there are few pairs.

    Returns
    -------
    list of float
        ``start`` without any pair.
    """
    if len(y) == 0:
        return list(start)
    v = p * (1.0 - p) * weight
    r = (y - p) * weight
    k = len(codes)
    q = np.array([_pair_sum([c], r) for c in codes])
    a = np.array([[_pair_sum([codes[i], codes[j]], v) for j in range(k)] for i in range(k)])
    shrink2 = float(logistic_shrink(sum(start))) ** 2
    ridge = np.eye(k) * _PRIOR_PAIRS * float(np.mean(v)) ** 2
    marginal = np.linalg.solve(a + ridge, q + ridge @ (np.array(start) * shrink2))
    marginal = np.maximum(marginal, 0.0)
    # from the marginal to the conditional scale: M = s2 / (1 + c s2), the same factor for all
    total = min(float(marginal.sum()), _MOST_MARGINAL)
    return [float(np.clip(m / (1.0 - _C * total), _LEAST, _MOST)) for m in marginal]
