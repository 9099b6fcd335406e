"""All denials of a block: one bit per rule for every row and action, and when each ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.agreed import agreed_contacts
from contactopt.compliance.arms import Arms
from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.consents import consent_state
from contactopt.compliance.counting import TimedDenial, timed_denials
from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import FactIndex, Facts, joined
from contactopt.compliance.facts import collect_facts
from contactopt.compliance.holds import local_window_mask, next_local_window
from contactopt.compliance.notices import notice_denials
from contactopt.compliance.orchestration import first_ones, history_of, template_limits
from contactopt.compliance.points import PointChoice, choose_points
from contactopt.compliance.rule import Rule
from contactopt.compliance.templates import DISCLOSES_TOO_LITTLE, NONE_FITS, choose_templates
from contactopt.compliance.timing import Clock, Times, in_force
from contactopt.compliance.verdict_loops import lay_out
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import RulePackError
from contactopt.journal.local_time import DAY_US

__all__ = ["Denials"]

#: facts that only say whose turn it is
_TURNS = (
    "attempt:today",
    "contact:today",
    "channel:other_active",
    "fallback:first",
    "bot:first",
)

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


class Denials:
    """Works out every rule of a block and keeps what the verdict needs.

    Parameters
    ----------
    block : Block
    denied : mapping of rule id to customer ids, optional
        Customers a rule of the pack `house` denies in this batch (shared points).
    starts : callable, optional
        Moves the starts, shape (n_rows, m), that are judged inside their slots.

    Attributes
    ----------
    bits : uint64 array, shape (words, n_rows, m)
    release : int64 array, shape (n_rows, m)
        Latest release of the rules that deny, hours left out; `INDEFINITE` without an end.
    before : int64 array, shape (n_rows, m)
        Exclusive last instant to start.
    facts : Facts
        Everything that was found to speak against contacts.
    """

    def __init__(
        self,
        block: Block,
        denied: Mapping[str, Collection[str]] | None = None,
        starts: Callable[[Ints], Ints] | None = None,
    ) -> None:
        self.block = block
        self.index = FactIndex(block)
        history = history_of(block)
        facts = collect_facts(block, self.index, history)
        self.points: PointChoice = choose_points(block, self.index, facts, consent_state(block))
        if block.told is not None:
            self.points.point[:] = block.told.point
        block.settle_places(self.points.point)
        self.index = FactIndex(block)
        self.clock = Clock(block)
        self.times: Times = self.clock.times()
        self.arms = Arms(block, None if block.planned is None else block.planned.of_rows(block))
        limits = template_limits(facts, self.index)
        templates = choose_templates(block, self.index, history, limits)
        self.templates: Ints = templates.chosen
        self.template_set = templates.set_of
        self.template_sets = templates.sets
        self.agreed = agreed_contacts(block, self.index, facts)
        no_point = (self.points.denied != 0).any(axis=0)
        first = first_ones(block, self.index, history, facts, no_point)
        facts = self.facts = facts.plus(joined([templates.resting, first]))
        facts = facts.take(self.index.sets_off[facts.name])  # on which no rule here hangs: nothing
        self._lay_out(*self._by_channel(facts, denied or {}), starts)
        self._passing_facts(facts)
        for timed in timed_denials(block, self.points.point, self.start, self.arms):
            self._timed(timed)
        for timed in notice_denials(block):
            self._timed(timed)
        self._expiring()
        self._told()
        self._only_effective()
        self._missing_slots()

    # ---- denials of a whole channel -------------------------------------------------------------

    def _by_channel(self, facts: Facts, denied: Mapping[str, Collection[str]]) -> tuple[Bits, Ints]:
        """Points, templates, the batch's own denials, and facts in force all through."""
        block = self.block
        bits = self.points.denied.copy()
        for code, fact in ((NONE_FITS, "none"), (DISCLOSES_TOO_LITTLE, "disclosures")):
            why = self._bits_of(f"template:{fact}")
            bits |= np.where(self.templates == code, why, np.uint64(0))
        for rule_id, customers in denied.items():
            # hashed: NumPy's isin sorts ids as Python objects
            mark = pd.Index(block.view.customer_ids).isin(list(customers))
            bits |= np.where(
                mark[block.customer][:, None], self._bits_of_rule(rule_id), np.uint64(0)
            )
        release = np.where((bits != 0).any(axis=0), INDEFINITE, NEVER)
        fact, row = self._rows(facts.take(self._through(facts)))
        if len(row):
            order = np.argsort(row, kind="stable")
            fact, row = fact.take(order), row[order]
            hit = self.index.bits[:, fact.name, block.rule_set[row]]
            hit &= np.where(_reached(fact, block), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0))
            start = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
            bits[:, row[start]] |= np.bitwise_or.reduceat(hit, start, axis=1)
            ends = np.where((hit != 0).any(axis=0), fact.end[:, None], NEVER)
            release[row[start]] = np.maximum(release[row[start]], np.maximum.reduceat(ends, start))
        return bits, release

    def _lay_out(self, bits: Bits, release: Ints, starts: Callable[[Ints], Ints] | None) -> None:
        """Lay out denials by channel and the slots by row and column."""
        arms, times, shape = self.arms, self.times, (self.block.n_rows, self.arms.width)
        self.slot: Ints = np.empty(shape, dtype=np.int64)
        self.before: Ints = np.empty(shape, dtype=np.int64)
        self.bits: Bits = np.empty((self.block.n_words, *shape), dtype=np.uint64)
        self.release: Ints = np.empty(shape, dtype=np.int64)
        lay_out(
            times.start, times.before, times.closed, times.key, arms.action, arms.channel, bits,
            release, self.slot, self.before, self.bits, self.release,
        )  # fmt: skip
        self.start: Ints = self.slot if starts is None else starts(self.slot)

    def _bits_of(self, fact: str) -> Bits:
        """Bits of a fact per row and channel, shape (words, n_rows, channels)."""
        return self.index.bits[:, self.index.of(fact)][:, self.block.rule_set]

    def _bits_of_rule(self, rule_id: str) -> Bits:
        ids = [r.id for r in self.block.rules]
        if rule_id not in ids:
            if self.block.n_rows == 0:
                return np.zeros((self.block.n_words, 0, 1), dtype=np.uint64)
            raise RulePackError(f"no rule {rule_id!r} is loaded", hint="see rules.summary()")
        word, bit = self.block.bit(ids.index(rule_id))
        out = np.zeros((self.block.n_words, 1, 1), dtype=np.uint64)
        out[word] = bit
        return out

    def _plain(self, facts: Facts) -> Bools:
        return (facts.point < 0) & (facts.place < 0)

    def _through(self, facts: Facts) -> Bools:
        """In force all through the window, whatever the hour."""
        w = self.block.window
        spared = facts.spare_to > facts.spare_from
        steady = (facts.start <= w.begin_us) & (facts.end >= w.end_us)
        if self.agreed is not None:  # an agreed callback may interrupt what takes turns
            steady &= ~self._turns(facts)
        return self._plain(facts) & steady & (facts.local_window < 0) & ~spared

    def _turns(self, facts: Facts) -> Bools:
        """Facts that only say whose turn it is: what was agreed with the customer goes first."""
        return self.index.among(_TURNS)[facts.name]

    def _rows(self, facts: Facts) -> tuple[Facts, Ints]:
        """One entry per row that a fact reaches."""
        one = np.flatnonzero(facts.row >= 0)
        all_of = np.flatnonzero(facts.row < 0)
        source, rows = self.block.rows_of(facts.customer[all_of])
        return (
            facts.take(np.concatenate([one, all_of[source]])),
            np.concatenate([facts.row[one], rows]),
        )

    # ---- facts that begin, end or pause inside the window ----------------------------------------

    def _passing_facts(self, facts: Facts) -> None:
        block, w = self.block, self.block.window
        inside = (facts.start < w.end_us) & (facts.end > w.begin_us)
        fact, row = self._rows(facts.take(self._plain(facts) & inside & ~self._through(facts)))
        if len(row) == 0:
            return
        s = self.start[row]
        arms = self.arms
        hit = arms.by_channel(_reached(fact, block), row)
        soon = hit & (fact.start[:, None] > s) & (s != NO_INSTANT)
        inside, opens = self._local_windows(fact, row)
        ahead = hit & (opens < fact.end[:, None])
        hit &= inside & (s >= fact.start[:, None]) & (s < fact.end[:, None])
        if self.agreed is not None:
            rows, where = np.unique(row, return_inverse=True)
            covers = self.agreed.covers(rows, self.start[rows], self.arms)[where]
            hit &= ~(self._turns(fact)[:, None] & covers)
        channel = arms.channels(row).astype(np.uint64)
        spare_channel = (fact.spare_channels[:, None] >> channel) & np.uint64(1) > 0
        spare_from, spare_to = fact.spare_from[:, None], fact.spare_to[:, None]
        hit &= ~(spare_channel & (s >= spare_from) & (s < spare_to))
        end = np.where(
            spare_channel & (s < spare_from) & (spare_to > spare_from),
            spare_from,
            fact.end[:, None],
        )
        bits = arms.by_channel(self.index.bits[:, fact.name, block.rule_set[row]], row)
        binds = (bits != 0).any(axis=0)
        bits = np.where(hit, bits, np.uint64(0))
        end = np.where((bits != 0).any(axis=0), end, NEVER)
        cap = np.where(soon & binds, fact.start[:, None], INDEFINITE)
        cap = np.where(ahead & binds, np.minimum(cap, opens), cap)  # it begins inside the slot
        cap = np.where(binds & spare_channel & (s < spare_to), np.minimum(cap, spare_to), cap)
        order = np.argsort(row, kind="stable")
        first = np.flatnonzero(np.append(True, row[order][1:] != row[order][:-1]))
        at = row[order][first]
        self.bits[:, at] |= np.bitwise_or.reduceat(bits[:, order], first, axis=1)
        self.release[at] = np.maximum(self.release[at], np.maximum.reduceat(end[order], first))
        self.before[at] = np.minimum(self.before[at], np.minimum.reduceat(cap[order], first))

    def _local_windows(self, fact: Facts, row: Ints) -> tuple[Bools, Ints]:
        """Whether each start lies in the fact's local window (facts without one: yes).

        And when a window next begins after the start, `INDEFINITE` where it does not.
        """
        inside = np.ones((len(row), self.arms.width), dtype=bool)
        opens = np.full(inside.shape, INDEFINITE)
        named = np.flatnonzero(fact.local_window >= 0)
        key = self.times.key[row[named]]
        _, zone_set, _ = self.clock.keys
        span = len(self.times.start)
        for pair in np.unique(fact.local_window[named] * span + key):
            code, k = int(pair // span), int(pair % span)
            at = named[(fact.local_window[named] == code) & (key == k)]
            zones = self.block.places.zone_sets[zone_set[k]]
            # a planned contact starts when it is judged, not with its slot
            us, where = np.unique(self.start[row[at]], return_inverse=True)
            where = where.reshape(len(at), -1)
            inside[at] = local_window_mask(fact.windows[code], us, zones)[where]
            opens[at] = next_local_window(fact.windows[code], us, zones)[where]
        return inside, opens

    # ---- counting rules, expiring consent, effective dates ---------------------------------------

    def _timed(self, timed: TimedDenial) -> None:
        """Deny starts before the release; rows with plans ahead have their own answer."""
        block = self.block
        word, bit = block.bit(timed.rule)
        rows = np.flatnonzero((timed.until > block.window.begin_us).any(axis=1))
        rows = np.union1d(rows, timed.rows)
        if len(rows) == 0:
            return
        until = self.arms.by_channel(timed.until[rows], rows)
        hit = (self.start[rows] < until) & (self.start[rows] != NO_INSTANT)
        hit[np.searchsorted(rows, timed.rows)] = timed.ahead
        if self.agreed is not None and _relaxed_by_agreement(block.rules[timed.rule]):
            hit &= ~self.agreed.covers(rows, self.start[rows], self.arms)
        self.bits[word, rows] |= np.where(hit, bit, np.uint64(0))
        self.release[rows] = np.maximum(self.release[rows], np.where(hit, until, NEVER))

    def _expiring(self) -> None:
        # what expires after the window changes nothing in it
        rows = np.flatnonzero((self.points.until < self.block.window.end_us).any(axis=1))
        if len(rows) == 0:
            return
        until = self.arms.by_channel(self.points.until[rows], rows)
        late = self.start[rows] >= until
        bits = self.arms.by_channel(self.points.expiring[:, rows], rows)
        self.bits[:, rows] |= np.where(late, bits, np.uint64(0))
        self.release[rows] = np.where(late, INDEFINITE, self.release[rows])
        self.before[rows] = np.minimum(self.before[rows], until)

    def _told(self) -> None:
        """Deny by flags, consents and notices told in words, and relax by circumstances."""
        block = self.block
        if block.told is None:
            return
        for i in (*block.told.denying(block.rules)[0], *block.told.denying(block.rules)[1]):
            word, bit = block.bit(i)
            self.bits[word] |= np.where(block.reached(i)[:, block.channel_of], bit, np.uint64(0))
        for i in block.told.relaxed(block.rules):
            word, bit = block.bit(i)
            self.bits[word] &= ~bit

    def _only_effective(self) -> None:
        """Lift rules from slots on local dates on which they are not law in any zone."""
        b = self.block
        _, zone_set, _ = self.clock.keys
        nowhere = () if b.told is None else ("UTC",)
        today = (b.window.begin_us // DAY_US - 1, b.window.end_us // DAY_US + 1)
        for i in b.bound.once(("not always", today), lambda: _not_always(b.rules, *today)):
            rule = b.rules[i]
            word, bit = b.bit(i)
            law = np.array(
                [
                    in_force(rule, b.places.zone_sets[z] or nowhere, self.times.start[k])
                    for k, z in enumerate(zone_set)
                ]
            ).reshape(self.times.start.shape)[self.times.key]
            law = self.arms.by_action(law, np.arange(b.n_rows))
            self.bits[word] = np.where(law, self.bits[word], self.bits[word] & ~bit)

    def _missing_slots(self) -> None:
        """Deny clock hours that do not begin in the window (daylight saving)."""
        zones = np.array([bool(z) for z in self.block.places.zone_sets], dtype=bool)
        missing = (self.start == NO_INSTANT) & zones[self.block.zone_set][:, None]
        if missing.any():
            rows = np.arange(self.block.n_rows)
            bits = self.arms.by_channel(self._bits_of("slot:none"), rows)
            self.bits |= np.where(missing, bits, np.uint64(0))

    @cached_property
    def allowed(self) -> Bools:
        """Whether no rule denies, and the slot exists, shape (n_rows, m)."""
        return ~(self.bits != 0).any(axis=0) & (self.start != NO_INSTANT)


def _not_always(rules: tuple[Rule, ...], first: int, last: int) -> list[int]:
    """Return the rules that are not law on each of two days (since 1970-01-01)."""
    days = [date(1970, 1, 1) + timedelta(days=d) for d in (first, last)]
    return [i for i, rule in enumerate(rules) if not all(rule.effective_on(d) for d in days)]


def _relaxed_by_agreement(rule: Rule) -> bool:
    """Whether an agreed callback is an exception of the rule, by the table `flags.json`."""
    shown = table("flags")["exceptions"]
    return any(shown.get(name) == "hold:callback_agreed" for name in rule.relaxed_by)


def _reached(fact: Facts, block: Block) -> Bools:
    """Whether a fact reaches each action channel, shape (f, channels)."""
    shifts = np.arange(len(block.channels), dtype=np.uint64)
    return (fact.channels[:, None] >> shifts) & np.uint64(1) > 0
