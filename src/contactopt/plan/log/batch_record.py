"""The batch's own row in the log: what was in force for everybody, written and read back.

Long values are JSON, so that a row stays one row. `BatchFacts` reads rows of this format and of
the first one, which had neither currency, rule texts nor what made the integer probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.plan.draw_order import ORDER
from contactopt.plan.frames import instants, texts
from contactopt.plan.identity import table_hash
from contactopt.plan.log.rounding_record import rounding_from, rounding_to
from contactopt.plan.log.safe_record import safe_facts
from contactopt.plan.log.treatment_record import treatment_facts
from contactopt.plan.prices.allocation import Rounding
from contactopt.plan.prices.capacity_rows import CapacityRows
from contactopt.plan.prices.problem import Rows
from contactopt.plan.prices.warm_start import WarmStart, search_record

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["LOG_FORMAT", "BatchFacts", "batch_row", "facts_of_plan"]

#: 1: the contract's columns alone; 2: with what `why` in words and the replay need
LOG_FORMAT = 2

_ROW_ARRAYS = ("per_contact", "limit", "margin", "target", "low")


@dataclass(frozen=True, eq=False)
class BatchFacts:
    """What the log says of one batch.

    Parameters
    ----------
    batch_id : str
    as_of : Timestamp
    format : int
        See `LOG_FORMAT`.
    currency : str or None
    n_customers, random_state : int
    tau, floor : float
    policy : dict
        Settings of exploration and control group.
    policy_version, rules_version, portfolio_hash, content_hash : str or None
    capacity : list of dict
        Rows of the capacity table in force.
    channels : dict of str to (str, int or None)
        Channel and local hour of each action, in the order of the batch.
    rules : dict of str to dict
        Texts of the rules of that day: summary, citation, kind, ends.
    searched_days : int or None
        How far beyond the last release an open hour was looked for.
    prices : dict of str to float
        Price per unit of each capacity row.
    rows : Rows or None
        Capacity rows with their limits; None in the first format, as the next two.
    rounding : Rounding or None
    cell_prices, expected_use : float array or None
    draw_order : int
        How the draw put customers in order, see `contactopt.plan.draw.build_tree`.
    treatments : dict or None
        Heat, least probability (units of 2**-16), discount and hash of the choice between messages
        and offers; None where no arm had one.
    safe : dict or None
        Verdict, share of the learned policy, and what made the candidates' integers; None where
        safety was off.
    replans : str or None
        The batch of the same day that this one plans anew.
    start : WarmStart or None
        The earlier prices that the search began at, if any.
    """

    batch_id: str
    as_of: pd.Timestamp
    format: int
    currency: str | None
    n_customers: int
    random_state: int
    tau: float
    floor: float
    policy: dict[str, Any]
    policy_version: str | None
    rules_version: str | None
    portfolio_hash: str | None
    content_hash: str | None
    capacity: list[dict[str, Any]]
    channels: dict[str, tuple[str, int | None]]
    rules: dict[str, dict[str, Any]]
    searched_days: int | None
    prices: dict[str, float]
    rows: Rows | None
    rounding: Rounding | None
    cell_prices: npt.NDArray[np.float64] | None
    expected_use: npt.NDArray[np.float64] | None
    draw_order: int = 1
    treatments: dict[str, Any] | None = None
    safe: dict[str, Any] | None = None
    replans: str | None = None
    start: WarmStart | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> BatchFacts:
        """Read a row of the batches table, of any format so far."""

        def text(name: str) -> str | None:
            value = row.get(name)
            return value if isinstance(value, str) else None

        def parsed(name: str, empty: Any) -> Any:
            value = text(name)
            return empty if value is None else json.loads(value)

        known, solution = parsed("rules", {}), parsed("solution", None)
        start = parsed("search", {}).get("start")
        told = parsed("capacity_rows", None)
        rows, expected = _rows_from(told)
        rounding, prices = (None, None) if solution is None else rounding_from(solution)
        return cls(
            batch_id=str(row["batch_id"]),
            as_of=pd.Timestamp(row["as_of"]),
            format=int(row.get("log_format") or 1),
            currency=text("currency"),
            n_customers=int(row["n_customers"]),
            random_state=int(row["random_state"]),
            tau=float(row["tau"]),
            floor=float(row["floor"]),
            policy=parsed("policy", {}),
            policy_version=text("policy_version"),
            rules_version=text("rules_version"),
            portfolio_hash=text("portfolio_hash"),
            content_hash=text("content_hash"),
            capacity=parsed("capacity", []),
            channels={a: (c, h) for a, c, h in parsed("actions", [])},
            rules=known.get("rules", {}),
            searched_days=known.get("searched_days"),
            prices=parsed("prices", {}),
            rows=rows,
            rounding=rounding,
            cell_prices=prices,
            expected_use=expected,
            draw_order=1 if told is None else int(told.get("draw_order", 1)),
            treatments=parsed("treatments", None),
            safe=parsed("safety", None),
            replans=text("replans"),
            start=None if start is None else WarmStart.from_state(start),
        )

    def capacity_table(self) -> pd.DataFrame:
        """Return the capacity table in force, as `rank` takes it."""
        from contactopt.plan.prices.capacity_table import CAPACITY_COLUMNS

        table = pd.DataFrame(self.capacity, columns=list(CAPACITY_COLUMNS))
        hour = table["hour"].astype(float)
        until = table["until_date"].astype(object)
        return table.assign(hour=hour.where(hour >= 0), until_date=until.where(until != "", None))

    def row_of_cell(self, cell: int) -> str:
        """Name the capacity rows that cover a cell, with a price first; empty where none does."""
        if self.rows is None or not 0 <= cell < self.rows.table.cover.shape[1]:
            return ""
        own = np.flatnonzero(self.rows.table.cover[:, cell])
        names = [self.rows.table.label[k] for k in own]
        priced = [name for name in names if self.prices.get(name, 0.0) > 0]
        return ", ".join(priced or names)


def facts_of_plan(plan: ContactPlan) -> BatchFacts:
    """Return the same of a plan that was not written yet."""
    return BatchFacts.from_row({k: v for k, v in _columns(plan).items() if v is not None})


def batch_row(plan: ContactPlan) -> pd.DataFrame:
    """Return the batch's own row: prices, tau, capacity, seeds, hashes, versions, rule texts."""
    columns = _columns(plan)
    columns["content_hash"] = plan.content_hash
    frame = {
        name: texts([value]) if value is None or isinstance(value, str) else [value]
        for name, value in columns.items()
    }
    frame["as_of"] = instants(np.array([plan.as_of_us], dtype=np.int64))
    return pd.DataFrame(frame)


