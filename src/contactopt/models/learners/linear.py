"""Regularised logistic regression as numbers: a design and its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.linear_design import LinearDesign

__all__ = ["LogisticLearner"]

Floats = npt.NDArray[np.float64]


class LogisticLearner:
    """L2-penalised logistic regression on a `LinearDesign`.

    Parameters
    ----------
    categories : list of int
        Positions of category columns.
    strength : float
        Penalty per coefficient on standardised columns (1 / C of scikit-learn).
    """

    def __init__(self, categories: list[int], strength: float = 10.0) -> None:
        self.categories = categories
        self.strength = strength

    def fit(self, X: Floats, y: Floats, weight: Floats) -> LogisticLearner:
        """Fit on rows of shape (n, k) with labels 0/1; both classes must be there."""
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        self.design_ = LinearDesign(self.categories).fit(X)
        # far fewer columns than rows, and collinear ones: Newton steps converge where L-BFGS crawls
        model = LogisticRegression(
            C=1.0 / self.strength, solver="newton-cholesky", max_iter=100, tol=1e-6
        )
        # one thread: spinning BLAS threads cost more than they bring, and the sums stay the same
        with threadpool_limits(limits=1):
            fitted: Any = model.fit(self.design_.transform(X), y, sample_weight=weight)
        self.coef_ = np.asarray(fitted.coef_[0], dtype=np.float64)
        self.intercept_ = float(fitted.intercept_[0])
        return self

    def logit(self, X: Floats) -> Floats:
        """Return the linear predictor, shape (n,)."""
        # a sum per row, not a BLAS product: the same row gives the same bits in any batch
        return np.einsum("ij,j->i", self.design_.transform(X), self.coef_) + self.intercept_

    def to_state(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {
            "design": self.design_.to_state(),
            "strength": self.strength,
            "coef": self.coef_.tolist(),
            "intercept": self.intercept_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> LogisticLearner:
        """Rebuild from `to_state`."""
        design = LinearDesign.from_state(state["design"])
        self = cls(design.categories, float(state["strength"]))
        self.design_ = design
        self.coef_ = np.asarray(state["coef"], dtype=np.float64)
        self.intercept_ = float(state["intercept"])
        return self
