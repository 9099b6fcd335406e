"""Regularised logistic regression as numbers: a design and its coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.linear_design import LinearDesign

__all__ = ["LogisticLearner"]

Floats = npt.NDArray[np.float64]
#: coefficients and intercept
Solution = tuple[Floats, float]
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

    design_: LinearDesign
    coef_: Floats
    intercept_: float
    centre_: Floats

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
        fitted = self.fit_path(X, y, weight, (self.strength,))[0]
        self.__dict__.update(fitted.__dict__)
        return self

    def fit_path(
        self, X: Floats, y: Floats, weight: Floats, strengths: tuple[float, ...]
    ) -> list[LogisticLearner]:
        """Return one fitted learner per penalty; the design is learned once for all."""
        rows, weight = _thinned(y, weight)
        X, y = X[rows], y[rows]
        learned = LinearDesign(self.categories, self.n_knots, self.signs).fit(X)
        design = learned.transform(X)
        # constant columns are zeros: the penalty leaves their coefficients at nothing
        filled = _Rotated(design, np.any(design, axis=0, keepdims=True)[0])
        sign, centre = learned.columns()[1], weight @ design / weight.sum()
        path: list[LogisticLearner] = []
        start = None
        for strength in strengths:
            one = LogisticLearner(self.categories, strength, self.n_knots, self.signs)
            one.design_, one.centre_ = learned, centre
            one.coef_, one.intercept_ = start = _monotone(filled, y, weight, sign, strength, start)
            path.append(one)
        return path

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


class _Rotated:
    """Chosen columns of a design; with more columns than rows, turned into the rows' own space.

    A ridge penalty does not see a rotation: the coefficients found there, turned back, are the same
    (Hastie and Tibshirani, "Efficient quadratic regularization for expression arrays",
    Biostatistics 2004).
    """

    def __init__(self, design: Floats, free: npt.NDArray[np.bool_]) -> None:
        from threadpoolctl import threadpool_limits

        self.design, self.free = design, free
        self.turn: Floats | None = None
        self.columns = design[:, free]
        if self.columns.shape[1] > len(design):
            with threadpool_limits(limits=1):
                square, left = np.linalg.eigh(self.columns @ self.columns.T)
            full = square > 1e-12 * square.max(initial=0.0)
            length = np.sqrt(square[full])
            self.turn = (left[:, full] / length).T @ self.columns
            self.columns = left[:, full] * length

    def coefficients(self, found: Floats) -> Floats:
        """Return one coefficient per column of the design; zero for those left out."""
        out = np.zeros(len(self.free))
        if self.free.any():
            out[self.free] = found if self.turn is None else found @ self.turn
        return out

    def turned(self, coef: Floats) -> Floats:
        """Return what the chosen columns see of coefficients of the design."""
        return coef[self.free] if self.turn is None else self.turn @ coef[self.free]


def _monotone(
    filled: _Rotated,
    y: Floats,
    weight: Floats,
    sign: npt.NDArray[Any],
    strength: float,
    start: Solution | None,
) -> Solution:
    """Coefficients and intercept; columns with the wrong sign are left out until none is left."""
    chosen = filled
    while True:
        begin = None if start is None else (chosen.turned(start[0]), start[1])
        found, intercept = _solve(chosen.columns, y, weight, strength, begin)
        coef = chosen.coefficients(found)
        wrong = coef * sign < 0
        if not wrong.any():
            return coef, intercept
        chosen, start = _Rotated(chosen.design, chosen.free & ~wrong), (coef, intercept)


def _solve(
    design: Floats, y: Floats, weight: Floats, strength: float, begin: Solution | None
) -> Solution:
    """Coefficients and intercept; from those of a near problem half of the steps are enough."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if design.shape[1] == 0:
        paying = float(weight @ y)
        return np.zeros(0), float(np.log(paying / (weight.sum() - paying)))
    # collinear columns: Newton steps converge where L-BFGS crawls
    model = LogisticRegression(
        C=1.0 / strength, solver="newton-cholesky", max_iter=100, tol=1e-6, warm_start=True
    )
    if begin is not None:
        model.coef_, model.intercept_ = begin[0][None, :], np.array([begin[1]])
    # one thread: spinning BLAS threads cost more than they bring, and the sums stay the same
    with threadpool_limits(limits=1):
        fitted: Any = model.fit(design, y, sample_weight=weight)
    return np.asarray(fitted.coef_[0], dtype=np.float64), float(fitted.intercept_[0])


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
