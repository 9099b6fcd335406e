"""Regularised logistic regression as numbers: a design and its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.linear_design import LinearDesign

__all__ = ["LogisticLearner"]

Floats = npt.NDArray[np.float64]
#: of the commoner class, so many rows are as good as all for a line
_MAX_COMMON = 50_000


class LogisticLearner:
    """L2-penalised logistic regression on a `LinearDesign`.

    Where a sign is demanded, pieces of the curve that come out with the other sign are set flat and
    the rest is fitted again until none is left: an active-set solution that is monotone, if not
    always the best monotone one. Of very many rows of the commoner class the first are taken and
    weighted up (rows must come in an order that says nothing, such as `content_order`).

    Parameters
    ----------
    categories : list of int
        Positions of category columns.
    strength : float
        Penalty per coefficient on standardised columns (1 / C of scikit-learn).
    n_knots : int
        Knots per number, see `LinearDesign`.
    signs : dict of int to int, optional
        Demanded direction by column position.
    """

    def __init__(
        self,
        categories: list[int],
        strength: float = 10.0,
        n_knots: int = 0,
        signs: dict[int, int] | None = None,
    ) -> None:
        self.categories = categories
        self.strength = strength
        self.n_knots = n_knots
        self.signs = signs

    def fit(self, X: Floats, y: Floats, weight: Floats) -> LogisticLearner:
        """Fit on rows of shape (n, k) with labels 0/1; both classes must be there."""
        rows, weight = _thinned(y, weight)
        X, y = X[rows], y[rows]
        self.design_ = LinearDesign(self.categories, self.n_knots, self.signs).fit(X)
        design = self.design_.transform(X)
        sign = self.design_.columns()[1]
        free = np.ones(design.shape[1], dtype=bool)
        while True:
            coef, intercept = self._solve(design[:, free], y, weight)
            wrong = coef * sign[free] < 0
            if not wrong.any():
                break
            free[np.flatnonzero(free)[wrong]] = False
        self.coef_ = np.zeros(len(free))
        self.coef_[free] = coef
        self.intercept_ = intercept
        self.centre_ = weight @ design / weight.sum()
        return self

    def _solve(self, design: Floats, y: Floats, weight: Floats) -> tuple[Floats, float]:
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        if design.shape[1] == 0:
            design = np.zeros((len(y), 1))
        # far fewer columns than rows, and collinear ones: Newton steps converge where L-BFGS crawls
        model = LogisticRegression(
            C=1.0 / self.strength, solver="newton-cholesky", max_iter=100, tol=1e-6
        )
        # one thread: spinning BLAS threads cost more than they bring, and the sums stay the same
        with threadpool_limits(limits=1):
            fitted: Any = model.fit(design, y, sample_weight=weight)
        return np.asarray(fitted.coef_[0], dtype=np.float64), float(fitted.intercept_[0])

    def logit(self, X: Floats) -> Floats:
        """Return the linear predictor, shape (n,)."""
        # a sum per row, not a BLAS product: the same row gives the same bits in any batch
        return np.einsum("ij,j->i", self.design_.transform(X), self.coef_) + self.intercept_

    def contributions(self, X: Floats) -> Floats:
        """Return each column's part of the logit less its mean at fit; the last is the base.

        Shape (n, k + 1); a row adds up to `logit`.
        """
        of = self.design_.columns()[0]
        parts = (self.design_.transform(X) - self.centre_) * self.coef_
        out = np.zeros((len(X), X.shape[1] + 1))
        for j, column in enumerate(of):
            out[:, column] += parts[:, j]
        out[:, -1] = self.intercept_ + self.centre_ @ self.coef_
        return out

    def to_state(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {
            "design": self.design_.to_state(),
            "strength": self.strength,
            "coef": self.coef_.tolist(),
            "intercept": self.intercept_,
            "centre": self.centre_.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> LogisticLearner:
        """Rebuild from `to_state`; without stored means contributions are told from 0."""
        design = LinearDesign.from_state(state["design"])
        self = cls(design.categories, float(state["strength"]), design.n_knots, design.signs)
        self.design_ = design
        self.coef_ = np.asarray(state["coef"], dtype=np.float64)
        self.intercept_ = float(state["intercept"])
        self.centre_ = np.asarray(state.get("centre", np.zeros(len(self.coef_))), dtype=np.float64)
        return self


def _thinned(y: Floats, weight: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Rows to learn from and their weights: at most so many of each class, weighted up."""
    kept, weights = [], []
    for label in (0.0, 1.0):
        rows = np.flatnonzero(y == label)
        few = rows[:_MAX_COMMON]
        kept.append(few)
        total = weight[few].sum()
        weights.append(weight[few] * (weight[rows].sum() / total if total > 0 else 1.0))
    rows, weight = np.concatenate(kept), np.concatenate(weights)
    order = np.argsort(rows)
    return rows[order], weight[order]
