"""Work over customers in blocks, on one thread or several, with the same result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["block_size", "in_blocks"]

#: pairs of a block: its temporaries stay within a few megabytes
_PAIRS = 500_000


def block_size(n_actions: int) -> int:
    """Return how many customers of so many actions make a block."""
    return max(1, _PAIRS // max(n_actions, 1))


def in_blocks(n: int, size: int, work: Callable[[int, int, int], None], n_threads: int) -> None:
    """Call ``work(block, first, last)`` for consecutive blocks of ``size`` customers.

    Each call must write to its own part of the output alone: blocks depend on n and size, not on
    the number of threads, and whoever adds partial sums up does it in the order of the blocks.
    """
    blocks = [(b, a, min(a + size, n)) for b, a in enumerate(range(0, n, size))]
    if n_threads <= 1 or len(blocks) <= 1:
        for block in blocks:
            work(*block)
        return
    with ThreadPoolExecutor(min(n_threads, len(blocks))) as pool:
        list(pool.map(lambda block: work(*block), blocks))
