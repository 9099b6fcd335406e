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
from contactopt.plan.draw_order import ORDER, places
from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.capacity_rows import CellMap, check_nested
from contactopt.plan.prices.problem import Rows
from contactopt.policy.kernels import UNIT

__all__ = ["N_BUCKETS", "DrawTree", "build_tree", "draw", "id_keys", "run_of", "seed_of"]

#: whatever the shards and threads
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
    *,
    order: int = ORDER,
    n_threads: int = 1,
) -> DrawTree:
    """Lay out nodes and the order of customers.

    Customers stand beside those whose contacts use about as much of every row that is no counting
    row, and are cut into 64 buckets: pushes then happen between like and like, which keeps such
    rows close to their expectation.

    Parameters
    ----------
    batch : ScoredBatch
    cells : CellMap
    rows : Rows
    probabilities : int64 array, shape (n, m + 1)
    expected_use : float array, shape (K,)
    order : int
        1: by use of the tightest such row alone, as the first logs were drawn; 2: by the outermost
        rows of up to three pools, see `_along_curve`.
    n_threads : int
    """
    above, free = _nodes(cells)
    key = id_keys(batch.customer_ids)
    place = places(batch, cells, rows, probabilities, expected_use, order, n_threads)
    taken = np.lexsort((key, place)).astype(np.int64)
    edges = np.linspace(0, len(taken), N_BUCKETS + 1).astype(np.int64)
    return DrawTree(np.ascontiguousarray(cells.cell), free, above, taken, edges, key)


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


def draw(
    probabilities: npt.NDArray[np.int64],
    tree: DrawTree,
    seed: int,
    *,
    n_shards: int = 1,
    n_threads: int = 1,
) -> npt.NDArray[np.int64]:
    """Draw the plan.

    Parameters
    ----------
    probabilities : int64 array, shape (n, m + 1)
        Multiples of 2**-36, each row summing to 2**36; `wait` last.
    tree : DrawTree
    seed : int
        In [0, 2**64); see `seed_of`.
    n_shards : int
        Parts that are rounded by themselves, each seeing its own customers alone, and merged; see
        `contactopt.plan.draw_shards`. The draw is the same for every number.
    n_threads : int
        The draw is the same for every number.

    Returns
    -------
    int64 array, shape (n,)
        Column drawn for each customer, m for `wait`. Each column is drawn with exactly its
        probability; empty for no customers.
    """
    n, m_and_wait = probabilities.shape
    if not n or m_and_wait == 1:
        return np.full(n, m_and_wait - 1, dtype=np.int64)
    if n_shards > 1:
        from contactopt.plan.draw_shards import merge_shards, round_shard, shard

        parts = [shard(probabilities, tree, s, n_shards) for s in range(n_shards)]
        return merge_shards([round_shard(p, seed) for p in parts], tree, seed)
    from contactopt.plan.draw_kernel import choose_arms, merge_buckets, round_buckets

    n_low, n_buckets, word = len(tree.above), len(tree.edges) - 1, np.uint64(seed)
    chosen, arm = np.full(n, -1, dtype=np.int64), np.full(n, m_and_wait - 1, dtype=np.int64)
    # runs of buckets, a few for each thread
    size = -(-n_buckets // (1 if n_threads <= 1 else 4 * n_threads))
    runs = -(-n_buckets // size)
    total = np.zeros((runs, n_low), dtype=np.int64)
    left: list = [None] * runs

    def round_run(b: int, first: int, last: int) -> None:
        order, edges = run_of(tree, first, last)
        left[b] = round_buckets(
            probabilities, tree.cell, tree.free, n_low, order, edges, first, word, chosen, total[b]
        )

    def choose(_: int, a: int, b: int) -> None:
        choose_arms(
            probabilities[a:b], tree.cell[a:b], tree.free, chosen[a:b], tree.key[a:b], word,
            arm[a:b],
        )  # fmt: skip

    in_blocks(n_buckets, size, round_run, n_threads)
    whole = total.sum(axis=0) & (UNIT - 1)
    merge_buckets(np.concatenate(left), tree.above, whole, n_buckets, word, chosen)
    in_blocks(n, block_size(m_and_wait), choose, n_threads)
    return arm


def run_of(
    tree: DrawTree, first: int, last: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return customers and bounds of the buckets ``first`` to ``last`` (exclusive)."""
    edges = tree.edges[first : last + 1]
    return tree.order[edges[0] : edges[-1]], edges - edges[0]
