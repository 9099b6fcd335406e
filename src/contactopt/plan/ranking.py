"""From scores to a plan: mask, rows, prices, integer probabilities, one draw."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.contracts.vocabulary import CHANNELS
from contactopt.errors import ConfigError, ContractError, sample_ids
from contactopt.plan.contact_plan import ContactPlan
from contactopt.plan.draw import build_tree, draw, seed_of
from contactopt.plan.identity import decision_ids, default_batch_id
from contactopt.plan.prices.allocation import Allocation, allocate
from contactopt.plan.prices.capacity_rows import CLOSED, CellMap, map_cells
from contactopt.plan.prices.capacity_table import capacity_table
from contactopt.plan.prices.problem import Problem, build_problem, eligible_pairs
from contactopt.plan.prices.warm_start import WarmStart
from contactopt.plan.safe_plan import lead_safely
from contactopt.plan.treatments import INNER_SHARES, Inner, drawn_treatments, settle_inner
from contactopt.policy import ContactPolicy, control_group
from contactopt.policy.safety import SafetyTerms

__all__ = ["rank"]


def rank(
    batch: ScoredBatch,
    *,
    policy: ContactPolicy | None = None,
    capacity: pd.DataFrame | str | Path | None = None,
    pools: Mapping[str, Any] | None = None,
    random_state: int = 0,
    batch_id: str | None = None,
    policy_version: str | None = None,
    safety: SafetyTerms | None = None,
    n_threads: int | None = None,
    warm_start: ContactPlan | WarmStart | None = None,
) -> ContactPlan:
    """Turn scores into a plan with exactly known probabilities, inside the capacities.

    Parameters
    ----------
    batch : ScoredBatch
        Customers sorted by id; an empty batch, one without actions and one with nobody eligible
        give a plan in which everybody waits.
    policy : ContactPolicy, optional
        Exploration and control group; the defaults of `ContactPolicy` without.
    capacity : DataFrame, path or None
        The contract's capacity table. A pool without rows is unlimited; a slot that no row of its
        pool covers, or with 0 units, is closed.
    pools : mapping of str to PoolConfig, optional
        The strategy's pools (time zone, unit). Other pools are channels: contacts, in UTC.
    random_state : int
        Seed of the draw.
    batch_id : str, optional
        Unless given, a hash of content, policy, as_of, capacity, random state and warm start.
    policy_version : str, optional
        Unless given, ``batch.meta["policy_version"]``, else a hash of the policy's settings.
    safety : SafetyTerms, optional
        Who leads while the learned policy must prove itself; without, these scores lead.
    n_threads : int, optional
        Threads of the allocation, by default the processors this process may use. The plan is the
        same bit for bit for every number.
    warm_start : ContactPlan or WarmStart, optional
        An earlier plan of the same pools, or what `WarmStart.of` kept of it: fewer passes to the
        same plan within the solver's tolerance. To get the same bits again, give the same; the
        batch's log holds it.

    Returns
    -------
    ContactPlan

    Raises
    ------
    ConfigError
        For a faulty capacity table or policy, or where floor and control group contradict the
        exploration budget.
    CapacityError
        If minimum units cannot be met.
    ContractError
        If customers are not sorted and unique, or a score is not finite.

    Examples
    --------
    >>> scores = pd.DataFrame(
    ...     {
    ...         "customer_id": ["a", "a", "b"],
    ...         "action_id": ["sms", "letter", "sms"],
    ...         "channel": ["sms", "letter", "sms"],
    ...         "allowed": True,
    ...         "reasons": "",
    ...         "value": [2.0, 0.5, 1.0],
    ...         "cost": 0.05,
    ...     }
    ... )
    >>> batch = ScoredBatch.from_frame(scores, as_of="2026-06-02T12:00Z", currency="USD")
    >>> capacity = pd.DataFrame({"pool": ["sms"], "date": ["2026-06-02"], "units": [1]})
    >>> plan = rank(batch, capacity=capacity)
    >>> int((plan.to_frame()["channel"] == "sms").sum())
    1
    """
    policy = policy if policy is not None else ContactPolicy()
    policy.check()
    if not isinstance(batch, ScoredBatch):
        raise ContractError(
            f"the scores are given as {type(batch).__name__}",
            hint="make them a batch: contactopt.ScoredBatch.from_frame(scores, as_of=..., "
            "currency=...)",
        )
    pools = pools or {}
    _check_ids(batch)
    # a channel of the contract that this batch does not use is no fault of the table
    known = {*pools, *batch.pools, *batch.actions.channels, *CHANNELS}
    table = capacity_table(capacity, known)
    version = policy_version or batch.meta.get("policy_version") or policy.version
    start = WarmStart.of(warm_start) if isinstance(warm_start, ContactPlan) else warm_start
    if batch_id is None:
        under = version if safety is None else f"{version}|{safety.key}"
        if start is not None:  # other bits within the tolerance: another batch
            under = f"{under}|{json.dumps(start.to_state(), sort_keys=True)}"
        batch_id = default_batch_id(batch, table, under, random_state)
    threads = n_threads or _processors()
    cells, problem = _open_problem(
        batch, map_cells(batch, table, pools, n_threads=threads), threads
    )
    control = control_group(batch.customer_ids, policy.holdout_share)
    allocation, inner, problem = _allocate(batch, cells, problem, policy, control, threads, start)
    safe = None
    if safety is not None:
        allocation, safe = lead_safely(
            batch if inner is None else inner.batch,
            problem,
            allocation,
            policy,
            control,
            safety,
            build=lambda own: build_problem(own, cells, n_threads=threads),
            n_threads=threads,
        )
    tree = build_tree(
        batch, cells, problem.rows, allocation.probabilities, allocation.expected_use,
        n_threads=threads,
    )  # fmt: skip
    seed = seed_of(random_state, batch_id)
    drawn = draw(allocation.probabilities, tree, seed, n_threads=threads)
    treatments = None
    if inner is not None:
        treatments, batch = drawn_treatments(
            inner.choice, inner.batch, drawn, random_state, batch_id
        )
    return ContactPlan(
        batch=batch,
        cells=cells,
        rows=problem.rows,
        allocation=allocation,
        control=control,
        drawn=drawn,
        batch_id=batch_id,
        decision_id=decision_ids(batch_id, batch.customer_ids),
        policy=policy,
        policy_version=version,
        capacity=table,
        random_state=random_state,
        pool_zones={p: pools[p].time_zone if p in pools else "UTC" for p in batch.pools},
        drawn_treatments=treatments,
        safe=safe,
    )


def _allocate(
    batch: ScoredBatch,
    cells: CellMap,
    problem: Problem,
    policy: ContactPolicy,
    control: npt.NDArray[np.bool_],
    n_threads: int,
    start: WarmStart | None,
) -> tuple[Allocation, Inner | None, Problem]:
    """Solve the batch, with the choice between treatments where an arm has several."""
    m = len(batch.actions)
    how: dict[str, Any] = {"n_threads": n_threads, "start": start, "as_of": batch.as_of}

    def problem_of(own: ScoredBatch) -> Problem:
        return build_problem(own, cells, n_threads=n_threads)

    tried: tuple[Allocation, Inner, Problem] | None = None
    for share in INNER_SHARES:
        inner = settle_inner(batch, policy, problem_of, share=share)
        if inner is None:
            return allocate(problem, policy, control, m, **how), None, problem
        own = problem if inner.batch is batch else problem_of(inner.batch)
        try:
            found = inner.certified(allocate(own, inner.policy, control, m, **how))
        except ConfigError:  # floor and control leave no room for so much inner choice
            if share == INNER_SHARES[-1]:
                raise
            continue
        tried = (found, inner, own)
        if inner.greedy is None or found.loss <= inner.budget * (1 + 1e-9):
            break
    assert tried is not None
    return tried


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_ids(batch: ScoredBatch) -> None:
    ids = batch.customer_ids
    wrong = np.flatnonzero(ids[1:] <= ids[:-1]) if len(ids) > 1 else np.zeros(0, dtype=int)
    if wrong.size:
        raise ContractError(
            f"customers of the batch are not sorted and unique: {sample_ids(ids[wrong + 1])}",
            hint="ScoredBatch.from_frame sorts and checks them",
        )


def _open_problem(batch: ScoredBatch, cells: CellMap, n_threads: int) -> tuple[CellMap, Problem]:
    """Close what cannot take a single contact, and gather the rest.

    A counting row below one contact closes its cells (0 units after rounding down); in other rows
    a pair that needs more than the whole row is closed.
    """
    while True:
        problem = build_problem(batch, cells, n_threads=n_threads)
        rows = problem.rows
        none_left = rows.limit <= 0
        most = np.full(problem.n_cells + 1, np.inf)
        for cover, units, none in zip(rows.table.cover, rows.table.units, none_left, strict=True):
            most[:-1][cover] = np.minimum(most[:-1][cover], -1.0 if none else units)
        most *= 1 + 1e-9  # a handling time of exactly the row's units fits
        if not (problem.most_usage > most).any():
            return cells, problem
        cell = cells.cell.copy()
        too_much = problem.usage > most[problem.cell]
        cell[eligible_pairs(batch, cells)] = np.where(too_much, CLOSED, problem.cell)
        cells = replace(cells, cell=cell)
