"""The rules that bind a block, compiled: which rule set speaks of which channel.

Nothing here depends on a customer. What was worked out once for a rule book, a strategy and an
action space is kept with the book and serves every block and every single customer judged by it.
A book read anew (another day, a changed pack) is another book, with nothing kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from contactopt.compliance.localities import UNKNOWN, Ground
from contactopt.compliance.protected import treated
from contactopt.compliance.rule import Rule, within
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.told import Told
from contactopt.compliance.words import channel_words
from contactopt.config import StrategyConfig
from contactopt.contracts.action_space import ActionSpace

__all__ = ["Bound", "Compiled", "RuleSet", "compiled_for"]

Bools = npt.NDArray[np.bool_]
T = TypeVar("T")

#: strategies kept per rule book, and answers kept per strategy: old ones make room
_STRATEGIES, _ANSWERS = 4, 1024
#: sets of rules kept per strategy: few kinds of blocks and customers come again and again
_BLOCKS = 64
#: tables of single instants kept per set of rules
_INSTANTS = 16


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules (positions in the block's list) for one ground, ownership, creditor and book."""

    ground: Ground
    ownership: str | None
    rules: tuple[int, ...]
    creditor: str | None
    book: str | None
    #: jurisdictions without a pack, whose own calendars the cautious rules use
    uncovered: tuple[str, ...]
    refused: bool


