"""The allocation problem of one batch: eligible pairs, cells, rows and what each may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.errors import CapacityError, ContractError, sample_ids
from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.capacity_rows import CLOSED, CapacityRows, CellMap
from contactopt.plan.prices.pair_kernels import LARGEST, count_pass, gather_pass
from contactopt.policy.kernels import UNIT
from contactopt.policy.weights import exploration_weights

__all__ = ["Problem", "Rows", "build_problem", "eligible_pairs"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Capacity rows with the limits that the allocation is solved for.

    Parameters
    ----------
    table : CapacityRows
    counting : bool array, shape (K,)
        Kept exactly by the draw: contacts, or a unit of which every contact takes as much.
    per_contact : float array, shape (K,)
        Units of a contact in a counting row (1 otherwise).
    limit : float array, shape (K,)
        Units that expected use may reach: for counting rows whole contacts, for others the units
        minus ``margin``.
    margin : float array, shape (K,)
        Units held back because no lottery keeps the row exactly.
    target, low : float array, shape (K,)
        What is solved for: ``limit`` less rounding, and the minimum (0: none).
    """

    table: CapacityRows
    counting: npt.NDArray[np.bool_]
    per_contact: Floats
    limit: Floats
    margin: Floats
    target: Floats
    low: Floats


@dataclass(frozen=True)
class Problem:
    """Eligible pairs, customer after customer (``starts``), sorted as the batch's actions.

    ``cell`` is the pair's cell, the number of cells where no row covers it. ``room`` is the
    probability that the exploration may move: 1 less the floors, 0 in the control group.
    """

    starts: npt.NDArray[np.int64]
    arm: npt.NDArray[np.int16]
    value: Floats
    usage: Floats
    cell: npt.NDArray[np.int16]
    weight: Floats
    room: Floats
    rows: Rows
    #: use of the floors by row, set aside first
    floor_use: Floats
    #: largest usage of an eligible pair by cell, shape (n_cells + 1,); minus infinity without pairs
    most_usage: Floats

    @property
    def n_cells(self) -> int:
        """Number of cells that some row covers."""
        return self.rows.table.cover.shape[1]

    def sample(self, every: int) -> Problem:
        """Take every so-manieth customer and that share of the capacities."""
        sizes = np.diff(self.starts)
        taken = np.zeros(len(sizes), dtype=bool)
        taken[::every] = True
        pairs = np.repeat(taken, sizes)
        starts = np.zeros(int(taken.sum()) + 1, dtype=np.int64)
        np.cumsum(sizes[taken], out=starts[1:])
        share = taken.mean()
        rows = replace(self.rows, target=self.rows.target * share, low=self.rows.low * share)
        return replace(
            self,
            starts=starts,
            arm=self.arm[pairs],
            value=self.value[pairs],
            usage=self.usage[pairs],
            cell=self.cell[pairs],
            weight=self.weight[taken],
            room=self.room[taken],
            rows=rows,
            floor_use=self.floor_use * share,
        )


def eligible_pairs(batch: ScoredBatch, cells: CellMap) -> npt.NDArray[np.bool_]:
    """Return which pairs may be chosen: allowed by the batch and not closed, shape (n, m)."""
    return batch.allowed & (cells.cell != CLOSED)


