"""How much each customer's probabilities are spread: w_i of the regularised problem.

w_i is the mean posterior standard deviation of the eligible arms, at least 1 % of the spread of
their values (best minus worst, `wait` with value 0 among them): a customer about whom nothing is
uncertain keeps a little probability everywhere, in proportion to what is at stake.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["exploration_weights"]

Floats = npt.NDArray[np.float64]

#: least weight as a share of the customer's value range
RANGE_SHARE = 0.01
#: weight of a customer for whom all arms are worth exactly nothing; only its sign matters
SMALLEST = 1e-9


def exploration_weights(value: Floats, spread: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Return w_i of customers whose eligible pairs are ``starts[i]:starts[i+1]``.

    Parameters
    ----------
    value, spread : float array, shape (n_pairs,)
        Posterior mean and standard deviation of the eligible pairs, customer after customer.
    starts : int64 array, shape (n + 1,)
        Pairs are counted from ``starts[0]`` on, so that a block of a larger batch may be given.

    Returns
    -------
    float array, shape (n,)
        Positive; customers without an eligible pair get the smallest weight.
    """
    from contactopt.policy.kernels import weight_pass  # compiled on first use

    weight = np.empty(len(starts) - 1)
    weight_pass(
        np.ascontiguousarray(value, dtype=np.float64),
        np.ascontiguousarray(spread, dtype=np.float64),
        starts, RANGE_SHARE, SMALLEST, weight,
    )  # fmt: skip
    return weight
