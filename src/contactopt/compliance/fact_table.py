"""The table of facts, and which rules each fact sets off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.bound import Bound
from contactopt.compliance.data_tables import table

__all__ = ["ALL", "FactIndex", "Facts", "fact_arrays", "joined"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
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
        if len(more) == 0:
            return self
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
        self.names, self.code = _fact_names()

    def of(self, name: str) -> int:
        """Return the code of a fact, -1 where no flag hangs on it."""
        return self.code.get(name, -1)

    @cached_property
    def bits(self) -> Bits:
        """Shape (words, facts + 1, rule sets, channels); the last fact is none."""
        bound = self.block.bound
        return bound.once("fact_bits", lambda: _fact_bits(bound))

    @cached_property
    def sets_off(self) -> Bools:
        """Whether any rule of the block hangs on each fact, shape (facts + 1,)."""
        bound = self.block.bound
        return bound.once("fact_hangs", lambda: (self.bits != 0).any(axis=(0, 2, 3)))

    def among(self, names: Iterable[str]) -> Bools:
        """Return whether each fact is one of some names, shape (facts + 1,); no fact is not."""
        out = np.zeros(len(self.names) + 1, dtype=bool)
        out[[self.code[n] for n in names if n in self.code]] = True
        return out


@cache
def _fact_names() -> tuple[list[str], dict[str, int]]:
    names = sorted({f for facts in table("flags")["flags"].values() for f in facts})
    return names, {name: i for i, name in enumerate(names)}


def _fact_bits(bound: Bound) -> Bits:
    names, code = _fact_names()
    shape = (len(bound.rule_sets), len(bound.compiled.channels))
    out = np.zeros((bound.n_words, len(names) + 1, *shape), dtype=np.uint64)
    for flag, facts in table("flags")["flags"].items():
        for rule in bound.flag_rules.get(flag, []):
            word, bit = rule // 64, np.uint64(1 << (rule % 64))
            own = np.where(bound.reach[:, rule], bit, np.uint64(0))
            for name in facts:
                out[word, code[name]] |= own
    return out


def fact_arrays(size: int, **columns: Any) -> Facts:
    """Facts with the usual values: all debts, all channels, always, no exception."""
    if size == 0:
        return _no_facts()
    arrays: dict[str, Any] = {}
    for k, usual in _USUAL.items():
        value = columns.get(k)
        if value is None:
            arrays[k] = np.full(size, usual, dtype=_KINDS[k])
        elif np.ndim(value) == 0:
            arrays[k] = np.full(size, value, dtype=_KINDS[k])
        else:
            arrays[k] = np.asarray(value, dtype=_KINDS[k])
    return Facts(**arrays)


@cache
def _no_facts() -> Facts:
    arrays: dict[str, Any] = {k: np.empty(0, dtype=kind) for k, kind in _KINDS.items()}
    return Facts(**arrays)


def joined(parts: Sequence[Facts]) -> Facts:
    """Return the facts of all parts, which name no local windows; a name of -1 is nobody's."""
    some = [p for p in parts if len(p)]
    if not some:
        return _no_facts()
    if len(some) == 1 and (some[0].name >= 0).all():
        return some[0]
    arrays: dict[str, Any] = {k: np.concatenate([getattr(p, k) for p in some]) for k in _USUAL}
    found = Facts(**arrays)
    return found if (found.name >= 0).all() else found.take(found.name >= 0)


_USUAL: dict[str, Any] = {
    "customer": -1, "row": -1, "name": -1, "channels": ALL, "start": NEVER, "end": INDEFINITE,
    "spare_from": NEVER, "spare_to": NEVER, "spare_channels": np.uint64(0),
    "local_window": -1, "point": -1, "place": -1,
}  # fmt: skip
_KINDS = {k: np.uint64 if "channels" in k else np.int64 for k in _USUAL}
