"""What reaching a customer adds over waiting: one shrunken effect per channel, in logits."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.vocabulary import WAIT
from contactopt.errors import ConfigError, ContractError
from contactopt.models.effect.contrast import Contrast, drawn_contrast
from contactopt.models.effect.priors import EFFECT_PRIOR, POOLED_SD
from contactopt.models.reach.attempts import known_channels, need

__all__ = ["Effect", "EffectModel"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)


class Effect(NamedTuple):
    """What a reached customer does, shape (n, m) each.

    ``p_reached``: probability of payment given reach; ``gain``: that minus waiting's; ``spread``:
    posterior standard deviation of the gain.
    """

    p_reached: Floats
    gain: Floats
    spread: Floats


class EffectModel(BaseEstimator):
    """P(pays | reached by c) = sigmoid(logit P(pays | wait) + e_c), with e_c shrunken.

    Learned from logged decisions with propensities (`drawn_contrast`), then combined with a normal
    prior per channel and a factor that all channels share. Without propensities, or without rows
    that waited, the prior remains and ``prior_only_`` is True: a contrast of contacted with
    uncontacted customers would be confounded.

    Parameters
    ----------
    like : dict of str to str, optional
        The contract's word that a channel added by the strategy follows.
    largest_weight : float
        Inverse propensities are cut at this multiple of the channel's mean.
    shift_sd : float
        Prior sd of how far waiting differs from the logging policy, in logits.

    Attributes
    ----------
    channels_ : dict of str to str
    effect_, spread_ : float arrays, shape (n_channels,)
        Posterior mean and sd per channel.
    covariance_ : float array, shape (n_channels, n_channels)
    wait_shift_ : float
        What P(pays) under the logging policy moves by, in logits, when waiting.
    prior_only_ : bool
    fit_record_ : dict

    Examples
    --------
    >>> model = EffectModel().fit(None)
    >>> model.prior_only_
    True
    >>> space = ActionSpace.from_channels({"call_agent": [10]})
    >>> model.predict([0.3], space).gain.round(3)
    array([[0.163]])
    """

    def __init__(
        self,
        *,
        like: dict[str, str] | None = None,
        largest_weight: float = 20.0,
        shift_sd: float = 0.5,
    ) -> None:
        self.like = like
        self.largest_weight = largest_weight
        self.shift_sd = shift_sd

    def fit(self, decisions: pd.DataFrame | None) -> EffectModel:
        """Learn from decisions whose window has closed.

        Parameters
        ----------
        decisions : DataFrame or None
            One row per decision: ``channel`` (drawn, ``wait`` included), ``propensity`` (of the
            drawn action), ``paid`` (0/1 within the horizon), ``p_wait`` (out of fold), ``reach``
            (probability that the drawn action reaches; ignored for wait), ``customer``. Rows with
            a missing propensity, p_wait, reach or paid, and control customers (``holdout`` True),
            are left out and counted.

        Returns
        -------
        EffectModel

        Raises
        ------
        ContractError
            If a column is missing, a propensity is not in (0, 1], or a channel is unknown.
        """
        self.channels_ = known_channels(self.like)
        prior = np.array([EFFECT_PRIOR[r] for r in self.channels_.values()])
        mean = prior[:, 0]
        shared = POOLED_SD * mean
        precision = np.linalg.inv(np.diag(prior[:, 1] ** 2) + np.outer(shared, shared))
        rows = self._usable(decisions)
        found = self._contrast(rows, mean)
        known = ~np.isnan(found.effect)
        self.prior_only_ = not known.any()
        self.covariance_ = np.linalg.inv(precision)
        self.effect_ = mean.copy()
        if known.any():
            evidence = np.zeros_like(precision)
            block = found.covariance[np.ix_(known, known)] + 1e-10 * np.eye(int(known.sum()))
            evidence[np.ix_(known, known)] = np.linalg.inv(block)
            self.covariance_ = np.linalg.inv(precision + evidence)
            pull = evidence @ np.where(known, found.effect, 0.0)
            self.effect_ = self.covariance_ @ (precision @ mean + pull)
        else:
            _log.warning("no usable decisions with propensities: effects are priors")
        self.spread_ = np.sqrt(np.diag(self.covariance_))
        self.wait_shift_ = found.shift
        self.raw_effect_ = found.effect
        self.raw_error_ = np.where(known, np.sqrt(np.diag(found.covariance)), np.nan)
        self.fit_record_ = {
            "decisions": 0 if decisions is None else len(decisions),
            "used": len(rows),
            "waited": int((rows["channel"] == WAIT).sum()),
            "clipped_share": found.clipped_share,
            "channels_with_evidence": int(known.sum()),
        }
        self.drawn_ = found.drawn
        return self

    def _usable(self, decisions: pd.DataFrame | None) -> pd.DataFrame:
        columns = ["channel", "propensity", "paid", "p_wait", "reach", "customer"]
        if decisions is None:
            return pd.DataFrame(columns=columns)
        need(decisions, tuple(columns), "EffectModel")
        rows = decisions
        if "holdout" in rows:
            rows = rows[~rows["holdout"].fillna(False).astype(bool)]
        rows = rows[columns].sort_values(columns, kind="stable", ignore_index=True)
        waits = rows["channel"] == WAIT
        wrong = sorted(set(rows.loc[~waits, "channel"].dropna()) - set(self.channels_))
        if wrong:
            raise ContractError(
                f"EffectModel does not know the channels {', '.join(map(str, wrong[:5]))}",
                hint="name what they are like: EffectModel(like={'rcs': 'sms'})",
            )
        told = rows[["propensity", "paid", "p_wait"]].notna().all(axis=1)
        rows = rows[told & rows["channel"].notna() & (waits | rows["reach"].notna())]
        propensity = rows["propensity"].to_numpy(dtype=np.float64)
        bad = int(((propensity <= 0) | (propensity > 1)).sum())
        if bad:
            raise ContractError(
                f"{bad} decisions have a propensity outside (0, 1]",
                hint="log the probability with which the drawn action was drawn",
            )
        return rows

    def _contrast(self, rows: pd.DataFrame, start: Floats) -> Contrast:
        arm = pd.Index(list(self.channels_)).get_indexer(pd.Index(rows["channel"]))
        numbers = {k: rows[k].to_numpy(dtype=np.float64) for k in ("p_wait", "propensity", "reach")}
        return drawn_contrast(
            p_wait=numbers["p_wait"],
            y=rows["paid"].to_numpy(dtype=np.float64),
            reach=np.nan_to_num(numbers["reach"]),
            arm=arm,
            propensity=numbers["propensity"],
            cluster=pd.factorize(rows["customer"])[0],
            start=start,
            largest_weight=self.largest_weight,
            shift_sd=self.shift_sd,
        )

    def predict_wait(self, p_pay: npt.ArrayLike) -> Floats:
        """P(pays | wait) from P(pays) under the logging policy, shape (n,)."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "effect_")
        p = np.clip(np.asarray(p_pay, dtype=np.float64), 1e-9, 1 - 1e-9)
        return expit(logit(p) + self.wait_shift_)

    def predict(self, p_wait: npt.ArrayLike, actions: ActionSpace) -> Effect:
        """Return what reaching adds for each customer and action.

        Parameters
        ----------
        p_wait : array-like, shape (n,)
            Probability of payment when waiting (`predict_wait`).
        actions : ActionSpace
            The m arms; hours share their channel's effect.

        Returns
        -------
        Effect
            Arrays of shape (n, m); empty input gives empty arrays.

        Raises
        ------
        ConfigError
            If the action space has a channel that the model does not know.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "effect_")
        names = list(self.channels_)
        wrong = [c for c in actions.channels if c not in names]
        if wrong:
            raise ConfigError(
                f"EffectModel does not know the channels {', '.join(wrong)}",
                hint="say what they are like at the fit: EffectModel(like={'rcs': 'sms'})",
            )
        position = np.array([names.index(c) for c in actions.channels], dtype=np.int64)
        p = np.clip(np.asarray(p_wait, dtype=np.float64), 1e-9, 1 - 1e-9)[:, None]
        # per channel first: hours of one channel are copies
        reached = expit(logit(p) + self.effect_[position])
        spread = reached * (1.0 - reached) * self.spread_[position]
        c = actions.channel_index
        return Effect(reached[:, c], (reached - p)[:, c], spread[:, c])

    def table(self) -> pd.DataFrame:
        """Return one row per channel: channel, effect, spread, raw_effect, raw_error, drawn."""
        return pd.DataFrame(
            {
                "channel": list(self.channels_),
                "effect": self.effect_,
                "spread": self.spread_,
                "raw_effect": self.raw_effect_,
                "raw_error": self.raw_error_,
                "drawn": self.drawn_,
            }
        )

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict."""
        return {
            "params": self.get_params(deep=False),
            "channels": dict(self.channels_),
            "effect": self.effect_,
            "covariance": self.covariance_,
            "raw_effect": self.raw_effect_,
            "raw_error": self.raw_error_,
            "drawn": self.drawn_,
            "wait_shift": self.wait_shift_,
            "prior_only": bool(self.prior_only_),
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EffectModel:
        """Rebuild from `to_state`; predictions are equal bit for bit."""
        self = cls(**state["params"])
        self.channels_ = dict(state["channels"])
        for name in ("effect", "covariance", "raw_effect", "raw_error"):
            setattr(self, f"{name}_", np.asarray(state[name], dtype=np.float64))
        self.drawn_ = np.asarray(state["drawn"], dtype=np.int64)
        self.spread_ = np.sqrt(np.diag(self.covariance_))
        self.wait_shift_ = float(state["wait_shift"])
        self.prior_only_ = bool(state["prior_only"])
        self.fit_record_ = dict(state["fit_record"])
        return self
