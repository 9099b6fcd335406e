"""The growing history of a world: columns of numbers, made into frames only when asked."""

from __future__ import annotations

import numpy as np

from contactopt.contracts.vocabulary import OUTCOMES

__all__ = ["OUTCOME_CODE", "Recorder"]

OUTCOME_CODE = {word: k for k, word in enumerate(OUTCOMES)}


class Recorder:
    """Collects rows by table as chunks of equally long arrays.

    Every ``add`` to a table must give the same columns. Row numbers of a table run on over
    chunks and become its ids.
    """

    def __init__(self) -> None:
        self._chunks: dict[str, list[dict[str, np.ndarray]]] = {}
        self._count: dict[str, int] = {}

    def add(self, table: str, n: int, **columns: np.ndarray | int | float) -> np.ndarray:
        """Append ``n`` rows, scalars repeated; return their row numbers, int64 (n,)."""
        first = self._count.get(table, 0)
        numbers = np.arange(first, first + n)
        if n:
            rows = {
                name: values if isinstance(values, np.ndarray) else np.full(n, values)
                for name, values in columns.items()
            }
            self._chunks.setdefault(table, []).append({"number": numbers, **rows})
            self._count[table] = first + n
        return numbers

    def mark(self) -> dict[str, int]:
        """Return how many rows each table has, to be handed to `columns` as ``since``."""
        return dict(self._count)

    def columns(
        self, table: str, since: int = 0, upto: int | None = None
    ) -> dict[str, np.ndarray] | None:
        """Return rows from number ``since`` on and below ``upto``, None if there are none."""
        end = self._count.get(table, 0) if upto is None else upto
        chunks = [
            c
            for c in self._chunks.get(table, [])
            if c["number"][-1] >= since and c["number"][0] < end
        ]
        if not chunks:
            return None
        merged = {name: np.concatenate([c[name] for c in chunks]) for name in chunks[0]}
        if merged["number"][0] < since or merged["number"][-1] >= end:
            keep = (merged["number"] >= since) & (merged["number"] < end)
            merged = {name: values[keep] for name, values in merged.items()}
        return merged
