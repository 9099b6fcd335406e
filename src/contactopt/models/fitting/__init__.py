"""All parts of a strategy fitted in one go, and their state."""

from contactopt.models.fitting.fit import (
    FITTED_PARTS,
    FittedModels,
    fit_models,
    models_from_state,
    models_to_state,
)
from contactopt.models.fitting.touch_models import fit_harm, fit_reach

__all__ = [
    "FITTED_PARTS",
    "FittedModels",
    "fit_harm",
    "fit_models",
    "fit_reach",
    "models_from_state",
    "models_to_state",
]
