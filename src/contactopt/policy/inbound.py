"""An inbound event moves one customer's state at once: score that customer anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from contactopt.compliance import RuleBook, shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.one_customer import customer_after
from contactopt.models.fitting import FittedModels
from contactopt.policy.batch import score_customer
from contactopt.segments import StageSegments

__all__ = ["score_after_event"]

#: whom the rotation of a portfolio leaves out, by UTC date and seed: worked out once a day
_RESTING: WeakKeyDictionary[Portfolio, dict[tuple[str, int], frozenset[str]]] = WeakKeyDictionary()


def score_after_event(
    portfolio: Portfolio,
    events: Mapping[str, Any],
    *,
    models: FittedModels,
    rules: RuleBook,
    config: StrategyConfig,
    as_of: pd.Timestamp,
    random_state: int,
    policy_version: str,
    customer_id: object = None,
    segments: StageSegments | None = None,
) -> ScoredBatch:
    """Score the customer whom new rows concern; see `ContactStrategy.on_event`."""
    one = customer_after(portfolio, events, customer_id=customer_id, extra_channels=config.channels)
    kept = _RESTING.setdefault(portfolio, {})
    day = (as_of.strftime("%Y-%m-%d"), random_state)
    if day not in kept:
        ids = shared_point_rotation(portfolio, as_of, random_state)["customer_id"]
        kept[day] = frozenset(ids)
    return score_customer(
        one,
        models=models,
        rules=rules,
        config=config,
        as_of=as_of,
        rests=str(one.customer_ids[0]) in kept[day],
        policy_version=policy_version,
        segments=segments,
    )