class Compiled:
    """What a rule book, a strategy and an action space say for everybody, worked out once.

    Parameters
    ----------
    book : RuleBook
    config : StrategyConfig
    actions : ActionSpace
    told : Told, optional
        See `Block`.
    """

    def __init__(
        self, book: RuleBook, config: StrategyConfig, actions: ActionSpace, told: Told | None = None
    ) -> None:
        self.book, self.config, self.actions, self.told = book, config, actions, told
        self.channels = actions.channels
        self.words = tuple(
            channel_words(c, config) if told is None else told.words for c in self.channels
        )
        self._kept: dict[Any, Any] = {}
        self._bounds: dict[Any, Bound] = {}

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what was made under a key, making it the first time."""
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _ANSWERS:
                self._kept.clear()
            found = self._kept[key] = make()
        return found

    def bound(self, sets: tuple[tuple[Any, ...], ...]) -> Bound:
        """Return the rules of some sets (ground, ownership, creditor, book)."""
        found = self._bounds.get(sets)
        if found is None:
            found = self._bounds[sets] = self._bound(sets)
            _make_room(self._bounds, _BLOCKS)
        return found

    def _bound(self, sets: tuple[tuple[Any, ...], ...]) -> Bound:
        member = _rules_for if self.told is None else self.told.rules_for
        kept: dict[Any, Any] = {}
        for g, o, *_ in sets:
            if (g, o) not in kept:
                kept[g, o] = member(g, o, self.book)
        used = sorted({i for rules, _, _ in kept.values() for i in rules})
        position = {i: at for at, i in enumerate(used)}
        rule_sets = tuple(
            RuleSet(g, o, tuple(position[i] for i in rules), c, b, uncovered, refused)
            for (g, o, c, b) in sets
            for rules, uncovered, refused in [kept[g, o]]
        )
        return Bound(self, tuple(self.book.rules[i] for i in used), rule_sets)


def compiled_for(
    book: RuleBook, config: StrategyConfig, actions: ActionSpace | None = None
) -> Compiled:
    """Return what is kept with a rule book for a strategy and an action space (default: its own).

    A strategy never changes; one that is another object may say something else.
    """
    kept: list[tuple[bool, Compiled]] = book.__dict__.setdefault("_compiled", [])
    for own, one in kept:
        same = own if actions is None else one.actions is actions or one.actions == actions
        if one.config is config and same:
            return one
    found = Compiled(book, config, config.action_space if actions is None else actions)
    del kept[: max(0, len(kept) - _STRATEGIES + 1)]
    kept.append((actions is None, found))
    return found


class Bound:
    """Rules that bind somebody in a block, by rule set and channel.

    Parameters
    ----------
    compiled : Compiled
    rules : tuple of Rule
        Sorted by id.
    rule_sets : tuple of RuleSet
    reach : bool array, shape (sets, rules, channels), optional
        Whether a rule of a rule set speaks of a channel; worked out without.
    """

    def __init__(
        self,
        compiled: Compiled,
        rules: tuple[Rule, ...],
        rule_sets: tuple[RuleSet, ...],
        reach: Bools | None = None,
    ) -> None:
        self.compiled, self.rules, self.rule_sets = compiled, rules, rule_sets
        if reach is not None:
            self.reach = reach
        self._kept: dict[Any, Any] = {}
        self._late: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what was made under a key, making it the first time."""
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _ANSWERS:
                self._kept.clear()
            found = self._kept[key] = make()
        return found

    def lately(self, key: Any, make: Callable[[], T]) -> T:
        """Return what was made under a key of one instant; only the latest few are kept."""
        found = self._late.get(key)
        if found is None:
            _make_room(self._late, _INSTANTS - 1)
            found = self._late[key] = make()
        return found

    def hours_rules(self, rule_set: int, channel: int) -> list[int]:
        """Return the hours and holiday rules of a rule set for a channel."""
        return self.once(
            ("hours", rule_set, channel),
            lambda: [
                i for i in self.of_kind("hours", "holiday") if self.reach[rule_set, i, channel]
            ],
        )

    @cached_property
    def n_words(self) -> int:
        """Words of 64 bits that hold one bit per rule."""
        return max(1, -(-len(self.rules) // 64))

    @cached_property
    def reach(self) -> Bools:
        """Whether a rule of a rule set speaks of a channel, shape (sets, rules, channels)."""
        channels, words = self.compiled.channels, self.compiled.words
        out = np.zeros((len(self.rule_sets), len(self.rules), len(channels)), dtype=bool)
        kept: dict[Any, Bools] = {}
        for i, own in enumerate(self.rule_sets):
            mark = (own.creditor, own.book)
            if mark not in kept:
                kept[mark] = np.array(
                    [
                        [
                            r.speaks(n, w, *mark)
                            and not treated(r.parameters.get("flag"), n, self.compiled.config)
                            for n, w in zip(channels, words, strict=True)
                        ]
                        for r in self.rules
                    ],
                    dtype=bool,
                ).reshape(len(self.rules), len(channels))
            out[i, list(own.rules)] = kept[mark][list(own.rules)]
        return out

    def of_kind(self, *kinds: str) -> list[int]:
        """Return positions of the rules of these kinds."""
        return self.once(
            ("kinds", kinds), lambda: [i for i, r in enumerate(self.rules) if r.kind in kinds]
        )

    @cached_property
    def flag_rules(self) -> dict[str, list[int]]:
        """Suppression rules by flag."""
        found: dict[str, list[int]] = {}
        for i in self.of_kind("suppression"):
            found.setdefault(self.rules[i].parameters["flag"], []).append(i)
        return found

    def split(self, old: npt.NDArray[np.int64], kind: npt.NDArray[np.int64]) -> Bound:
        """Return rule sets taken apart by where the contact would reach the customer.

        Parameters
        ----------
        old : int64 array, shape (k,)
            Rule set that each new one comes from.
        kind : int64 array, shape (k, channels)
            1 at work, 2 at a place that is not known, else 0.
        """
        return self.lately(
            ("split", old.tobytes(), kind.tobytes()), lambda: self._split(old.copy(), kind)
        )

    def _split(self, old: npt.NDArray[np.int64], kind: npt.NDArray[np.int64]) -> Bound:
        reach = self.reach[old].copy()
        for i in self.of_kind("hours"):
            asked = self.rules[i].parameters.get("place")
            if asked:
                reach[:, i] &= kind != (0 if asked.startswith("work") else 1)
        sets = tuple(self.rule_sets[i] for i in old.tolist())
        return Bound(self.compiled, self.rules, sets, reach)


def _make_room(kept: dict[Any, Any], most: int) -> None:
    """Drop the oldest answers beyond so many; other threads may add and drop meanwhile."""
    for old in list(kept)[: max(0, len(kept) - most)]:
        kept.pop(old, None)


def _rules_for(
    ground: Ground, ownership: str | None, book: RuleBook
) -> tuple[list[int], tuple[str, ...], bool]:
    """Return the rules of a ground and ownership; an unknown ownership is bound by all."""
    uncovered = tuple(j for j in ground.jurisdictions if not book.covers(j))
    cautious = bool(uncovered) and book.fallback == "cautious"
    # an unknown jurisdiction is none without a pack: nothing is known of its law
    refused = UNKNOWN in uncovered or (bool(uncovered) and not cautious)
    rules = []
    for i, rule in enumerate(book.rules):
        if ownership is not None and ownership not in rule.applies_to:
            continue
        if rule.kind == "disclosure" and "precondition" not in rule.parameters:
            continue
        if rule.pack == "cautious":
            binds = cautious
        else:
            binds = rule.jurisdiction == "*" or any(
                within(j, rule.jurisdiction) for j in ground.jurisdictions
            )
        if binds and _local(rule, ground):
            rules.append(i)
    return rules, uncovered, refused


def _local(rule: Rule, ground: Ground) -> bool:
    """Return whether a local rule applies; a null locality where there are some means yes."""
    return rule.locality is None or ground.locality is None or ground.locality == rule.locality
