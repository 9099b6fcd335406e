"""E[share | pays]: bucket means, a log-linear Gamma line and trees, mixed on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.amount.gamma_line import GammaLine
from contactopt.models.learners.boosted import BoostingPlan, Trees, cross_fit_trees, train_trees
from contactopt.models.learners.splits import Fold

__all__ = ["LogMixture", "credible_factor", "fit_mixture", "gamma_deviance", "level_factor"]

Floats = npt.NDArray[np.float64]

#: payers below which no line, no trees are tried; above which no line is
_MIN_FOR_LINE, _MIN_FOR_TREES, _MAX_FOR_LINE = 100, 500, 20_000
_STRENGTHS = (300.0, 100.0, 30.0, 10.0)
_STEPS = 5
#: standard errors by which the mixture must beat the means on held-out rows
_MUST_BEAT = 1.0
#: sd assumed of the true log ratio between the factors that match money and shares: the means know
#: the exposure, so that little is left to say of large ones
_MONEY_BEYOND_SHARES = 0.05


def gamma_deviance(y: Floats, log_mean: Floats) -> Floats:
    """Return the unit Gamma deviance of positive y under a mean, shape (n,).

    Scale-free, and least in expectation at the true mean.

    Examples
    --------
    >>> gamma_deviance(np.array([2.0]), np.log([2.0])).tolist()
    [0.0]
    """
    ratio = y * np.exp(-log_mean)
    return 2.0 * (ratio - 1.0 - np.log(ratio))


def level_factor(predicted: Floats, money: Floats, weight: Floats, cap: Floats) -> float:
    """Return the factor under which predictions below their caps add up to the money.

    Parameters
    ----------
    predicted, money, weight, cap : float arrays, shape (n,)
        Held-out rows; ``cap`` is the greatest amount possible, infinity without one.
    """
    factor, total = 1.0, float(weight @ money)
    for _ in range(50):
        now = float(weight @ np.clip(predicted * factor, 0.0, cap))
        if now <= 0 or abs(now / total - 1.0) < 1e-9:
            break
        factor = float(np.clip(factor * total / now, 0.1, 10.0))
    return factor


def credible_factor(
    share: Floats,
    exposure: Floats,
    money: Floats,
    weight: Floats,
    cap: Floats,
    groups: npt.NDArray[Any],
) -> tuple[float, dict[str, float]]:
    """Return the factor that matches shares, moved towards the one that matches money.

    A few settlements of large debts decide the money: the factor that matches it is unbiased, and
    unsure. That of the shares, where each payer counts once, is surer, and wrong by what large
    debts differ from small ones. Credibility (Buhlmann 1967) weighs the gap between the two by its
    standard error. Both see shares as they are, not winsorised.

    Parameters
    ----------
    share, exposure, money, weight, cap : float arrays, shape (n,)
        Held-out rows: predicted share, what it is a share of, actual money, and as in
        `level_factor`.
    groups : array, shape (n,)
        Customer of each row: the error is clustered by it.

    Returns
    -------
    factor, record (``factor_of_shares``, ``factor_of_money``, ``money_credibility``)
    """
    predicted, each = share * exposure, weight / exposure
    of_money = level_factor(predicted, money, weight, cap)
    of_shares = level_factor(predicted, money, each, cap)
    gap = np.zeros(len(money))
    for factor, w, sign in ((of_money, weight, 1.0), (of_shares, each, -1.0)):
        told = np.clip(predicted * factor, 0.0, cap)
        gap += sign * w * (money - told) / max(float(w @ told), 1e-300)
    clustered = np.bincount(np.unique(groups, return_inverse=True)[1].ravel(), weights=gap)
    error = float(clustered @ clustered)
    credibility = _MONEY_BEYOND_SHARES**2 / (_MONEY_BEYOND_SHARES**2 + error)
    factor = of_shares * (of_money / of_shares) ** credibility
    record = {
        "factor_of_shares": of_shares,
        "factor_of_money": of_money,
        "money_credibility": credibility,
    }
    return factor, record


@dataclass
class LogMixture:
    """Weighted mean, on the log scale, of bucket means, a line and trees.

    Attributes
    ----------
    line : GammaLine or None
    trees : Trees or None
    line_share, tree_share : float
        The rest belongs to the bucket means.
    """

    line: GammaLine | None = None
    trees: Trees | None = None
    line_share: float = 0.0
    tree_share: float = 0.0

    @property
    def name(self) -> str:
        """What carries the answer, in words for the fit record."""
        parts = {
            "means by days past due": 1.0 - self.line_share - self.tree_share,
            "log-linear": self.line_share,
            "lightgbm": self.tree_share,
        }
        return " + ".join(part for part, share in parts.items() if share > 1e-9)

    def log_mean(self, X: Floats, log_bucket_mean: Floats) -> Floats:
        """Return log E[share | pays], shape (n,)."""
        out = (1.0 - self.line_share - self.tree_share) * log_bucket_mean
        if self.line is not None:
            out = out + self.line_share * self.line.log_mean(X)
        if self.trees is not None:
            out = out + self.tree_share * self.trees.raw(X)
        return out

    def to_state(self) -> dict[str, Any]:
        """Return the parts; trees as `ModelText`."""
        from contactopt.bundle import ModelText

        return {
            "line": None if self.line is None else self.line.to_state(),
            "trees": None if self.trees is None else ModelText(self.trees.text),
            "line_share": self.line_share,
            "tree_share": self.tree_share,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int = 1) -> LogMixture:
        """Rebuild from `to_state`."""
        line, trees = state["line"], state["trees"]
        return cls(
            None if line is None else GammaLine.from_state(line),
            None if trees is None else Trees(str(trees), num_threads),
            float(state["line_share"]),
            float(state["tree_share"]),
        )


def fit_mixture(
    X: Floats,
    share: Floats,
    weight: Floats,
    *,
    rows: npt.NDArray[np.int64],
    folds: list[Fold],
    bucket_log_mean: Floats,
    plan: BoostingPlan,
    categories: list[int],
) -> tuple[LogMixture, Floats, dict[str, Any]]:
    """Choose the mixture with the least held-out Gamma deviance and refit its parts on all rows.

    Where it does not beat the bucket means by one standard error, the means remain.

    Parameters
    ----------
    X : float array, shape (n, k), NaN allowed; share, weight : shape (n,), > 0
    rows : int array
        Positions used for choosing (a sample where n is large).
    folds : list of (training, validation) positions inside ``rows``
    bucket_log_mean : float array, shape (len(rows),)
        Held-out log means of the buckets.
    plan : BoostingPlan
        With the objective ``gamma``.
    categories : list of int

    Returns
    -------
    LogMixture, held-out log means of shape (len(rows),), record
    """
    Xs, ys, ws = X[rows], share[rows], weight[rows]
    held, strength, rounds = {"means": bucket_log_mean}, 0.0, 0
    if _MIN_FOR_LINE <= len(share) <= _MAX_FOR_LINE:
        held["line"], strength = _cross_fit_line(Xs, ys, ws, folds, categories)
    plan = replace(plan, min_child_samples=int(np.clip(len(ys) // 50, 10, plan.min_child_samples)))
    if len(share) >= _MIN_FOR_TREES:
        held["trees"], rounds = cross_fit_trees(
            Xs, ys, ws, plan=plan, folds=folds, categories=categories
        )
    line_share, tree_share, gain = _best_shares(held, ys, ws)
    mixture = LogMixture(line_share=line_share, tree_share=tree_share)
    if line_share > 0:
        mixture.line = GammaLine(categories, strength).fit(X, share, weight)
    if tree_share > 0:
        mixture.trees = train_trees(
            X, share, weight, plan=plan, rounds=rounds, categories=categories
        )
    record = {
        "learner": mixture.name,
        "rounds": rounds if tree_share > 0 else 0,
        "line_share": line_share,
        "tree_share": tree_share,
        "gain_over_means": gain,
    }
    return mixture, _mixed(held, line_share, tree_share), record


def _cross_fit_line(
    X: Floats, y: Floats, weight: Floats, folds: list[Fold], categories: list[int]
) -> tuple[Floats, float]:
    """Held-out log means under the best penalty, and that penalty."""
    best: tuple[float, Floats, float] | None = None
    for strength in _STRENGTHS if len(y) <= 5_000 else _STRENGTHS[-2:-1]:
        out = np.full(len(y), np.nan)
        for train, valid in folds:
            line = GammaLine(categories, strength).fit(X[train], y[train], weight[train])
            out[valid] = line.log_mean(X[valid])
        loss = float(weight @ gamma_deviance(y, out))
        if best is None or loss < best[0]:
            best = (loss, out, strength)
    assert best is not None
    return best[1], best[2]


def _mixed(held: dict[str, Floats], line_share: float, tree_share: float) -> Floats:
    out = (1.0 - line_share - tree_share) * held["means"]
    if line_share > 0:
        out = out + line_share * held["line"]
    if tree_share > 0:
        out = out + tree_share * held["trees"]
    return out


def _best_shares(held: dict[str, Floats], y: Floats, weight: Floats) -> tuple[float, float, float]:
    """Shares of line and trees in fifths, and the mean deviance they save over the means."""

    def loss(line_share: float, tree_share: float) -> Floats:
        raw = _mixed(held, line_share, tree_share)
        # each candidate is judged after its level was set: the level is matched to money anyway
        level = float(weight @ (y * np.exp(-raw))) / float(weight.sum())
        return weight * gamma_deviance(y, raw + np.log(level))

    plain = loss(0.0, 0.0)
    best, best_loss = (0.0, 0.0), plain
    for a, b in product(range(_STEPS + 1), repeat=2):
        if a + b > _STEPS or (a and "line" not in held) or (b and "trees" not in held):
            continue
        found = loss(a / _STEPS, b / _STEPS)
        if found.sum() < best_loss.sum():
            best, best_loss = (a / _STEPS, b / _STEPS), found
    saved = plain - best_loss
    error = saved.std() * np.sqrt(len(saved))
    if saved.sum() <= _MUST_BEAT * error:
        return 0.0, 0.0, 0.0
    return *best, float(saved.sum() / weight.sum())
