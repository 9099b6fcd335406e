"""From words of the contract to words of the rules, by the table `words.json`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.data_tables import table
from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import CHANNELS

__all__ = [
    "SAME_WORD",
    "TouchWords",
    "attempts_of",
    "channel_words",
    "code_words",
    "mask_of",
    "root_of",
]

Bits = npt.NDArray[np.uint64]

#: before a name: it is a word of the rules already (test vectors speak in them)
SAME_WORD = "="


def root_of(name: str, config: StrategyConfig) -> str | None:
    """Return the contract's channel that a name follows, None where nobody knows it."""
    if name in config.channels:
        return config.channel_root(name)
    return name if name in CHANNELS or name.startswith(SAME_WORD) else None


def attempts_of(
    code: npt.NDArray[np.int64], names: list[str], config: StrategyConfig
) -> npt.NDArray[np.int64]:
    """Return how many attempts planned contacts may take, by the codes of their channels.

    A contact that may take several is counted as so many until it is known how many it took.
    """
    most = [config.channel(n).max_attempts if n in config.channels else 1 for n in names]
    return np.array([*most, 1], dtype=np.int64)[code]


def channel_words(name: str, config: StrategyConfig) -> frozenset[str]:
    """Return the rule words of a channel as the strategy uses it; automatic dialling counts.

    Examples
    --------
    >>> config = StrategyConfig.from_mapping({"channels": {"call_agent": {"autodialed": True}}})
    >>> sorted(channel_words("call_agent", config))
    ['autodialed_call', 'call']
    """
    words = table("words")
    root = root_of(name, config)
    if root is None:  # a word nobody explained is taken for every channel
        return frozenset(words["rule_channels"])
    if root.startswith(SAME_WORD):
        return frozenset({root[1:]})
    own = list(words["channels"][root])
    if name in config.channels and config.channel(name).autodialed:
        own += [words["autodialed"][w] for w in own if w in words["autodialed"]]
    return frozenset(own)


def base_word(name: str, config: StrategyConfig) -> str | None:
    """Return the word that says which medium a channel is; None where unknown or no medium."""
    root = root_of(name, config)
    if root and root.startswith(SAME_WORD):
        return table("words")["media"].get(root[1:], root[1:])
    own = table("words")["channels"].get(root, []) if root else []
    return own[0] if own else None


def mask_of(words: Iterable[str], name: str) -> np.uint64:
    """Return rule words as bits; ``*`` is every bit. ``name``: rule_channels or rule_outcomes."""
    return _mask_of(tuple(words), name)


@lru_cache(maxsize=4096)
def _mask_of(words: tuple[str, ...], name: str) -> np.uint64:
    known = {w: i for i, w in enumerate(table("words")[name])}
    bits = 0
    for word in words:
        bits |= (1 << len(known)) - 1 if word == "*" else 1 << known[word]
    return np.uint64(bits)


def code_words(column: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return codes of a column of words (-1: null) and the words."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values: Any = column.array
        return values.codes.astype(np.int64), _names_of(dtype)
    if len(column) == 0 or column.isna().all():
        return np.full(len(column), -1, dtype=np.int64), []
    if isinstance(dtype, pd.StringDtype):  # dictionary-coded by Arrow: no word becomes an object
        codes, found = pd.factorize(column.array)
        names = [str(n) for n in found]
        order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
        place = np.append(np.argsort(order), -1)
        return place[codes], [names[i] for i in order]
    codes, found = pd.factorize(column.astype(object), sort=True)
    return codes.astype(np.int64), [str(n) for n in found]


#: categories as lists: few vocabularies serve every frame
_NAMES: dict[int, tuple[pd.CategoricalDtype, list[str]]] = {}


def _names_of(dtype: pd.CategoricalDtype) -> list[str]:
    kept = _NAMES.get(id(dtype))
    if kept is None or kept[0] is not dtype:
        if len(_NAMES) > 256:
            _NAMES.clear()
        kept = _NAMES[id(dtype)] = (dtype, [str(n) for n in dtype.categories])
    return kept[1]


@dataclass(frozen=True, eq=False)
class TouchWords:
    """Rule words of contacts, by the codes of their channels and outcomes; the last is null.

    Parameters
    ----------
    channel, extra : uint64 arrays, shape (channels + 1,)
        Bits of a channel, and outcome bits that it bears by itself. An unknown channel bears
        every bit.
    medium : int64 array, shape (channels + 1,)
        Code of the medium, -1 unknown, -2 self-service (no rule word).
    outcome, by_machine : uint64 arrays, shape (outcomes + 1,)
        Bits of an outcome, 0 unknown; those where only machines opened it.
    """

    channel: Bits
    extra: Bits
    medium: npt.NDArray[np.int64]
    outcome: Bits
    by_machine: Bits

    @classmethod
    def of(
        cls, channels: Sequence[str], outcomes: Sequence[str], config: StrategyConfig
    ) -> TouchWords:
        """Look up words of channels and outcomes."""
        words = table("words")
        media = {w: i for i, w in enumerate(words["rule_channels"])}
        bits = [mask_of(channel_words(c, config), "rule_channels") for c in channels]
        demoted = [words["machine_only"].get(o) for o in outcomes]
        of_outcome = [_outcome_bits(o) for o in outcomes]
        swapped = [
            mask_of([d], "rule_outcomes") if d else own
            for d, own in zip(demoted, of_outcome, strict=True)
        ]
        none = np.uint64(0)
        return cls(
            channel=np.array([*bits, mask_of(["*"], "rule_channels")], dtype=np.uint64),
            extra=np.array([*(_extra_bits(c, config) for c in channels), none], dtype=np.uint64),
            medium=np.array([*(_medium(c, config, media) for c in channels), -1], dtype=np.int64),
            outcome=np.array([*of_outcome, none], dtype=np.uint64),
            by_machine=np.array([*swapped, none], dtype=np.uint64),
        )

    def read(self, channel: Any, outcome: Any, machine_only: Any) -> tuple[Bits, Bits, Any]:
        """Return per contact: channel bits, outcome bits (0: unknown), and code of its medium."""
        result = np.where(machine_only, self.by_machine[outcome], self.outcome[outcome])
        result = np.where(result != 0, result | self.extra[channel], result)
        return self.channel[channel], result, self.medium[channel]


def _medium(name: str, config: StrategyConfig, media: dict[str, int]) -> int:
    word = base_word(name, config)
    if word is not None:
        return media[word]
    return -1 if root_of(name, config) is None else -2


def _outcome_bits(outcome: str) -> np.uint64:
    if outcome.startswith(SAME_WORD):
        return mask_of([outcome[1:]], "rule_outcomes")
    word = table("words")["outcomes"].get(outcome)
    return np.uint64(0) if word is None else mask_of([word], "rule_outcomes")


def _extra_bits(name: str, config: StrategyConfig) -> np.uint64:
    root = (root_of(name, config) or "").removeprefix(SAME_WORD)
    word = table("words")["outcome_of_channel"].get(root)
    return np.uint64(0) if word is None else mask_of([word], "rule_outcomes")
