"""Whom in arrears to contact, through which channel, at which hour: lawfully and within capacity.

Names are loaded when they are first used, so that ``import contactopt`` stays light::

    import contactopt as co

    portfolio = co.datasets.load_demo(n_customers=20_000, random_state=0)
    strategy = co.ContactStrategy.from_yaml("strategy.yaml")
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors see; at run time `__getattr__` loads on demand
    from contactopt import compliance as rules
    from contactopt import datasets, segments, simulation, testing
    from contactopt.contracts import (
        ActionSpace,
        Portfolio,
        ScoredBatch,
        ValidationReport,
        VendorMapping,
        ingest,
        read_vendor_file,
    )
    from contactopt.features import FeaturePipeline
    from contactopt.journal.timeline import Timeline, timeline
    from contactopt.models import AmountModel, EffectModel, HarmModel, PaymentModel, ReachModel
    from contactopt.plan import ContactPlan, WarmStart, rank, read_decisions
    from contactopt.policy import BanditPolicy, ContactPolicy, LogBarrier, Softmax
    from contactopt.segments import BehaviourSegments
    from contactopt.strategy import ContactStrategy
    from contactopt.tracking import load_strategy, log_strategy
    from contactopt.tuning import tune

try:
    __version__ = version("contactopt")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"

#: public name -> the room it lives in
_ROOMS = {
    "ActionSpace": "contracts",
    "AmountModel": "models",
    "BanditPolicy": "policy",
    "BehaviourSegments": "segments",
    "ContactPlan": "plan",
    "ContactPolicy": "policy",
    "ContactStrategy": "strategy",
    "EffectModel": "models",
    "FeaturePipeline": "features",
    "HarmModel": "models",
    "LogBarrier": "policy",
    "PaymentModel": "models",
    "Portfolio": "contracts",
    "ReachModel": "models",
    "ScoredBatch": "contracts",
    "Softmax": "policy",
    "Timeline": "journal.timeline",
    "ValidationReport": "contracts",
    "VendorMapping": "contracts",
    "ingest": "contracts",
    "load_strategy": "tracking",
    "log_strategy": "tracking",
    "WarmStart": "plan",
    "rank": "plan",
    "read_decisions": "plan",
    "read_vendor_file": "contracts",
    "timeline": "journal.timeline",
    "tune": "tuning",
}
#: public name of a whole room -> its module
_MODULES = {
    "datasets": "datasets",
    "rules": "compliance",
    "segments": "segments",
    "simulation": "simulation",
    "testing": "testing",
}

__all__ = [
    "ActionSpace",
    "AmountModel",
    "BanditPolicy",
    "BehaviourSegments",
    "ContactPlan",
    "ContactPolicy",
    "ContactStrategy",
    "EffectModel",
    "FeaturePipeline",
    "HarmModel",
    "LogBarrier",
    "PaymentModel",
    "Portfolio",
    "ReachModel",
    "ScoredBatch",
    "Softmax",
    "Timeline",
    "ValidationReport",
    "VendorMapping",
    "WarmStart",
    "__version__",
    "datasets",
    "ingest",
    "load_strategy",
    "log_strategy",
    "rank",
    "read_decisions",
    "read_vendor_file",
    "rules",
    "segments",
    "simulation",
    "testing",
    "timeline",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562) and keep it."""
    if name in _ROOMS:
        value = getattr(import_module(f"contactopt.{_ROOMS[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"contactopt.{_MODULES[name]}")
    else:
        raise AttributeError(f"module 'contactopt' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
