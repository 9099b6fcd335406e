"""From denials of every debt to one verdict per customer and action."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.bound import compiled_for
from contactopt.compliance.denials import Denials
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import SharedContacts
from contactopt.compliance.verdict import Verdict
from contactopt.compliance.verdict_loops import (
    best_of,
    first_opens,
    latest_release,
    reason_codes,
)
from contactopt.config import StrategyConfig
from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US

__all__ = ["ENDED_RULES", "LOOK_AHEAD_DAYS", "evaluate"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: how far ahead the next open hour is looked for, beyond the last release
LOOK_AHEAD_DAYS = 16
_FARTHEST_DAYS = 400


def evaluate(
    view: Any,
    *,
    rules: RuleBook,
    config: StrategyConfig,
    actions: ActionSpace | None = None,
    denied: Mapping[str, Collection[str]] | None = None,
    shared: SharedContacts | None = None,
) -> Verdict:
    """Say which actions are lawful for a block of customers, and why the others are not.

    Pure: rules, facts known at ``view.as_of`` and actions give the verdict; unknown facts deny.

    Parameters
    ----------
    view : JournalView
        One block of customers at the instant of the decision.
    rules : RuleBook
    config : StrategyConfig
    actions : ActionSpace, optional
        Default ``config.action_space``.
    denied : mapping of rule id to customer ids, optional
        Customers whom a rule of the pack `house` leaves out of this batch, for example
        ``{"house.shared_point": ids}`` from `shared_point_rotation`.
    shared : SharedContacts, optional
        From `shared_contacts_of` the whole portfolio, where the view is but a block of it: those
        who share a phone may lie in other blocks. Default: what the view itself tells.

    Returns
    -------
    Verdict
        Arrays of shape (n_customers, n_actions); an empty view gives arrays of shape (0, m).

    Raises
    ------
    RulePackError
        If ``denied`` names a rule that is not loaded, or the rules are of another day.
    ConfigError
        If a debt's currency has no exchange rate.
    """
    rules.require(view.as_of_us)
    actions = actions or compiled_for(rules, config).actions
    block = Block(view, rules, config, actions, shared=shared)
    found = Denials(block, denied)
    rows = _Rows.of(block, found)
    best, allowed = rows.best(block, found.allowed)
    reason, sets = _reasons(block, found, allowed, rows)
    lawful = _lawful_from(block, found, allowed, rows)
    pick = _Picker(rows, best, block)
    template = pick(found.templates, by_channel=True)
    zones = np.array([z[0] if z else None for z in block.places.zone_sets] + [None], dtype=object)
    return Verdict(
        allowed=allowed,
        reason=reason,
        reason_sets=sets,
        lawful_from=lawful,
        slot_start=pick(found.start),
        start_before=pick(found.before),
        time_zone=zones[block.places.zone_set],
        debt=np.where(allowed, best, -1),
        contact_point=np.where(allowed, pick(found.points.point, by_channel=True), -1),
        template=np.where(allowed & (template >= 0), template, -1).astype(np.int16),
        other_debts=_other_debts(block, found.allowed),
        rules_version=rules.version,
        notes=_notes(block, found),
        template_set=_template_sets(pick, found, allowed),
        template_sets=found.template_sets,
    )


def _template_sets(pick: _Picker, found: Denials, allowed: Bools) -> npt.NDArray[np.int32] | None:
    """Which templates may go, per pair; None where there is nowhere more than one."""
    if all(len(own) < 2 for own in found.template_sets):
        return None
    return np.where(allowed, pick(found.template_set, by_channel=True), -1).astype(np.int32)


def _notes(block: Block, found: Denials) -> tuple[str, ...]:
    """Return what the reader of a plan must know of the rules themselves."""
    notes = [
        f"no holidays are known for {c}: its days count as closed"
        for c in sorted(found.clock.unknown_calendars)
    ]
    silent = {
        place
        for rule_set in block.rule_sets
        if not rule_set.refused and not any(block.rules[i].kind == "hours" for i in rule_set.rules)
        for place in rule_set.ground.jurisdictions
    }
    notes += [
        f"{place}: the rules in force state no hours, every day and slot is open to them; "
        "`profile: policy` adds usual ones where a pack has them"
        for place in sorted(silent)
    ]
    return tuple(notes)


# ---- debts to customers --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of each customer, those first whose word counts first.

    Parameters
    ----------
    open_row : bool array, shape (n_rows,)
        Debts that are still collected; the reasons of ended ones only matter where all ended.
    starts : int64 array, shape (n + 1,)
    ranked : int64 array, shape (n_rows,)
        CSR by customer: open rows first, then by worth downwards, then by debt id.
    """

    open_row: Bools
    starts: Ints
    ranked: Ints

    @classmethod
    def of(cls, block: Block, found: Denials) -> _Rows:
        open_row = _open_rows(block, found)
        debt = np.append(
            block.columns.ints("debts", "debt"),
            np.arange(block.n_rows - block.n_debts) + len(block.view.debt_ids),
        )
        ranked = np.lexsort((debt, -_worth(block), ~open_row, block.customer))
        return cls(open_row, block.rows_by_customer[0], ranked)

    def best(self, block: Block, allowed: Bools) -> tuple[Ints, Bools]:
        """Return the first allowed row of every (customer, action), else the first of all."""
        best = np.zeros((block.n, block.m), dtype=np.int64)
        some = np.zeros((block.n, block.m), dtype=bool)
        best_of(allowed, self.starts, self.ranked, best, some)
        return best, some


