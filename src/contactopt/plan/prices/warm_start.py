"""Yesterday's prices as the place where today's search begins.

Rows of two days are matched by pool, by the day counted from the batch's own, and by the hour. A
warm start saves passes and leads to the same plan within the solver's tolerance, not to the same
bits: it belongs to the inputs that a plan is reproduced from, and is logged with the batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ContractError
from contactopt.plan.prices.capacity_rows import CapacityRows
from contactopt.plan.prices.problem import Problem, Rows

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan
    from contactopt.plan.prices.allocation import Allocation

__all__ = ["WarmStart", "search_record", "starting_prices"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WarmStart:
    """Prices and exploration weight of an earlier plan.

    Parameters
    ----------
    rows : tuple of (pool, day, hour, plain, exploring)
        ``day`` counts from the plan's as_of (UTC), ``hour`` is -1 for a row of the whole day;
        prices per unit of the plain programme and of the exploring plan.
    tau : float
        Exploration weight; 0 for a plan that did not explore.
    smoothing : float
        At which the plain programme met its gap.

    Examples
    --------
    >>> start = WarmStart((("sms", 0, -1, 0.25, 0.24),), tau=0.004, smoothing=0.001)
    >>> WarmStart.from_state(start.to_state()) == start
    True
    """

    rows: tuple[tuple[str, int, int, float, float], ...]
    tau: float
    smoothing: float

    @classmethod
    def of(cls, plan: ContactPlan) -> WarmStart:
        """Return what a plan found."""
        return cls.from_allocation(plan.allocation, plan.rows, plan.batch.as_of)

    @classmethod
    def from_allocation(cls, found: Allocation, rows: Rows, as_of: pd.Timestamp) -> WarmStart:
        """Return what an allocation found."""
        plain = _net(found.greedy.prices, rows.low)
        both = zip(plain.tolist(), found.row_prices.tolist(), strict=True)
        named = (
            (*name, *prices) for name, prices in zip(_names(rows.table, as_of), both, strict=True)
        )
        return cls(tuple(sorted(named)), found.tau, found.greedy.tau)

    @classmethod
    def from_log(cls, batch: Mapping[Any, Any]) -> WarmStart:
        """Return what a logged plan found.

        Parameters
        ----------
        batch : mapping
            A row of the log's batches table.

        Raises
        ------
        ContractError
            If the row was written by a version that did not keep it.
        """
        told = batch.get("search")
        if not isinstance(told, str):
            raise ContractError(
                "this batch's row holds no prices to start from",
                hint="rank without `warm_start`; logs written from now on hold them",
            )
        return cls.from_state(json.loads(told)["found"])

    def to_state(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"rows": [list(r) for r in self.rows], "tau": self.tau, "smoothing": self.smoothing}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> WarmStart:
        """Build one from `to_state`."""
        rows = tuple(
            (str(p), int(d), int(h), float(a), float(b)) for p, d, h, a, b in state["rows"]
        )
        return cls(rows, float(state["tau"]), float(state["smoothing"]))


def search_record(plan: ContactPlan) -> dict[str, Any]:
    """Return where a plan's search began (None: from nothing) and what it found, for the log."""
    start = plan.allocation.start
    return {
        "start": None if start is None else start.to_state(),
        "found": WarmStart.of(plan).to_state(),
    }


def starting_prices(
    start: WarmStart, problem: Problem, as_of: pd.Timestamp
) -> tuple[Floats, Floats]:
    """Return price vectors (plain, exploring) for a problem's rows.

    A row without a twin starts at the mean price of its pool's rows of the same kind (hours or
    whole days), at 0 where there is none.
    """
    known = {name[:3]: name[3:] for name in start.rows}
    kinds: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for pool, _, hour, *prices in start.rows:
        kinds.setdefault((pool, hour >= 0), []).append((prices[0], prices[1]))
    found = []
    for pool, day, hour in _names(problem.rows.table, as_of):
        like = kinds.get((pool, hour >= 0), [(0.0, 0.0)])
        found.append(known.get((pool, day, hour), np.mean(like, axis=0)))
    net = np.array(found, dtype=float).reshape(-1, 2)
    lower = problem.rows.low > 0
    both = [np.append(np.maximum(x, 0.0), np.maximum(-x[lower], 0.0)) for x in net.T]
    return both[0], both[1]


def _net(prices: Floats, low: Floats) -> Floats:
    net = prices[: len(low)].copy()
    net[low > 0] -= prices[len(low) :]
    return net


def _names(table: CapacityRows, as_of: pd.Timestamp) -> list[tuple[str, int, int]]:
    """Return pool, day from as_of and hour of each row, read from its label."""
    today = pd.Timestamp(as_of).tz_convert("UTC").date()
    names = []
    for pool, label in zip(table.pool, table.label, strict=True):
        day, _, hour = label[len(pool) + 1 :].partition(" ")
        away = (date.fromisoformat(day) - today).days
        names.append((pool, away, int(hour.removesuffix("h")) if hour else -1))
    return names
