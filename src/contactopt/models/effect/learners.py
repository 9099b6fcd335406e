"""Learners of an effect that differs between customers, behind one contract.

Each learns from `EffectRows` (and their doubly robust scores), says for any features what every
arm adds over waiting, and keeps itself as plain values. None of them is trusted by itself: what
they say is centred, scaled and chosen or dropped by `contactopt.models.effect.choice`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from contactopt.bundle import ModelText
from contactopt.models.effect.scores import EffectRows
from contactopt.models.learners.boosted import BoostingPlan, Trees, train_trees
from contactopt.models.learners.linear import LogisticLearner
from contactopt.models.learners.linear_design import LinearDesign

__all__ = ["LEARNERS", "DRLinear", "DRTrees", "EffectLearner", "SLearner", "TLearner"]

Floats = npt.NDArray[np.float64]
#: rows x arms that the second stage of the DR-learner grows trees on, at most
_TREE_ROWS = 600_000
#: penalties of the linear second stage, as multiples of the number of rows
_RIDGE = np.geomspace(1e-3, 1e2, 11)


class EffectLearner(ABC):
    """Contract of a learner: ``fit``, ``effect``, ``to_state`` and ``from_state``."""

    name: ClassVar[str]
    words: ClassVar[str]

    @abstractmethod
    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> EffectLearner:
        """Learn from rows and their scores of shape (n, n_arms)."""

    @abstractmethod
    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms); no rows give no rows."""

    @abstractmethod
    def to_state(self) -> dict[str, Any]:
        """Return plain values."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> EffectLearner:
        """Rebuild from `to_state`; the same bits."""


def _with_arm(X: Floats, arm: int | npt.NDArray[np.int64], n_arms: int) -> Floats:
    """Features with one column per arm: which was drawn."""
    drawn = np.broadcast_to(np.asarray(arm), (len(X),))
    return np.hstack([X, (drawn[:, None] == np.arange(n_arms)).astype(np.float64)])


class SLearner(EffectLearner):
    """One boosted model of payment with the action among its features (Künzel et al. 2019)."""

    name, words = "s_learner", "one model with the action as a feature"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> SLearner:
        """Learn as `EffectLearner.fit` says."""
        self.n_arms_ = rows.n_arms
        small = replace(
            plan,
            num_leaves=8,
            min_child_samples=int(np.clip(len(rows) / 100, 20, 400)),
            learning_rate=0.08,
        )
        self.trees_ = train_trees(
            _with_arm(rows.X, rows.arm, rows.n_arms),
            rows.y,
            np.ones(len(rows)),
            plan=small,
            rounds=80,
            categories=rows.categories,
        )
        return self

    def outcome(self, X: Floats) -> Floats:
        """P(pays) under wait (column 0) and every arm, shape (n, n_arms + 1)."""
        arms = range(-1, self.n_arms_)
        return np.column_stack(
            [expit(self.trees_.raw(_with_arm(X, a, self.n_arms_))) for a in arms]
        )

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        p = self.outcome(X)
        return p[:, 1:] - p[:, :1]

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"n_arms": self.n_arms_, "trees": ModelText(self.trees_.text)}

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> SLearner:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.n_arms_ = int(state["n_arms"])
        self.trees_ = Trees(str(state["trees"]), num_threads)
        return self


class TLearner(EffectLearner):
    """A regularised logistic model of payment per arm and for waiting, their difference."""

    name, words = "t_learner", "one model per arm and one for waiting"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> TLearner:
        """Learn as `EffectLearner.fit` says."""
        self.models_: list[LogisticLearner | float] = []
        for arm in range(-1, rows.n_arms):
            mine = rows.arm == arm
            y = rows.y[mine]
            if len(np.unique(y)) < 2:
                # one class only: its smoothed share
                self.models_.append(float((y.sum() + 0.5) / (len(y) + 1.0)))
                continue
            learner = LogisticLearner(rows.categories, strength=20.0)
            self.models_.append(learner.fit(rows.X[mine], y, np.ones(len(y))))
        return self

    def outcome(self, X: Floats) -> Floats:
        """P(pays) under wait (column 0) and every arm, shape (n, n_arms + 1)."""
        return np.column_stack(
            [
                np.full(len(X), m) if isinstance(m, float | int) else expit(m.logit(X))
                for m in self.models_
            ]
        )

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        p = self.outcome(X)
        return p[:, 1:] - p[:, :1]

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"models": [m if isinstance(m, float | int) else m.to_state() for m in self.models_]}

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> TLearner:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.models_ = [
            m if isinstance(m, float | int) else LogisticLearner.from_state(m)
            for m in state["models"]
        ]
        return self


class DRLinear(EffectLearner):
    """Ridge regression of the doubly robust scores on the features (Kennedy 2023).

    The penalty minimises generalised cross-validation (Golub, Heath and Wahba, Technometrics
    1979), per arm.
    """

    name, words = "dr_linear", "doubly robust scores, linear in the features"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> DRLinear:
        """Learn as `EffectLearner.fit` says."""
        from threadpoolctl import threadpool_limits

        self.design_ = LinearDesign(rows.categories).fit(rows.X)
        Z = self.design_.transform(rows.X)
        with threadpool_limits(limits=1):
            self._solve(Z - Z.mean(axis=0), scores)
        self.centre_ = Z.mean(axis=0)
        self.mean_ = scores.mean(axis=0)
        return self

    def _solve(self, Z: Floats, scores: Floats) -> None:
        n = len(Z)
        values, vectors = np.linalg.eigh(Z.T @ Z)
        values = np.maximum(values, 0.0)
        target = scores - scores.mean(axis=0)
        along = vectors.T @ (Z.T @ target)
        total = (target**2).sum(axis=0)
        best = np.full(scores.shape[1], np.inf)
        self.coef_ = np.zeros((Z.shape[1], scores.shape[1]))
        for penalty in _RIDGE * n:
            b = along / (values + penalty)[:, None]
            rss = total - 2.0 * (b * along).sum(axis=0) + (values[:, None] * b**2).sum(axis=0)
            freedom = 1.0 + float((values / (values + penalty)).sum())
            gcv = rss / max(1.0 - freedom / n, 1e-6) ** 2
            better = gcv < best
            best = np.where(better, gcv, best)
            self.coef_[:, better] = (vectors @ b)[:, better]

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        Z = self.design_.transform(X) - self.centre_
        return np.einsum("ij,jc->ic", Z, self.coef_) + self.mean_

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "design": self.design_.to_state(),
            "centre": self.centre_,
            "coef": self.coef_,
            "mean": self.mean_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> DRLinear:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.design_ = LinearDesign.from_state(state["design"])
        for name in ("centre", "coef", "mean"):
            setattr(self, f"{name}_", np.asarray(state[name], dtype=np.float64))
        return self


class DRTrees(EffectLearner):
    """Few shallow boosted trees on the doubly robust scores (Kennedy 2023), arm by arm."""

    name, words = "dr_trees", "doubly robust scores, shallow trees"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> DRTrees:
        """Learn as `EffectLearner.fit` says."""
        limit = max(2_000, _TREE_ROWS // max(rows.n_arms, 1))
        keep = np.arange(len(rows))[:: max(1, -(-len(rows) // limit))]
        small = replace(
            plan,
            objective="regression",
            num_leaves=5,
            min_child_samples=max(40, len(keep) // 30),
            learning_rate=0.08,
            lambda_l2=10.0,
        )
        X = rows.X[keep]
        self.trees_ = [
            train_trees(
                X,
                np.ascontiguousarray(scores[keep, c]),
                np.ones(len(keep)),
                plan=small,
                rounds=60,
                categories=rows.categories,
            )
            for c in range(rows.n_arms)
        ]
        return self

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        if not self.trees_:
            return np.zeros((len(X), 0))
        return np.column_stack([t.raw(X) for t in self.trees_])

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"trees": [ModelText(t.text) for t in self.trees_]}

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> DRTrees:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.trees_ = [Trees(str(text), num_threads) for text in state["trees"]]
        return self


LEARNERS: dict[str, type[EffectLearner]] = {
    learner.name: learner for learner in (SLearner, TLearner, DRLinear, DRTrees)
}