def build_problem(batch: ScoredBatch, cells: CellMap, *, n_threads: int = 1) -> Problem:
    """Gather the eligible pairs, block after block, and decide how each row is kept.

    Raises
    ------
    ContractError
        If a value, spread or usage of an eligible pair is not finite, or one of the latter two
        is negative.
    CapacityError
        If a minimum lies above what the eligible customers can take.
    """
    n, m = batch.allowed.shape
    n_cells = cells.rows.cover.shape[1]
    size = block_size(m)
    starts = np.zeros(n + 1, dtype=np.int64)

    def count(_: int, a: int, b: int) -> None:
        count_pass(np.ascontiguousarray(batch.allowed[a:b]), cells.cell[a:b], starts[a + 1 : b + 1])

    in_blocks(n, size, count, n_threads)
    np.cumsum(starts, out=starts)
    pairs, blocks = int(starts[-1]), -(-n // size)
    arm, cell = np.empty(pairs, dtype=np.int16), np.empty(pairs, dtype=np.int16)
    value, usage, weight = np.empty(pairs), np.empty(pairs), np.empty(n)
    smallest = np.full((blocks, n_cells + 1), np.inf)
    largest = -smallest  # of a cell without a pair
    bad = np.zeros(blocks, dtype=np.int64)

    def gather(block: int, a: int, b: int) -> None:
        given = [
            np.ascontiguousarray(x[a:b], dtype=np.float64)
            for x in (batch.value, batch.spread, batch.usage)
        ]
        spread = np.empty(starts[b] - starts[a])
        bad[block] = gather_pass(
            np.ascontiguousarray(batch.allowed[a:b]), cells.cell[a:b], *given, starts[a],
            arm, value, usage, cell, spread, smallest[block], largest[block],
        )  # fmt: skip
        own = slice(starts[a], starts[b])
        weight[a:b] = exploration_weights(value[own], spread, starts[a : b + 1])

    in_blocks(n, size, gather, n_threads)
    if bad.any():
        _refuse_numbers(batch, eligible_pairs(batch, cells))
    low_u, high_u = smallest.min(axis=0, initial=np.inf), largest.max(axis=0, initial=-np.inf)
    return Problem(
        starts=starts,
        arm=arm,
        value=value,
        usage=usage,
        cell=cell,
        weight=weight,
        room=np.ones(n),
        rows=_limits(cells.rows, low_u[:-1], high_u[:-1], n, m),
        floor_use=np.zeros(len(cells.rows)),
        most_usage=high_u,
    )


def _refuse_numbers(batch: ScoredBatch, mask: npt.NDArray[np.bool_]) -> NoReturn:
    for name, least in (("value", None), ("spread", 0), ("usage", 0)):
        given = getattr(batch, name)[mask]
        bad = ~(np.abs(given) < LARGEST)
        if least is not None:
            bad |= given < least
        if bad.any():
            who = batch.customer_ids[np.nonzero(mask)[0][bad]]
            raise ContractError(
                f"{name} of {int(bad.sum())} allowed (customer, action) pairs is missing, "
                f"infinite or negative: {sample_ids(who)}",
                hint=f"give every allowed action a finite `{name}`, or do not allow it",
            )
    raise AssertionError("a pair was refused without a fault")


def _limits(table: CapacityRows, smallest: Floats, largest: Floats, n: int, m: int) -> Rows:
    """Round counting rows down to whole contacts, hold a margin back on the others."""
    low_u = np.array([smallest[c].min(initial=np.inf) for c in table.cover])
    high_u = np.array([largest[c].max(initial=0.0) for c in table.cover])
    empty = high_u == 0  # nobody takes anything of it: there is nothing to keep
    counting = (low_u == high_u) | empty
    per_contact = np.where(counting & ~empty, high_u, 1.0)
    whole = np.floor(table.units / per_contact + 1e-9) * per_contact
    # measured on batches with handling times between 3 and 12 minutes: realised use strays by
    # less than two contacts of the longest kind
    margin = np.minimum(np.maximum(2.0 * high_u, 0.002 * table.units), 0.25 * table.units)
    margin = np.where(counting, 0.0, margin)
    limit = np.where(counting, whole, table.units - margin)
    # remainders of the rounding to 1 / UNIT may fall on any arm
    rounding = np.where(counting, per_contact, high_u) * n * (m + 1) / UNIT
    target = np.maximum(limit * (1.0 - 1e-7) - rounding, 0.0)
    low = np.where(table.min_units > 0, np.minimum(table.min_units * (1 + 1e-7), target), 0.0)
    _check_minimum(table, target, low, n * high_u)
    return Rows(table, counting, per_contact, limit, margin, target, low)


def _check_minimum(table: CapacityRows, target, low, most) -> None:
    bad = [
        f"{name} (minimum {need:g}, at most {cap:g})"
        for name, need, cap in zip(
            table.label, table.min_units, np.minimum(most, target * (1 + 1e-6) + 1e-6), strict=True
        )
        if need > cap
    ]
    if bad:
        raise CapacityError(
            "minimum units cannot be met: " + "; ".join(bad),
            hint="lower min_units, or open more actions of that pool",
        )
