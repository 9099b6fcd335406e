"""Log-linear mean of a positive, right-skewed quantity, as a design and its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.linear_design import LinearDesign

__all__ = ["GammaLine"]

Floats = npt.NDArray[np.float64]
#: third standardised moment above which a non-negative column enters as its logarithm
_SKEWED = 1.0


class GammaLine:
    """L2-penalised Gamma regression with log link: log E[y | x] is linear.

    The Gamma likelihood gives the mean directly, without a smearing factor, and is consistent for
    it whatever the true distribution (McCullagh, Nelder, Generalized Linear Models, chapter 8).
    Skewed non-negative columns enter as logarithms: money is mostly proportional to money.

    Parameters
    ----------
    categories : list of int
        Positions of category columns.
    strength : float
        Penalty per coefficient on standardised columns.
    """

    def __init__(self, categories: list[int], strength: float = 10.0) -> None:
        self.categories = categories
        self.strength = strength

    def fit(self, X: Floats, y: Floats, weight: Floats) -> GammaLine:
        """Fit on rows of shape (n, k) with y > 0."""
        from sklearn.linear_model import GammaRegressor
        from threadpoolctl import threadpool_limits

        numeric = np.setdiff1d(np.arange(X.shape[1]), self.categories)
        self.logged_ = np.array([j for j in numeric if _is_skewed(X[:, j])], dtype=np.int64)
        scaled = self._scaled(X)
        self.design_ = LinearDesign(self.categories).fit(scaled)
        model = GammaRegressor(
            alpha=self.strength / len(y), solver="newton-cholesky", max_iter=100, tol=1e-6
        )
        # one thread: the sums stay the same, see LogisticLearner
        with threadpool_limits(limits=1):
            fitted: Any = model.fit(self.design_.transform(scaled), y, sample_weight=weight)
        self.coef_ = np.asarray(fitted.coef_, dtype=np.float64)
        self.intercept_ = float(fitted.intercept_)
        # a stranger's row is held to what the line said of the rows it was fitted on
        said = self._linear(X)
        self.low_, self.high_ = float(said.min()), float(said.max())
        return self

    def _scaled(self, X: Floats) -> Floats:
        out = X.copy()
        out[:, self.logged_] = np.log1p(np.maximum(X[:, self.logged_], 0.0))
        return out

    def _linear(self, X: Floats) -> Floats:
        # a sum per row, not a BLAS product: the same row gives the same bits in any batch
        design = self.design_.transform(self._scaled(X))
        return np.einsum("ij,j->i", design, self.coef_) + self.intercept_

    def log_mean(self, X: Floats) -> Floats:
        """Return log E[y | x], shape (n,), inside the range seen at fit."""
        return np.clip(self._linear(X), self.low_, self.high_)

    def to_state(self) -> dict[str, Any]:
        """Return the fitted numbers."""
        return {
            "design": self.design_.to_state(),
            "strength": self.strength,
            "logged": self.logged_.tolist(),
            "coef": self.coef_.tolist(),
            "intercept": self.intercept_,
            "low": self.low_,
            "high": self.high_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GammaLine:
        """Rebuild from `to_state`."""
        design = LinearDesign.from_state(state["design"])
        self = cls(design.categories, float(state["strength"]))
        self.design_ = design
        self.logged_ = np.asarray(state["logged"], dtype=np.int64)
        self.coef_ = np.asarray(state["coef"], dtype=np.float64)
        self.intercept_ = float(state["intercept"])
        self.low_, self.high_ = float(state["low"]), float(state["high"])
        return self


def _is_skewed(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    if len(known) < 3 or known.min() < 0:
        return False
    spread = known.std()
    return spread > 0 and float((((known - known.mean()) / spread) ** 3).mean()) > _SKEWED
