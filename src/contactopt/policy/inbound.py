"""An inbound event moves one customer's state at once: score that customer anew."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pandas as pd

from contactopt.compliance import RuleBook, shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.one_customer import customer_after
from contactopt.models.fitting import FittedModels
from contactopt.policy.batch import score_customer
from contactopt.segments import StageSegments

__all__ = ["score_after_event"]


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
    return score_customer(
        one,
        models=models,
        rules=rules,
        config=config,
        as_of=as_of,
        rests=_rests(portfolio, one, as_of, random_state),
        policy_version=policy_version,
        segments=segments,
    )


def _rests(portfolio: Portfolio, one: Portfolio, as_of: pd.Timestamp, random_state: int) -> bool:
    """Return whether the rotation leaves the customer out, their new contact points included.

    The rotation of everybody is worked out only for a customer who shares an address.
    """
    points, mine = portfolio.tables["contact_points"], one.tables["contact_points"]
    others = points[points["customer_id"] != one.customer_ids[0]]
    if not others["address_key"].isin(mine["address_key"].dropna()).any():
        return False
    both = SimpleNamespace(tables={"contact_points": pd.concat([others, mine], ignore_index=True)})
    resting = shared_point_rotation(both, as_of, random_state)["customer_id"]
    return one.customer_ids[0] in set(resting)
