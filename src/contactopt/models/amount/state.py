"""The amount model as plain values, in today's format and the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.models.amount.mean_learner import LogMixture
from contactopt.models.amount.money_level import MoneyLevel
from contactopt.models.amount.spread import MoneySpread
from contactopt.models.learners.boosted import Trees
from contactopt.models.learners.encoder import Encoder

if TYPE_CHECKING:
    from contactopt.models.amount.model import AmountModel

__all__ = ["restored", "state_of"]


def state_of(model: AmountModel) -> dict[str, Any]:
    """Return everything needed to predict; plain values, lists and `ModelText`."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "params": model.get_params(deep=False),
        "n_features_in": int(model.n_features_in_),
        "feature_names_in": None if names is None else [str(c) for c in names],
        "levels": model.encoder_.levels,
        "cold_start": bool(model.cold_start_),
        "typical_exposure": model.typical_exposure_,
        "bucket_shares": model.bucket_shares_.tolist(),
        "mixture": model.mixture_.to_state(),
        "factor": model.factor_,
        "spread": None if model.spread_ is None else model.spread_.to_state(),
        "money_level": None if model.money_level_ is None else model.money_level_.to_state(),
        "fit_record": dict(model.fit_record_),
    }


def restored(model: AmountModel, state: dict[str, Any]) -> AmountModel:
    """Fill an unfitted model of the state's parameters and return it."""
    model.n_features_in_ = int(state["n_features_in"])
    if state["feature_names_in"] is not None:
        model.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
    model.encoder_ = Encoder({k: list(v) for k, v in state["levels"].items()})
    model.cold_start_ = bool(state["cold_start"])
    typical = state["typical_exposure"]
    model.typical_exposure_ = None if typical is None else float(typical)
    model.bucket_shares_ = np.asarray(state["bucket_shares"], dtype=np.float64)
    model.factor_ = float(state["factor"])
    if "mixture" in state:
        model.mixture_ = LogMixture.from_state(state["mixture"], model.num_threads)
    else:  # the first format: trees of the log share, brought to the mean by a smearing factor
        trees = state["trees"]
        first = None if trees is None else Trees(str(trees), model.num_threads)
        model.mixture_ = LogMixture(trees=first, tree_share=float(first is not None))
        model.factor_ *= float(state["smear"])
    spread = state.get("spread")
    model.spread_ = None if spread is None else MoneySpread.from_state(spread)
    level = state.get("money_level")
    model.money_level_ = None if level is None else MoneyLevel.from_state(level)
    model.fit_record_ = dict(state["fit_record"])
    return model
