"""Choose between a logistic regression and boosted trees, or mix them, on held-out rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.boosted import BoostingPlan, Trees, cross_fit_trees, train_trees
from contactopt.models.learners.calibrator import Calibrator, sigmoid_loss
from contactopt.models.learners.linear import LogisticLearner
from contactopt.models.learners.splits import Fold

__all__ = ["Blend", "fit_blend"]

Floats = npt.NDArray[np.float64]
#: trees need this many rows of the rarer class; a line is not fitted above so many rows
_MIN_RARE_FOR_TREES = 100
_MAX_ROWS_FOR_LINE = 20_000
_STRENGTHS = (100.0, 10.0, 1.0)
#: final trees see more rows than a fold did: this much longer growth
_REFIT_GROWTH = 1.1


class Blend:
    """Fitted scores and their calibration.

    Parameters
    ----------
    line : LogisticLearner or None
    trees : Trees or None
    share : float in [0, 1]
        Weight of the trees on the logit scale.
    calibrator : Calibrator
    """

    def __init__(
        self,
        line: LogisticLearner | None,
        trees: Trees | None,
        share: float,
        calibrator: Calibrator,
    ) -> None:
        self.line = line
        self.trees = trees
        self.share = share
        self.calibrator = calibrator

    def probability(self, X: Floats) -> Floats:
        """Return calibrated P(1), shape (n,)."""
        raw = np.zeros(len(X))
        if self.trees is not None:
            raw = raw + self.share * self.trees.raw(X)
        if self.line is not None:
            raw = raw + (1.0 - self.share) * self.line.logit(X)
        return self.calibrator.probability(raw)

    def to_state(self) -> dict[str, Any]:
        """Return the parts; trees as `ModelText`."""
        from contactopt.bundle import ModelText

        return {
            "line": None if self.line is None else self.line.to_state(),
            "trees": None if self.trees is None else ModelText(self.trees.text),
            "share": self.share,
            "calibrator": self.calibrator.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int = 1) -> Blend:
        """Rebuild from `to_state`."""
        line, trees = state["line"], state["trees"]
        return cls(
            None if line is None else LogisticLearner.from_state(line),
            None if trees is None else Trees(str(trees), num_threads),
            float(state["share"]),
            Calibrator.from_state(state["calibrator"]),
        )


def _cross_fit_line(
    X: Floats, y: Floats, weight: Floats, *, folds: list[Fold], categories: list[int]
) -> tuple[Floats, float]:
    """Out-of-fold logits under the best penalty, and that penalty."""
    best: tuple[float, Floats, float] | None = None
    # many rows make the penalty unimportant: one is enough
    for strength in _STRENGTHS if len(y) <= 5_000 else (10.0,):
        out = np.full(len(y), np.nan)
        for train, valid in folds:
            learner = LogisticLearner(categories, strength)
            out[valid] = learner.fit(X[train], y[train], weight[train]).logit(X[valid])
        held = ~np.isnan(out)
        loss = sigmoid_loss(out[held], y[held], weight[held])
        if best is None or loss < best[0]:
            best = (loss, out, strength)
    assert best is not None
    return best[1], best[2]


def _best_share(line: Floats, trees: Floats, y: Floats, weight: Floats) -> float:
    """Weight of the trees, in tenths, with the least held-out log-loss."""
    grid = np.linspace(0.0, 1.0, 11)
    loss = [sigmoid_loss((1 - a) * line + a * trees, y, weight) for a in grid]
    return float(grid[int(np.argmin(loss))])


def fit_blend(
    X: Floats,
    y: Floats,
    weight: Floats,
    *,
    rows: npt.NDArray[np.int64],
    folds: list[Fold],
    learner: str,
    plan: BoostingPlan,
    categories: list[int],
) -> tuple[Blend, dict[str, Any]]:
    """Cross-fit the candidates on ``rows``, choose and calibrate, refit the choice on all rows.

    Parameters
    ----------
    X : float array, shape (n, k), NaN allowed; y : 0/1, shape (n,); weight : shape (n,)
    rows : int array
        Positions used for choosing (a sample where n is large).
    folds : list of (training, validation) positions inside ``rows``
    learner : {"auto", "logistic", "lightgbm", "blend"}
    plan : BoostingPlan
    categories : list of int

    Returns
    -------
    Blend, and a record with learner, share, rounds, penalty, held-out log-loss and calibration
    """
    Xs, ys, ws = X[rows], y[rows], weight[rows]
    rare = min(float(ys.sum()), float((1 - ys).sum()))
    with_trees = learner in ("lightgbm", "blend") or (
        learner == "auto" and rare >= _MIN_RARE_FOR_TREES
    )
    with_line = learner in ("logistic", "blend") or (
        learner == "auto" and (len(y) <= _MAX_ROWS_FOR_LINE or not with_trees)
    )
    plan = replace(plan, min_child_samples=int(np.clip(len(ys) // 50, 10, plan.min_child_samples)))
    line_oof, strength = np.zeros(len(ys)), 0.0
    tree_oof, rounds = np.zeros(len(ys)), 0
    if with_line:
        line_oof, strength = _cross_fit_line(Xs, ys, ws, folds=folds, categories=categories)
    if with_trees:
        tree_oof, rounds = cross_fit_trees(
            Xs, ys, ws, plan=plan, folds=folds, categories=categories
        )
    held = ~np.isnan(line_oof + tree_oof)
    share = float(with_trees)
    if with_line and with_trees:
        share = _best_share(line_oof[held], tree_oof[held], ys[held], ws[held])
    raw = ((1 - share) * line_oof + share * tree_oof)[held]
    calibrator = Calibrator().fit(raw, ys[held], ws[held])
    record = {
        "learner": "lightgbm" if share == 1.0 else "logistic" if share == 0.0 else "blend",
        "tree_share": share,
        "rounds": rounds,
        "penalty": strength,
        "calibration": calibrator.method_,
        "held_out_rows": int(held.sum()),
        "held_out_log_loss": sigmoid_loss(raw, ys[held], ws[held]),
    }
    line = trees = None
    if share < 1.0:
        line = LogisticLearner(categories, strength).fit(X, y, weight)
    if share > 0.0:
        grown = max(1, round(_REFIT_GROWTH * rounds))
        trees = train_trees(X, y, weight, plan=plan, rounds=grown, categories=categories)
    return Blend(line, trees, share, calibrator), record
