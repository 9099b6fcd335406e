"""What the data must be: tables, vocabulary, the portfolio, actions and scores.

Names load on first use: the table models need pandera, which actions and scores do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contactopt.contracts.action_space import Action, ActionSpace

if TYPE_CHECKING:
    from contactopt.contracts.capacity import read_capacity
    from contactopt.contracts.checks import check_config, check_staleness
    from contactopt.contracts.portfolio import Portfolio
    from contactopt.contracts.report import ValidationReport
    from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch
    from contactopt.contracts.tables import TABLES

__all__ = [
    "NO_INSTANT",
    "TABLES",
    "Action",
    "ActionSpace",
    "Portfolio",
    "ScoredBatch",
    "ValidationReport",
    "check_config",
    "check_staleness",
    "read_capacity",
]

_WHERE = {
    "NO_INSTANT": "scored_batch",
    "TABLES": "tables",
    "Portfolio": "portfolio",
    "ScoredBatch": "scored_batch",
    "ValidationReport": "report",
    "check_config": "checks",
    "check_staleness": "checks",
    "read_capacity": "capacity",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
