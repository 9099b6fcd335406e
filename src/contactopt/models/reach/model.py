"""P(right party reached | customer, channel, hour) by partial pooling from population to person."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator

from contactopt.contracts.action_space import ActionSpace
from contactopt.errors import ConfigError
from contactopt.models.reach.attempts import (
    AttemptColumns,
    Attempts,
    known_channels,
    need,
    told_rows,
)
from contactopt.models.reach.families import (
    PERSONAL,
    personal_families,
    personal_variances,
    population_families,
    population_weight,
)
from contactopt.models.reach.priors import (
    BLOCK_OF_HOUR,
    FATIGUE,
    N_BLOCKS,
    N_MEDIA,
    QUALITY,
    medium_of,
)
from contactopt.models.reach.random_effects import Slopes, fit_effects
from contactopt.models.reach.tables import best_rows
from contactopt.models.reach.variance_components import logistic_shrink

__all__ = ["Reach", "ReachModel"]

#: steps to a customer's own effects when scoring: the same for everybody
_SERVING_SWEEPS = 12

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: sd of the slope of a standardised covariate
_COVARIATE_SD = 0.5


class Reach(NamedTuple):
    """Probability of reaching the customer and its standard deviation, shape (n, m) each."""

    probability: Floats
    spread: Floats


class ReachModel(BaseEstimator):
    """Additive model on the logit scale: channel, hour, person, person's channel and hour block.

    Every part is shrunken to the one above it (empirical Bayes, variances learned), so that a
    customer without history gets the population's value and one with many attempts the own rate.
    Letters keep their prior: nobody sees them arrive. Rows that cannot be told (NaN) are left out.

    Parameters
    ----------
    half_life_days : float
        Age at which an attempt counts half (column ``age_days``).
    covariates : tuple of str
        Numeric columns with a slope for all channels, such as days past due.
    like : dict of str to str, optional
        The contract's word that a channel added by the strategy follows.
    min_support : int
        Attempts below which a best channel or hour is flagged as the population's.

    Attributes
    ----------
    effects_ : dict of str to float array
        Channel levels and hour effects with their posterior variances.
    variances_ : dict of str to float
    slopes_ : float array
        Fatigue, point quality, then the covariates.
    fit_record_ : dict

    Examples
    --------
    >>> space = ActionSpace.from_channels({"call_agent": [10, 13], "email": [10]})
    >>> model = ReachModel().fit(pd.DataFrame(columns=["channel", "local_hour", "reached"]))
    >>> model.predict(["C-1"], space).probability.round(2)
    array([[0.19, 0.16, 0.18]])
    """

    def __init__(
        self,
        *,
        half_life_days: float = 180.0,
        covariates: tuple[str, ...] = (),
        like: dict[str, str] | None = None,
        min_support: int = 3,
    ) -> None:
        self.half_life_days = half_life_days
        self.covariates = covariates
        self.like = like
        self.min_support = min_support

    def fit(
        self, X: pd.DataFrame, y: npt.ArrayLike | None = None, **columns: npt.ArrayLike
    ) -> ReachModel:
        """Learn from attempts, one row each.

        Parameters
        ----------
        X : DataFrame
            ``channel``, ``local_hour`` (0..23 at the customer, NaN where the channel has none),
            ``reached`` (`is_reached`: 1, 0, NaN where it cannot be told). Optional: ``customer``
            (id or code; without it each row is its own), ``age_days`` (before the fit's instant),
            ``touches_7d`` (`touches_before`), ``point_quality`` (0..1), ``weekday`` (0..6),
            ``propensity`` (logged probability of this channel and hour) and the covariates.
        y : array-like, optional
            Stands for the column ``reached``.
        **columns
            ``channel=``, ``hour=``, ``customer=`` or any column above, as arrays.

        Returns
        -------
        ReachModel
            An empty frame gives the priors.

        Raises
        ------
        ContractError
            If a needed column is missing, or a channel is neither the contract's nor in ``like``.
        """
        given: dict[str, Any] = {"local_hour" if k == "hour" else k: v for k, v in columns.items()}
        frame = X.assign(**given)
        if y is not None:
            frame = frame.assign(reached=np.asarray(y, dtype=np.float64))
        need(frame, ("channel", "local_hour", "reached", *self.covariates), "ReachModel")
        self.channels_ = known_channels(self.like)
        rows = told_rows(frame, self.channels_)
        self.scales_ = AttemptColumns.learn(rows, self.covariates)
        attempts = Attempts(rows, self.channels_, self.half_life_days)
        hit = rows["reached"].to_numpy(dtype=np.float64)
        weight, shares = population_weight(rows)
        plain = self._slopes(rows, np.zeros((len(rows), 0)))
        variances = personal_variances(hit, attempts, self.channels_, plain, weight)
        families = population_families(attempts, self.channels_, sum(variances.values()))
        families |= personal_families(attempts, len(self.channels_), variances)
        slopes = self._slopes(rows, attempts.shares())
        sweeps = fit_effects(
            hit,
            attempts.weight,
            [families[k] for k in PERSONAL],
            offset=np.zeros(len(rows)),
            slopes=slopes,
            population=[f for k, f in families.items() if k not in PERSONAL],
            population_weight=weight,
        )
        shape = {"medium_hour": (N_MEDIA, 24), "channel_hour": (len(self.channels_), 24)}
        self.effects_, self.variances_ = {}, {}
        for name, family in families.items():
            self.variances_[name] = family.variance
            if name in ("channel", *shape):
                to = shape.get(name, (-1,))
                self.effects_[name] = family.value.reshape(to)
                self.effects_[f"{name}_variance"] = family.spread2.reshape(to)
        # hours carry their block: what was learned apart is used together
        block = families["medium_block"]
        for name, part in (("", block.value), ("_variance", block.spread2)):
            blocks = part.reshape(N_MEDIA, N_BLOCKS)[:, BLOCK_OF_HOUR]
            self.effects_[f"medium_hour{name}"] = self.effects_[f"medium_hour{name}"] + blocks
        k = 2 + len(self.covariates)
        self.slopes_ = slopes.value[:k]
        self.slope_covariance_ = slopes.covariance[:k, :k]
        self.fit_record_ = {
            "rows": len(frame),
            "told_rows": len(rows),
            "customers": int(attempts.n_customers),
            "sweeps": sweeps,
            **shares,
        }
        return self

    def _slopes(self, rows: pd.DataFrame, worked: Floats) -> Slopes:
        """Slopes of fatigue, quality and covariates, then of how each customer was worked.

        An incumbent that calls good answerers at ten makes ten look good. The shares of a
        customer's attempts by block and channel take up such differences (Mundlak, "On the
        Pooling of Time Series and Cross Section Data", Econometrica 1978), so that hours and
        channels are told apart inside customers. They are left out when predicting.
        """
        k = len(self.covariates)
        mean = np.array([FATIGUE[0], QUALITY[0], *np.zeros(k + worked.shape[1])])
        sd = [FATIGUE[1], QUALITY[1], *np.full(k, _COVARIATE_SD), *np.ones(worked.shape[1])]
        return Slopes(np.column_stack([self.scales_.matrix(rows), worked]), mean, np.array(sd))

    def predict(
        self,
        customers: npt.ArrayLike,
        actions: ActionSpace,
        *,
        history: pd.DataFrame | None = None,
        touches_7d: npt.ArrayLike | None = None,
        point_quality: npt.ArrayLike | None = None,
        covariates: pd.DataFrame | None = None,
    ) -> Reach:
        """Probability of reaching each customer by each action, with its spread.

        Parameters
        ----------
        customers : array-like, shape (n,)
            Ids (or codes) as in ``history``.
        actions : ActionSpace
            The m arms.
        history : DataFrame, optional
            Attempts known at the decision's instant, columns as in `fit`; others' rows are left
            out. None: the population's values.
        touches_7d : array-like, shape (n,), optional
            Touches in the trailing seven days; 0 where not given.
        point_quality : array-like, shape (n, m) or (n, 1), optional
            Quality share of the point each action would use, NaN where unknown.
        covariates : DataFrame, n rows, optional

        Returns
        -------
        Reach
            ``probability`` and ``spread``, shape (n, m); empty input gives empty arrays.

        Raises
        ------
        ConfigError
            If the action space has a channel that the model does not know.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "effects_")
        ids = pd.Index(np.asarray(customers))
        eta, variance = self._population_of(actions)
        mine = self._history_of(ids, history)
        own, personal = self._personal_of(actions, mine, len(ids))
        eta, variance = eta + own, variance + personal
        frame = pd.DataFrame(index=range(len(ids))) if covariates is None else covariates
        if touches_7d is not None:
            frame = frame.assign(touches_7d=np.asarray(touches_7d, dtype=np.float64))
        eta = eta + (self.scales_.matrix(frame.drop(columns="point_quality", errors="ignore"))
                     @ self.slopes_)[:, None]  # fmt: skip
        if point_quality is not None:
            quality = np.asarray(point_quality, dtype=np.float64)
            eta = eta + self.slopes_[1] * np.nan_to_num(quality - 0.5)
        # mean over what is not known of the person, not the value at its centre
        shrink = logistic_shrink(personal)
        p = expit(shrink * eta)
        return Reach(p, p * (1.0 - p) * shrink * np.sqrt(variance))

    def _population_of(self, actions: ActionSpace) -> tuple[Floats, Floats]:
        """Logit and variance per action before anything personal, shape (1, m) each."""
        wrong = [c for c in actions.channels if c not in self.channels_]
        if wrong:
            raise ConfigError(
                f"ReachModel does not know the channels {', '.join(wrong)}",
                hint="say what they are like at the fit: ReachModel(like={'rcs': 'sms'})",
            )
        names = list(self.channels_)
        channel = np.array([names.index(c) for c in actions.channels])[actions.channel_index]
        medium = np.array([medium_of(r) for r in self.channels_.values()])[channel]
        timed = actions.hours >= 0
        e = self.effects_
        eta, variance = e["channel"][channel], e["channel_variance"][channel]
        for name, row in (("medium_hour", medium), ("channel_hour", channel)):
            eta = eta + np.where(timed, e[name][row, actions.hours], 0.0)
            variance = variance + np.where(timed, e[f"{name}_variance"][row, actions.hours], 0.0)
        return eta[None, :], variance[None, :]

    def _history_of(self, ids: pd.Index, history: pd.DataFrame | None) -> pd.DataFrame | None:
        if history is None or not len(history) or not len(ids):
            return None
        need(history, ("customer", "channel", "local_hour", "reached"), "ReachModel")
        mine = history.assign(customer=ids.get_indexer(pd.Index(history["customer"])))
        return told_rows(mine[mine["customer"] >= 0], self.channels_)

    def _told_history(self, history: pd.DataFrame | None) -> pd.DataFrame | None:
        if history is None or not len(history):
            return None
        return told_rows(history, self.channels_)

    def _personal_of(
        self, actions: ActionSpace, mine: pd.DataFrame | None, n: int
    ) -> tuple[Floats, Floats]:
        """Return what each customer's own attempts say: logit and variance, shape (n, m) each."""
        v, c = self.variances_, len(self.channels_)
        effect = {
            "customer": (np.zeros((n, 1)), np.full((n, 1), v["customer"])),
            "customer_channel": (np.zeros((n, c)), np.full((n, c), v["customer_channel"])),
            "customer_block": (
                np.zeros((n, N_BLOCKS)),
                np.full((n, N_BLOCKS), v["customer_block"]),
            ),
        }
        if mine is not None and len(mine):
            a = Attempts(mine, self.channels_, self.half_life_days, n_customers=n)
            families = personal_families(a, c, v)
            fit_effects(
                mine["reached"].to_numpy(dtype=np.float64),
                a.weight,
                list(families.values()),
                offset=self._offset(mine, a),
                # a stop that looked at all customers would let neighbours move a customer's score
                max_sweeps=_SERVING_SWEEPS,
                tolerance=0.0,
            )
            effect = {
                k: (f.value.reshape(n, -1), f.spread2.reshape(n, -1)) for k, f in families.items()
            }
        names = list(self.channels_)
        channel = np.array([names.index(x) for x in actions.channels])[actions.channel_index]
        block = BLOCK_OF_HOUR[actions.hours]
        timed = actions.hours >= 0
        value, variance = (
            effect["customer"][k]
            + effect["customer_channel"][k][:, channel]
            + np.where(timed, effect["customer_block"][k][:, block], 0.0)
            for k in (0, 1)
        )
        return value, variance

    def _offset(self, rows: pd.DataFrame, a: Attempts) -> Floats:
        """Return the population part of the linear predictor of attempts, shape (n,)."""
        medium = np.array([medium_of(r) for r in self.channels_.values()])[a.channel]
        hour = self.effects_["medium_hour"][medium, a.hour]
        hour = hour + self.effects_["channel_hour"][a.channel, a.hour]
        level = self.effects_["channel"][a.channel] + np.where(a.hour < 0, 0.0, hour)
        return level + self.scales_.matrix(rows) @ self.slopes_

    def best_channel(
        self, customers: npt.ArrayLike, actions: ActionSpace, **known: Any
    ) -> pd.DataFrame:
        """Return the likeliest channel per customer, mean over its hours in ``actions``.

        Parameters
        ----------
        customers, actions, **known
            As in `predict`.

        Returns
        -------
        DataFrame
            customer_id, channel, probability, support (own attempts with a known result in that
            channel), fallback (True: the population's rate, as support is thin).
        """
        p = self.predict(customers, actions, **known).probability
        key = np.array([actions.channels[k] for k in actions.channel_index], dtype=object)
        told = self._told_history(known.get("history"))
        return best_rows(customers, p, key, "channel", told, self.min_support)

    def best_hour(
        self, customers: npt.ArrayLike, actions: ActionSpace, **known: Any
    ) -> pd.DataFrame:
        """Return the likeliest local hour per customer, mean over the channels in ``actions``.

        Pass an action space of one channel for that channel's hour. Columns as in `best_channel`,
        with ``local_hour``; support counts own attempts in the same block of hours.
        """
        timed = actions.hours >= 0
        p = self.predict(customers, actions, **known).probability
        p = np.broadcast_to(p, (p.shape[0], len(actions)))[:, timed]
        told = self._told_history(known.get("history"))
        return best_rows(customers, p, actions.hours[timed], "local_hour", told, self.min_support)

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict: numbers only, no customer."""
        arrays = ("slopes_", "slope_covariance_")
        params = self.get_params(deep=False)
        return {
            "params": {**params, "covariates": list(self.covariates)},
            "channels": dict(self.channels_),
            "effects": dict(self.effects_),
            "variances": dict(self.variances_),
            "arrays": {name: getattr(self, name) for name in arrays},
            "scales": self.scales_.to_state(),
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ReachModel:
        """Rebuild from `to_state`; predictions are equal bit for bit."""
        params = dict(state["params"])
        self = cls(**{**params, "covariates": tuple(params["covariates"])})
        self.channels_ = dict(state["channels"])
        self.effects_ = {k: np.asarray(v, dtype=np.float64) for k, v in state["effects"].items()}
        self.variances_ = {k: float(v) for k, v in state["variances"].items()}
        for name, value in state["arrays"].items():
            setattr(self, name, np.asarray(value, dtype=np.float64))
        self.scales_ = AttemptColumns.from_state(state["scales"])
        self.fit_record_ = dict(state["fit_record"])
        return self
