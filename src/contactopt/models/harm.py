"""P(complaint) and P(opt-out) of a contact, per channel and recent pressure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.vocabulary import CHANNELS
from contactopt.errors import ConfigError, ContractError
from contactopt.models.reach.attempts import column, known_channels, need

__all__ = ["Harm", "HarmModel"]

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
#: contacts that a channel's prior is worth, and that the channel's curve is worth in a cell
_CHANNEL_STRENGTH, _CELL_STRENGTH = 2_000.0, 1_000.0
_KINDS = ("complained", "opted_out")


class Harm(NamedTuple):
    """Probabilities per contact, shape (n, m) each."""

    complaint: Floats
    opt_out: Floats


class HarmModel(BaseEstimator):
    """Shares of complaints and opt-outs, shrunken: population, channel, channel by pressure.

    Pressure is the number of touches in the trailing seven days: 0, 1-2, 3-5, 6 or more. A cell is
    shrunken to its channel's share times the assumed multiplier of the pressure, the channel to
    its prior; no event gives the prior pulled down by the contacts seen, never zero. Both steps are
    posterior means under Beta priors (Gelman et al., BDA, 2.4).

    Parameters
    ----------
    like : dict of str to str, optional
        The contract's word that a channel added by the strategy follows.

    Attributes
    ----------
    channels_ : dict of str to str
    complained_, opted_out_ : float arrays, shape (n_channels, 4)

    Examples
    --------
    >>> space = ActionSpace.from_channels({"sms": [10]})
    >>> HarmModel().fit(None).predict([0, 4], space).opt_out.round(4)
    array([[0.008 ], [0.0176]])
    """

    complained_: Floats
    opted_out_: Floats

    def __init__(self, *, like: dict[str, str] | None = None) -> None:
        self.like = like

    def fit(self, touches: pd.DataFrame | None) -> HarmModel:
        """Learn from contacts made.

        Parameters
        ----------
        touches : DataFrame or None
            ``channel``, ``touches_7d`` (`touches_before`), ``complained`` and ``opted_out`` (0/1,
            NaN where not known yet: left out). None or empty gives the priors.

        Returns
        -------
        HarmModel

        Raises
        ------
        ContractError
            If a column is missing, or a channel is neither the contract's nor in ``like``.
        """
        self.channels_ = known_channels(self.like)
        prior = np.array([_PRIOR[r] for r in self.channels_.values()])
        rows = pd.DataFrame(columns=["channel", "touches_7d", *_KINDS])
        if touches is not None:
            need(touches, tuple(rows.columns), "HarmModel")
            rows = touches
        channel = pd.Index(list(self.channels_)).get_indexer(pd.Index(rows["channel"]))
        if (channel < 0).any():
            raise ContractError(
                f"HarmModel: {int((channel < 0).sum())} contacts have an unknown channel",
                hint="name what it is like: HarmModel(like={'rcs': 'sms'})",
            )
        cell = channel * len(_PRESSURE) + _pressure_of(column(rows, "touches_7d", 0.0))
        self.fit_record_: dict[str, float] = {"contacts": len(rows)}
        for k, kind in enumerate(_KINDS):
            event = column(rows, kind, np.nan)
            told = ~np.isnan(event)
            self.fit_record_[kind] = float(event[told].sum())
            setattr(self, f"{kind}_", _shares(cell[told], event[told], prior[:, k]))
        return self

    def predict(self, touches_7d: npt.ArrayLike, actions: ActionSpace) -> Harm:
        """Probability of a complaint and of an opt-out for each customer and action.

        Parameters
        ----------
        touches_7d : array-like, shape (n,)
            Touches of the customer in the trailing seven days; NaN counts as 0.
        actions : ActionSpace
            The m arms.

        Returns
        -------
        Harm
            Arrays of shape (n, m); empty input gives empty arrays.

        Raises
        ------
        ConfigError
            If the action space has a channel that the model does not know.
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "complained_")
        names = list(self.channels_)
        wrong = [c for c in actions.channels if c not in names]
        if wrong:
            raise ConfigError(
                f"HarmModel does not know the channels {', '.join(wrong)}",
                hint="say what they are like at the fit: HarmModel(like={'rcs': 'sms'})",
            )
        position = np.array([names.index(c) for c in actions.channels], dtype=np.int64)
        channel = position[actions.channel_index]
        pressure = _pressure_of(np.nan_to_num(np.asarray(touches_7d, dtype=np.float64)))
        return Harm(
            self.complained_[channel[None, :], pressure[:, None]],
            self.opted_out_[channel[None, :], pressure[:, None]],
        )

    def to_state(self) -> dict[str, Any]:
        """Return everything needed to predict."""
        return {
            "params": self.get_params(deep=False),
            "channels": dict(self.channels_),
            "complained": self.complained_,
            "opted_out": self.opted_out_,
            "fit_record": dict(self.fit_record_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> HarmModel:
        """Rebuild from `to_state`; predictions are equal bit for bit."""
        self = cls(**state["params"])
        self.channels_ = dict(state["channels"])
        self.complained_ = np.asarray(state["complained"], dtype=np.float64)
        self.opted_out_ = np.asarray(state["opted_out"], dtype=np.float64)
        self.fit_record_ = dict(state["fit_record"])
        return self


def _pressure_of(touches: Floats) -> Ints:
    return np.searchsorted(_PRESSURE, touches, side="right") - 1


def _shares(cell: Ints, event: Floats, prior: Floats) -> Floats:
    """Posterior share per channel and pressure, shape (n_channels, 4)."""
    shape = (len(prior), len(_PRESSURE))
    n = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    hit = np.bincount(cell, weights=event, minlength=shape[0] * shape[1]).reshape(shape)
    # contacts under pressure count as more exposure, so that the base share is comparable
    exposure = (n * _MULTIPLIER).sum(axis=1)
    base = (_CHANNEL_STRENGTH * prior + hit.sum(axis=1)) / (_CHANNEL_STRENGTH + exposure)
    expected = np.minimum(base[:, None] * _MULTIPLIER, 1.0)
    return (_CELL_STRENGTH * expected + hit) / (_CELL_STRENGTH + n)
