"""Effects with few parameters: one shift per arm, one value per segment, reach times effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from contactopt.bundle import ModelText
from contactopt.models.effect.learners import EffectLearner
from contactopt.models.effect.scores import EffectRows
from contactopt.models.learners.boosted import BoostingPlan, Trees, train_trees

__all__ = ["LogitConstant", "ReachTimesEffect", "SegmentLevel"]

Floats = npt.NDArray[np.float64]
_LIMIT = 6.0
_SEGMENTS = 4


def _clipped(p: Floats) -> Floats:
    return np.clip(p, 1e-6, 1 - 1e-6)


def _shift_for(p_wait: Floats, reach: Floats, target: float) -> float:
    """Shift of the logit whose mean gain times reach is ``target``, by bisection."""
    p, z = _clipped(p_wait), logit(_clipped(p_wait))
    low, high = -_LIMIT, _LIMIT
    for _ in range(50):
        middle = 0.5 * (low + high)
        if float((reach * (expit(z + middle) - p)).mean()) < target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _gain(p_wait: Floats, shift: Floats) -> Floats:
    p = _clipped(p_wait)[:, None]
    return expit(logit(p) + shift) - p


class LogitConstant(EffectLearner):
    """One shift of the logit of P(pays | wait) per arm: constant in odds, not in shares."""

    name, words = "constant", "one shift of the odds per arm"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> LogitConstant:
        """Learn as `EffectLearner.fit` says."""
        assert rows.p_wait is not None
        one = np.ones(len(rows))
        self.shift_ = np.array([_shift_for(rows.p_wait, one, t) for t in scores.mean(axis=0)])
        return self

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        return _gain(p_wait, self.shift_)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"shift": self.shift_}

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> LogitConstant:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.shift_ = np.asarray(state["shift"], dtype=np.float64)
        return self


class SegmentLevel(EffectLearner):
    """Mean score per quarter of P(pays | wait), shrunken to the arm's mean (Efron, Morris 1973)."""

    name, words = "segment", "one effect per arm and quarter of P(pays | wait)"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> SegmentLevel:
        """Learn as `EffectLearner.fit` says."""
        assert rows.p_wait is not None
        inner = np.linspace(0, 1, _SEGMENTS + 1)[1:-1]
        self.edges_ = np.unique(np.quantile(rows.p_wait, inner))
        code = np.searchsorted(self.edges_, rows.p_wait, side="right")
        n = np.bincount(code, minlength=len(self.edges_) + 1).astype(np.float64)
        self.level_ = np.empty((len(n), scores.shape[1]))
        for c in range(scores.shape[1]):
            s = scores[:, c]
            mean = float(s.mean())
            held = np.maximum(n, 1.0)
            own = np.bincount(code, weights=s, minlength=len(n)) / held
            square = np.bincount(code, weights=(s - own[code]) ** 2, minlength=len(n)) / held
            noise = square / held
            spread = max(float(((own - mean) ** 2 - noise)[n > 0].mean()), 0.0)
            kept = spread / np.maximum(spread + noise, 1e-300)
            self.level_[:, c] = np.where(n > 0, mean + kept * (own - mean), mean)
        return self

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        return self.level_[np.searchsorted(self.edges_, p_wait, side="right")]

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"edges": self.edges_, "level": self.level_}

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> SegmentLevel:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.edges_ = np.asarray(state["edges"], dtype=np.float64)
        self.level_ = np.asarray(state["level"], dtype=np.float64)
        return self


class ReachTimesEffect(EffectLearner):
    """Reach of each arm by features, times one shift of the odds given reach.

    The shift comes from the drawn action: the mean score (intention to treat) must equal the mean
    of reach times gain (Angrist, Imbens and Rubin, JASA 1996). The reached are never compared with
    the unreached.
    """

    name, words = "reach_x_effect", "reach by features times one effect given reach"

    def fit(self, rows: EffectRows, scores: Floats, plan: BoostingPlan) -> ReachTimesEffect:
        """Learn as `EffectLearner.fit` says."""
        assert rows.p_wait is not None
        assert rows.reach is not None
        small = replace(
            plan,
            objective="cross_entropy",
            num_leaves=8,
            learning_rate=0.08,
        )
        self.models_: list[Trees | float] = []
        for c in range(rows.n_arms):
            mine = np.flatnonzero(rows.arm == c)
            r = rows.reach[mine]
            if len(mine) == 0 or np.ptp(r) == 0:
                self.models_.append(float(r.mean()) if len(mine) else 0.0)
                continue
            grown = replace(small, min_child_samples=int(np.clip(len(mine) / 50, 20, 400)))
            self.models_.append(
                train_trees(
                    rows.X[mine],
                    r,
                    np.ones(len(mine)),
                    plan=grown,
                    rounds=60,
                    categories=rows.categories,
                )
            )
        reach = self.reach(rows.X)
        self.shift_ = np.array(
            [
                _shift_for(rows.p_wait, reach[:, c], t) if reach[:, c].any() else 0.0
                for c, t in enumerate(scores.mean(axis=0))
            ]
        )
        return self

    def reach(self, X: Floats) -> Floats:
        """Probability that each arm reaches, shape (n, n_arms)."""
        if not self.models_:
            return np.zeros((len(X), 0))
        return np.column_stack(
            [
                np.full(len(X), m) if isinstance(m, float | int) else expit(m.raw(X))
                for m in self.models_
            ]
        )

    def effect(self, X: Floats, p_wait: Floats) -> Floats:
        """Return what every arm adds, shape (n, n_arms)."""
        return self.reach(X) * _gain(p_wait, self.shift_)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        models = [m if isinstance(m, float | int) else ModelText(m.text) for m in self.models_]
        return {"shift": self.shift_, "models": models}

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> ReachTimesEffect:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.shift_ = np.asarray(state["shift"], dtype=np.float64)
        self.models_ = [
            m if isinstance(m, float | int) else Trees(str(m), num_threads) for m in state["models"]
        ]
        return self
