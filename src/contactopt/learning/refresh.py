"""Models that learn from every touch, taken from what is known now."""

from __future__ import annotations

from dataclasses import replace

from contactopt.config import StrategyConfig
from contactopt.journal import JournalView
from contactopt.models.fitting import FittedModels, fit_harm, fit_reach
from contactopt.models.reach.attempt_history import attempt_history

__all__ = ["refreshed_models"]


def refreshed_models(
    models: FittedModels, view: JournalView, config: StrategyConfig
) -> FittedModels:
    """Return the models with reach and harm fitted anew on all attempts known at an instant.

    Both are sums over attempts, whoever planned them: touches off the plan count here as any
    other. Payment, amount and effect stay as they were fitted; decisions since correct them
    through the residual layer, and `fit` takes them up.

    Parameters
    ----------
    models : FittedModels
    view : JournalView
        An empty history gives priors.
    config : StrategyConfig
    """
    attempts = attempt_history(view)
    return replace(models, reach=fit_reach(attempts, config), harm=fit_harm(attempts, config))
