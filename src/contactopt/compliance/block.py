"""One block laid out for the evaluators: units, actions, and which rule binds where.

The unit is the row: a debt known at the instant, in the order of the view, then one stand-in row
for every customer without a debt (so that nobody is without a verdict). Rows with the same
ground and ownership share a rule set; everything about rules is looked up by rule set and channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.localities import UNKNOWN, Ground, Places, places_of
from contactopt.compliance.protected import treated
from contactopt.compliance.rule import Rule, within
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import SharedContacts, shared_contacts
from contactopt.compliance.told import Told
from contactopt.compliance.words import base_word, channel_words, code_words, mask_of
from contactopt.config import StrategyConfig
from contactopt.contracts.action_space import ActionSpace
from contactopt.journal.local_time import SlotWindow

__all__ = ["INDEFINITE", "NEVER", "Block", "RuleSet"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

#: release instant of a denial that no known row ends
INDEFINITE = np.iinfo(np.int64).max
#: release instant where nothing denies
NEVER = np.iinfo(np.int64).min


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


class Block:
    """A journal view, laid out for evaluation.

    Parameters
    ----------
    view : JournalView
    rules : RuleBook
    config : StrategyConfig
    actions : ActionSpace
    told : Told, optional
        One contact described in words (a test vector): its place, channel words and flags take
        the place of what tables would say.
    shared : SharedContacts, optional
        Contacts with others at shared points, read from a wider view than this block.
    """

    def __init__(
        self,
        view: Any,
        rules: RuleBook,
        config: StrategyConfig,
        actions: ActionSpace,
        told: Told | None = None,
        shared: SharedContacts | None = None,
    ) -> None:
        self.view, self.book, self.config, self.actions = view, rules, config, actions
        self.told = told
        self._kept_marks: dict[tuple[str, tuple[str, ...]], Bools] = {}
        #: contacts of an earlier plan: points and templates are theirs and no others
        self.planned: Any = None
        self.n = len(view.customer_ids)
        self._shared = shared
        self.window = SlotWindow(view.as_of_us, config.lead_minutes, actions)
        self.channels = actions.channels
        self.channel_of = actions.channel_index
        self.words = tuple(
            channel_words(c, config) if told is None else told.words for c in self.channels
        )
        self.places: Places = (
            places_of(view.customers, view.points, rules.zones)
            if told is None
            else told.places(self.n)
        )
        debts = view.debts
        self.n_debts = len(debts)
        owner = debts["customer"].to_numpy(dtype=np.int64)
        without = np.setdiff1d(np.arange(self.n), owner)
        #: customer of each row, shape (n_rows,)
        self.customer: Ints = np.concatenate([owner, without])
        self.zone_set = self.places.zone_set[self.customer]
        self._bind(debts, len(without))

    @property
    def n_rows(self) -> int:
        """Debts known plus stand-ins."""
        return len(self.customer)

    @property
    def m(self) -> int:
        """Number of actions."""
        return len(self.actions)

    # ---- rules ---------------------------------------------------------------------------------

    def _bind(self, debts: pd.DataFrame, n_without: int) -> None:
        ownership, words = _coded(debts["ownership"], None, n_without)
        creditor, creditors = _coded(debts["creditor"], self.book.named("creditors"), n_without)
        book, books = _coded(debts["book"], self.book.named("books"), n_without)
        shape = (len(self.places.grounds), len(words) + 1, len(creditors) + 1, len(books) + 1)
        parts = (self.places.ground[self.customer], ownership + 1, creditor + 1, book + 1)
        kinds, self.rule_set = np.unique(np.ravel_multi_index(parts, shape), return_inverse=True)
        sets = []
        for k in kinds:
            g, o, c, b = (int(i) for i in np.unravel_index(k, shape))
            names = (None, *words)[o], (None, *creditors)[c], (None, *books)[b]
            sets.append((self.places.grounds[g], *names))
        member = _rules_for if self.told is None else self.told.rules_for
        kept: dict[Any, Any] = {}
        for g, o, *_ in sets:
            if (g, o) not in kept:
                kept[g, o] = member(g, o, self.book)
        used = sorted({i for rules, _, _ in kept.values() for i in rules})
        position = {i: at for at, i in enumerate(used)}
        #: rules that bind somebody in the block, sorted by id
        self.rules: tuple[Rule, ...] = tuple(self.book.rules[i] for i in used)
        self.rule_sets = tuple(
            RuleSet(g, o, tuple(position[i] for i in rules), c, b, uncovered, refused)
            for (g, o, c, b) in sets
            for rules, uncovered, refused in [kept[g, o]]
        )

    def settle_places(self, point: Ints) -> None:
        """Split rule sets by where the chosen points lie, where a rule of hours asks for a place.

        Parameters
        ----------
        point : int64 array, shape (n_rows, channels)
            Row of ``view.points``, -1 none.
        """
        if not any("place" in self.rules[i].parameters for i in self.of_kind("hours")):
            return
        unknown = self.point_is("place", ("unknown",), point)
        kind = np.where(self.point_is("place", ("work",), point), 1, 2 * unknown)
        key = self.rule_set.astype(np.int64)
        for column in kind.T:
            key = key * 3 + column
        _, first, split = np.unique(key, return_index=True, return_inverse=True)
        old = self.rule_set[first]
        reach = self.reach[old].copy()
        for i in self.of_kind("hours"):
            asked = self.rules[i].parameters.get("place")
            if asked:
                reach[:, i] &= kind[first] != (0 if asked.startswith("work") else 1)
        self.rule_sets = tuple(self.rule_sets[i] for i in old)
        self.rule_set, self.reach = split.astype(np.int64), reach

    @property
    def n_words(self) -> int:
        """Words of 64 bits that hold one bit per rule."""
        return max(1, -(-len(self.rules) // 64))

    def bit(self, rule: int) -> tuple[int, np.uint64]:
        """Return word and bit of a rule."""
        return rule // 64, np.uint64(1 << (rule % 64))

    @cached_property
    def reach(self) -> Bools:
        """Whether a rule of a rule set speaks of a channel, shape (sets, rules, channels)."""
        out = np.zeros((len(self.rule_sets), len(self.rules), len(self.channels)), dtype=bool)
        kept: dict[Any, Bools] = {}
        for i, own in enumerate(self.rule_sets):
            mark = (own.creditor, own.book)
            if mark not in kept:
                kept[mark] = np.array(
                    [
                        [
                            r.speaks(n, w, *mark)
                            and not treated(r.parameters.get("flag"), n, self.config)
                            for n, w in zip(self.channels, self.words, strict=True)
                        ]
                        for r in self.rules
                    ],
                    dtype=bool,
                ).reshape(len(self.rules), len(self.channels))
            out[i, list(own.rules)] = kept[mark][list(own.rules)]
        return out

    def reached(self, rule: int) -> Bools:
        """Whether a rule speaks of a row's channel, shape (n_rows, channels)."""
        return self.reach[:, rule][self.rule_set]

    def of_kind(self, *kinds: str) -> list[int]:
        """Return positions of the rules of these kinds."""
        return [i for i, r in enumerate(self.rules) if r.kind in kinds]

    @cached_property
    def flag_rules(self) -> dict[str, list[int]]:
        """Suppression rules by flag."""
        found: dict[str, list[int]] = {}
        for i in self.of_kind("suppression"):
            found.setdefault(self.rules[i].parameters["flag"], []).append(i)
        return found

    # ---- units ---------------------------------------------------------------------------------

    @cached_property
    def row_of_debt(self) -> Ints:
        """Row of each debt code, -1 where the debt is not known."""
        rows = np.full(len(self.view.debt_ids) + 1, -1, dtype=np.int64)
        rows[self.view.debts["debt"].to_numpy(dtype=np.int64)] = np.arange(self.n_debts)
        return rows

    @cached_property
    def shared(self) -> SharedContacts:
        """Contacts with others at shared points, and points that are dead by proof elsewhere."""
        if self.told is not None:
            return SharedContacts.nothing()
        return shared_contacts(self.view, self.config, self._shared)

    @cached_property
    def neighbours(self) -> pd.DataFrame:
        """The shared contacts of this block's customers: with ``customer``, ``contact_point``."""
        found = self.shared.contacts
        if len(found):
            found = found[np.isin(found["customer_id"], self.view.customer_ids)]
        ids, points = self.view.customer_ids, self.view.point_ids
        return found.assign(
            customer=np.searchsorted(ids, found["customer_id"].to_numpy(dtype=object)),
            contact_point=pd.Index(points).get_indexer(pd.Index(found["contact_point_id"])),
        ).reset_index(drop=True)

    @cached_property
    def rows_by_customer(self) -> tuple[Ints, Ints]:
        """CSR of rows by customer: starts (n + 1,), rows (n_rows,)."""
        order = np.argsort(self.customer, kind="stable")
        counts = np.bincount(self.customer, minlength=self.n)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), order.astype(np.int64)

    def rows_of(self, customers: Ints) -> tuple[Ints, Ints]:
        """Return every row of each customer given: (position in the input, row) pairs."""
        starts, rows = self.rows_by_customer
        count = starts[customers + 1] - starts[customers]
        source = np.repeat(np.arange(len(customers)), count)
        offset = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        return source, rows[starts[customers][source] + offset]

    def point_is(self, name: str, words: tuple[str, ...], point: Ints) -> Bools:
        """Return whether a word of contact points is one of some; false for row -1."""
        if (name, words) not in self._kept_marks:
            code, known = code_words(self.view.points[name])
            mark = np.array([*(w in words for w in known), False])[code]
            self._kept_marks[name, words] = np.append(mark, False)
        return self._kept_marks[name, words][point]

    # ---- times ---------------------------------------------------------------------------------

    @cached_property
    def medium(self) -> Ints:
        """Code of each channel's medium among the rule words, -1 where unknown."""
        found = [base_word(c, self.config) for c in self.channels]
        order = [int(mask_of([w], "rule_channels")).bit_length() - 1 if w else -1 for w in found]
        return np.array(order, dtype=np.int64)

    @cached_property
    def zone_pairs(self) -> tuple[Ints, Ints, Any]:
        """Every (zone set, zone): starts by set, number per set, the zones as a Categorical."""
        counts = np.array([len(z) for z in self.places.zone_sets], dtype=np.int64)
        starts = np.cumsum(counts) - counts
        flat = pd.Categorical([z for s in self.places.zone_sets for z in s])
        return starts, counts, flat

    def in_zones(self, zone_set: Ints) -> tuple[Ints, Any]:
        """Return every candidate zone of each entry: (position in the input, zone) pairs."""
        starts, counts, flat = self.zone_pairs
        count = counts[zone_set] if len(counts) else np.zeros(len(zone_set), np.int64)
        source = np.repeat(np.arange(len(zone_set)), count)
        offset = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        return source, flat[starts[zone_set][source] + offset]


def _coded(
    column: pd.Series, named: frozenset[str] | None, n_without: int
) -> tuple[Ints, list[str]]:
    """Code a column of debts, -1 null; ``named``: words that no rule names are one."""
    values = column.astype(object)
    if named is not None and not named:
        return np.zeros(len(values) + n_without, dtype=np.int64), ["*"]
    if named:
        values = values.where(values.isna() | values.isin(list(named)), "*")
    codes, words = pd.factorize(values, sort=True)
    codes = np.concatenate([codes, np.full(n_without, -1)]).astype(np.int64)
    return codes, [str(w) for w in words]


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