def _columns(plan: ContactPlan) -> dict[str, Any]:
    row, batch = plan.allocation, plan.batch
    meta = {k: v for k, v in batch.meta.items() if k != "rules"}
    inner, safe = treatment_facts(plan), safe_facts(plan)
    prices = dict(zip(plan.rows.table.label, map(float, row.row_prices), strict=True))
    return {
        "batch_id": plan.batch_id,
        "as_of": batch.as_of,
        "prices": json.dumps(prices),
        "tau": float(row.tau),
        "floor": float(row.floor),
        "random_state": int(plan.random_state),
        "capacity": plan.capacity.to_json(orient="records"),
        "capacity_hash": table_hash(plan.capacity),
        "portfolio_hash": batch.meta.get("portfolio_hash"),
        "pools": json.dumps(dict(plan.pool_zones)),
        "policy": json.dumps(plan.policy.to_state(), sort_keys=True),
        "policy_version": plan.policy_version,
        "rules_version": plan.rules_version,
        "meta": json.dumps(meta, sort_keys=True),
        "n_customers": len(plan.drawn),
        "expected_value": float(row.value),
        "greedy_bound": float(row.greedy.bound),
        "log_format": LOG_FORMAT,
        "currency": batch.currency,
        "actions": json.dumps(
            [[a.action_id, a.channel, a.slot_local_hour] for a in batch.actions.actions]
        ),
        "rules": json.dumps(batch.meta.get("rules", {}), sort_keys=True),
        "capacity_rows": json.dumps(_rows_to(plan)),
        "solution": json.dumps(rounding_to(row)),
        "search": json.dumps(search_record(plan)),
        **({} if plan.replanned is None else {"replans": plan.replanned.earlier.batch_id}),
        **({} if safe is None else {"safety": json.dumps(safe, sort_keys=True)}),
        **({} if inner is None else {"treatments": json.dumps(inner, sort_keys=True)}),
    }


def _rows_to(plan: ContactPlan) -> dict[str, Any]:
    rows, table = plan.rows, plan.rows.table
    return {
        "label": list(table.label),
        "pool": list(table.pool),
        "unit": list(table.unit),
        "units": table.units.tolist(),
        "min_units": table.min_units.tolist(),
        "n_cells": int(table.cover.shape[1]),
        "cover": [np.flatnonzero(own).tolist() for own in table.cover],
        "expected": plan.allocation.expected_use.tolist(),
        "counting": rows.counting.tolist(),
        "draw_order": ORDER,
        **{name: getattr(rows, name).tolist() for name in _ROW_ARRAYS},
    }


def _rows_from(told: dict[str, Any] | None) -> tuple[Rows | None, Any]:
    if told is None:
        return None, None
    cover = np.zeros((len(told["label"]), told["n_cells"]), dtype=bool)
    for own, cells in zip(cover, told["cover"], strict=True):
        own[cells] = True
    table = CapacityRows(
        label=tuple(told["label"]),
        pool=tuple(told["pool"]),
        unit=tuple(told["unit"]),
        units=_floats(told["units"]),
        min_units=_floats(told["min_units"]),
        cover=cover,
    )
    arrays = {name: _floats(told[name]) for name in _ROW_ARRAYS}
    counting = np.array(told["counting"], dtype=bool)
    return Rows(table, counting, **arrays), _floats(told["expected"])


def _floats(values: list[float]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
