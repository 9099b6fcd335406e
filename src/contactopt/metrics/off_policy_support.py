"""Can a log tell what another policy would have earned? What it lacks is said in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from contactopt.metrics.off_policy_rows import (
    LoggedRows,
    cluster_totals_of,
    column,
    logged_rows,
)

__all__ = ["PolicySupport", "policy_support", "support_of_weights"]

Floats = npt.NDArray[np.float64]

#: target mass on arms that the log could not draw
_MOST_UNCOVERED = 0.01
_LEAST_EFFECTIVE = 100.0
#: of the weights' sum, in one row or cluster
_MOST_SHARE = 0.1
#: by which one more reward may outweigh all that were seen
_MOST_HEAVY = 4.0
#: clusters with an event, or with money
LEAST_EVENTS, LEAST_PAYING = 5, 30


@dataclass(frozen=True, slots=True)
class PolicySupport:
    """What the log holds about a target policy.

    Parameters
    ----------
    n : int
        Decisions.
    effective_sample : float
        Kish's (sum of weights)^2 / sum of squares, of decisions or of customers, the smaller.
    largest_share : float
        Largest share of the weights' sum in one decision or customer.
    uncovered : float
        Share of the target's probability on arms that the log could not draw.
    positive_clusters : int
        Customers with a reward above 0 that the target could have earned.
    heaviest : float
        Largest weight over the sum of the weights of decisions with a reward above 0: by how much
        one more reward could raise the estimate.
    reason : str
        Why the log cannot tell, else empty.
    """

    n: int
    effective_sample: float
    largest_share: float
    uncovered: float
    positive_clusters: int
    heaviest: float
    reason: str = ""

    @property
    def enough(self) -> bool:
        """Whether an estimate is worth giving."""
        return not self.reason

    def __str__(self) -> str:
        told = f"not enough data: {self.reason}" if self.reason else "enough data"
        return (
            f"{told} (n={self.n}, effective sample {self.effective_sample:.0f}, "
            f"{self.positive_clusters} with a reward)"
        )


def policy_support(
    reward: npt.ArrayLike,
    target: npt.ArrayLike,
    propensity: npt.ArrayLike,
    *,
    customer: npt.ArrayLike | None = None,
    uncovered: npt.ArrayLike | None = None,
) -> PolicySupport:
    """Say whether a log can tell a target policy's value.

    It cannot where more than 1 % of the target's probability lies on arms that could not be drawn,
    the effective sample is below 100, one decision or customer holds more than 10 % of the
    weights, fewer than 5 customers (rewards 0 and 1) or 30 (money) had a reward, or one more
    reward at the largest weight would outweigh all that were seen four times.

    Parameters
    ----------
    reward : array-like, shape (n,)
    target : array-like in [0, 1], shape (n,)
        Probability of the drawn arm under the target policy.
    propensity : array-like in [0, 1], shape (n,)
        Probability with which it was drawn. A row of 0 says that the log's probabilities are not
        those of the draw: nothing can be told.
    customer : array-like, shape (n,), optional
        Clusters; each row its own without.
    uncovered : array-like in [0, 1], shape (n,) or one number, optional
        The target's probability on arms whose logged probability was 0. Without it only rows with
        propensity 1 are known to have such arms.

    Returns
    -------
    PolicySupport

    Raises
    ------
    ValueError
        If a value is missing, a probability lies outside [0, 1], or lengths differ.

    Examples
    --------
    >>> print(policy_support([1, 0] * 500, [0.5] * 1000, [1.0] * 1000))
    not enough data: 50 % of the policy's choices were never drawn (n=1000, ...)
    """
    rows = logged_rows(reward, propensity, customer, None)
    return support_of_weights(rows, rows.weights(target), target, uncovered)


def support_of_weights(
    rows: LoggedRows, weights: Floats, target: npt.ArrayLike, uncovered: npt.ArrayLike | None
) -> PolicySupport:
    """Judge one policy's importance weights, shape (n,)."""
    n, total = len(weights), float(weights.sum())
    per_customer = cluster_totals_of(rows.customer, weights, rows.n_customers)
    effective = min(_kish(weights), _kish(per_customer))
    largest = float(per_customer.max()) / total if total > 0 else 0.0
    paid = (weights > 0) & (rows.reward > 0)
    seen = float(weights[paid].sum())
    found = PolicySupport(
        n,
        effective,
        largest,
        _uncovered(rows, target, uncovered),
        len(np.unique(rows.customer[paid])),
        float(weights.max()) / seen if seen > 0 else float("inf"),
    )
    return replace(found, reason=_reason(found, rows))


def _reason(found: PolicySupport, rows: LoggedRows) -> str:
    if found.n == 0:
        return "no rows"
    impossible = int((rows.propensity == 0).sum())
    if impossible:
        return f"{impossible} decision(s) drawn with propensity 0"
    if found.uncovered > _MOST_UNCOVERED:
        return f"{100 * found.uncovered:.2g} % of the policy's choices were never drawn"
    if found.largest_share > _MOST_SHARE:
        return f"one customer holds {100 * found.largest_share:.0f} % of the weights"
    if found.effective_sample < _LEAST_EFFECTIVE:
        return f"effective sample {found.effective_sample:.0f} of at least 100"
    least = LEAST_EVENTS if rows.event else LEAST_PAYING
    if found.positive_clusters < least:
        return f"{found.positive_clusters} customer(s) with a reward, of at least {least}"
    if found.heaviest > _MOST_HEAVY:
        return f"one more reward could raise the estimate {1 + found.heaviest:.1f} times"
    return ""


def _kish(weights: Floats) -> float:
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _uncovered(rows: LoggedRows, target: npt.ArrayLike, told: npt.ArrayLike | None) -> float:
    """Mean target mass off the log's support; certain of the drawn arm means all others are."""
    n = len(rows.reward)
    if n == 0:
        return 0.0
    mass = np.where(rows.propensity == 1.0, 1.0 - column(target, "target", n), 0.0)
    if told is not None:
        given = column(told, "uncovered", n)
        if given.min() < 0 or given.max() > 1:
            raise ValueError("uncovered, a probability, must lie in [0, 1]")
        mass = np.maximum(mass, given)
    return float(mass.mean())
