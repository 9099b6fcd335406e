"""The draw in shards: each rounds its own buckets by itself, little is merged.

Buckets are those of the whole batch, so that the number of shards changes nothing; a shard needs
its customers' rows alone and hands over fewer open edges per bucket than the tree has nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.plan.draw import DrawTree, run_of
from contactopt.policy.kernels import UNIT

__all__ = ["DrawShard", "RoundedShard", "merge_shards", "round_shard", "shard"]


@dataclass(frozen=True)
class DrawShard:
    """Some buckets of a batch, with nothing but their own customers, in the order of the draw.

    Parameters
    ----------
    customers : int64 array, shape (k,)
        Their places in the batch.
    probabilities : int64 array, shape (k, m + 1)
    cell : int16 array, shape (k, m)
    key : uint64 array, shape (k,)
    edges : int64 array
        Bounds of the buckets.
    first : int
        Number of the first bucket in the batch.
    free, n_low : int
        Node of `wait`; number of nodes, the root included.
    """

    customers: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int16]
    key: npt.NDArray[np.uint64]
    edges: npt.NDArray[np.int64]
    first: int
    free: int
    n_low: int


@dataclass(frozen=True)
class RoundedShard:
    """A shard after its own rounding: what was chosen, and the few edges that are still open."""

    shard: DrawShard
    chosen: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    total: npt.NDArray[np.int64]


def shard(
    probabilities: npt.NDArray[np.int64], tree: DrawTree, number: int, n_shards: int
) -> DrawShard:
    """Cut out shard ``number`` of ``n_shards``: a run of whole buckets.

    Buckets are those of the whole batch, whatever the shards; which customer falls into which
    needs the use and the id hash of all, a sort of two numbers per customer.
    """
    bounds = np.linspace(0, len(tree.edges) - 1, n_shards + 1).astype(np.int64)
    first, last = int(bounds[number]), int(bounds[number + 1])
    customers, edges = run_of(tree, first, last)
    return DrawShard(
        customers, probabilities[customers], tree.cell[customers], tree.key[customers], edges,
        first, tree.free, len(tree.above),
    )  # fmt: skip


def round_shard(part: DrawShard, seed: int) -> RoundedShard:
    """Round a shard's buckets without a look at any other shard."""
    from contactopt.plan.draw_kernel import round_buckets

    k = len(part.customers)
    chosen, total = np.full(k, -1, dtype=np.int64), np.zeros(part.n_low, dtype=np.int64)
    left = round_buckets(
        part.probabilities, part.cell, part.free, part.n_low, np.arange(k), part.edges, part.first,
        np.uint64(seed), chosen, total,
    )  # fmt: skip
    return RoundedShard(part, chosen, left, total)


def merge_shards(parts: Iterable[RoundedShard], tree: DrawTree, seed: int) -> npt.NDArray[np.int64]:
    """Merge rounded shards, given in any order, to the draw of the whole batch.

    Only open edges (fewer than the nodes of the tree per bucket) and sums by node cross over.
    """
    from contactopt.plan.draw_kernel import choose_arms, merge_buckets

    done = sorted((p for p in parts if len(p.shard.edges) > 1), key=lambda p: p.shard.first)
    chosen = np.full(len(tree.order), -1, dtype=np.int64)
    left = []
    for p in done:
        chosen[p.shard.customers] = p.chosen
        named = p.left.copy()
        named[:, 0] = p.shard.customers[p.left[:, 0]]
        left.append(named)
    total = np.sum([p.total for p in done], axis=0) & (UNIT - 1)
    n_buckets = len(tree.edges) - 1
    merge_buckets(np.concatenate(left), tree.above, total, n_buckets, np.uint64(seed), chosen)
    arm = np.empty(len(chosen), dtype=np.int64)
    for p in done:
        s = p.shard
        own = np.full(len(s.customers), s.probabilities.shape[1] - 1, dtype=np.int64)
        choose_arms(
            s.probabilities, s.cell, s.free, chosen[s.customers], s.key, np.uint64(seed), own
        )
        arm[s.customers] = own
    return arm
