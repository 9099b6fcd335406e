"""P(complaint) and P(opt-out) of a contact, per channel, recent pressure and segment."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.native_frames import to_pandas
from contactopt.contracts.vocabulary import CHANNELS
from contactopt.errors import ConfigError, ContractError
from contactopt.models.harm.hierarchy import Rates, child_rates, pooled_factor, strength_of
from contactopt.models.reach.attempts import column, known_channels, need

__all__ = ["Harm", "HarmInterval", "HarmModel"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: assumed shares per contact of complaints and opt-outs, without recent pressure
_PRIOR: dict[str, tuple[float, float]] = {
    "call_agent": (0.0010, 0.0020),
    "call_bot": (0.0015, 0.0040),
    "sms": (0.0004, 0.0080),
    "whatsapp": (0.0005, 0.0080),
    "email": (0.0002, 0.0040),
    "push": (0.0001, 0.0100),
    "chat": (0.0002, 0.0020),
    "letter": (0.0005, 0.0005),
    "visit": (0.0040, 0.0010),
    "portal": (0.0001, 0.0010),
}
assert set(_PRIOR) == set(CHANNELS)  # every channel of the contract has a prior
#: left edges of the touches in seven days, and how they are assumed to multiply harm
_PRESSURE = np.array([0.0, 1.0, 3.0, 6.0])
_MULTIPLIER = np.array([1.0, 1.4, 2.2, 3.5])
_KINDS = ("complained", "opted_out")


class Harm(NamedTuple):
    """Probabilities per contact, shape (n, m) each."""

    complaint: Floats
    opt_out: Floats


class HarmInterval(NamedTuple):
    """Bounds of the probabilities per contact, shape (n, m) each."""

    complaint_low: Floats
    complaint_high: Floats
    opt_out_low: Floats
    opt_out_high: Floats


class HarmModel(BaseEstimator):
    """Shares of complaints and opt-outs, shrunken level by level to what is known above.

    Pressure is the number of touches in the trailing seven days: 0, 1-2, 3-5, 6 or more. Assumed
    shares per channel and multipliers of pressure are the prior; the portfolio as a whole moves all
    of them, then a channel its own, a channel under a pressure its own, and, where contacts carry
    a segment, the segment's use of that channel under that pressure. How much a level is worth to
    the next is learned from how far the cells lie apart. No event gives the prior pulled down by
    the contacts seen, never zero. Each step is the posterior of a Gamma-Poisson model (Gelman et
    al., BDA, 2.6 and 5).

    Parameters
    ----------
    like : dict of str to str, optional
        The contract's word that a channel added by the strategy follows.
    segment : str, optional
        Column of the contacts with a segment, for example the stage of the debt.

    Attributes
    ----------
    channels_ : dict of str to str
    segments_ : list of str
    complained_, opted_out_ : float arrays, shape (n_channels, 4)
        Over all segments.

    Examples
    --------
    >>> space = ActionSpace.from_channels({"sms": [10]})
    >>> HarmModel().fit(None).predict([0, 4], space).opt_out.round(4)
    array([[0.008 ], [0.0176]])
    """

    complained_: Floats
    opted_out_: Floats

    def __init__(self, *, like: dict[str, str] | None = None, segment: str | None = None) -> None:
        self.like = like
        self.segment = segment

    def fit(self, X: pd.DataFrame | None, y: Any = None) -> HarmModel:
        """Learn from contacts made.

        Parameters
        ----------
        X : DataFrame (pandas, polars, pyarrow) or None
            A row per contact: ``channel``, ``touches_7d`` (`touches_before`), the column named by
            ``segment`` (missing: counts for no segment), and, without ``y``, ``complained`` and
            ``opted_out`` (0/1, NaN where not known yet: left out). None or empty gives the priors.
        y : DataFrame or array, shape (n, 2), optional
            ``complained`` and ``opted_out``, in this order if it is an array.

        Returns
        -------
        HarmModel

        Raises
        ------
        ContractError
            If a column is missing, an outcome is neither 0, 1 nor missing, touches are negative, or
            a channel is neither the contract's nor in ``like``.
        """
        self.channels_ = known_channels(self.like)
        rows = self._rows(X, y)
        channel = pd.Index(list(self.channels_)).get_indexer(pd.Index(rows["channel"]))
        if (channel < 0).any():
            raise ContractError(
                f"HarmModel: {int((channel < 0).sum())} contacts have an unknown channel",
                hint="name what it is like: HarmModel(like={'rcs': 'sms'})",
            )
        cell = channel * len(_PRESSURE) + _pressure_of(column(rows, "touches_7d", 0.0))
        self.segments_, segment = self._segments(rows)
        prior = np.array([_PRIOR[r] for r in self.channels_.values()])
        self.fit_record_: dict[str, float] = {"contacts": len(rows)}
        self.rates_: dict[str, Rates] = {}
        self.segment_rates_: dict[str, Rates] = {}
        for k, kind in enumerate(_KINDS):
            event = column(rows, kind, np.nan)
            told = ~np.isnan(event)
            if not np.isin(event[told], (0.0, 1.0)).all():
                raise ContractError(
                    f"HarmModel: {kind} must be 0, 1 or missing", hint="one row per contact"
                )
            self.fit_record_[kind] = float(event[told].sum())
            self._fit_kind(kind, cell[told], segment[told], event[told], prior[:, k])
        return self

    def _rows(self, X: pd.DataFrame | None, y: Any) -> pd.DataFrame:
        names = ("channel", "touches_7d", *(() if self.segment is None else (self.segment,)))
        if X is None:
            return pd.DataFrame(columns=[*names, *_KINDS])
        X = to_pandas(X, "X")
        if y is None:
            need(X, (*names, *_KINDS), "HarmModel")
            return X
        need(X, names, "HarmModel")
        if hasattr(y, "columns"):
            y = to_pandas(y, "y")
            need(y, _KINDS, "HarmModel")
            y = y[list(_KINDS)]
        told = np.asarray(y)
        if told.shape != (len(X), len(_KINDS)):
            raise ContractError(
                "HarmModel: y must hold complained and opted_out for every row of X",
                hint="shape (n, 2), or leave y out and give both as columns of X",
            )
        return X.assign(**{kind: told[:, k] for k, kind in enumerate(_KINDS)})

    def _segments(self, rows: pd.DataFrame) -> tuple[list[str], Ints]:
        """Names of the segments, sorted, and the position of each contact's (-1: none)."""
        if self.segment is None:
            return [], np.full(len(rows), -1, dtype=np.int64)
        label = rows[self.segment]
        known = label.notna().to_numpy()
        words = label.astype(object).where(known, "").astype(str).to_numpy(dtype=object)
        names = sorted(set(words[known]))
        return names, np.where(known, pd.Index(names).get_indexer(pd.Index(words)), -1)

    def _fit_kind(self, kind: str, cell: Ints, segment: Ints, event: Floats, prior: Floats) -> None:
        shape = (len(prior), len(_PRESSURE))
        n, hit = _counts(cell, event, shape)
        assumed = prior[:, None] * _MULTIPLIER
        expected, hits = (n * assumed).sum(axis=1), hit.sum(axis=1)
        strength = strength_of(hits, expected)
        factor, unsure = pooled_factor(hits, expected, strength)
        whole = Rates(np.minimum(prior * factor, 1.0), np.full(len(prior), unsure))
        # contacts under pressure count as more exposure, so that the base share is comparable
        channel = child_rates(whole, hits, (n * _MULTIPLIER).sum(axis=1), strength)
        curve = Rates(
            np.minimum(channel.mean[:, None] * _MULTIPLIER, 1.0),
            np.broadcast_to(channel.relative_variance[:, None], shape),
        )
        found = child_rates(curve, hit, n, strength_of(hit.ravel(), (n * curve.mean).ravel()))
        self.rates_[kind] = found
        setattr(self, f"{kind}_", found.mean)
        if self.segments_:
            deep = (len(self.segments_), *shape)
            own = segment >= 0
            position = segment[own] * (shape[0] * shape[1]) + cell[own]
            n, hit = _counts(position, event[own], deep)
            worth = strength_of(hit.ravel(), (n * found.mean).ravel())
            self.segment_rates_[kind] = child_rates(found, hit, n, worth)

    def predict(
        self,
        touches_7d: npt.ArrayLike,
        actions: ActionSpace,
        *,
        segment: npt.ArrayLike | None = None,
    ) -> Harm:
        """Probability of a complaint and of an opt-out for each customer and action.

        Parameters
        ----------
        touches_7d : array-like, shape (n,)
            Touches of the customer in the trailing seven days; NaN counts as 0.
        actions : ActionSpace
            The m arms.
        segment : array-like, shape (n,), optional
            Segment of each customer; missing, or never seen at fit: over all segments.

        Returns
        -------
        Harm
            Arrays of shape (n, m); empty input gives empty arrays.

        Raises
        ------
        ConfigError
            If the action space has a channel that the model does not know, or segments are given
            to a model that was fitted without.
        """
        at = self._cells(touches_7d, actions, segment)
        return Harm(*(self._table(kind, "mean")[at] for kind in _KINDS))

    def predict_interval(
        self,
        touches_7d: npt.ArrayLike,
        actions: ActionSpace,
        *,
        coverage: float = 0.9,
        segment: npt.ArrayLike | None = None,
    ) -> HarmInterval:
        """Bounds between which the true probabilities lie with posterior chance ``coverage``.

        Parameters, result and errors as in `predict`; the arrays have shape (n, m).
        """
        if not 0.0 < coverage < 1.0:
            raise ConfigError("coverage must lie between 0 and 1", hint="0.9 is 90 %")
        at = self._cells(touches_7d, actions, segment)
        if not self.rates_:
            raise ConfigError(
                "this harm model was saved before it knew intervals", hint="fit it again"
            )
        tail = (1.0 - coverage) / 2.0
        levels = (tail, 1.0 - tail)
        return HarmInterval(*(self._table(kind, level)[at] for kind in _KINDS for level in levels))

    def _cells(
        self, touches_7d: npt.ArrayLike, actions: ActionSpace, segment: npt.ArrayLike | None
    ) -> tuple[Ints, ...]:
        """Positions of customers and arms in a table of (segment or none, channel, pressure)."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "complained_")
        names = list(self.channels_)
        wrong = [c for c in actions.channels if c not in names]
        if wrong:
            raise ConfigError(
                f"HarmModel does not know the channels {', '.join(wrong)}",
                hint="say what they are like at the fit: HarmModel(like={'rcs': 'sms'})",
            )
        if segment is not None and self.segment is None:
            raise ConfigError(
                "HarmModel was fitted without segments", hint="name the column: HarmModel(segment=)"
            )
        position = np.array([names.index(c) for c in actions.channels], dtype=np.int64)
        channel = position[actions.channel_index]
        touches = np.nan_to_num(np.asarray(touches_7d, dtype=np.float64))
        if touches.ndim != 1:
            raise ContractError(
                f"HarmModel: touches_7d has shape {touches.shape}", hint="give shape (n,)"
            )
        pressure = _pressure_of(touches)
        who = np.full(len(pressure), -1, dtype=np.int64)
        if segment is not None:
            words = pd.Index(np.asarray(segment, dtype=object)).map(lambda s: str(s))
            who = pd.Index(self.segments_).get_indexer(words).astype(np.int64)
            if len(who) != len(pressure):
                raise ConfigError(f"{len(who)} segments for {len(pressure)} customers")
        # the last entry of a table is over all segments: position -1
        return who[:, None], channel[None, :], pressure[:, None]

    def _table(self, kind: str, what: float | str) -> Floats:
        """Means, or quantiles at a level, shape (segments + 1, channels, pressures)."""

        def shown(rates: Rates) -> Floats:
            return rates.mean if isinstance(what, str) else rates.quantile(what)

        overall = getattr(self, f"{kind}_") if isinstance(what, str) else shown(self.rates_[kind])
        if kind not in self.segment_rates_:
            return overall[None]
        return np.concatenate([shown(self.segment_rates_[kind]), overall[None]])

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict."""
        return {
            "params": self.get_params(deep=False),
            "channels": dict(self.channels_),
            "complained": self.complained_,
            "opted_out": self.opted_out_,
            "segments": list(self.segments_),
            "unsure": {k: np.asarray(r.relative_variance) for k, r in self.rates_.items()},
            "by_segment": {
                k: {"mean": r.mean, "unsure": np.asarray(r.relative_variance)}
                for k, r in self.segment_rates_.items()
            },
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> HarmModel:
        """Rebuild from `to_state`; predictions are equal bit for bit.

        States of the first format have neither segments nor intervals.
        """
        self = cls(**state["params"])
        self.channels_ = dict(state["channels"])
        self.complained_ = np.asarray(state["complained"], dtype=np.float64)
        self.opted_out_ = np.asarray(state["opted_out"], dtype=np.float64)
        self.segments_ = [str(s) for s in state.get("segments", ())]
        self.rates_ = {
            kind: Rates(getattr(self, f"{kind}_"), np.asarray(unsure, dtype=np.float64))
            for kind, unsure in state.get("unsure", {}).items()
        }
        self.segment_rates_ = {
            kind: Rates(np.asarray(r["mean"]), np.asarray(r["unsure"]))
            for kind, r in state.get("by_segment", {}).items()
        }
        self.fit_record_ = dict(state["fit_record"])
        return self


def _pressure_of(touches: Floats) -> Ints:
    if (touches < 0).any():
        raise ContractError(
            f"HarmModel: touches_7d is negative in {int((touches < 0).sum())} rows",
            hint="give the number of touches in the trailing seven days",
        )
    return np.searchsorted(_PRESSURE, touches, side="right") - 1


def _counts(position: Ints, event: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Contacts and events per cell."""
    size = int(np.prod(shape))
    n = np.bincount(position, minlength=size).reshape(shape).astype(np.float64)
    hit = np.bincount(position, weights=event, minlength=size).reshape(shape).astype(np.float64)
    return n, hit
