"""Choose between a line and boosted trees, or mix them, on rows held out at random and in time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.learners.blend import Blend
from contactopt.models.learners.boosted import BoostingPlan, cross_fit_trees, train_trees
from contactopt.models.learners.calibrator import Calibrator, level_shift, sigmoid_loss
from contactopt.models.learners.linear import LogisticLearner
from contactopt.models.learners.recency import current_shift
from contactopt.models.learners.splits import Fold

__all__ = ["HeldOut", "fit_blend"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: rows of the rarer class that trees need, and that bends of the line need
_MIN_RARE_FOR_TREES, _MIN_RARE_FOR_BENDS = 100, 50
#: a line is not fitted beside trees above so many rows or cells; trees are one copy above so many
#: rows; the penalty matters little above so many
_MAX_ROWS_FOR_LINE, _MAX_CELLS_FOR_LINE = 50_000, 1_500_000
_MAX_ROWS_FOR_COPIES, _MAX_ROWS_FOR_PENALTIES = 20_000, 5_000
_STRENGTHS, _FEW_STRENGTHS = (300.0, 100.0, 30.0, 10.0, 3.0), (100.0, 10.0)
_KNOTS, _COPIES = 5, 3
#: nats that a share of 0 or 1 must gain over half and half, times four: with few rows the held-out
#: optimum of the share is mostly chance, and the middle is safe
_TOWARDS_HALF = 20.0
#: final trees see more rows than a fold did: this much longer growth
_REFIT_GROWTH = 1.1


@dataclass(frozen=True)
class HeldOut:
    """Who is held out from whom while choosing.

    Parameters
    ----------
    rows : int array
        Positions used for choosing (a sample where n is large).
    folds : list of (training, validation) positions inside ``rows``
        Random; every row is validated once.
    later : list of the same
        Later rows of other customers; empty without times.
    when : int64 array, shape (len(rows),), optional
        Instants.
    groups : uint64 array, shape (len(rows),), optional
        Hashes of the customers.
    """

    rows: Ints
    folds: list[Fold]
    later: list[Fold] = field(default_factory=list)
    when: Ints | None = None
    groups: npt.NDArray[np.uint64] | None = None


@dataclass
class _Scored:
    """Held-out logits of one candidate, and what made them."""

    random: Floats
    later: Floats
    setting: float = 0.0


class _Bench:
    """The rows that candidates are tried on, and their joint verdict."""

    def __init__(self, X: Floats, y: Floats, weight: Floats, held: HeldOut) -> None:
        self.X, self.y, self.weight = X[held.rows], y[held.rows], weight[held.rows]
        self.held = held
        self.n_later = sum(len(valid) for _, valid in held.later)

    def loss(self, random: Floats, later: Floats) -> float:
        """Mean held-out log-loss; of later rows after their level was set right, at equal weight.

        A level that moves is no fault of a learner: `current_shift` sees to it.
        """
        total = sigmoid_loss(random, self.y, self.weight)
        if not self.held.later:
            return total
        seen = ~np.isnan(later)
        z, y, weight = later[seen], self.y[seen], self.weight[seen]
        return 0.5 * (total + sigmoid_loss(z + level_shift(z, y, weight), y, weight))

    def line(self, settings: dict[str, Any], strengths: tuple[float, ...]) -> _Scored:
        """Score a line under the best penalty."""
        learner = LogisticLearner(**settings)
        random = self._cross_fit(learner, self.held.folds, strengths)
        later = self._cross_fit(learner, self.held.later, strengths)
        tried = [_Scored(r, t, s) for r, t, s in zip(random, later, strengths, strict=True)]
        return min(tried, key=lambda s: self.loss(s.random, s.later))

    def _cross_fit(
        self, learner: LogisticLearner, folds: list[Fold], strengths: tuple[float, ...]
    ) -> Floats:
        """Held-out logits, one row per penalty."""
        out = np.full((len(strengths), len(self.y)), np.nan)
        for train, valid in folds:
            path = learner.fit_path(self.X[train], self.y[train], self.weight[train], strengths)
            for row, fitted in zip(out, path, strict=True):
                row[valid] = fitted.logit(self.X[valid])
        return out

    def trees(self, plan: BoostingPlan, categories: list[int]) -> tuple[_Scored, dict[str, int]]:
        """Score trees; the rounds rest on random and later rows alike.

        Later rows alone can stop at a handful of trees where the world changed, random rows alone
        at trees that know the calendar: the geometric mean, never under half of the latter.
        """
        tell: dict[str, Any] = {"plan": plan, "categories": categories}
        data = self.X, self.y, self.weight
        random, rounds = cross_fit_trees(*data, folds=self.held.folds, **tell)
        if not self.held.later:
            return _Scored(random, np.full(len(self.y), np.nan), rounds), {}
        later, later_rounds = cross_fit_trees(*data, folds=self.held.later, level_free=True, **tell)
        joint = max(np.sqrt(rounds * later_rounds), 0.5 * rounds)
        told = {"rounds_random": rounds, "rounds_later": later_rounds}
        return _Scored(random, later, float(np.ceil(joint))), told


def _mixed(line: _Scored, trees: _Scored, share: float) -> tuple[Floats, Floats]:
    return (
        (1 - share) * line.random + share * trees.random,
        (1 - share) * line.later + share * trees.later,
    )


def _best_share(bench: _Bench, line: _Scored, trees: _Scored) -> float:
    """Weight of the trees, in twentieths, with the least held-out loss and pull to the middle."""
    grid = np.linspace(0.0, 1.0, 21)
    loss = [
        len(bench.y) * bench.loss(*_mixed(line, trees, a)) + _TOWARDS_HALF * (a - 0.5) ** 2
        for a in grid
    ]
    return float(grid[int(np.argmin(loss))])


def fit_blend(
    X: Floats,
    y: Floats,
    weight: Floats,
    *,
    held: HeldOut,
    learner: str,
    plan: BoostingPlan,
    categories: list[int],
    signs: dict[int, int],
) -> tuple[Blend, dict[str, Any], Floats]:
    """Cross-fit the candidates, choose and calibrate, refit the choice on all rows.

    Parameters
    ----------
    X : float array, shape (n, k), NaN allowed; y : 0/1, shape (n,); weight : shape (n,)
    held : HeldOut
    learner : {"auto", "logistic", "lightgbm", "blend"}
    plan : BoostingPlan
    categories : list of int
    signs : dict of int to int
        Demanded directions by column position.

    Returns
    -------
    Blend, a record of the choice, and calibrated held-out logits of ``held.rows`` by calibrations
    that were learned on other rows
    """
    bench = _Bench(X, y, weight, held)
    n, rare = len(y), min(float(y.sum()), float((1 - y).sum()))
    small = n <= _MAX_ROWS_FOR_LINE and X.size <= _MAX_CELLS_FOR_LINE
    with_trees = learner in ("lightgbm", "blend") or (
        learner == "auto" and rare >= _MIN_RARE_FOR_TREES
    )
    with_line = learner in ("logistic", "blend") or (
        learner == "auto" and (small or not with_trees)
    )
    leaf = int(np.clip(len(bench.y) // 50, 10, plan.min_child_samples))
    plan = replace(plan, min_child_samples=leaf)
    if signs:
        plan = replace(plan, monotone=tuple(signs.get(j, 0) for j in range(X.shape[1])))
    bends = {
        "categories": categories,
        "n_knots": _KNOTS if rare >= _MIN_RARE_FOR_BENDS else 0,
        "signs": signs,
    }
    nothing = _Scored(np.zeros(len(bench.y)), np.zeros(len(bench.y)))
    line, trees, told = nothing, nothing, {}
    if with_line:
        strengths = _STRENGTHS if n <= _MAX_ROWS_FOR_PENALTIES else _FEW_STRENGTHS
        line = bench.line(bends, strengths)
    if with_trees:
        trees, told = bench.trees(plan, categories)
    share = float(with_trees)
    if with_line and with_trees:
        share = _best_share(bench, line, trees)
    random, later = _mixed(line, trees, share)
    calibrator = Calibrator().fit(random, bench.y, bench.weight)
    record: dict[str, Any] = {
        "learner": "lightgbm" if share == 1.0 else "logistic" if share == 0.0 else "blend",
        "tree_share": share,
        "rounds": int(trees.setting),
        **told,
        "penalty": line.setting,
        "calibration": calibrator.method_,
        **_later_record(bench, calibrator, later),
        **_shift(bench, calibrator),
    }
    fitted = LogisticLearner(strength=line.setting, **bends) if share < 1.0 else None
    if fitted is not None:
        fitted.fit(X, y, weight)
    copies = []
    if share > 0.0:
        grown = max(1, round(_REFIT_GROWTH * trees.setting))
        for k in range(_COPIES if small and n <= _MAX_ROWS_FOR_COPIES else 1):
            own = replace(plan, seed=(plan.seed + k) % (2**31 - 1))
            copies.append(train_trees(X, y, weight, plan=own, rounds=grown, categories=categories))
    return Blend(fitted, copies, share, calibrator), record, calibrator.held_out_


def _later_record(bench: _Bench, calibrator: Calibrator, later: Floats) -> dict[str, Any]:
    """Tell the loss on later rows as scored, and the shift of level that they ask for."""
    if not bench.held.later:
        return {}
    seen = ~np.isnan(later)
    z, y, weight = calibrator.logit(later[seen]), bench.y[seen], bench.weight[seen]
    return {
        "later_rows": bench.n_later,
        "later_log_loss": sigmoid_loss(z, y, weight),
        "later_shift": level_shift(z, y, weight),
    }


def _shift(bench: _Bench, calibrator: Calibrator) -> dict[str, Any]:
    """Bring the calibration to the level of the newest rows, where the past shows that it moves."""
    if bench.held.when is None:
        return {}
    groups = None if bench.held.groups is None else bench.held.groups.view(np.int64)
    shift, step = current_shift(
        calibrator.held_out_, bench.y, bench.weight, bench.held.when, groups
    )
    calibrator.shifted(shift)
    return {"level_shift": shift, "level_step": step}
