"""Which effect is believed: the constant, unless a difference between customers is shown.

Every candidate is learned without the customers it is judged on. Judged is the covariance of what
it says with the doubly robust scores of those customers, in standard errors: the slope of the best
linear predictor of the true effect (Chernozhukov, Demirer, Duflo and Fernández-Val, "Generic
Machine Learning Inference on Heterogeneous Treatment Effects", 2018). A difference is shown where
the test over all features rejects (`contactopt.models.effect.evidence`) and a candidate is better
than the constant, or where a candidate is so by itself beyond doubt. It must be shown against two
constants, one in shares and one in odds: a constant shift of the odds makes effects differ with
P(pays | wait), and is a constant all the same. What is chosen is scaled by its slope, so that a
learner that exaggerates is corrected. One candidate is the average of the constant in odds and the
S- and T-learner, which err in different ways: where effects lie near the constant in odds it is
steadier than each. It is used only where another candidate shows a difference, so that it does not
add to the chance of finding one that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from contactopt.models.effect.evidence import difference_p_value, feature_design
from contactopt.models.effect.learners import LEARNERS, EffectLearner, SLearner, TLearner
from contactopt.models.effect.scores import EffectRows, cluster_error, dr_scores, effect_folds
from contactopt.models.effect.simple import LogitConstant, ReachTimesEffect, SegmentLevel
from contactopt.models.learners.boosted import BoostingPlan

__all__ = ["AVERAGES", "LEVEL", "CrossFit", "EffectChoice", "cross_fit_effects", "judge"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: candidates that are means of others
AVERAGES: dict[str, tuple[str, ...]] = {
    "blend": tuple(LEARNERS),
    "average": ("odds", "s_learner", "t_learner"),
}
#: level of the test over all features
LEVEL = 0.04
#: standard errors above the constant that a candidate needs where that test rejects, and alone:
#: cross-fitted errors are up to 1.4 times too small, and the best of several is taken
_SUPPORTED, _ALONE = 1.0, 3.2
#: the same for the constant in odds against the one in shares: one curve, no choice among many
_ODDS = 2.4
#: prior sd of an arm's slope around the slope of all arms
_SLOPE_SD = 0.3
_ODDS_NAME = "constant in odds"


@dataclass(frozen=True)
class CrossFit:
    """Scores and what each candidate says of rows it never saw.

    Parameters
    ----------
    scores : float array, shape (n, n_arms)
    outcome : float array, shape (n, n_arms + 1)
        P(pays) under wait and every arm.
    effects : dict of str to float array, shape (n, n_arms)
        Candidate to its out-of-fold effects; ``odds`` is the constant shift of the odds; the
        means of `AVERAGES` come last.
    fold : int array, shape (n,)
    """

    scores: Floats
    outcome: Floats
    effects: dict[str, Floats]
    fold: Ints

    def centred(self, values: Floats) -> Floats:
        """Return values of shape (n, n_arms) less their mean on the row's fold.

        A fold with a high mean was predicted from folds with a lower one: without this the best
        constant itself looks worse than none.
        """
        count = np.maximum(np.bincount(self.fold), 1).astype(np.float64)
        mean = np.column_stack([np.bincount(self.fold, weights=v) / count for v in values.T])
        return values - mean[self.fold]


@dataclass(frozen=True)
class EffectChoice:
    """What was chosen and why.

    Parameters
    ----------
    name : str
        "prior", "constant", or the candidate whose differences between customers are shown.
    scale : str
        "share": one uplift per arm; "odds": one shift of the odds per arm; else "customer".
    verdict : str
        The choice in words.
    p_value : float
        Of the test over all features that effects are equal, 1.0 where it was not made.
    candidates : DataFrame
        One row per candidate: name, z (evidence against the constant in shares), z_odds (against
        the constant in odds), slope, gain with low and high (how much nearer to the scores than
        the constant: mean squared distance, weighted by arm), qini with qini_low and qini_high
        (mean over the arms; 95 % intervals), chosen.
    propensity : str
        "logged", "estimated" or "none".
    slopes : float array, shape (n_arms,)
        By what the differences of the chosen candidate are multiplied.
    """

    name: str
    scale: str
    verdict: str
    p_value: float = 1.0
    candidates: pd.DataFrame = field(default_factory=pd.DataFrame)
    propensity: str = "none"
    slopes: Floats = field(default_factory=lambda: np.zeros(0))

    def __repr__(self) -> str:
        lines = [f"EffectChoice({self.name!r}, propensities {self.propensity})", self.verdict]
        if len(self.candidates):
            lines.append(self.candidates.round(5).to_string(index=False))
        return "\n".join(lines)

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "name": self.name,
            "scale": self.scale,
            "verdict": self.verdict,
            "p_value": self.p_value,
            "candidates": {str(k): list(v) for k, v in self.candidates.items()},
            "propensity": self.propensity,
            "slopes": self.slopes,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EffectChoice:
        """Rebuild from `to_state`."""
        return cls(
            name=str(state["name"]),
            scale=str(state["scale"]),
            verdict=str(state["verdict"]),
            p_value=float(state["p_value"]),
            candidates=pd.DataFrame(state["candidates"]),
            propensity=str(state["propensity"]),
            slopes=np.asarray(state["slopes"], dtype=np.float64),
        )


def candidates_for(rows: EffectRows) -> dict[str, type[EffectLearner]]:
    """Return the candidates that the rows can feed, by name."""
    found: dict[str, type[EffectLearner]] = {"odds": LogitConstant, "segment": SegmentLevel}
    found |= LEARNERS
    if rows.reach is not None:
        found["reach_x_effect"] = ReachTimesEffect
    return found


def cross_fit_effects(rows: EffectRows, plan: BoostingPlan) -> CrossFit:
    """Learn every candidate on each fold's other customers.

    Parameters
    ----------
    rows : EffectRows
        Without ``p_wait`` the out-of-fold outcome model's is used.
    plan : BoostingPlan
    """
    n = len(rows)
    learners = candidates_for(rows)
    folds = effect_folds(rows)
    fold = np.zeros(n, dtype=np.int64)
    for k, (_, held) in enumerate(folds):
        fold[held] = k
    outcome = np.empty((n, rows.n_arms + 1))
    effects = {name: np.zeros((n, rows.n_arms)) for name in learners}
    nothing = np.zeros((0, rows.n_arms))
    for train, held in folds:
        part = rows.take(train)
        s = SLearner().fit(part, nothing, plan)
        t = TLearner().fit(part, nothing, plan)
        X = rows.X[held]
        by_s, by_t = s.outcome(X), t.outcome(X)
        outcome[held] = 0.5 * (by_s + by_t)
        effects["s_learner"][held] = by_s[:, 1:] - by_s[:, :1]
        effects["t_learner"][held] = by_t[:, 1:] - by_t[:, :1]
    p_wait = outcome[:, 0] if rows.p_wait is None else rows.p_wait
    whole = replace(rows, p_wait=p_wait)
    scores = dr_scores(rows, outcome)
    for train, held in folds:
        part, mine = whole.take(train), scores[train]
        for name, learner in learners.items():
            if name not in ("s_learner", "t_learner"):
                fitted = learner().fit(part, mine, plan)
                effects[name][held] = fitted.effect(rows.X[held], p_wait[held])
    for name, parts in AVERAGES.items():
        effects[name] = np.mean([effects[part] for part in parts], axis=0)
    return CrossFit(scores, outcome, effects, fold)


def judge(
    rows: EffectRows, found: CrossFit, *, propensity: str, at_least: float = _SUPPORTED
) -> EffectChoice:
    """Choose: the constant, or the candidate with the strongest evidence of differences.

    Parameters
    ----------
    rows : EffectRows
    found : CrossFit
    propensity : str
        "logged" or "estimated".
    at_least : float
        Standard errors above the constant asked of a candidate where the test over all features
        rejects.
    """
    noise = found.centred(found.scores)
    arm_weight = 1.0 / np.maximum((noise**2).mean(axis=0), 1e-12)
    arm_weight = arm_weight / arm_weight.sum()
    beyond = _without_odds(noise, found.centred(found.effects["odds"]))
    table = []
    for name, effect in found.effects.items():
        h = found.centred(effect)
        row: dict[str, Any] = {"name": _ODDS_NAME if name == "odds" else name}
        row["z"] = _evidence(h, noise, arm_weight, rows)
        row["z_odds"] = 0.0 if name == "odds" else _evidence(h, beyond, arm_weight, rows)
        table.append({**row, **_gains(h, noise, arm_weight, rows), **_qini(effect, noise, rows)})
    frame = pd.DataFrame(table)
    Z = feature_design(rows)
    p_value = max(difference_p_value(Z, e, arm_weight, rows) for e in (noise, beyond))
    least = frame[["z", "z_odds"]].min(axis=1)
    shown = frame[least > (at_least if p_value < LEVEL else max(at_least, _ALONE))]
    name, scale = "constant", "share"
    # the average may be used, but is no further chance to be shown
    if (shown["name"] != "average").any():
        name, scale = str(shown["name"].iloc[int(shown["z"].argmax())]), "customer"
    elif float(frame["z"].iloc[0]) > _ODDS:
        scale = "odds"
    frame["chosen"] = frame["name"] == (_ODDS_NAME if scale == "odds" else name)
    slopes = np.ones(rows.n_arms)
    if scale == "customer":
        effect = found.effects[name]
        slopes = _slopes(found.centred(effect), noise, arm_weight, rows)
    verdict = _verdict(name, scale, frame, p_value)
    return EffectChoice(name, scale, verdict, p_value, frame, propensity, slopes)


def _without_odds(noise: Floats, odds: Floats) -> Floats:
    """Scores less the constant in odds, scaled: P(pays | wait) is known too flat, never exactly."""
    spread = (odds**2).sum(axis=0)
    slope = np.where(spread > 1e-15, (odds * noise).sum(axis=0) / np.maximum(spread, 1e-15), 0.0)
    return noise - np.clip(slope, 0.0, 2.0) * odds


def _evidence(h: Floats, noise: Floats, arm_weight: Floats, rows: EffectRows) -> float:
    """Covariance of a candidate with the scores over its standard error; 0 where it is flat."""
    s = (h * noise) @ arm_weight
    mean = float(s.mean())
    error = cluster_error(s - mean, rows.cluster)
    return mean / error if error > 1e-15 else 0.0


def _gains(h: Floats, noise: Floats, arm_weight: Floats, rows: EffectRows) -> dict[str, float]:
    """Slope, and how much nearer to the scores the scaled candidate lies than the constant."""
    spread = float(((h**2) @ arm_weight).mean())
    if spread <= 1e-15:
        return dict.fromkeys(("slope", "gain", "low", "high"), 0.0)
    slope = float(((h * noise) @ arm_weight).mean()) / spread
    scaled = np.clip(slope, 0.0, 1.5) * h
    nearer = (2 * scaled * noise - scaled**2) @ arm_weight
    gain = float(nearer.mean())
    half = float(ndtri(0.975)) * cluster_error(nearer - gain, rows.cluster)
    return {"slope": slope, "gain": gain, "low": gain - half, "high": gain + half}


def _qini(effect: Floats, noise: Floats, rows: EffectRows) -> dict[str, float]:
    """Area above the line of a random order, from the scores, averaged over the arms."""
    rank = pd.DataFrame(effect).rank(pct=True).to_numpy()
    rank = rank - rank.mean(axis=0)
    # treating the top share k gains sum over those rows of the score: the area is linear in it
    each = (rank * noise).mean(axis=1)
    value = float(each.mean())
    half = float(ndtri(0.975)) * cluster_error(each - value, rows.cluster)
    return {"qini": value, "qini_low": value - half, "qini_high": value + half}


def _slopes(h: Floats, noise: Floats, arm_weight: Floats, rows: EffectRows) -> Floats:
    """Slope of each arm, shrunken to that of all arms, and both for having been the best one."""
    pooled_spread = float(((h**2) @ arm_weight).mean())
    pooled = float(((h * noise) @ arm_weight).mean()) / pooled_spread
    z = _evidence(h, noise, arm_weight, rows)
    out = np.empty(h.shape[1])
    for c in range(h.shape[1]):
        spread = float((h[:, c] ** 2).mean())
        if spread <= 1e-15:
            out[c] = 0.0
            continue
        s = h[:, c] * noise[:, c]
        own = float(s.mean()) / spread
        error = cluster_error(s - s.mean(), rows.cluster) / spread
        kept = _SLOPE_SD**2 / (_SLOPE_SD**2 + error**2)
        out[c] = pooled + kept * (own - pooled)
    # positive-part James-Stein: what was only just shown is believed less
    return np.clip(out, 0.0, 1.5) * max(0.0, 1.0 - 1.0 / max(z, 1e-9) ** 2)


def _verdict(name: str, scale: str, frame: pd.DataFrame, p_value: float) -> str:
    test = f"test over all features: p = {p_value:.3f}"
    best = frame.iloc[int(frame["z"].argmax())]
    if scale == "customer":
        z = float(frame.loc[frame["chosen"], "z"].iloc[0])
        return (
            f"effects differ between customers: {name} lies {z:.1f} standard errors above "
            f"the constant on customers it never saw ({test})"
        )
    if scale == "odds":
        return (
            "one shift of the odds per arm: it explains how effects differ "
            f"({frame['z'].iloc[0]:.1f} standard errors), and no learner is shown to add to it "
            f"({test})"
        )
    return (
        f"no difference between customers is shown: the best candidate, {best['name']}, lies "
        f"{best['z']:.1f} standard errors above the constant ({test})"
    )
