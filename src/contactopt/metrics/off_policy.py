"""What another policy would have earned on a log with known probabilities.

Each estimate is one-step: the other policy acts now, the one that logged acts afterwards.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from contactopt.metrics.interval import Estimate, unknown
from contactopt.metrics.off_policy_interval import weighted_sum_interval
from contactopt.metrics.off_policy_rows import LoggedRows, column, logged_rows
from contactopt.metrics.off_policy_support import support_of_weights

__all__ = ["dr_value", "ips_value", "snips_value", "value_difference"]

Floats = npt.NDArray[np.float64]
Estimator = Literal["ips", "snips", "dr"]


def ips_value(
    reward: npt.ArrayLike,
    target: npt.ArrayLike,
    propensity: npt.ArrayLike,
    *,
    customer: npt.ArrayLike | None = None,
    day: npt.ArrayLike | None = None,
    uncovered: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean reward per decision under a target policy: mean of (target / propensity) x reward.

    Inverse propensity scoring (Horvitz and Thompson, JASA 1952).

    Parameters
    ----------
    reward : array-like, shape (n,)
        What came of the drawn arm: 0 and 1, or money.
    target : array-like in [0, 1], shape (n,)
        Probability of the drawn arm under the target policy.
    propensity : array-like in [0, 1], shape (n,)
        Probability with which the log drew it.
    customer, day : array-like, shape (n,), optional
        Clusters of the interval, crossed; each row its own customer, and no days, without.
    uncovered : array-like in [0, 1], shape (n,) or one number, optional
        Target's probability on arms whose logged probability was 0.
    level : float

    Returns
    -------
    Estimate
        ``n`` counts customers. NaN with the reason where the log cannot tell: see
        `policy_support`; no rows: NaN.

    Raises
    ------
    ValueError
        If a value is missing, a probability lies outside [0, 1], or lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> reward, target = np.tile([1.0, 0.0, 0.0, 0.0], 100), np.tile([0.5, 0.5, 0.25, 0.75], 100)
    >>> print(ips_value(reward, target, 0.5))
    0.2500 [0.2104, 0.2963] (n=400)
    """
    return _one("ips", reward, target, propensity, customer, day, uncovered, level)


