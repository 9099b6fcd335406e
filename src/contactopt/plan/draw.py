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
from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.capacity_rows import CellMap, check_nested
from contactopt.plan.prices.problem import Rows
from contactopt.policy.kernels import UNIT

__all__ = [
    "ORDER",
    "DrawShard",
    "DrawTree",
    "RoundedShard",
    "build_tree",
    "draw",
    "id_keys",
    "merge_shards",
    "round_shard",
    "seed_of",
    "shard",
]

N_BUCKETS = 64
#: how customers are put in order; logged, since the draw depends on it
ORDER = 2
#: pools whose use the order follows
_POOLS = 3
#: so many different uses are groups of their own
_FEW = 8


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
    weighted = np.flatnonzero(~rows.counting & (rows.limit > 0))
    tight = weighted[np.argsort(-(expected_use / np.maximum(rows.limit, 1e-300))[weighted],
                                kind="stable")]  # fmt: skip
    if order == 1:
        uses = [_mean_use(batch, cells, rows, probabilities, k, n_threads) for k in tight[:1]]
        place = uses[0] if uses else np.zeros(len(key))
    else:
        outer = [k for k in tight if not _inside_another(rows.table.cover, k, weighted)][:_POOLS]
        place = _along_curve(
            [_mean_use(batch, cells, rows, probabilities, k, n_threads) for k in outer], len(key)
        )
    taken = np.lexsort((key, place)).astype(np.int64)
    edges = np.linspace(0, len(taken), N_BUCKETS + 1).astype(np.int64)
    return DrawTree(np.ascontiguousarray(cells.cell), free, above, taken, edges, key)


def _inside_another(cover: npt.NDArray[np.bool_], row: int, rows: npt.NDArray[np.int64]) -> bool:
    """Tell whether another of the rows covers all of this one (of equal ones: an earlier one)."""
    for other in rows:
        within = other != row and not (cover[row] & ~cover[other]).any()
        if within and ((cover[other] & ~cover[row]).any() or other < row):
            return True
    return False


def _along_curve(uses: list[npt.NDArray[np.float64]], n: int) -> npt.NDArray[np.float64]:
    """Return each customer's place on a curve on which neighbours use about as much of everything.

    Of several uses the ones with few values cut the customers into groups, the last runs through
    each group, up and down in turn. Figures are compared to seven digits: what is equal but for the
    rounding of sums is equal.
    """
    if not uses:
        return np.zeros(n)
    ranked = [np.unique(u.astype(np.float32), return_inverse=True) for u in uses]
    ranked.sort(key=lambda found: len(found[0]))
    if len(uses) == 1:
        return ranked[0][1].astype(np.float64)
    groups = int(np.ceil((n / N_BUCKETS) ** (1.0 / len(uses))))
    place = np.zeros(n, dtype=np.int64)
    for distinct, code in ranked[:-1]:
        if len(distinct) > max(groups, _FEW):
            below = np.cumsum(np.bincount(code, minlength=len(distinct))) - np.bincount(code)
            code, size = below[code] * groups // n, groups
        else:
            size = len(distinct)
        place = place * size + np.where(place % 2, size - 1 - code, code)
    distinct, code = ranked[-1]
    along = code / len(distinct)
    return place + np.where(place % 2, (len(distinct) - 1) / len(distinct) - along, along)


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


def _mean_use(batch, cells, rows: Rows, probabilities, row: int, n_threads: int):
    """Return what a contact of each customer uses of a row on average, 0 where there is none."""
    n, m = cells.cell.shape
    inside = np.append(rows.table.cover[row], [False, False])  # free and closed are outside
    use = np.zeros(n)

    def mean_use(_: int, a: int, b: int) -> None:
        own = slice(a, b)
        p = np.where(inside[cells.cell[own]], probabilities[own, :m] / UNIT, 0.0)
        use[own] = (p * batch.usage[own]).sum(axis=1) / np.maximum(p.sum(axis=1), 1e-300)

    in_blocks(n, block_size(m), mean_use, n_threads)
    return use


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
        Parts that are rounded by themselves, each seeing its own customers alone (`shard`,
        `round_shard`), and merged (`merge_shards`). The draw is the same for every number.
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
        order, edges = _run(tree, first, last)
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


def _run(tree: DrawTree, first: int, last: int):
    """Return customers and bounds of the buckets ``first`` to ``last`` (exclusive)."""
    edges = tree.edges[first : last + 1]
    return tree.order[edges[0] : edges[-1]], edges - edges[0]


# ---- in shards ---------------------------------------------------------------------------------


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
    customers, edges = _run(tree, first, last)
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
