"""The effect per reached customer from drawn actions: weighted moments and their covariance.

For every arm c the effect e solves

    sum_i w_i 1[A_i = c] { y_i - p_i - reach_i [sigma(logit p_i + e) - p_i] } = 0

with w_i the inverse probability of the drawn action and p_i the probability of payment when
waiting, itself shifted so that it fits the rows that drew `wait`. The drawn action is the
treatment whether or not it reached (intention to treat), so nothing is conditioned on an answer;
dividing by the reach it induces is the instrumental-variable argument of Angrist, Imbens and Rubin
(JASA 1996). p is a control variate: it need not be right for the contrast to be unbiased (Robins,
Rotnitzky and Zhao, JASA 1994). Covariances are clustered by customer (Liang and Zeger 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from contactopt.models.effect.weighting import arm_means, clipped_weights, speaks

__all__ = ["Contrast", "drawn_contrast"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LIMIT = 4.0


@dataclass(frozen=True)
class Contrast:
    """Raw estimates of one log.

    Parameters
    ----------
    shift : float
        What the logit of p moves by to fit the rows that waited.
    shift_error : float
    effect : float array, shape (n_arms,)
        NaN where the arm says nothing.
    covariance : float array, shape (n_arms, n_arms)
        Of the effects that are numbers.
    drawn : int array, shape (n_arms,)
        Rows that drew the arm.
    clipped_share : float
        Share of the rows whose weight was cut.
    """

    shift: float
    shift_error: float
    effect: Floats
    covariance: Floats
    drawn: Ints
    clipped_share: float


def _wait_shift(z: Floats, y: Floats, w: Floats, sd: float) -> tuple[float, float]:
    """Shift of the logit that fits the waiting rows, with a normal prior; and its curvature."""
    b, curvature = 0.0, 1.0 / sd**2
    for _ in range(50):
        p = expit(z + b)
        curvature = float((w * p * (1 - p)).sum()) + 1.0 / sd**2
        step = (float((w * (y - p)).sum()) - b / sd**2) / curvature
        b += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-10:
            break
    return b, curvature


def _solve(z: Floats, y: Floats, reach: Floats, w: Floats, start: float) -> tuple[float, float]:
    """Root of the arm's moment by bisection-safe Newton, and its slope there."""
    p = expit(z)
    low, high = -_LIMIT, _LIMIT
    e, slope = start, 1.0
    for _ in range(100):
        q = expit(z + e)
        moment = float((w * (y - p - reach * (q - p))).sum())
        slope = max(float((w * reach * q * (1 - q)).sum()), 1e-12)
        if moment > 0:
            low = e
        else:
            high = e
        new = e + moment / slope
        if not low < new < high:
            new = 0.5 * (low + high)
        if abs(new - e) < 1e-10:
            break
        e = new
    return e, slope


def drawn_contrast(
    *,
    p_wait: Floats,
    y: Floats,
    reach: Floats,
    arm: Ints,
    propensity: Floats,
    cluster: Ints,
    start: Floats,
    largest_weight: float,
    shift_sd: float,
) -> Contrast:
    """Estimate the effect of every arm over waiting.

    Parameters
    ----------
    p_wait : float array in (0, 1), shape (n,)
        Probability of payment when waiting, from a model that did not see these rows.
    y : 0/1 array, shape (n,)
        Paid within the horizon after the decision.
    reach : float array, shape (n,)
        Probability that the drawn action reaches.
    arm : int array, shape (n,)
        0 .. n_arms - 1, -1 for wait.
    propensity : float array, shape (n,)
        Probability with which the drawn action was drawn, above 0.
    cluster : int array, shape (n,)
    start : float array, shape (n_arms,)
        Where the search begins (the prior).
    largest_weight : float
        Weights are cut at this multiple of the arm's mean.
    shift_sd : float
        Prior sd of the shift.

    Returns
    -------
    Contrast
        All effects NaN where fewer than 30 rows waited.
    """
    n_arms = len(start)
    drawn = np.bincount(arm + 1, minlength=n_arms + 1)
    effect = np.full(n_arms, np.nan)
    empty = np.zeros((n_arms, n_arms))
    inverse = 1.0 / propensity
    # of mean 1 per arm, so that the prior of the shift weighs as much as it says
    weight = inverse / arm_means(inverse, arm, n_arms)
    weight, cut = clipped_weights(weight, arm, n_arms, largest_weight)
    wait = arm == -1
    if not speaks(y[wait]):
        return Contrast(0.0, shift_sd, effect, empty, drawn[1:], cut)
    z = logit(np.clip(p_wait, 1e-6, 1 - 1e-6))
    b, curvature = _wait_shift(z[wait], y[wait], weight[wait], shift_sd)
    z = z + b
    p = expit(z)
    _, cluster = np.unique(cluster, return_inverse=True)
    n_clusters = int(cluster.max()) + 1
    shift_score = np.where(wait, weight * (y - p), 0.0) / curvature
    influence = np.zeros((n_clusters, n_arms))
    for c in range(n_arms):
        rows = arm == c
        if not speaks(y[rows]):
            continue
        w, r = weight[rows], reach[rows]
        effect[c], slope = _solve(z[rows], y[rows], r, w, float(start[c]))
        q = expit(z[rows] + effect[c])
        g = w * (y[rows] - p[rows] - r * (q - p[rows]))
        # how the arm's moment moves with the shift of p
        v = p[rows] * (1 - p[rows])
        moved = float((w * (-v - r * (q * (1 - q) - v))).sum())
        score = moved * shift_score
        score[rows] += g
        influence[:, c] = np.bincount(cluster, weights=score / slope, minlength=n_clusters)
    correction = n_clusters / max(n_clusters - 1, 1)
    shift_error = np.bincount(cluster, weights=shift_score, minlength=n_clusters)
    return Contrast(
        shift=b,
        shift_error=float(np.sqrt(correction * (shift_error @ shift_error))),
        effect=effect,
        covariance=correction * influence.T @ influence,
        drawn=drawn[1:],
        clipped_share=cut,
    )
