"""Slow, readable twins of the policy's kernels: one customer at a time, bisection, plain LP."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, linprog


def barrier_probabilities(priced: np.ndarray, t: float) -> np.ndarray:
    """Solve sum_a t / (nu + gap_a) = 1 by bisection; ``priced`` has wait (0) as its last entry."""
    gap = priced.max() - priced
    nu = brentq(
        lambda x: float(np.sum(t / (x + gap)) - 1.0), t * (1 - 1e-12), t * len(gap) * (1 + 1e-12),
        xtol=1e-300, rtol=1e-15,
    )  # fmt: skip
    p = t / (nu + gap)
    return p / p.sum()


def softmax_probabilities(priced: np.ndarray, t: float) -> np.ndarray:
    z = np.exp((priced - priced.max()) / t)
    return z / z.sum()


def weight(value: np.ndarray, spread: np.ndarray) -> float:
    """Return w of one customer from the eligible arms' values and standard deviations."""
    if value.size == 0:
        return 1e-9
    reach = max(value.max(), 0.0) - min(value.min(), 0.0)
    return max(spread.mean(), 0.01 * reach, 1e-9)


def probabilities(method, value, spread, mask, tau, floor) -> np.ndarray:
    """Return (n, m + 1) probabilities, customer after customer."""
    n, m = value.shape
    solve = {"log_barrier": barrier_probabilities, "softmax": softmax_probabilities}[method]
    out = np.zeros((n, m + 1))
    for i in range(n):
        arms = np.flatnonzero(mask[i])
        priced = np.append(value[i, arms], 0.0)
        eps = min(floor, 0.5 / len(priced))
        q = solve(priced, tau * weight(value[i, arms], spread[i, arms]))
        p = eps + (1 - eps * len(priced)) * q
        out[i, arms], out[i, m] = p[:-1], p[-1]
    return out


def plain_optimum(value, mask, usage, covers, units, least=None) -> float | None:
    """Return the linear programme's optimum: at most one action each, rows as given.

    ``covers`` is a list of (n, m) masks, one per row, with the row's units and the units that must
    be used. None where no plan meets them.
    """
    i, a = np.nonzero(mask)
    least = np.zeros(len(covers)) if least is None else np.asarray(least, dtype=float)
    if len(i) == 0:
        return 0.0 if (least <= 0).all() else None
    per_customer = (i[None, :] == np.unique(i)[:, None]).astype(float)
    rows = np.array([np.where(c[i, a], usage[i, a], 0.0) for c in covers]).reshape(-1, len(i))
    found = linprog(
        -value[i, a],
        A_ub=np.vstack([per_customer, rows, -rows]),
        b_ub=np.concatenate([np.ones(len(per_customer)), np.asarray(units, dtype=float), -least]),
        bounds=(0, None),
        method="highs",
    )
    return -float(found.fun) if found.status == 0 else None
