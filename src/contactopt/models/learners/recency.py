"""Where the level of a score stands today, when it has wandered in the past."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from contactopt.models.learners.calibrator import level_shift

__all__ = ["current_shift"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: slices of time; each needs so many rows, and so many slices are needed
_MAX_SLICES, _MIN_SLICE_ROWS, _MIN_SLICES = 16, 250, 5
#: log-likelihood by which a wandering level must beat a fixed one (chi-square, 1 in 100)
_MIN_GAIN = 3.3


def current_shift(
    raw: Floats, y: Floats, weight: Floats, when: Ints, groups: Ints | None = None
) -> tuple[float, float]:
    """Return the shift of the logit that holds now, and the sd of its step from slice to slice.

    Held-out rows are cut into slices of time. The shift that each slice asks for is taken as a
    local-level model (Harvey 1989, 2.3): a level that wanders, seen with the noise of the slice.
    The step is estimated by maximum likelihood and kept only where it beats a fixed level; the
    answer is the filtered level at the end, so the newest rows count as much as the past says they
    should. A level that never moved gives (0, 0).

    Parameters
    ----------
    raw : float array, shape (n,)
        Held-out calibrated logits.
    y, weight : float arrays, shape (n,)
    when : int64 array, shape (n,)
        Instants.
    groups : int array, shape (n,), optional
        Rows of one group in one slice count as one when the noise is told.

    Examples
    --------
    >>> n = np.arange(4000)
    >>> y = (n % 10 < np.where(n < 3000, 2, 5)).astype(float)
    >>> shift, step = current_shift(np.full(4000, np.log(0.25)), y, np.ones(4000), n)
    >>> round(shift, 1), step > 0
    (1.4, True)
    """
    n_slices = min(_MAX_SLICES, len(y) // _MIN_SLICE_ROWS)
    if n_slices < _MIN_SLICES:
        return 0.0, 0.0
    edges = np.quantile(when, np.linspace(0, 1, n_slices + 1)[1:-1])
    part = np.searchsorted(np.unique(edges), when, side="left")
    shift, variance = [], []
    for k in np.unique(part):
        held = part == k
        own = None if groups is None else groups[held]
        shift.append(level_shift(raw[held], y[held], weight[held]))
        variance.append(_noise(raw[held] + shift[-1], y[held], weight[held], own))
    if len(shift) < _MIN_SLICES:
        return 0.0, 0.0
    seen, noise = np.asarray(shift), np.asarray(variance)
    steps = np.concatenate([[0.0], np.geomspace(0.02, 1.0, 18)])
    filtered = [_filter(seen, noise, s * s) for s in steps]
    gain = np.array([f[0] for f in filtered]) - filtered[0][0]
    best = int(np.argmax(gain))
    if gain[best] < _MIN_GAIN:
        return 0.0, 0.0
    return float(filtered[best][1]), float(steps[best])


def _noise(raw: Floats, y: Floats, weight: Floats, groups: Ints | None) -> float:
    """Variance of a slice's shift, clustered by group."""
    p = expit(raw)
    residual = weight * (y - p)
    if groups is not None:
        _, code = np.unique(groups, return_inverse=True)
        residual = np.bincount(code.ravel(), weights=residual)
    curve = max(float(weight @ (p * (1 - p))), 1e-9)
    return float(residual @ residual) / curve**2 + 1e-9


def _filter(seen: Floats, noise: Floats, step: float) -> tuple[float, float]:
    """Log-likelihood and last level of a local-level model that starts at 0 or anywhere near."""
    level, spread, total = 0.0, 0.25, 0.0
    for value, variance in zip(seen, noise, strict=True):
        spread += step
        width = spread + variance
        total -= 0.5 * (np.log(2 * np.pi * width) + (value - level) ** 2 / width)
        gain = spread / width
        level += gain * (value - level)
        spread *= 1.0 - gain
    return total, level
