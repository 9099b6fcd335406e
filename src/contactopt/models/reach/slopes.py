"""Slopes of numeric columns with normal priors, one Newton step at a time.

Three kinds share one contract (``value``, ``step``): of all rows, of rows by group (each group
its own slopes), and of columns that are the same for all rows of a customer, whose sums are taken
per customer.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["CustomerSlopes", "GroupSlopes", "SlopeStep", "Slopes"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LONGEST_STEP = 2.0


class SlopeStep(Protocol):
    """What the fit asks of slopes."""

    def predictor(self) -> Floats:
        """Return the part of the linear predictor, shape (n,)."""
        ...

    def step(self, gradient: Floats, curvature: Floats) -> tuple[Floats, float]:
        """Newton step; returns the change of the linear predictor and the largest move."""
        ...


def _move(h: Floats, g: Floats) -> Floats:
    move = np.clip(np.linalg.solve(h, g), -_LONGEST_STEP, _LONGEST_STEP)
    return np.asarray(move, dtype=np.float64)


class Slopes:
    """One slope per column.

    Parameters
    ----------
    X : float array, shape (n, k)
    mean, sd : float arrays, shape (k,)
    """

    def __init__(self, X: npt.NDArray[np.floating], mean: Floats, sd: Floats) -> None:
        self.X, self.mean, self.sd = X, mean, sd
        self.value = mean.copy()
        self.covariance = np.diag(sd**2)

    def predictor(self) -> Floats:
        """Return the part of the linear predictor, shape (n,)."""
        return np.asarray(self.X @ self.value, dtype=np.float64)

    def step(self, gradient: Floats, curvature: Floats) -> tuple[Floats, float]:
        """Joint Newton step of all slopes."""
        if not len(self.value):
            return np.zeros(len(gradient)), 0.0
        precision = np.diag(1.0 / self.sd**2)
        h = (self.X * curvature[:, None]).T @ self.X + precision
        move = _move(h, self.X.T @ gradient - precision @ (self.value - self.mean))
        self.value = self.value + move
        self.covariance = np.asarray(np.linalg.inv(h), dtype=np.float64)
        return np.asarray(self.X @ move), float(np.abs(move).max())


class GroupSlopes:
    """One slope per group and column.

    Parameters
    ----------
    X : float array, shape (n, k)
    group : int array, shape (n,)
    n_groups : int
    sd : float array, shape (k,)
        Prior sd around 0.
    """

    def __init__(self, X: npt.NDArray[np.floating], group: Ints, n_groups: int, sd: Floats) -> None:
        self.X, self.sd = X, sd
        self.value = np.zeros((n_groups, X.shape[1]))
        self._rows = [np.flatnonzero(group == g) for g in range(n_groups)]

    def predictor(self) -> Floats:
        """Return the part of the linear predictor, shape (n,)."""
        return self._spread_out(self.value)

    def _spread_out(self, value: Floats) -> Floats:
        out = np.zeros(len(self.X))
        for rows, v in zip(self._rows, value, strict=True):
            out[rows] = self.X[rows] @ v
        return out

    def step(self, gradient: Floats, curvature: Floats) -> tuple[Floats, float]:
        """Newton step of every group with rows."""
        moves = np.zeros_like(self.value)
        precision = np.diag(1.0 / self.sd**2)
        for g, rows in enumerate(self._rows):
            if len(rows):
                x = self.X[rows].astype(np.float64)
                h = (x * curvature[rows][:, None]).T @ x + precision
                moves[g] = _move(h, x.T @ gradient[rows] - precision @ self.value[g])
        self.value = self.value + moves
        return self._spread_out(moves), float(np.abs(moves).max(initial=0.0))


class CustomerSlopes:
    """Slopes of columns that all rows of a customer share.

    Parameters
    ----------
    X : float array, shape (n_customers, k)
    customer : int array, shape (n,)
    sd : float
        Prior sd around 0.
    """

    def __init__(self, X: Floats, customer: Ints, sd: float) -> None:
        self.X, self.customer, self.sd = X, customer, sd
        self.value = np.zeros(X.shape[1])

    def predictor(self) -> Floats:
        """Return the part of the linear predictor, shape (n,)."""
        return (self.X @ self.value)[self.customer]

    def step(self, gradient: Floats, curvature: Floats) -> tuple[Floats, float]:
        """Joint Newton step from sums per customer."""
        if not len(self.value):
            return np.zeros(len(gradient)), 0.0
        n = len(self.X)
        g = np.bincount(self.customer, weights=gradient, minlength=n)
        c = np.bincount(self.customer, weights=curvature, minlength=n)
        precision = np.eye(len(self.value)) / self.sd**2
        h = (self.X * c[:, None]).T @ self.X + precision
        move = _move(h, self.X.T @ g - precision @ self.value)
        self.value = self.value + move
        return (self.X @ move)[self.customer], float(np.abs(move).max())