def _worth(block: Block) -> npt.NDArray[np.float64]:
    """past_due x margin in the strategy's currency, per row; the stand-ins are worth nothing."""
    of, config = block.columns, block.config
    code, currencies = of.words("debts", "currency")
    used = set(np.unique(code).tolist())
    rates = [config.rate_of(c) if i in used else 1.0 for i, c in enumerate(currencies)]
    margin = of.floats("debts", "margin_share")
    margin = np.where(np.isnan(margin), config.objective.margin_share, margin)
    due = np.nan_to_num(of.floats("debts", "past_due"))
    worth = due * margin * np.array([*rates, 1.0])[code]
    return np.append(worth, np.zeros(block.n_rows - block.n_debts))


def _open_rows(block: Block, found: Denials) -> Bools:
    """Debts that are still collected; the reasons of ended ones only matter where all ended."""
    ended = block.bound.once("ended", lambda: _ended_bits(block))
    over = ((found.bits[:, :, :1] & ended[:, None, None]) != 0).any(axis=(0, 2))
    alive = np.bincount(block.customer[~over], minlength=block.n)[block.customer] > 0
    return ~over | ~alive


def _ended_bits(block: Block) -> npt.NDArray[np.uint64]:
    ended = np.zeros(block.n_words, dtype=np.uint64)
    for i in block.of_kind("suppression"):
        if block.rules[i].parameters["flag"] in ENDED_RULES:
            word, bit = block.bit(i)
            ended[word] |= bit
    return ended


#: rules of the house (and their flags) that deny debts which are over
ENDED_RULES = (
    "house.debt_closed",
    "house.debt_settled",
    "house.debt_sold",
    "house.debt_cured",
    "house.debt_current",
)


class _Picker:
    """Picks values of each (customer, action)'s best row: whole rows first, then the others."""

    def __init__(self, rows: _Rows, best: Ints, block: Block) -> None:
        self.first = rows.ranked[rows.starts[:-1]]  # everybody has a row
        self.who, self.action = np.nonzero(best != self.first[:, None])
        self.row = best[self.who, self.action]
        self.channel_of = block.channel_of

    def __call__(self, values: npt.NDArray[Any], *, by_channel: bool = False) -> Any:
        """Return values by row and action, or by row and channel, shape (n, m)."""
        out = values[self.first]
        column = self.channel_of[self.action] if by_channel else self.action
        out = out[:, self.channel_of] if by_channel else out
        out[self.who, self.action] = values[self.row, column]
        return out


def _reasons(
    block: Block, found: Denials, allowed: Bools, rows: _Rows
) -> tuple[npt.NDArray[np.int32], tuple[tuple[str, ...], ...]]:
    """Union over the customer's open debts of the rules that deny, as codes of distinct sets."""
    code = np.full(allowed.shape, -1, dtype=np.int32)
    room = 1024
    while True:
        met = np.empty((room, block.n_words), dtype=np.uint64)
        places = np.full(2 * room, -1, dtype=np.int32)
        count = reason_codes(
            found.bits, allowed, rows.open_row, rows.starts, rows.ranked, code, met, places
        )
        if count >= 0:
            break
        room *= 4
    names = [_names(block, words) for words in met[:count].tolist()]
    sets = tuple(sorted({(), *names}))
    position = {s: i for i, s in enumerate(sets)}
    return np.array([*(position[s] for s in names), position[()]], dtype=np.int32)[code], sets


