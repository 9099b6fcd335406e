"""Customers' own effects given everything shared: the serving twin of `random_effects`.

The same steps as `fit_effects` takes for families with given variances, one customer after the
other: no customer shares a level with another, so that nobody's score depends on who else is asked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["fit_persons"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LONGEST_STEP = 2.0
_C = np.pi / 8.0


def fit_persons(
    customer: Ints,
    level: Ints,
    family_of_level: Ints,
    variance: Floats,
    y: Floats,
    weight: Floats,
    offset: Floats,
    *,
    n_customers: int,
    sweeps: int,
) -> tuple[Floats, Floats]:
    """Return modes and posterior variances, shape (n_customers, n_levels) each.

    Parameters
    ----------
    customer : int array, shape (n,)
        Sorted.
    level : int array, shape (n, n_families)
        Place of the row's level among the customer's, -1 where the family does not apply.
    family_of_level : int array, shape (n_levels,)
    variance : float array, shape (n_families,)
    y, weight, offset : float arrays, shape (n,)
    n_customers, sweeps : int
    """
    value = np.zeros((n_customers, len(family_of_level)))
    spread2 = np.tile(variance[family_of_level], (n_customers, 1))
    if len(customer):
        _fit(customer, level, variance, family_of_level, y, weight, offset, sweeps, value, spread2)
    return value, spread2


@njit(cache=True)
def _fit(  # noqa: C901  (one loop nest, compiled)
    customer, level, variance, family_of_level, y, weight, offset, sweeps, value, spread2
):
    n, n_families = level.shape
    eta = offset.copy()
    shrink = np.empty(n)
    gradient = np.zeros(len(family_of_level))
    curvature = np.zeros(len(family_of_level))
    i = 0
    while i < n:
        who = customer[i]
        j = i
        while j < n and customer[j] == who:
            j += 1
        for _ in range(sweeps):
            for r in range(i, j):
                unsure = 0.0
                for f in range(n_families):
                    if level[r, f] >= 0:
                        unsure += spread2[who, level[r, f]]
                shrink[r] = 1.0 / np.sqrt(1.0 + _C * unsure)
            for f in range(n_families):
                gradient[:] = 0.0
                curvature[:] = 0.0
                for r in range(i, j):
                    at = level[r, f]
                    if at >= 0:
                        p = 1.0 / (1.0 + np.exp(-shrink[r] * eta[r]))
                        gradient[at] += weight[r] * (y[r] - p)
                        curvature[at] += weight[r] * shrink[r] * p * (1.0 - p)
                for at in range(len(family_of_level)):
                    if family_of_level[at] == f:
                        h = curvature[at] + 1.0 / variance[f]
                        move = (gradient[at] - value[who, at] / variance[f]) / h
                        move = min(max(move, -_LONGEST_STEP), _LONGEST_STEP)
                        value[who, at] += move
                        spread2[who, at] = 1.0 / h
                        gradient[at] = move
                for r in range(i, j):
                    if level[r, f] >= 0:
                        eta[r] += gradient[level[r, f]]
        i = j
