"""The matrix a linear model sees: imputed, winsorised, standardised, categories one-hot."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LinearDesign"]

Floats = npt.NDArray[np.float64]
#: share of rows in each tail that winsorising pulls in
_TAIL = 0.005
#: a numeric column whose upper tail is this many times its inner spread gets a signed log
_HEAVY = 8.0


class LinearDesign:
    """Learned centre, scale, limits and levels of each column.

    Numbers: signed log where the tails are heavy, limits at the 0.5 % and 99.5 % quantiles, median
    for missing, mean 0 and sd 1, plus a flag column where values were missing. Categories: one
    column per level, none set for missing. Constant columns give zeros.

    Parameters
    ----------
    categories : list of int
        Positions of columns that hold category codes.
    """

    def __init__(self, categories: list[int]) -> None:
        self.categories = categories

    def fit(self, X: Floats) -> LinearDesign:
        """Learn from an array of shape (n, k), NaN allowed."""
        k = X.shape[1]
        numeric = np.setdiff1d(np.arange(k), self.categories)
        self.numeric_ = numeric
        self.logged_ = np.zeros(len(numeric), dtype=bool)
        self.low_, self.high_, self.median_ = (np.zeros(len(numeric)) for _ in range(3))
        self.mean_, self.scale_ = np.zeros(len(numeric)), np.ones(len(numeric))
        self.flagged_ = np.isnan(X[:, numeric]).any(axis=0)
        for j, column in enumerate(numeric):
            self._fit_column(j, X[:, column])
        self.n_levels_ = [self._n_levels(X[:, c]) for c in self.categories]
        return self

    @staticmethod
    def _n_levels(codes: Floats) -> int:
        known = codes[~np.isnan(codes)]
        return int(known.max()) + 1 if len(known) else 0

    def _fit_column(self, j: int, values: Floats) -> None:
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return
        low, q1, q3, high = np.quantile(known, [_TAIL, 0.25, 0.75, 1 - _TAIL])
        self.logged_[j] = max(high - q3, q1 - low) > _HEAVY * max(q3 - q1, 1e-12) and high > 10
        if self.logged_[j]:
            known = np.sign(known) * np.log1p(np.abs(known))
            low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
        known = np.clip(known, low, high)
        self.low_[j], self.high_[j] = low, high
        self.median_[j] = np.median(known)
        self.mean_[j] = known.mean()
        spread = known.std()
        self.scale_[j] = spread if spread > 1e-12 else np.inf

    def transform(self, X: Floats) -> Floats:
        """Return the design, shape (n, p), without an intercept."""
        values = X[:, self.numeric_]
        missing = np.isnan(values)
        logged = np.sign(values) * np.log1p(np.abs(values))
        values = np.where(self.logged_, logged, values)
        values = np.clip(np.where(missing, self.median_, values), self.low_, self.high_)
        parts = [(values - self.mean_) / self.scale_, missing[:, self.flagged_].astype(np.float64)]
        for c, n in zip(self.categories, self.n_levels_, strict=True):
            parts.append((X[:, [c]] == np.arange(n)).astype(np.float64))
        return np.hstack(parts)

    def to_state(self) -> dict[str, Any]:
        """Return what was learned as plain lists (a scale of infinity is stored as 0)."""
        return {
            "categories": list(self.categories),
            "numeric": self.numeric_.tolist(),
            "logged": self.logged_.tolist(),
            "flagged": self.flagged_.tolist(),
            "low": self.low_.tolist(),
            "high": self.high_.tolist(),
            "median": self.median_.tolist(),
            "mean": self.mean_.tolist(),
            "scale": np.where(np.isinf(self.scale_), 0.0, self.scale_).tolist(),
            "n_levels": list(self.n_levels_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> LinearDesign:
        """Rebuild from `to_state`."""
        self = cls([int(c) for c in state["categories"]])
        self.numeric_ = np.asarray(state["numeric"], dtype=np.int64)
        self.logged_ = np.asarray(state["logged"], dtype=bool)
        self.flagged_ = np.asarray(state["flagged"], dtype=bool)
        for name in ("low", "high", "median", "mean"):
            setattr(self, f"{name}_", np.asarray(state[name], dtype=np.float64))
        scale = np.asarray(state["scale"], dtype=np.float64)
        self.scale_ = np.where(scale == 0.0, np.inf, scale)
        self.n_levels_ = [int(n) for n in state["n_levels"]]
        return self
