"""An inbound event moves one customer's state at once: score that customer anew."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance import (
    RuleBook,
    shared_contacts_of,
    shared_point_rotation,
)
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.contracts.address_index import AddressIndex
from contactopt.contracts.one_customer import customer_after
from contactopt.models.fitting import FittedModels
from contactopt.policy.batch import score_customer
from contactopt.policy.residual import ResidualLayer
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
    residual: ResidualLayer | None = None,
) -> ScoredBatch:
    """Score the customer whom new rows concern; see `ContactStrategy.on_event`."""
    one = customer_after(portfolio, events, customer_id=customer_id, extra_channels=config.channels)
    index = AddressIndex.of(portfolio)
    others = _neighbours(index, one)
    return score_customer(
        one,
        models=models,
        rules=rules,
        config=config,
        as_of=as_of,
        rests=len(others) > 0 and _rests(index, one, as_of, random_state),
        shared=shared_contacts_of(_Together(portfolio.subset(others), one), config, as_of)
        if len(others)
        else None,
        policy_version=policy_version,
        segments=segments,
        residual=residual,
    )


def _neighbours(index: AddressIndex, one: Portfolio) -> npt.NDArray[np.object_]:
    """Return the other customers who have an address of the customer, new points included."""
    owners = index.owners_of(_addresses(one))
    return owners[owners != one.customer_ids[0]]


def _rests(index: AddressIndex, one: Portfolio, as_of: pd.Timestamp, random_state: int) -> bool:
    """Return whether the rotation leaves out a customer who shares an address.

    Groups are connected through all addresses, so that everybody who hangs together with the
    customer is looked at, and nobody else: groups do not see each other.
    """
    mine = one.tables["contact_points"]
    others = index.connected_to(_addresses(one), leave_out=one.customer_ids[0])
    both = SimpleNamespace(tables={"contact_points": pd.concat([others, mine], ignore_index=True)})
    resting = shared_point_rotation(both, as_of, random_state)["customer_id"]
    return one.customer_ids[0] in set(resting)


def _addresses(one: Portfolio) -> list[str]:
    return one.tables["contact_points"]["address_key"].dropna().unique().tolist()


class _Together:
    """Neighbours as they stand, and the customer with the new rows."""

    def __init__(self, others: Portfolio, one: Portfolio) -> None:
        self.customer_ids = np.append(others.customer_ids, one.customer_ids)
        self.tables = {
            name: pd.concat([frame, one.tables[name]], ignore_index=True)
            for name, frame in others.tables.items()
        }

    def subset(self, customer_ids: object) -> _Together:
        """Return all of them: whoever is here shares an address."""
        return self
