"""Effects of drawn actions from plain frames: shrunken means, and differences where shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from contactopt.models.effect.choice import EffectChoice, cross_fit_effects, judge
from contactopt.models.effect.plain import PlainRows
from contactopt.models.effect.priors import EFFECT_PRIOR, UNKNOWN_ACTION_SD
from contactopt.models.effect.scores import EffectRows, cluster_error, dr_scores
from contactopt.models.effect.shown import Differences
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.reach.priors import channel_prior

__all__ = ["MIN_EVENTS", "ArmEffects", "sampled"]

Floats = npt.NDArray[np.float64]
#: payers, and non-payers, below which no difference between customers is looked for
MIN_EVENTS = 50
#: rows x columns x arms (two at least) on which candidates are compared and learned, at most
_MAX_CELLS = 16_000_000


class ArmEffects:
    """Mean effect per arm, shrunken to a prior, and differences between customers if shown.

    Attributes
    ----------
    mean_, spread_ : float arrays, shape (n_arms,)
        What drawing the arm adds to the probability of payment over waiting.
    choice_ : EffectChoice
    differences_ : Differences or None
    """

    def fit(
        self, plain: PlainRows, *, p_wait: Floats | None, roots: list[str], plan: BoostingPlan
    ) -> ArmEffects:
        """Learn from checked rows.

        Parameters
        ----------
        plain : PlainRows
        p_wait : float array, shape (n_rows,), optional
            P(pays | wait) of the rows, from a model that may have seen them.
        roots : list of str, one per arm
            The contract's channel whose prior holds, or "".
        plan : BoostingPlan
        """
        rate = 0.3 if plain.rows is None else float(plain.rows.y[plain.rows.arm == -1].mean())
        self.mean_, self.spread_ = _priors(roots, rate)
        self.speaking_ = plain.speaking
        self.differences_: Differences | None = None
        if plain.rows is None:
            self.choice_ = EffectChoice(
                "prior", "share", plain.verdict, propensity=plain.propensity
            )
            return self
        rows = plain.rows
        rare = min(float(rows.y.sum()), float((1 - rows.y).sum()))
        if rare < MIN_EVENTS:
            verdict = (
                f"{rare:.0f} rows that paid (or did not): {MIN_EVENTS} are asked for before a "
                "difference between customers is looked for"
            )
            self.choice_ = EffectChoice("constant", "share", verdict, propensity=plain.propensity)
            return self._shrink(rows, dr_scores(rows, _plain_outcome(rows)))
        part = sampled(replace(rows, p_wait=p_wait))
        found = cross_fit_effects(replace(part, p_wait=None), plan)
        self.choice_ = judge(part, found, propensity=plain.propensity)
        if self.choice_.scale != "share":
            self.differences_ = Differences().fit(part, found, self.choice_, plan)
        return self._shrink(part, found.scores)

    def _shrink(self, rows: EffectRows, scores: Floats) -> ArmEffects:
        """Combine the mean score of each arm with its prior, by precision."""
        centre = scores.mean(axis=0)
        for k, c in enumerate(self.speaking_):
            error = cluster_error(scores[:, k] - centre[k], rows.cluster)
            kept = self.spread_[c] ** 2 / (self.spread_[c] ** 2 + error**2)
            self.mean_[c] += kept * (centre[k] - self.mean_[c])
            self.spread_[c] = np.sqrt(kept) * error
        return self

    def effect(self, X: Floats, p_wait: Floats) -> tuple[Floats, Floats]:
        """Return what every arm adds and its standard deviation, shape (n, n_arms) each."""
        shape = (len(X), len(self.mean_))
        mean, spread = np.broadcast_to(self.mean_, shape), np.broadcast_to(self.spread_, shape)
        if self.differences_ is None:
            return mean.copy(), spread.copy()
        mean, variance = mean.copy(), spread**2
        over = self.differences_.over_mean(X, p_wait)
        mean[:, self.speaking_] = np.clip(mean[:, self.speaking_] + over, -1.0, 1.0)
        variance[:, self.speaking_] += self.differences_.unsure_**2
        return mean, np.sqrt(variance)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "mean": self.mean_,
            "spread": self.spread_,
            "speaking": self.speaking_,
            "choice": self.choice_.to_state(),
            "differences": None if self.differences_ is None else self.differences_.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], num_threads: int) -> ArmEffects:
        """Rebuild from `to_state`; the same bits."""
        self = cls()
        self.mean_ = np.asarray(state["mean"], dtype=np.float64)
        self.spread_ = np.asarray(state["spread"], dtype=np.float64)
        self.speaking_ = np.asarray(state["speaking"], dtype=np.int64)
        self.choice_ = EffectChoice.from_state(state["choice"])
        one = state["differences"]
        self.differences_ = None if one is None else Differences.from_state(one, num_threads)
        return self


def _priors(roots: list[str], rate: float) -> tuple[Floats, Floats]:
    """Prior mean and sd of what drawing each arm adds, in shares, where ``rate`` pay waiting."""
    z, slope = float(logit(rate)), rate * (1 - rate)
    mean, spread = np.zeros(len(roots)), np.full(len(roots), UNKNOWN_ACTION_SD * slope)
    for c, root in enumerate(roots):
        if root:
            reach = float(expit(channel_prior(root)))
            effect, sd = EFFECT_PRIOR[root]
            mean[c] = reach * (expit(z + effect) - rate)
            # reach is not known either: its own uncertainty is about as large as itself
            spread[c] = slope * reach * np.hypot(sd, effect)
    return mean, spread


def _plain_outcome(rows: EffectRows) -> Floats:
    """Weighted share of payers per arm: scores then are weighted differences of means."""
    total = np.bincount(rows.arm + 1, weights=rows.weight, minlength=rows.n_arms + 1)
    paid = np.bincount(rows.arm + 1, weights=rows.weight * rows.y, minlength=rows.n_arms + 1)
    return np.tile(paid / total, (len(rows), 1))


def sampled(rows: EffectRows) -> EffectRows:
    """Whole customers by their hash, so many that time allows."""
    size = rows.X.size * max(rows.n_arms, 2)
    if size <= _MAX_CELLS:
        return rows
    return rows.take(np.flatnonzero(rows.hashes <= np.quantile(rows.hashes, _MAX_CELLS / size)))
