"""A Bayesian linear layer over the models' scores: nested effects of label minus score.

The models say what a contact adds given reach; decisions since their fit say by how much they were
wrong. The correction of the gain of arm a at stage s is

    delta(s, a) = channel(a) + stage_channel(s, a) + slot(a) + slope x gain(i, a)

and enters the label through the drawn arm's reach. Regressors are centred on what they were
expected to be under the logged probabilities, phi(A) - sum_a p_a phi(a): the draw is then the only
thing that moves them, so that a bias of the score's level, however it hangs on the customer, cannot
pass for an effect (residual-on-residual regression with known propensities: Robinson,
"Root-N-Consistent Semiparametric Regression", Econometrica 1988; Nie and Wager, "Quasi-oracle
estimation of heterogeneous treatment effects", Biometrika 2021).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.policy.residual.contrast import ControlContrast
from contactopt.policy.residual.nest import ArmNest
from contactopt.policy.residual.statistics import DayStatistics, forgotten

__all__ = ["Correction", "ResidualLayer"]

Floats = npt.NDArray[np.float64]

#: shares of a channel's variance that stages and slots may have of their own
_SHARES = (0.01, 0.05, 0.2, 0.6)
#: a plan's lift may differ by so much of itself from the sum of its contacts' gains
_PROMISE_SD = 0.4
#: variance of the gain given reach where the models say nothing of it
_LEAST_VARIANCE = 1e-6


class Correction(NamedTuple):
    """What is added to the models' gain given reach, shape (n, m) each.

    ``shrink``: posterior over prior standard deviation of the gain, at most 1.
    """

    gain: Floats
    shrink: Floats


class ResidualLayer(BaseEstimator):
    """Nested corrections of the gain given reach, with their posterior covariance.

    Parameters
    ----------
    forgetting : float
        Weight of a decision is this to the power of its age in days.
    slope_sd : float
        Prior standard deviation of the slope on the models' own gain: how far off as a whole, in
        shares of itself, the gain may be. It never counts less than 0 times.

    Attributes
    ----------
    nest_ : ArmNest
    mean_ : float array, shape (d,)
    covariance_ : float array, shape (d, d)
    prior_ : float array, shape (d,)
        Prior variances. The channels' are the models' own; the shares of stages and slots are
        chosen by the evidence (marginal likelihood).
    noise_ : float
        Variance of a row of weight 1.
    fit_record_ : dict

    Examples
    --------
    >>> nest = ArmNest.of(["early"], [("sms@10", "sms")])
    >>> layer = ResidualLayer().fit(nest, [], today=0)
    >>> layer.predict(["early"], ["sms@10"], np.array([[0.1]])).gain
    array([[0.]])
    """

    def __init__(self, *, forgetting: float = 0.99, slope_sd: float = 1.0) -> None:
        self.forgetting = forgetting
        self.slope_sd = slope_sd

    def fit(
        self,
        nest: ArmNest,
        days: Iterable[DayStatistics],
        *,
        today: int,
        design_effect: float = 1.0,
        control: ControlContrast | None = None,
    ) -> ResidualLayer:
        """Learn from statistics of days, in any order and cut into any shards.

        Parameters
        ----------
        nest : ArmNest
        days : iterable of DayStatistics
            None: the prior, which corrects nothing.
        today : int
            Days since the epoch; ages count back from it.
        design_effect : float
            How many times the variance of sums over customers exceeds that of independent rows:
            windows of one customer overlap and hold the same payments (Kish, "Survey Sampling",
            1965, chapter 8).
        control : ControlContrast, optional
            What contacts added over the control group: it tells how much the gain counts as a
            whole, of which draws say little where the plan hardly ever waits.
        """
        total = forgotten(nest, days, today=today, forgetting=self.forgetting)
        self.nest_ = nest
        known = total.prior_weight > 0
        channel = np.full(len(nest.channels), _LEAST_VARIANCE)
        np.divide(total.prior, total.prior_weight, out=channel, where=known)
        channel = np.maximum(channel, _LEAST_VARIANCE)
        self.noise_ = total.squares / total.count * design_effect if total.count else 1.0
        control = ControlContrast.none(nest.size) if control is None else control
        noise = max(self.noise_, 1e-300)
        told, pull = control.evidence(self.forgetting, _PROMISE_SD)
        gram, cross = total.gram / noise + told, total.cross / noise + pull
        found = None
        for by_stage in _SHARES:
            for by_arm in _SHARES:
                prior = nest.variances(channel, by_stage, by_arm, self.slope_sd**2)
                evidence = _evidence(gram, cross, prior)
                if found is None or evidence > found[0]:
                    found = (evidence, prior, by_stage, by_arm)
        assert found is not None
        self.prior_ = found[1]
        self.mean_, self.covariance_ = _posterior(gram, cross, self.prior_)
        if self.mean_[nest.slope] < -1.0:
            # whom a contact harms most would otherwise be the first to be contacted
            along = self.covariance_[nest.slope] / self.covariance_[nest.slope, nest.slope]
            self.mean_ = self.mean_ - along * (1.0 + self.mean_[nest.slope])
        self.fit_record_ = {
            "rows": total.rows,
            "weight": total.weight,
            "noise": self.noise_,
            "design_effect": design_effect,
            "share_of_stages": found[2],
            "share_of_slots": found[3],
            "control": control.to_record(),
            "slope": 1.0 + float(self.mean_[nest.slope]) if len(self.mean_) else 1.0,
        }
        return self

    def predict(self, stages: Any, action_ids: Iterable[str], gain: Floats) -> Correction:
        """Return the correction of each customer's gain under each action.

        Parameters
        ----------
        stages : sequence of str, shape (n,)
        action_ids : sequence of str, shape (m,)
            An action that was never met has its prior: no correction.
        gain : float array, shape (n, m)
            The models' gain given reach.

        Returns
        -------
        Correction
            No customers: empty arrays.
        """
        check_is_fitted(self, "mean_")
        nest, at = self.nest_, self.nest_.slope
        arm = nest.arm_codes(action_ids)
        stage = nest.stage_codes(stages) if len(gain) else np.zeros(0, dtype=np.int64)
        out = Correction(np.zeros(gain.shape), np.ones(gain.shape))
        met = np.flatnonzero(arm >= 0)
        if met.size == 0 or len(gain) == 0:
            return out
        loads = nest.loads()[:, arm[met]]
        mean = loads @ self.mean_[:at]
        before = (loads**2) @ self.prior_[:at]
        after = np.einsum("sai,ij,saj->sa", loads, self.covariance_[:at, :at], loads)
        mixed = 2.0 * loads @ self.covariance_[:at, at]
        own = gain[:, met]
        out.gain[:, met] = mean[stage] + self.mean_[at] * own
        late = after[stage] + mixed[stage] * own + self.covariance_[at, at] * own**2
        early = before[stage] + self.prior_[at] * own**2
        out.shrink[:, met] = np.sqrt(np.clip(late / early, 0.0, 1.0))
        return out

    # ---- keeping ---------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return plain values from which `from_state` builds an equal layer."""
        check_is_fitted(self, "mean_")
        return {
            "params": self.get_params(),
            "stages": list(self.nest_.stages),
            "arms": [list(arm) for arm in self.nest_.arms],
            "mean": self.mean_,
            "covariance": self.covariance_,
            "prior": self.prior_,
            "noise": self.noise_,
            "record": self.fit_record_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ResidualLayer:
        """Rebuild a layer from `to_state`."""
        self = cls(**state["params"])
        self.nest_ = ArmNest(tuple(state["stages"]), tuple((a, c) for a, c in state["arms"]))
        d = self.nest_.size
        self.mean_ = np.asarray(state["mean"], dtype=np.float64).reshape(d)
        self.covariance_ = np.asarray(state["covariance"], dtype=np.float64).reshape(d, d)
        self.prior_ = np.asarray(state["prior"], dtype=np.float64).reshape(d)
        self.noise_, self.fit_record_ = float(state["noise"]), dict(state["record"])
        return self


def _posterior(gram: Floats, cross: Floats, prior: Floats) -> tuple[Floats, Floats]:
    covariance: Floats = np.linalg.inv(np.diag(1.0 / prior) + gram).astype(np.float64)
    return covariance @ cross, covariance


def _evidence(gram: Floats, cross: Floats, prior: Floats) -> float:
    """Log marginal likelihood but for what does not depend on the prior."""
    root = np.sqrt(prior)
    inner = np.eye(len(prior)) + root[:, None] * gram * root
    seen = root * cross
    return 0.5 * float(seen @ np.linalg.solve(inner, seen) - np.linalg.slogdet(inner)[1])