def _names(block: Block, words: list[int]) -> tuple[str, ...]:
    found = [
        block.rules[64 * w + b].id
        for w, word in enumerate(words)
        for b in range(word.bit_length())
        if word >> b & 1
    ]
    return tuple(sorted(found))


# ---- when it becomes lawful ----------------------------------------------------------------------


def _lawful_from(block: Block, found: Denials, allowed: Bools, rows: _Rows) -> Ints:
    """Earliest over open debts of: the last release, then the next open hour in all zones."""
    zones = np.array([bool(z) for z in block.places.zone_sets], dtype=bool)[block.zone_set]
    groups, group_of = block.bound.once("twins", lambda: _twins(block))
    begin = block.window.begin_us
    until, opened = found.points.until, rows.open_row
    n_keys = len(found.times.start)
    latest = np.full((n_keys, len(groups)), NEVER)
    latest_release(
        allowed, found.allowed, found.release, block.customer, found.times.key, group_of,
        opened, zones, latest,
    )  # fmt: skip
    longest = int(latest.max(initial=NEVER))
    if longest == NEVER:
        return np.full(allowed.shape, NO_INSTANT)
    days = LOOK_AHEAD_DAYS + max(0, (longest - begin) // DAY_US + 1 if longest > begin else 0)
    wanted = latest != NEVER
    lists = found.clock.opens(wanted, groups, min(int(days), _FARTHEST_DAYS))
    list_of = np.full(wanted.shape, -1, dtype=np.int64)
    list_of[wanted] = np.arange(len(lists))
    starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    out = np.empty(allowed.shape, dtype=np.int64)
    first_opens(
        allowed, found.allowed, found.release, begin, until, block.channel_of, found.times.key,
        group_of, list_of, starts, np.concatenate(lists), opened, zones, rows.starts, rows.ranked,
        out,
    )  # fmt: skip
    return np.where(out == INDEFINITE, NO_INSTANT, out)


def _twins(block: Block) -> tuple[list[Ints], Ints]:
    """Actions of one hour whose channels the hours rules treat alike are looked up together."""
    hours = block.of_kind("hours", "holiday")
    alike = block.reach[:, hours].transpose(2, 0, 1).reshape(len(block.channels), -1)
    found: dict[tuple[int, bytes], list[int]] = {}
    for a in range(block.m):
        mark = (int(block.actions.hours[a]), alike[block.channel_of[a]].tobytes())
        found.setdefault(mark, []).append(a)
    group_of = np.empty(block.m, dtype=np.int64)
    for g, own in enumerate(found.values()):
        group_of[own] = g
    return [np.array(own, dtype=np.int64) for own in found.values()], group_of


# ---- debts named together ------------------------------------------------------------------------


def _other_debts(block: Block, allowed: Bools) -> tuple[str, ...]:
    """Other debts of the same customer, creditor and ownership, allowed wherever a row is."""
    of = block.columns
    owner = block.customer[: block.n_debts]
    several = np.flatnonzero(np.bincount(owner, minlength=block.n)[owner] > 1)
    if len(several):
        creditor, ownership = (of.coded("debts", c)[0] for c in ("creditor", "ownership"))
        several = several[(creditor[several] >= 0) & (ownership[several] >= 0)]
        several = several[allowed[several].any(axis=1)]
    if len(several) == 0:
        return ("",) * block.n_debts
    names = np.full(block.n_debts, "", dtype=object)
    key = np.stack(
        [
            block.customer[several],
            creditor[several],
            ownership[several],
        ]
    )
    _, group = np.unique(key, axis=1, return_inverse=True)
    side = pd.DataFrame({"group": group.ravel(), "row": several})
    pairs = side.merge(side, on="group", suffixes=("", "_other"))
    a, b = pairs["row"].to_numpy(dtype=np.int64), pairs["row_other"].to_numpy(dtype=np.int64)
    fits = a != b
    a, b = a[fits], b[fits]
    fits = ~(allowed[a] & ~allowed[b]).any(axis=1)
    a, b = a[fits], b[fits]
    code = of.ints("debts", "debt")[b]  # codes are in the order of ids
    order = np.lexsort((code, a))
    a, ids = a[order], block.view.debt_ids[code[order]]
    rank = np.arange(len(a)) - np.searchsorted(a, a, side="left")
    for k in range(int(rank.max(initial=-1)) + 1):
        at = rank == k
        names[a[at]] = ids[at] if k == 0 else names[a[at]] + ("|" + ids[at])
    return tuple(names.tolist())
