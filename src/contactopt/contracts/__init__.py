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
    from contactopt.contracts.vendors import (
        IngestReport,
        VendorFile,
        VendorMapping,
        VendorReport,
        ingest,
        read_vendor_file,
    )

__all__ = [
    "NO_INSTANT",
    "TABLES",
    "Action",
    "ActionSpace",
    "IngestReport",
    "Portfolio",
    "ScoredBatch",
    "ValidationReport",
    "VendorFile",
    "VendorMapping",
    "VendorReport",
    "check_config",
    "check_staleness",
    "ingest",
    "read_capacity",
    "read_vendor_file",
]

_WHERE = {
    "NO_INSTANT": "scored_batch",
    "TABLES": "tables",
    "IngestReport": "vendors",
    "Portfolio": "portfolio",
    "ScoredBatch": "scored_batch",
    "ValidationReport": "report",
    "VendorFile": "vendors",
    "VendorMapping": "vendors",
    "VendorReport": "vendors",
    "check_config": "checks",
    "check_staleness": "checks",
    "ingest": "vendors",
    "read_capacity": "capacity",
    "read_vendor_file": "vendors",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
