"""Differences between customers inside a strategy, where reach is a model of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from contactopt.models.effect.channels import stable_propensity
from contactopt.models.effect.choice import LEVEL, EffectChoice, cross_fit_effects, judge
from contactopt.models.effect.evidence import difference_p_value, feature_design
from contactopt.models.effect.scores import EffectRows, dr_scores
from contactopt.models.effect.shown import Differences
from contactopt.models.effect.uplift import MIN_EVENTS, sampled
from contactopt.models.effect.weighting import clipped_weights, speaks
from contactopt.models.learners.boosted import BoostingPlan
from contactopt.models.learners.encoder import Encoder
from contactopt.models.learners.splits import group_hash

__all__ = ["CustomerEffects", "gain_given_reach"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: standard errors asked for beside the test over all features: inside a strategy the constant
#: already differs with reach and with P(pays | wait), and replacing it must not cost money
_MIN_Z = 4.0
#: a reach below this is not divided by
_MIN_REACH = 0.02


class CustomerEffects:
    """What drawing a channel adds beyond its mean effect, by the features of the decision.

    Attributes
    ----------
    choice_ : EffectChoice
    differences_ : Differences or None
        Of the intention-to-treat effects, for the channels in ``arms_``.
    """

    def fit(
        self,
        rows: pd.DataFrame,
        features: pd.DataFrame | None,
        *,
        p_wait: Floats,
        channels: list[str],
        effect: Floats,
        largest_weight: float,
        plan: BoostingPlan,
    ) -> CustomerEffects:
        """Learn from usable decisions.

        Parameters
        ----------
        rows : DataFrame
            From `usable_decisions`; its index is the position among those given.
        features : DataFrame or None
            A row per decision that was given.
        p_wait : float array
        channels : list of str
        effect : float array, shape (n_channels,)
            The constant given reach, in logits.
        largest_weight : float
        plan : BoostingPlan
        """
        self.differences_: Differences | None = None
        self.arms_ = np.zeros(0, dtype=np.int64)
        verdict = "differences between customers were not looked for: no features"
        self.choice_ = EffectChoice("constant", "odds", verdict, propensity="logged")
        if features is None or len(rows) == 0:
            return self
        paid = rows["paid"].to_numpy(dtype=np.float64)
        code = pd.Index(channels).get_indexer(pd.Index(rows["channel"]))
        enough = [c for c in range(len(channels)) if speaks(paid[code == c])]
        rare = min(paid.sum(), (1 - paid).sum())
        if not enough or not speaks(paid[code == -1]) or rare < MIN_EVENTS:
            verdict = "differences between customers were not looked for: too few events"
            self.choice_ = EffectChoice("constant", "odds", verdict, propensity="logged")
            return self
        self.arms_ = np.asarray(enough, dtype=np.int64)
        self._choose(rows, features, code, p_wait, effect, largest_weight, plan)
        return self

    def _choose(
        self,
        rows: pd.DataFrame,
        features: pd.DataFrame,
        code: Ints,
        p_wait: Floats,
        effect: Floats,
        largest_weight: float,
        plan: BoostingPlan,
    ) -> None:
        keep = np.flatnonzero(np.isin(code, np.append(self.arms_, -1)))
        place = np.full(int(code.max()) + 2, -1, dtype=np.int64)
        place[self.arms_] = np.arange(len(self.arms_))
        arm = place[code[keep]]
        self.encoder_ = Encoder.learn(features)
        self.columns_ = [str(c) for c in features.columns]
        given = features.iloc[rows.index.to_numpy(dtype=np.int64)[keep]]
        weight, _ = clipped_weights(
            1.0 / stable_propensity(rows.iloc[keep]), arm, len(self.arms_), largest_weight
        )
        hashes = group_hash(rows["customer"].to_numpy()[keep])
        whole = EffectRows(
            X=self._matrix(given),
            y=rows["paid"].to_numpy(dtype=np.float64)[keep],
            arm=arm,
            weight=weight,
            cluster=np.unique(hashes, return_inverse=True)[1].ravel().astype(np.int64),
            hashes=hashes,
            n_arms=len(self.arms_),
            categories=self.encoder_.category_positions(self.columns_),
            p_wait=p_wait[keep],
        )
        part = sampled(whole)
        level = self._levels(rows.iloc[keep], arm, p_wait[keep], effect)
        p_value = _first_look(part, level)
        if p_value >= LEVEL:
            self.choice_ = EffectChoice(
                "constant",
                "odds",
                f"no difference between customers is shown (test over all features: "
                f"p = {p_value:.3f})",
                p_value=p_value,
                propensity="logged",
            )
            return
        found = cross_fit_effects(part, plan)
        self.choice_ = judge(part, found, propensity="logged", at_least=_MIN_Z)
        if self.choice_.scale != "customer":
            # either constant means today's: one shift of the odds given reach
            self.choice_ = replace(self.choice_, scale="odds")
            return
        self.differences_ = Differences().fit(part, found, self.choice_, plan)
        self.level_ = level

    def _levels(self, rows: pd.DataFrame, arm: Ints, p_wait: Floats, effect: Floats) -> Floats:
        """Mean drawn effect of each arm: the shrunken effect times the reach that it induced."""
        p = np.clip(p_wait, 1e-9, 1 - 1e-9)[:, None]
        gain = (expit(logit(p) + effect[self.arms_]) - p).mean(axis=0)
        reach = rows["reach"].to_numpy(dtype=np.float64)
        return gain * np.array([reach[arm == k].mean() for k in range(len(self.arms_))])

    def _matrix(self, features: pd.DataFrame) -> Floats:
        frame = self.encoder_.encode(features[self.columns_])
        return frame.to_numpy(dtype=np.float64)

    @property
    def differs(self) -> bool:
        """Whether a difference between customers is shown."""
        return self.differences_ is not None

    def drawn(self, features: pd.DataFrame, p_wait: Floats) -> Floats:
        """Return what drawing each arm adds (intention to treat), shape (n, len(arms_))."""
        assert self.differences_ is not None
        return self.level_ + self.differences_.over_mean(self._matrix(features), p_wait)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        state: dict[str, Any] = {"choice": self.choice_.to_state(), "arms": self.arms_}
        if self.differences_ is not None:
            state |= {
                "differences": self.differences_.to_state(),
                "level": self.level_,
                "levels": self.encoder_.levels,
                "columns": self.columns_,
            }
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any] | None, num_threads: int) -> CustomerEffects:
        """Rebuild from `to_state`; None (an old bundle) has no differences."""
        self = cls()
        self.differences_ = None
        self.arms_ = np.zeros(0, dtype=np.int64)
        self.choice_ = EffectChoice("constant", "odds", "fitted before choices were made")
        if state is None:
            return self
        self.choice_ = EffectChoice.from_state(state["choice"])
        self.arms_ = np.asarray(state["arms"], dtype=np.int64)
        if "differences" in state:
            self.differences_ = Differences.from_state(state["differences"], num_threads)
            self.level_ = np.asarray(state["level"], dtype=np.float64)
            self.encoder_ = Encoder({k: list(v) for k, v in state["levels"].items()})
            self.columns_ = [str(c) for c in state["columns"]]
        return self


def _first_look(rows: EffectRows, level: Floats) -> float:
    """Test over all features with the constant as outcome model: learners come only after it."""
    assert rows.p_wait is not None
    outcome = np.column_stack([rows.p_wait, np.clip(rows.p_wait[:, None] + level, 0.0, 1.0)])
    scores = dr_scores(rows, outcome)
    noise = scores - scores.mean(axis=0)
    arm_weight = 1.0 / np.maximum((noise**2).mean(axis=0), 1e-12)
    return difference_p_value(feature_design(rows), noise, arm_weight / arm_weight.sum(), rows)


def gain_given_reach(
    effects: CustomerEffects,
    features: pd.DataFrame,
    p_wait: Floats,
    reach: Floats,
    gain: Floats,
    spread: Floats,
    channel: Ints,
) -> tuple[Floats, Floats]:
    """Move constant gains by what is shown of a customer: drawn effect over the reach it induces.

    Parameters
    ----------
    effects : CustomerEffects
    features : DataFrame, shape (n, k)
    p_wait : float array, shape (n,)
    reach, gain, spread : float arrays, shape (n, m)
    channel : int array, shape (m,)
        Channel of each action, as numbered in ``effects.arms_``.

    Returns
    -------
    gain, spread : float arrays, shape (n, m)
    """
    drawn = effects.drawn(features, p_wait)
    assert effects.differences_ is not None
    gain, spread = gain.copy(), spread.copy()
    for k, c in enumerate(effects.arms_):
        mine = channel == c
        if not mine.any():
            continue
        induced = np.maximum(reach[:, mine].mean(axis=1), _MIN_REACH)
        gain[:, mine] = np.clip(drawn[:, k] / induced, -p_wait, 1 - p_wait)[:, None]
        spread[:, mine] = np.hypot(
            spread[:, mine], (effects.differences_.unsure_[k] / induced)[:, None]
        )
    return gain, spread
