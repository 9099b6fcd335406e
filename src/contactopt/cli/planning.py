"""What `rank` and `replan` begin with: a strategy, the tables and the instant."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from contactopt.cli.inputs import instant_of, read_portfolio, read_strategy
from contactopt.cli.output import say
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from contactopt.contracts import Portfolio
    from contactopt.strategy import ContactStrategy

__all__ = ["Opened", "open_for_a_plan"]


class Opened(NamedTuple):
    """What a plan is made from."""

    strategy: ContactStrategy
    portfolio: Portfolio
    as_of: pd.Timestamp


def open_for_a_plan(
    portfolio: Path,
    as_of: str,
    *,
    model: str | None,
    strategy: Path | None,
    tracking_uri: str | None,
    max_quarantined_share: float | None,
    progress: bool,
    hint: str,
) -> Opened:
    """Open the fitted strategy, or the file of one that then rests on priors, and the tables.

    Raises
    ------
    ConfigError
        Without ``model`` and ``strategy``, with both (``hint`` says which to give), or where the
        tables do not fit the strategy.
    """
    if (model is None) == (strategy is None):
        raise ConfigError("give --model or --strategy, one of them", hint=hint)
    from contactopt.contracts.checks import check_config
    from contactopt.strategy import ContactStrategy

    if model is not None:
        chosen = read_strategy(model, tracking_uri)
    else:
        assert strategy is not None
        chosen = ContactStrategy.from_yaml(strategy)
    data = read_portfolio(
        portfolio, chosen.config, max_quarantined_share=max_quarantined_share, progress=progress
    )
    instant = instant_of(as_of, data, chosen.config)
    if model is None:
        check_config(data, chosen.config)  # before the work, not after it
        _rest_on_priors(chosen, instant)
    return Opened(chosen, data, instant)


def _rest_on_priors(strategy: ContactStrategy, as_of: pd.Timestamp) -> None:
    """Fit on empty tables: nothing is learned, every part rests on its priors."""
    import pandas as pd

    from contactopt.contracts import TABLES, Portfolio

    empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    say("rests on priors: nothing is learned from the tables (`contactopt fit` does that)")
    told = logging.getLogger("contactopt.models")
    level = told.level
    told.setLevel(logging.ERROR)  # each part would say the same in its own words
    try:
        strategy.fit(Portfolio.from_frames(empty), as_of=as_of)
    finally:
        told.setLevel(level)
