"""A fitted EffectModel as plain values and back; bundles of the first format have fewer keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.models.effect.by_customer import CustomerEffects
from contactopt.models.effect.uplift import ArmEffects
from contactopt.models.learners.encoder import Encoder
from contactopt.models.payment.model import PaymentModel

if TYPE_CHECKING:
    from contactopt.models.effect.model import EffectModel

__all__ = ["fill", "state_of"]

_ARRAYS = ("effect", "covariance", "raw_effect", "raw_error")


def state_of(model: EffectModel) -> dict[str, Any]:
    """Return the state of a fitted model."""
    state: dict[str, Any] = {
        "params": model.get_params(deep=False),
        "channels": dict(model.channels_),
        "prior_only": bool(model.prior_only_),
        "drawn": model.drawn_,
        "fit_record": dict(model.fit_record_),
    }
    if hasattr(model, "arms_"):
        names = getattr(model, "feature_names_in_", None)
        state["plain"] = {
            "arms": list(model.arms_),
            "uplift": model.uplift_.to_state(),
            "wait": None if model.wait_ is None else model.wait_.to_state(),
            "levels": model.encoder_.levels,
            "n_features_in": int(model.n_features_in_),
            "feature_names_in": None if names is None else [str(c) for c in names],
        }
        return state
    for name in _ARRAYS:
        state[name] = getattr(model, f"{name}_")
    state["wait_shift"] = model.wait_shift_
    state["by_customer"] = model.by_customer_.to_state()
    return state


def fill(model: EffectModel, state: dict[str, Any]) -> EffectModel:
    """Give an unfitted model the state of a fitted one."""
    model.channels_ = dict(state["channels"])
    model.prior_only_ = bool(state["prior_only"])
    model.drawn_ = np.asarray(state["drawn"], dtype=np.int64)
    model.fit_record_ = dict(state["fit_record"])
    if "plain" in state:
        return _fill_plain(model, state["plain"])
    for name in _ARRAYS:
        setattr(model, f"{name}_", np.asarray(state[name], dtype=np.float64))
    model.spread_ = np.sqrt(np.diag(model.covariance_))
    model.wait_shift_ = float(state["wait_shift"])
    model.by_customer_ = CustomerEffects.from_state(state.get("by_customer"), model.num_threads)
    model.choice_ = model.by_customer_.choice_
    return model


def _fill_plain(model: EffectModel, plain: dict[str, Any]) -> EffectModel:
    model.arms_ = tuple(plain["arms"])
    model.uplift_ = ArmEffects.from_state(plain["uplift"], model.num_threads)
    model.wait_ = None if plain["wait"] is None else PaymentModel.from_state(plain["wait"])
    model.encoder_ = Encoder({k: list(v) for k, v in plain["levels"].items()})
    model.n_features_in_ = int(plain["n_features_in"])
    if plain["feature_names_in"] is not None:
        model.feature_names_in_ = np.array(plain["feature_names_in"], dtype=object)
    model.choice_ = model.uplift_.choice_
    model.effect_, model.spread_ = model.uplift_.mean_, model.uplift_.spread_
    return model
