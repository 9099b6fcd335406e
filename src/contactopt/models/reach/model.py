"""P(right party reached | customer, channel, hour) by partial pooling from population to person."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.native_frames import to_pandas
from contactopt.models.reach.answers import ReachAnswers
from contactopt.models.reach.attempts import (
    Attempts,
    known_channels,
    need,
    read_attempts,
    segment_names,
)
from contactopt.models.reach.covariates import AttemptColumns, usable_columns
from contactopt.models.reach.estimate import Settings, estimate, hours_count
from contactopt.models.reach.events import reading_shows
from contactopt.models.reach.families import media_of
from contactopt.models.reach.plain_frames import attempt_frame, check_ids, check_shapes
from contactopt.models.reach.priors import MEDIA
from contactopt.models.reach.serving import Served
from contactopt.models.reach.tables import Counts
from contactopt.models.reach.variance_components import logistic_shrink

__all__ = ["Reach", "ReachModel"]

_log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]


class Reach(NamedTuple):
    """Probability of reaching the customer and its standard deviation, shape (n, m) each."""

    probability: Floats
    spread: Floats


class ReachModel(ReachAnswers, BaseEstimator):
    """Additive model on the logit scale: population, segment, medium, person, person's channel.

    Every part is shrunken to the one above it (empirical Bayes, variances learned), so that a
    customer without history gets the segment's or population's value and one with many attempts
    the own rate. What earlier attempts gave away (blocked lines, dead points, silence) and recent
    pressure count as of each attempt. Letters keep their prior: nobody sees them arrive. Results
    that cannot be told (NaN) are left out, never taken as 0.

    Hours are told apart inside customers and by inverse propensities, and a test that holds
    whoever was called when says whether they matter (``hour_effect_``). Where it shows nothing the
    hour curve is flat and no best hour is named; where the log cannot tell, it says so.

    Parameters
    ----------
    half_life_days : float
        Age at which an attempt counts half (column ``age_days``).
    covariates : tuple of str, optional
        Columns with a slope for all channels; numbers or words. None: every column of the frame
        without a meaning of its own that can serve (`fit_record_` names them).
    like : dict of str to str, optional
        The contract's word that a channel added by the strategy follows.
    min_support : int
        Own attempts below which a best channel or hour is flagged as a fallback.
    hour_level : float
        Probability that pure noise is called an hour effect, over all channels together.
    max_rows : int
        Attempts from which effects are learned: whole customers by a hash of their id. Tests,
        coverage and predictions use all.

    Attributes
    ----------
    effects_ : dict of str to float array
        Channel levels, hour and segment effects with their posterior variances.
    variances_ : dict of str to float
    slopes_ : float array
        Fatigue, point quality, then the covariates.
    signs_ : float array, shape (n_groups, n_features + 2)
        Slopes of what earlier attempts gave away (`evidence.FEATURES`), touches and quality.
    hour_effect_ : dict of str to dict
        Per medium and channel: verdict ("shown", "no hour effect shown", "cannot tell: ..."),
        reason, p_value, attempts, hours, compared, detectable_sd, basis.
    delivery_counts_ : bool
        Whether a delivered SMS counts as reached (`reading_shows`).
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
        covariates: tuple[str, ...] | None = None,
        like: dict[str, str] | None = None,
        min_support: int = 3,
        hour_level: float = 0.02,
        max_rows: int = 400_000,
    ) -> None:
        self.half_life_days = half_life_days
        self.covariates = covariates
        self.like = like
        self.min_support = min_support
        self.hour_level = hour_level
        self.max_rows = max_rows

    def fit(self, X: Any, y: npt.ArrayLike | None = None, **columns: Any) -> ReachModel:
        """Learn from attempts, one row each.

        Parameters
        ----------
        X : DataFrame
            pandas, polars or pyarrow. ``channel``, ``local_hour`` (0..23 at the customer, NaN
            where there is none; or ``started_at`` with ``time_zone``), ``reached`` (1, 0, NaN
            where it cannot be told; or ``outcome``, see `attempt_frame`). Optional: ``customer``
            (id or code; without it each row is its own), ``age_days`` (before the fit's instant;
            without it what came before an attempt is not known), ``segment``, ``outcome``,
            ``touches_7d`` (`touches_before`), ``point_quality`` (0..1), ``weekday`` (0..6),
            ``propensity`` (logged probability of this channel and hour) and covariates.
        y : array-like, optional
            Stands for the column ``reached``.
        **columns
            ``channel=``, ``hour=``, ``customer=`` or any column above: arrays, or one value.

        Returns
        -------
        ReachModel
            An empty frame gives the priors.

        Raises
        ------
        ContractError
            If a needed column is missing, a channel is neither the contract's nor in ``like``, an
            hour is outside 0..23, a propensity outside (0, 1] or a result neither 0 nor 1.
        """
        frame = attempt_frame(X, y, like=self.like, **columns)
        own = tuple(self.covariates or ())
        need(frame, ("channel", "local_hour", "reached", *own), "ReachModel")
        self.channels_ = known_channels(self.like)
        names, left = (own, {}) if self.covariates is not None else usable_columns(frame)
        self.segments_ = segment_names(frame)
        self.delivery_counts_ = "outcome" not in frame or not reading_shows(
            frame["channel"].astype(object).map(self.channels_).to_numpy(dtype=object),
            frame["outcome"].astype(object).to_numpy(),
        )
        a = self._read(frame)
        self.scales_ = AttemptColumns.learn(frame.iloc[a.place[a.told]], names)
        settings = Settings(
            channels=self.channels_,
            segments=self.segments_,
            half_life_days=self.half_life_days,
            hour_level=self.hour_level,
            max_rows=self.max_rows,
            delivery_counts=self.delivery_counts_,
        )
        found = estimate(a, frame, self.scales_, settings)
        self.effects_, self.variances_ = found.effects, found.variances
        self.slopes_, self.slope_covariance_ = found.slopes, found.slope_covariance
        self.signs_, self.hour_effect_ = found.signs, found.hour_effect
        self.tried_ = _tried(a, self.channels_)
        counted = {
            "rows": len(frame),
            "told_rows": int(a.told.sum()),
            "customers": int(a.n_customers),
            "covariates": list(names),
            "left_out": left,
            "coverage": self._coverage(a),
        }
        self.fit_record_ = {**counted, **_shares(a, self), **found.record}
        self._warn(a)
        return self

    def _read(self, frame: pd.DataFrame, customers: pd.Index | None = None) -> Attempts:
        return read_attempts(
            frame,
            self.channels_,
            customers=customers,
            segments=self.segments_,
            delivery_counts=self.delivery_counts_,
        )

    def _coverage(self, a: Attempts) -> dict[str, dict[str, float]]:
        """Per channel: attempts, results, customers tried, and how many have thin support."""
        names, out = list(self.channels_), {}
        counts = Counts(a.n_customers, len(names), media_of(self.channels_), a)
        for c in np.unique(a.channel):
            mine, own = a.channel == c, counts.channel[:, c]
            told = a.reached[mine & a.told]
            n = max(a.n_customers, 1)
            out[names[c]] = {
                "attempts": int(mine.sum()),
                "unobservable": int(mine.sum()) - len(told),
                "reached": float(told.mean()) if len(told) else float("nan"),
                "customers": int((own > 0).sum()),
                "coverage": float((own > 0).sum() / n),
                "fallback_share": float((own < self.min_support).sum() / n),
            }
        return out

    def _warn(self, a: Attempts) -> None:
        told = a.reached[a.told]
        if len(told) and told.min() == told.max():
            _log.warning(
                "ReachModel: all %d attempts have the result %d: levels rest on priors",
                len(told),
                int(told[0]),
            )
        for name, verdict in self.hour_effect_.items():
            if name in MEDIA and verdict["verdict"].startswith("cannot tell"):
                _log.warning(
                    "ReachModel, hours of %s channels: %s (%s)",
                    name,
                    verdict["verdict"],
                    verdict["reason"],
                )

    def predict(
        self,
        customers: npt.ArrayLike,
        actions: ActionSpace,
        *,
        history: Any = None,
        touches_7d: npt.ArrayLike | None = None,
        point_quality: npt.ArrayLike | None = None,
        has_point: npt.ArrayLike | None = None,
        segment: npt.ArrayLike | None = None,
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
            Attempts known at the decision's instant, columns as in `fit`, ``age_days`` counted
            from that instant; others' rows are left out. None: the population's values.
        touches_7d : array-like, shape (n,), optional
            Touches in the trailing seven days; 0 where not given.
        point_quality : array-like, shape (n, m) or (n, 1), optional
            Quality share of the point each action would use, NaN where unknown.
        has_point : bool array-like, shape (n, m), optional
            False where the action has no contact point to go to: it reaches nobody. Ignored by
            models fitted before this was known.
        segment : array-like of str, shape (n,), optional
            As at the fit; unknown ones get the population's value.
        covariates : DataFrame, n rows, optional

        Returns
        -------
        Reach
            ``probability`` and ``spread``, shape (n, m); empty input gives empty arrays.

        Raises
        ------
        ConfigError
            If the action space has a channel that the model does not know.
        ContractError
            If a customer comes twice beside a history, a shape is wrong or a number infinite.
        """
        served, ids = self._served(), pd.Index(np.asarray(customers))
        check_shapes(
            len(ids),
            len(actions),
            per_customer={"touches_7d": touches_7d, "segment": segment, "covariates": covariates},
            per_action={"point_quality": point_quality, "has_point": has_point},
        )
        mine, columns = self._history_of(ids, history)
        eta, variance = served.population(actions)
        own, personal = served.personal(actions, mine, columns, len(ids))
        eta, variance = eta + own, variance + personal
        if self.segments_:
            code = np.full(len(ids), -1) if segment is None else self._segment_codes(segment)
            part, spread2 = served.segment(actions, code)
            eta, variance = eta + part, variance + spread2
        none = pd.DataFrame(index=range(len(ids)))
        frame = to_pandas(none if covariates is None else covariates, "covariates")
        known = self.scales_.matrix(frame.drop(columns=["point_quality", "touches_7d"],
                                               errors="ignore")) @ self.slopes_  # fmt: skip
        eta = eta + known[:, None]
        if touches_7d is not None:
            touches = np.nan_to_num(np.asarray(touches_7d, dtype=np.float64))
            eta = eta + touches[:, None] * served.touches_slope(actions)
        if point_quality is not None:
            quality = np.asarray(point_quality, dtype=np.float64)
            eta = eta + served.quality_slope(actions) * np.nan_to_num(
                quality - self.scales_.quality
            )
        # mean over what is not known of the person, not the value at its centre
        shrink = logistic_shrink(personal)
        p = expit(shrink * eta)
        sd = p * (1.0 - p) * shrink * np.sqrt(variance)
        if has_point is not None and self.signs_ is not None:
            there = np.asarray(has_point, dtype=bool)
            p, sd = np.where(there, p, 0.0), np.where(there, sd, 0.0)
        return Reach(p, sd)

    def _served(self) -> Served:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "effects_")
        return Served(
            channels=self.channels_,
            effects=self.effects_,
            variances=self.variances_,
            slopes=self.slopes_,
            signs=self.signs_,
            hours_count=hours_count(self.channels_, self.hour_effect_),
            half_life_days=self.half_life_days,
        )

    def _history_of(self, ids: pd.Index, history: Any) -> tuple[Attempts | None, Floats | None]:
        if history is None or not len(history) or not len(ids):
            return None, None
        frame = attempt_frame(history, like=self.like)
        need(frame, ("customer", "channel", "local_hour", "reached"), "ReachModel")
        check_ids(ids, frame["customer"])
        mine = self._read(frame, ids)
        return mine, self.scales_.matrix(frame)[mine.place]

    def _segment_codes(self, segment: npt.ArrayLike) -> npt.NDArray[np.int64]:
        words = np.asarray(segment, dtype=object)
        return pd.Index(self.segments_).get_indexer(pd.Index([str(w) for w in words]))

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict: numbers only, no customer."""
        params = self.get_params(deep=False)
        covariates = params["covariates"]
        return {
            "params": {**params, "covariates": None if covariates is None else [*covariates]},
            "channels": dict(self.channels_),
            "effects": dict(self.effects_),
            "variances": dict(self.variances_),
            "arrays": {n: getattr(self, n) for n in ("slopes_", "slope_covariance_")},
            "signs": self.signs_,
            "segments": list(self.segments_),
            "hour_effect": {k: dict(v) for k, v in self.hour_effect_.items()},
            "delivery_counts": self.delivery_counts_,
            "tried": {k: list(v) for k, v in self.tried_.items()},
            "scales": self.scales_.to_state(),
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ReachModel:
        """Rebuild from `to_state`; predictions are equal bit for bit, also of older states."""
        params = dict(state["params"])
        if params["covariates"] is not None:
            params["covariates"] = tuple(params["covariates"])
        self = cls(**params)
        self.channels_ = dict(state["channels"])
        self.effects_ = {k: np.asarray(v, dtype=np.float64) for k, v in state["effects"].items()}
        self.variances_ = {k: float(v) for k, v in state["variances"].items()}
        for name, value in state["arrays"].items():
            setattr(self, name, np.asarray(value, dtype=np.float64))
        signs = state.get("signs")
        self.signs_ = None if signs is None else np.asarray(signs, dtype=np.float64)
        self.segments_ = list(state.get("segments", []))
        self.hour_effect_ = {k: dict(v) for k, v in state.get("hour_effect", {}).items()}
        self.delivery_counts_ = bool(state.get("delivery_counts", True))
        self.tried_ = {k: list(v) for k, v in state.get("tried", {}).items()}
        self.scales_ = AttemptColumns.from_state(state["scales"])
        self.fit_record_ = dict(state["fit_record"])
        return self


def _tried(a: Attempts, channels: dict[str, str]) -> dict[str, list[int]]:
    """Hours at which each channel was tried, -1 for none."""
    names = list(channels)
    return {
        names[c]: [int(h) for h in np.unique(a.hour[a.channel == c])] for c in np.unique(a.channel)
    }


def _shares(a: Attempts, model: ReachModel) -> dict[str, float]:
    """How many customers have a result at all, and how many rest on a fallback everywhere."""
    n = a.n_customers
    told = np.bincount(a.customer[a.told], minlength=n)
    key = a.customer[a.told] * len(model.channels_) + a.channel[a.told]
    _, where, size = np.unique(key, return_index=True, return_counts=True)
    best = np.zeros(n, dtype=np.int64)
    np.maximum.at(best, a.customer[a.told][where], size)
    return {
        "customer_coverage": float((told > 0).mean()) if n else 0.0,
        "fallback_share": float((best < model.min_support).mean()) if n else 1.0,
        "hourless_share": float((a.hour[a.told] < 0).mean()) if a.told.any() else 0.0,
    }
