"""From words of the contract to words of the rules, by the table `words.json`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.data_tables import table
from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import CHANNELS

__all__ = ["SAME_WORD", "channel_words", "code_words", "mask_of", "root_of", "touch_words"]

Bits = npt.NDArray[np.uint64]

#: before a name: it is a word of the rules already (test vectors speak in them)
SAME_WORD = "="


def root_of(name: str, config: StrategyConfig) -> str | None:
    """Return the contract's channel that a name follows, None where nobody knows it."""
    if name in config.channels:
        return config.channel_root(name)
    return name if name in CHANNELS or name.startswith(SAME_WORD) else None


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
    known = {w: i for i, w in enumerate(table("words")[name])}
    bits = 0
    for word in words:
        bits |= (1 << len(known)) - 1 if word == "*" else 1 << known[word]
    return np.uint64(bits)


def code_words(column: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return codes of a column of words (-1: null) and the words."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat
        return np.asarray(used.codes, dtype=np.int64), [str(n) for n in used.categories]
    codes, names = pd.factorize(column.astype(object), sort=True)
    return codes.astype(np.int64), [str(n) for n in names]


def touch_words(touches: pd.DataFrame, config: StrategyConfig) -> tuple[Bits, Bits, npt.NDArray]:
    """Return per touch: channel bits, outcome bits (0: unknown), and the code of its medium.

    An unknown channel bears every bit and medium -1; self-service (no rule word) has medium -2.
    """
    words = table("words")
    media = {w: i for i, w in enumerate(words["rule_channels"])}
    channel, names = code_words(touches["channel"])
    all_bits = mask_of(["*"], "rule_channels")
    bits = np.array(
        [mask_of(channel_words(c, config), "rule_channels") for c in names] + [all_bits]
    )
    medium = np.array([_medium(c, config, media) for c in names] + [-1], dtype=np.int64)
    outcome, kinds = code_words(touches["outcome"])
    of_outcome = np.array([_outcome_bits(o) for o in kinds] + [np.uint64(0)])
    extra = np.array([_extra_bits(c, config) for c in names] + [np.uint64(0)])
    result = of_outcome[outcome]
    if "machine_only" in touches and len(touches):
        by_machine = touches["machine_only"].to_numpy(dtype=bool)
        demoted = {o: words["machine_only"].get(o) for o in kinds}
        swap = np.array(
            [
                mask_of([d], "rule_outcomes") if d else of_outcome[i]
                for i, d in enumerate(demoted.values())
            ]
            + [np.uint64(0)]
        )
        result = np.where(by_machine, swap[outcome], result)
    known = result != 0
    return bits[channel], np.where(known, result | extra[channel], result), medium[channel]


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
