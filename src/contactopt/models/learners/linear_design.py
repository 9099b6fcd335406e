"""The matrix a linear model sees: imputed, winsorised, standardised, bent, categories one-hot."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LinearDesign"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: share of rows in each tail that winsorising pulls in
_TAIL = 0.005
#: a numeric column whose upper tail is this many times its inner spread gets a signed log
_HEAVY = 8.0
#: levels with fewer rows than this, and those beyond the commonest so many, share one column
_MIN_LEVEL_ROWS, _MAX_LEVELS = 10, 50


class LinearDesign:
    """Learned centre, scale, limits, knots and levels of each column.

    Numbers: signed log where the tails are heavy, limits at the 0.5 % and 99.5 % quantiles, median
    for missing, mean 0 and sd 1, plus a flag column where values were missing. With ``n_knots``,
    hinges at quantiles bend the line (Hastie, Tibshirani and Friedman 2009, 5.2); columns with a
    known sign get ramps between the knots instead, so that coefficients of one sign make the whole
    curve monotone. Categories: one column per level, rare levels share one, none is set for
    missing. Constant columns give zeros.

    Parameters
    ----------
    categories : list of int
        Positions of columns that hold category codes.
    n_knots : int
        Inner knots per number; 0 leaves straight lines.
    signs : dict of int to int, optional
        Position of a number to +1 or -1.
    """

    def __init__(
        self, categories: list[int], n_knots: int = 0, signs: dict[int, int] | None = None
    ) -> None:
        self.categories = categories
        self.n_knots = n_knots
        self.signs = signs or {}

    def fit(self, X: Floats) -> LinearDesign:
        """Learn from an array of shape (n, k), NaN allowed."""
        k = X.shape[1]
        numeric = np.setdiff1d(np.arange(k), self.categories)
        self.numeric_ = numeric
        self.logged_ = np.zeros(len(numeric), dtype=bool)
        self.low_, self.high_, self.median_ = (np.zeros(len(numeric)) for _ in range(3))
        self.mean_, self.scale_ = np.zeros(len(numeric)), np.ones(len(numeric))
        missing = np.isnan(X[:, numeric])
        self.flagged_ = missing.any(axis=0) & ~missing.all(axis=0)
        for j, column in enumerate(numeric):
            self._fit_column(j, X[:, column])
        self.n_levels_, self.pooled_ = [], []
        for c in self.categories:
            self._fit_levels(X[:, c])
        self.bends_ = self._learn_bends(X) if self.n_knots else []
        return self

    def _fit_levels(self, codes: Floats) -> None:
        known = codes[~np.isnan(codes)].astype(np.int64)
        rows = np.bincount(known)
        common = np.argsort(-rows, kind="stable")[:_MAX_LEVELS]
        rare = np.ones(len(rows), dtype=bool)
        rare[common] = rows[common] < _MIN_LEVEL_ROWS
        self.n_levels_.append(len(rows))
        # one rare level alone is no pool
        self.pooled_.append(np.flatnonzero(rare).tolist() if rare.sum() > 1 else [])

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

    def _learn_bends(self, X: Floats) -> list[dict[str, Any]]:
        """Knots of each bent number with the mean and sd of its hinges or ramps."""
        values = self._standardised(X)
        bends = []
        for j, column in enumerate(self.numeric_):
            level = np.unique(values[:, j])
            if len(level) < 3:
                continue
            inner = level[1:-1]
            if len(inner) > self.n_knots:
                at = np.linspace(0, 1, self.n_knots + 2)[1:-1]
                inner = np.unique(np.quantile(values[:, j], at))
                inner = inner[(inner > level[0]) & (inner < level[-1])]
            if len(inner) == 0:
                continue
            sign = self.signs.get(int(column), 0)
            knots = np.concatenate([level[:1], inner, level[-1:]]) if sign else inner
            part = _bent(values[:, j], knots, sign)
            spread = part.std(axis=0)
            bends.append(
                {
                    "of": j,
                    "sign": sign,
                    "knots": knots.tolist(),
                    "mean": part.mean(axis=0).tolist(),
                    "scale": np.where(spread > 1e-9, spread, np.inf).tolist(),
                }
            )
        return bends

    def _standardised(self, X: Floats) -> Floats:
        values = X[:, self.numeric_]
        logged = np.sign(values) * np.log1p(np.abs(values))
        values = np.where(self.logged_, logged, values)
        values = np.clip(np.where(np.isnan(values), self.median_, values), self.low_, self.high_)
        return (values - self.mean_) / self.scale_

    def transform(self, X: Floats) -> Floats:
        """Return the design, shape (n, p), without an intercept."""
        values = self._standardised(X)
        missing = np.isnan(X[:, self.numeric_])
        parts = [values, missing[:, self.flagged_].astype(np.float64)]
        for c, n, pooled in zip(self.categories, self.n_levels_, self.pooled_, strict=True):
            own = np.setdiff1d(np.arange(n), pooled)
            parts.append((X[:, [c]] == own).astype(np.float64))
            if pooled:
                parts.append(np.isin(X[:, [c]], pooled).astype(np.float64))
        for bend in self.bends_:
            part = _bent(values[:, bend["of"]], np.asarray(bend["knots"]), bend["sign"])
            parts.append((part - np.asarray(bend["mean"])) / np.asarray(bend["scale"]))
        return np.hstack(parts)

    def columns(self) -> tuple[Ints, Ints]:
        """Return the input column and the demanded sign (0: free) of each column of the design."""
        signs = [self.signs.get(int(c), 0) for c in self.numeric_]
        of = [self.numeric_, self.numeric_[self.flagged_]]
        sign = [np.array(signs, dtype=np.int64), np.zeros(int(self.flagged_.sum()), np.int64)]
        for c, n, pooled in zip(self.categories, self.n_levels_, self.pooled_, strict=True):
            p = n - len(pooled) + bool(pooled)
            of.append(np.full(p, c))
            sign.append(np.zeros(p, np.int64))
        for bend in self.bends_:
            p = len(bend["mean"])
            of.append(np.full(p, self.numeric_[bend["of"]]))
            sign.append(np.full(p, bend["sign"]))
        return np.concatenate(of).astype(np.int64), np.concatenate(sign).astype(np.int64)

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
            "pooled": [list(p) for p in self.pooled_],
            "bends": [dict(b) for b in self.bends_],
            "n_knots": self.n_knots,
            "signs": [[k, s] for k, s in sorted(self.signs.items())],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> LinearDesign:
        """Rebuild from `to_state`; designs of the first format were straight and unpooled."""
        signs = {int(k): int(s) for k, s in state.get("signs", [])}
        self = cls([int(c) for c in state["categories"]], int(state.get("n_knots", 0)), signs)
        self.numeric_ = np.asarray(state["numeric"], dtype=np.int64)
        self.logged_ = np.asarray(state["logged"], dtype=bool)
        self.flagged_ = np.asarray(state["flagged"], dtype=bool)
        for name in ("low", "high", "median", "mean"):
            setattr(self, f"{name}_", np.asarray(state[name], dtype=np.float64))
        scale = np.asarray(state["scale"], dtype=np.float64)
        self.scale_ = np.where(scale == 0.0, np.inf, scale)
        self.n_levels_ = [int(n) for n in state["n_levels"]]
        self.pooled_ = [list(p) for p in state.get("pooled", [[]] * len(self.n_levels_))]
        self.bends_ = [dict(b) for b in state.get("bends", [])]
        return self


def _bent(values: Floats, knots: Floats, sign: int) -> Floats:
    """Hinges that begin at the knots; for a signed column ramps from each knot to the next."""
    if sign == 0:
        return np.maximum(values[:, None] - knots, 0.0)
    return np.clip(values[:, None] - knots[:-1], 0.0, np.diff(knots))
