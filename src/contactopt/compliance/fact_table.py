"""The table of facts, and which rules each fact sets off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.data_tables import table

__all__ = ["ALL", "FactIndex", "Facts", "fact_arrays", "fact_frame", "joined"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts as arrays of equal length f.

    Parameters
    ----------
    customer, row : int64 arrays
        Row -1: every debt of the customer.
    name : int64 array
        Code of the fact in a `FactIndex`.
    channels : uint64 array
        Action channels reached, as bits.
    start, end : int64 arrays
        In force in [start, end); `INDEFINITE` without an end.
    spare_from, spare_to : int64 arrays
        Inside [spare_from, spare_to) the channels of ``spare_channels`` are not reached.
    spare_channels : uint64 array
    local_window : int64 array
        Code of a local time window outside of which the fact is silent, -1 none.
    point, place : int64 arrays
        Contact point code, or 1 for points at work; then it concerns the choice of the point.
    """

    customer: Ints
    row: Ints
    name: Ints
    channels: Bits
    start: Ints
    end: Ints
    spare_from: Ints
    spare_to: Ints
    spare_channels: Bits
    local_window: Ints
    point: Ints
    place: Ints
    windows: tuple[dict[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, keep: Any) -> Facts:
        """Return the facts of a mask or of positions."""
        arrays = {k: v[keep] for k, v in self.__dict__.items() if k != "windows"}
        return Facts(**arrays, windows=self.windows)

    def plus(self, more: Facts) -> Facts:
        """Return these facts and more, which name no local windows."""
        arrays = {
            k: np.concatenate([v, getattr(more, k)])
            for k, v in self.__dict__.items()
            if k != "windows"
        }
        return Facts(**arrays, windows=self.windows)


class FactIndex:
    """Names of facts, and the bits of the rules that each sets off by rule set and channel."""

    def __init__(self, block: Block) -> None:
        self.block = block
        flags = table("flags")["flags"]
        self.names = sorted({f for facts in flags.values() for f in facts})
        self.code = {name: i for i, name in enumerate(self.names)}

    def of(self, name: str) -> int:
        """Return the code of a fact, -1 where no flag hangs on it."""
        return self.code.get(name, -1)

    @cached_property
    def bits(self) -> Bits:
        """Shape (words, facts + 1, rule sets, channels); the last fact is none."""
        b = self.block
        out = np.zeros(
            (b.n_words, len(self.names) + 1, len(b.rule_sets), len(b.channels)), dtype=np.uint64
        )
        for flag, facts in table("flags")["flags"].items():
            for rule in b.flag_rules.get(flag, []):
                word, bit = b.bit(rule)
                for name in facts:
                    out[word, self.code[name]] |= np.where(b.reach[:, rule], bit, np.uint64(0))
        return out


def fact_arrays(size: int, **columns: Any) -> Facts:
    """Facts with the usual values, see `fact_frame`, without the cost of a frame."""
    arrays: dict[str, Any] = {
        k: np.broadcast_to(
            np.asarray(columns.get(k, usual), np.uint64 if "channels" in k else np.int64), (size,)
        )
        for k, usual in _USUAL.items()
    }
    return Facts(**arrays)


def joined(parts: Sequence[Facts]) -> Facts:
    """Return the facts of all parts, which name no local windows; a name of -1 is nobody's."""
    some = [p for p in parts if len(p)]
    if not some:
        return fact_arrays(0)
    arrays: dict[str, Any] = {k: np.concatenate([getattr(p, k) for p in some]) for k in _USUAL}
    found = Facts(**arrays)
    return found if (found.name >= 0).all() else found.take(found.name >= 0)


FIELDS = (
    "customer", "row", "name", "channels", "start", "end", "spare_from", "spare_to",
    "spare_channels", "local_window", "point", "place",
)  # fmt: skip


_USUAL: dict[str, Any] = {
    "customer": -1, "row": -1, "name": -1, "channels": ALL, "start": NEVER, "end": INDEFINITE,
    "spare_from": NEVER, "spare_to": NEVER, "spare_channels": np.uint64(0),
    "local_window": -1, "point": -1, "place": -1,
}  # fmt: skip
_KINDS = {k: np.uint64 if "channels" in k else np.int64 for k in _USUAL}


def fact_frame(size: int, **columns: Any) -> pd.DataFrame:
    """Facts with the usual values: all debts, all channels, always, no exception."""
    if size == 0:
        return _no_facts()
    out = {}
    for k, usual in _USUAL.items():
        value = columns.get(k, usual)
        if np.ndim(value) == 0:
            out[k] = np.full(size, value, dtype=_KINDS[k])
        else:
            out[k] = np.array(value, dtype=_KINDS[k])  # callers may change the facts of a frame
    return pd.DataFrame(out, copy=False)


@cache
def _no_facts() -> pd.DataFrame:
    return pd.DataFrame({k: np.empty(0, dtype=kind) for k, kind in _KINDS.items()})
