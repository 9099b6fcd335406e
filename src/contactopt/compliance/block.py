"""One block laid out for the evaluators: units, actions, and which rule binds where.

The unit is the row: a debt known at the instant, in the order of the view, then one stand-in row
for every customer without a debt (so that nobody is without a verdict). Rows with the same
ground and ownership share a rule set; everything about rules is looked up by rule set and channel.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.bound import Compiled, RuleSet, compiled_for
from contactopt.compliance.local_days import ZoneTable, day_edges, zone_table
from contactopt.compliance.localities import Places, places_of
from contactopt.compliance.rule import Rule
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import SharedContacts, shared_contacts
from contactopt.compliance.told import Told
from contactopt.compliance.view_columns import columns_of
from contactopt.compliance.words import base_word, mask_of
from contactopt.config import StrategyConfig
from contactopt.contracts.action_space import ActionSpace
from contactopt.journal.local_time import DAY_US, SlotWindow

__all__ = ["INDEFINITE", "NEVER", "Block", "RuleSet"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

#: release instant of a denial that no known row ends
INDEFINITE = np.iinfo(np.int64).max
#: release instant where nothing denies
NEVER = np.iinfo(np.int64).min


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
        self.columns = columns_of(view)
        self.compiled = (
            compiled_for(rules, config, actions)
            if told is None
            else Compiled(rules, config, actions, told)
        )
        self._kept_marks: dict[tuple[str, tuple[str, ...]], Bools] = {}
        #: contacts of an earlier plan: points and templates are theirs and no others
        self.planned: Any = None
        self.n = len(view.customer_ids)
        self._shared = shared
        self.window = SlotWindow(view.as_of_us, config.lead_minutes, actions)
        self.channels = actions.channels
        self.channel_of = actions.channel_index
        self.words = self.compiled.words
        self.places: Places = (
            places_of(view, self.compiled) if told is None else told.places(self.n)
        )
        self.n_debts = self.columns.size("debts")
        owner = self.columns.ints("debts", "customer")
        with_debt = np.zeros(self.n, dtype=bool)
        with_debt[owner] = True
        without = np.flatnonzero(~with_debt)
        #: customer of each row, shape (n_rows,)
        self.customer: Ints = np.concatenate([owner, without])
        self.zone_set = self.places.zone_set[self.customer]
        self._bind(len(without))

    @property
    def n_rows(self) -> int:
        """Debts known plus stand-ins."""
        return len(self.customer)

    @property
    def m(self) -> int:
        """Number of actions."""
        return len(self.actions)

    # ---- rules ---------------------------------------------------------------------------------

    def _bind(self, n_without: int) -> None:
        ownership, words = _coded(self, "ownership", None, n_without)
        creditor, creditors = _coded(self, "creditor", self._named("creditors"), n_without)
        book, books = _coded(self, "book", self._named("books"), n_without)
        shape = (len(self.places.grounds), len(words) + 1, len(creditors) + 1, len(books) + 1)
        parts = (self.places.ground[self.customer], ownership + 1, creditor + 1, book + 1)
        kinds, self.rule_set = np.unique(np.ravel_multi_index(parts, shape), return_inverse=True)
        sets = []
        for k in kinds.tolist():
            k, b = divmod(k, shape[3])
            k, c = divmod(k, shape[2])
            g, o = divmod(k, shape[1])
            names = (None, *words)[o], (None, *creditors)[c], (None, *books)[b]
            sets.append((self.places.grounds[g], *names))
        self.bound = self.compiled.bound(tuple(sets))

    def _named(self, part: str) -> frozenset[str]:
        return self.compiled.once(("named", part), lambda: self.book.named(part))

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
        self.bound = self.bound.split(self.rule_set[first], kind[first])
        self.rule_set = split.astype(np.int64)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Rules that bind somebody in the block, sorted by id."""
        return self.bound.rules

    @property
    def rule_sets(self) -> tuple[RuleSet, ...]:
        """Rule sets of the rows."""
        return self.bound.rule_sets

    @property
    def n_words(self) -> int:
        """Words of 64 bits that hold one bit per rule."""
        return self.bound.n_words

    def bit(self, rule: int) -> tuple[int, np.uint64]:
        """Return word and bit of a rule."""
        return rule // 64, np.uint64(1 << (rule % 64))

    @property
    def reach(self) -> Bools:
        """Whether a rule of a rule set speaks of a channel, shape (sets, rules, channels)."""
        return self.bound.reach

    def reached(self, rule: int) -> Bools:
        """Whether a rule speaks of a row's channel, shape (n_rows, channels)."""
        return self.reach[:, rule][self.rule_set]

    def of_kind(self, *kinds: str) -> list[int]:
        """Return positions of the rules of these kinds."""
        return self.bound.of_kind(*kinds)

    @property
    def flag_rules(self) -> dict[str, list[int]]:
        """Suppression rules by flag."""
        return self.bound.flag_rules

    # ---- units ---------------------------------------------------------------------------------

    @cached_property
    def row_of_debt(self) -> Ints:
        """Row of each debt code, -1 where the debt is not known."""
        rows = np.full(len(self.view.debt_ids) + 1, -1, dtype=np.int64)
        rows[self.columns.ints("debts", "debt")] = np.arange(self.n_debts)
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
        if len(found) == 0:
            return _nobody_near()
        owner = pd.Index(self.view.customer_ids).get_indexer(pd.Index(found["customer_id"]))
        here = owner >= 0
        found, point = found[here], pd.Index(found["contact_point_id"][here])
        return found.assign(
            customer=owner[here].astype(np.int64),
            contact_point=pd.Index(self.view.point_ids).get_indexer(point).astype(np.int64),
        ).reset_index(drop=True)

    @cached_property
    def refused(self) -> pd.DataFrame:
        """What was refused elsewhere at the block's points: with ``customer`` and ``point_row``."""
        found = self.shared.refused
        if len(found) == 0:
            return found
        rows = pd.Index(self.view.points["contact_point_id"].astype(object))
        found = found[found["contact_point_id"].isin(rows).to_numpy(dtype=bool)]
        row = rows.get_indexer(pd.Index(found["contact_point_id"].astype(object)))
        owner = self.columns.ints("points", "customer")[row]
        return found.assign(customer=owner, point_row=row).reset_index(drop=True)

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
            mark = self.columns.among("points", name, *words)
            self._kept_marks[name, words] = np.append(mark, False)
        return self._kept_marks[name, words][point]

    # ---- times ---------------------------------------------------------------------------------

    @cached_property
    def medium(self) -> Ints:
        """Code of each channel's medium among the rule words, -1 where unknown."""
        return self.compiled.once("medium", self._medium)

    def _medium(self) -> Ints:
        found = [base_word(c, self.config) for c in self.channels]
        order = [int(mask_of([w], "rule_channels")).bit_length() - 1 if w else -1 for w in found]
        return np.array(order, dtype=np.int64)

    @cached_property
    def zone_table(self) -> ZoneTable:
        """Offsets of the zones of every zone set."""
        return zone_table(self.places.zone_sets)

    def long_past(self, days: int) -> int:
        """Return an instant so early that so many local days after it are over in any zone.

        Whatever lasts at most so many civil days from its own is over when the window begins.
        """
        return self.window.begin_us - (days + 3) * DAY_US

    def day_begins(self, customer: Ints, us: Ints, shift: int) -> tuple[Ints, Ints]:
        """Return when local day(us) + shift begins: earliest and latest over candidate zones.

        Customers without a zone get (`INDEFINITE`, `NEVER`).
        """
        if len(us) == 0:
            return us, us
        return day_edges(self.zone_table, us, self.places.zone_set[customer], shift)

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


@cache
def _nobody_near() -> pd.DataFrame:
    none = np.empty(0, dtype=np.int64)
    return SharedContacts.nothing().contacts.assign(customer=none, contact_point=none)


def _coded(
    block: Block, name: str, named: frozenset[str] | None, n_without: int
) -> tuple[Ints, list[str]]:
    """Code a column of debts, -1 null; ``named``: words that no rule names are one."""
    if named is not None and not named:
        return np.zeros(block.n_debts + n_without, dtype=np.int64), ["*"]
    codes, words = block.columns.words("debts", name)
    words = [w if named is None or w in named else "*" for w in words]
    own = sorted({words[c] for c in np.unique(codes).tolist() if c >= 0})
    place = np.array([*(own.index(w) if w in own else -1 for w in words), -1], dtype=np.int64)
    return np.concatenate([place[codes], np.full(n_without, -1, dtype=np.int64)]), own
