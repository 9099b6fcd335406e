"""An effect that differs between customers, once it is shown: learned on all rows and scaled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.models.effect.choice import AVERAGES, CrossFit, EffectChoice, candidates_for
from contactopt.models.effect.learners import LEARNERS, EffectLearner
from contactopt.models.effect.scores import EffectRows
from contactopt.models.effect.simple import LogitConstant, ReachTimesEffect, SegmentLevel
from contactopt.models.learners.boosted import BoostingPlan

__all__ = ["Differences"]

Floats = npt.NDArray[np.float64]
_CLASSES: dict[str, type[EffectLearner]] = {
    **LEARNERS,
    "odds": LogitConstant,
    "segment": SegmentLevel,
    "reach_x_effect": ReachTimesEffect,
}


class Differences:
    """How much more or less than the mean effect each arm adds for a customer.

    Attributes
    ----------
    learners_ : dict of str to EffectLearner
        One, or all that an average is the mean of.
    mean_ : float array, shape (n_arms,)
        Mean of what they say over the rows of the fit: differences are from there.
    slope_ : float array, shape (n_arms,)
        By what differences are multiplied.
    unsure_ : float array, shape (n_arms,)
        Standard deviation, over the rows of the fit, between what was said of a customer without
        and with the customer's own fold: how unsteady the learner is.
    """

    def fit(
        self, rows: EffectRows, found: CrossFit, choice: EffectChoice, plan: BoostingPlan
    ) -> Differences:
        """Learn what was chosen on all rows (which must have ``p_wait``)."""
        assert rows.p_wait is not None
        key = "odds" if choice.scale == "odds" else choice.name
        names = AVERAGES.get(key, (key,))
        classes = candidates_for(rows)
        self.learners_ = {k: classes[k]().fit(rows, found.scores, plan) for k in names}
        said = self._said(rows.X, rows.p_wait)
        self.mean_ = said.mean(axis=0)
        self.slope_ = np.asarray(choice.slopes, dtype=np.float64)
        apart = found.centred(found.effects[key]) - (said - self.mean_)
        self.unsure_ = np.abs(self.slope_) * apart.std(axis=0)
        return self

    def _said(self, X: Floats, p_wait: Floats) -> Floats:
        return np.mean([m.effect(X, p_wait) for m in self.learners_.values()], axis=0)

    def over_mean(self, X: Floats, p_wait: Floats) -> Floats:
        """Return the effect over the mean effect, shape (n, n_arms)."""
        return self.slope_ * (self._said(X, p_wait) - self.mean_)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "learners": {name: m.to_state() for name, m in self.learners_.items()},
            "mean": self.mean_,
            "slope": self.slope_,
            "unsure": self.unsure_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> Differences:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.learners_ = {
            name: _CLASSES[name].from_state(one, num_threads)
            for name, one in state["learners"].items()
        }
        for name in ("mean", "slope", "unsure"):
            setattr(self, f"{name}_", np.asarray(state[name], dtype=np.float64))
        return self