def snips_value(
    reward: npt.ArrayLike,
    target: npt.ArrayLike,
    propensity: npt.ArrayLike,
    *,
    customer: npt.ArrayLike | None = None,
    day: npt.ArrayLike | None = None,
    uncovered: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """`ips_value` divided by the mean weight, which lowers its spread for a small bias.

    Self-normalised estimator (Swaminathan and Joachims, NeurIPS 2015); its interval is linearised.
    Parameters, result and errors as in `ips_value`.

    Examples
    --------
    >>> import numpy as np
    >>> reward, target = np.tile([1.0, 0.0, 0.0, 0.0], 100), np.tile([0.5, 0.5, 0.25, 0.5], 100)
    >>> round(snips_value(reward, target, 0.5).value, 4)
    0.2857
    """
    return _one("snips", reward, target, propensity, customer, day, uncovered, level)


def dr_value(
    reward: npt.ArrayLike,
    target: npt.ArrayLike,
    propensity: npt.ArrayLike,
    q_drawn: npt.ArrayLike,
    q_target: npt.ArrayLike,
    *,
    customer: npt.ArrayLike | None = None,
    day: npt.ArrayLike | None = None,
    uncovered: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Doubly robust: mean of q_target + (target / propensity) x (reward - q_drawn).

    Unbiased with any reward model that never saw the rows it scores, and the narrower the better
    the model (Dudik, Langford and Li, ICML 2011). Fit it on other customers and earlier batches.

    Parameters
    ----------
    reward, target, propensity
        As in `ips_value`.
    q_drawn : array-like, shape (n,)
        Expected reward of the drawn arm.
    q_target : array-like, shape (n,)
        Expected reward under the target: sum over arms of its probability x expected reward.
    customer, day, uncovered, level
        As in `ips_value`.

    Returns
    -------
    Estimate
        As from `ips_value`.

    Raises
    ------
    ValueError
        As from `ips_value`.

    Examples
    --------
    >>> import numpy as np
    >>> reward, target = np.tile([1.0, 0.0, 0.0, 0.0], 100), np.tile([0.5, 0.5, 0.25, 0.75], 100)
    >>> print(dr_value(reward, target, 0.5, 0.25, 0.25))
    0.2500 [0.2081, 0.2958] (n=400)
    """
    q = (q_drawn, q_target)
    return _one("dr", reward, target, propensity, customer, day, uncovered, level, q)


def value_difference(
    reward: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    propensity: npt.ArrayLike,
    *,
    estimator: Estimator = "snips",
    q_drawn: npt.ArrayLike | None = None,
    q_first: npt.ArrayLike | None = None,
    q_second: npt.ArrayLike | None = None,
    customer: npt.ArrayLike | None = None,
    day: npt.ArrayLike | None = None,
    uncovered: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Value of one policy less that of another, paired on the same rows.

    Parameters
    ----------
    reward, propensity, customer, day, level
        As in `ips_value`.
    first, second : array-like in [0, 1], shape (n,)
        Probability of the drawn arm under each policy.
    estimator : {"snips", "ips", "dr"}
    q_drawn, q_first, q_second : array-like, shape (n,)
        Expected reward of the drawn arm and under each policy; needed for "dr".
    uncovered : array-like in [0, 1], shape (n,) or one number, optional
        The larger of both policies' probability on arms whose logged probability was 0.

    Returns
    -------
    Estimate
        NaN with the reason where the log cannot tell one of the two. Policies that never differ
        are 0 apart, without an interval's width.

    Raises
    ------
    ValueError
        Another estimator, "dr" without expected rewards, and as in `ips_value`.

    Examples
    --------
    >>> import numpy as np
    >>> reward, first = np.tile([1.0, 0.0, 0.0, 0.0], 100), np.tile([0.75, 0.25, 0.5, 0.5], 100)
    >>> print(value_difference(reward, first, 0.5, 0.5))
    0.1250 [0.1118, 0.1385] (n=400)
    """
    rows = logged_rows(reward, propensity, customer, day)
    if estimator == "dr" and (q_drawn is None or q_first is None or q_second is None):
        raise ValueError("estimator 'dr' needs q_drawn, q_first and q_second")
    ours, theirs = rows.weights(first), rows.weights(second)
    for weights, target in ((ours, first), (theirs, second)):
        support = support_of_weights(rows, weights, target, uncovered)
        if not support.enough:
            return unknown(support.reason, rows.n_customers)
    one = _linear(estimator, rows, ours, (q_drawn, q_first))
    two = _linear(estimator, rows, theirs, (q_drawn, q_second))
    return weighted_sum_interval(
        one.value - two.value,
        one.influence - two.influence,
        one.parts - two.parts,
        one.heaviness - two.heaviness,
        0.5 * (one.residual + two.residual),
        rows,
        level,
    )


def _one(
    estimator: Estimator,
    reward: npt.ArrayLike,
    target: npt.ArrayLike,
    propensity: npt.ArrayLike,
    customer: npt.ArrayLike | None,
    day: npt.ArrayLike | None,
    uncovered: npt.ArrayLike | None,
    level: float,
    q: tuple[npt.ArrayLike | None, npt.ArrayLike | None] = (None, None),
) -> Estimate:
    rows = logged_rows(reward, propensity, customer, day)
    weights = rows.weights(target)
    support = support_of_weights(rows, weights, target, uncovered)
    if not support.enough:
        return unknown(support.reason, rows.n_customers)
    told = _linear(estimator, rows, weights, q)
    found = weighted_sum_interval(*told, rows, level)
    if not rows.event:
        return found
    # a rate: its interval ends at 0 and 1, where the estimate itself lies inside
    low = min(max(found.low, 0.0), found.value)
    high = max(min(found.high, 1.0), found.value)
    return Estimate(found.value, low, high, found.n)


class _Linear(NamedTuple):
    """An estimator as a sum over rows; see `weighted_sum_interval` for its columns."""

    value: float
    influence: Floats
    parts: Floats
    heaviness: Floats
    residual: Floats


def _linear(
    estimator: Estimator,
    rows: LoggedRows,
    weights: Floats,
    q: tuple[npt.ArrayLike | None, npt.ArrayLike | None],
) -> _Linear:
    n = len(weights)
    if estimator == "snips":
        total = float(weights.sum())
        value = float(weights @ rows.reward) / total
        off = weights * (rows.reward - value) / total
        return _Linear(value, off, off, weights / total, rows.reward - value)
    if estimator == "ips":
        residual, summed = rows.reward, weights * rows.reward
    elif estimator == "dr":
        assert q[0] is not None and q[1] is not None
        residual = rows.reward - column(q[0], "q_drawn", n)
        summed = column(q[1], "q_target", n) + weights * residual
    else:
        raise ValueError(f"no estimator {estimator!r}: 'snips', 'ips' or 'dr'")
    value = float(summed.mean())
    return _Linear(value, (summed - value) / n, weights * residual / n, weights / n, residual)
