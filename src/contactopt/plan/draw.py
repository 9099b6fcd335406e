"""One action per customer, drawn with exactly the planned probabilities and within the rows.

Counting rows are never exceeded: every row's count is the whole number below or above its
expectation, which is at most the row's whole capacity. Nothing is trimmed, repaired or redrawn
afterwards. The draw depends on ids, probabilities and the seed, never on the order of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.contracts.scored_batch import ScoredBatch
from contactopt.plan.prices.capacity_rows import CellMap, check_nested
from contactopt.plan.prices.problem import Rows
from contactopt.policy.kernels import UNIT

__all__ = ["DrawTree", "build_tree", "draw", "id_keys", "seed_of"]

N_BUCKETS = 64


@dataclass(frozen=True)
class DrawTree:
    """Customer -> cell -> row -> ... -> root, and the order in which customers are taken.

    Parameters
    ----------
    cell : int16 array, shape (n, m)
        Node of each pair; negative where closed (its probability is 0).
    free : int
        Node of `wait` and of pairs without a row.
    above : int64 array
        Next node towards the root (-1 for the root, the last).
    order : int64 array, shape (n,)
    edges : int64 array
        Bounds of the buckets in ``order``.
    key : uint64 array, shape (n,)
        Hash of each customer's id.
    """

    cell: npt.NDArray[np.int16]
    free: int
    above: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]
    key: npt.NDArray[np.uint64]


def id_keys(customer_ids: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash per id, independent of batch and seed."""
    digests = (
        hashlib.blake2b(str(c).encode(), digest_size=8, key=b"draw-order-1").digest()
        for c in customer_ids
    )
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def seed_of(random_state: int, batch_id: str) -> int:
    """Return the draw's seed: a hash of the given random state and the batch."""
    text = f"{random_state}|{batch_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def build_tree(
    batch: ScoredBatch,
    cells: CellMap,
    rows: Rows,
    probabilities: npt.NDArray[np.int64],
    expected_use: npt.NDArray[np.float64],
) -> DrawTree:
    """Lay out nodes and the order of customers.

    Customers are sorted by what a contact of theirs uses in the tightest row that is no counting
    row (ties by id hash) and cut into 64 buckets: pushes then happen between customers who use
    about as much, which keeps such a row close to its expectation.
    """
    above, free = _nodes(cells)
    key = id_keys(batch.customer_ids)
    use = _tightest_use(batch, cells, rows, probabilities, expected_use)
    order = np.lexsort((key, use)).astype(np.int64)
    edges = np.linspace(0, len(order), N_BUCKETS + 1).astype(np.int64)
    return DrawTree(np.ascontiguousarray(cells.cell), free, above, order, edges, key)


def _nodes(cells: CellMap) -> tuple[npt.NDArray[np.int64], int]:
    """Return the parent of each node (cells, free, rows from small to large, root)."""
    cover = cells.rows.cover
    check_nested(cover, cells.rows.label)
    by_size = np.argsort(cover.sum(axis=1), kind="stable")
    n_cells = cover.shape[1]
    root = n_cells + 1 + len(by_size)
    above = np.full(root + 1, root, dtype=np.int64)
    above[root] = -1
    for place, row in enumerate(by_size):
        node = n_cells + 1 + place
        inside = [n_cells + 1 + q for q in range(place) if cover[by_size[q]][cover[row]].any()]
        for low in [*np.flatnonzero(cover[row]), *inside]:
            if above[low] == root:  # not yet under a smaller row
                above[low] = node
    return above, n_cells


def _tightest_use(batch, cells, rows: Rows, probabilities, expected_use):
    n, m = cells.cell.shape
    weighted = np.flatnonzero(~rows.counting & (rows.limit > 0))
    if weighted.size == 0:
        return np.zeros(n)
    row = weighted[np.argmax(expected_use[weighted] / rows.limit[weighted])]
    inside = np.append(rows.table.cover[row], [False, False])  # free and closed are outside
    use = np.zeros(n)
    step = max(1, 2_000_000 // max(m, 1))
    for a in range(0, n, step):
        b = slice(a, a + step)
        p = np.where(inside[cells.cell[b]], probabilities[b, :m] / UNIT, 0.0)
        use[b] = (p * batch.usage[b]).sum(axis=1) / np.maximum(p.sum(axis=1), 1e-300)
    return use


def draw(probabilities: npt.NDArray[np.int64], tree: DrawTree, seed: int) -> npt.NDArray[np.int64]:
    """Draw the plan.

    Parameters
    ----------
    probabilities : int64 array, shape (n, m + 1)
        Multiples of 2**-36, each row summing to 2**36; `wait` last.
    tree : DrawTree
    seed : int
        In [0, 2**64); see `seed_of`.

    Returns
    -------
    int64 array, shape (n,)
        Column drawn for each customer, m for `wait`. Each column is drawn with exactly its
        probability; empty for no customers.
    """
    from contactopt.plan.draw_kernel import draw_kernel

    n, m_and_wait = probabilities.shape
    arm = np.full(n, m_and_wait - 1, dtype=np.int64)
    if n and m_and_wait > 1:
        draw_kernel(
            probabilities, tree.cell, tree.free, tree.above, tree.order, tree.edges, tree.key,
            np.uint64(seed), arm,
        )  # fmt: skip
    return arm
