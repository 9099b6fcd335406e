"""From denials of every debt to one verdict per customer and action."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.denials import Denials
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import SharedContacts
from contactopt.compliance.verdict import Verdict
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
    actions = actions or config.action_space
    block = Block(view, rules, config, actions, shared=shared)
    found = Denials(block, denied)
    worth, open_row = _worth(block), _open_rows(block, found)
    order = _ranking(block, worth, open_row)
    ranks = _ranks(block, order)
    best, allowed = _best_rows(block, found.allowed, ranks)
    reason, sets = _reasons(block, found, allowed, ranks, open_row)
    lawful = _lawful_from(block, found, allowed, open_row, ranks)
    pick = _Picker(ranks[0] if ranks else np.empty(0, np.int64), best, block)
    point = np.where(allowed, pick(found.points.point, by_channel=True), -1)
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
        contact_point=point,
        template=np.where(allowed & (template >= 0), template, -1).astype(np.int16),
        other_debts=_other_debts(block, found.allowed),
        rules_version=rules.version,
        notes=_notes(block, found),
    )


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


def _worth(block: Block) -> npt.NDArray[np.float64]:
    """past_due x margin in the strategy's currency, per row; the stand-ins are worth nothing."""
    debts, config = block.view.debts, block.config
    currency = debts["currency"].astype(object)
    rates = {c: config.rate_of(str(c)) for c in currency.dropna().unique()}
    rate = currency.map(rates).astype(float).fillna(1.0).to_numpy(dtype=np.float64)
    margin = debts["margin_share"].to_numpy(dtype=np.float64)
    margin = np.where(np.isnan(margin), config.objective.margin_share, margin)
    due = np.nan_to_num(debts["past_due"].to_numpy(dtype=np.float64))
    return np.append(due * margin * rate, np.zeros(block.n_rows - block.n_debts))


def _open_rows(block: Block, found: Denials) -> Bools:
    """Debts that are still collected; the reasons of ended ones only matter where all ended."""
    ended = np.zeros(block.n_words, dtype=np.uint64)
    for i, rule in enumerate(block.rules):
        if rule.kind == "suppression" and rule.parameters["flag"] in ENDED_RULES:
            word, bit = block.bit(i)
            ended[word] |= bit
    over = ((found.bits[:, :, :1] & ended[:, None, None]) != 0).any(axis=(0, 2))
    alive = np.bincount(block.customer[~over], minlength=block.n)[block.customer] > 0
    return ~over | ~alive


#: rules of the house (and their flags) that deny debts which are over
ENDED_RULES = (
    "house.debt_closed",
    "house.debt_settled",
    "house.debt_sold",
    "house.debt_cured",
    "house.debt_current",
)


def _ranking(block: Block, worth: npt.NDArray[np.float64], open_row: Bools) -> Ints:
    """Rows sorted by customer, open ones first, then worth downwards, then debt id."""
    debt = np.append(
        block.view.debts["debt"].to_numpy(dtype=np.int64),
        np.arange(block.n_rows - block.n_debts) + len(block.view.debt_ids),
    )
    return np.lexsort((debt, -worth, ~open_row, block.customer))


def _ranks(block: Block, order: Ints) -> list[Ints]:
    """Rows that come first for their customer, those that come second, and so on."""
    customer = block.customer[order]
    start = np.searchsorted(customer, customer, side="left")
    rank = np.arange(len(order)) - start
    by_rank = np.argsort(rank, kind="stable")
    cuts = np.cumsum(np.bincount(rank)) if len(rank) else np.empty(0, np.int64)
    return [order[part] for part in np.split(by_rank, cuts[:-1])] if len(cuts) else []


def _best_rows(block: Block, allowed: Bools, ranks: list[Ints]) -> tuple[Ints, Bools]:
    """Return the first allowed row of every (customer, action), else the customer's first row."""
    best = np.zeros((block.n, block.m), dtype=np.int64)
    some = np.zeros((block.n, block.m), dtype=bool)
    for rank, rows in enumerate(ranks):
        who = block.customer[rows]
        if rank == 0:
            best[who] = rows[:, None]
            some[who] = allowed[rows]
            continue
        new = allowed[rows] & ~some[who]
        best[who] = np.where(new, rows[:, None], best[who])
        some[who] |= new
    return best, some


class _Picker:
    """Picks values of each (customer, action)'s best row: whole rows first, then the others."""

    def __init__(self, first: Ints, best: Ints, block: Block) -> None:
        self.first = np.zeros(block.n, dtype=np.int64)
        self.first[block.customer[first]] = first  # ranks are sorted by customer, rows are not
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
    block: Block, found: Denials, allowed: Bools, ranks: list[Ints], open_row: Bools
) -> tuple[npt.NDArray[np.int32], tuple[tuple[str, ...], ...]]:
    """Union over the customer's open debts of the rules that deny, as codes of distinct sets."""
    bits = np.zeros((block.n_words, block.n, block.m), dtype=np.uint64)
    for rows in ranks:
        rows = rows[open_row[rows]]
        bits[:, block.customer[rows]] |= found.bits[:, rows]
    blocked = ~allowed
    words = [word[blocked] for word in bits]
    code = np.zeros(len(words[0]), dtype=np.int64)
    for word in words:
        dense, distinct = pd.factorize(word)
        code = code * max(len(distinct), 1) + dense
    dense = pd.factorize(code)[0] if len(words) > 1 else code
    first = np.full(int(dense.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[dense[::-1]] = np.arange(len(dense))[::-1]
    names = [_names(block, [int(w[i]) for w in words]) for i in first]
    sets = tuple(sorted({(), *names}))
    position = {s: i for i, s in enumerate(sets)}
    lookup = np.array([position[s] for s in names], dtype=np.int32)
    reason = np.full(allowed.shape, position[()], dtype=np.int32)
    if len(dense):
        reason[blocked] = lookup[dense]
    return reason, sets


def _names(block: Block, words: list[int]) -> tuple[str, ...]:
    found = [
        block.rules[64 * w + b].id
        for w, word in enumerate(words)
        for b in range(word.bit_length())
        if word >> b & 1
    ]
    return tuple(sorted(found))


# ---- when it becomes lawful ----------------------------------------------------------------------


def _lawful_from(
    block: Block, found: Denials, allowed: Bools, open_row: Bools, ranks: list[Ints]
) -> Ints:
    """Earliest over open debts of: the last release, then the next open hour in all zones."""
    blocked = ~found.allowed & open_row[:, None] & ~allowed[block.customer]
    blocked &= found.release != INDEFINITE
    zones = np.array([bool(z) for z in block.places.zone_sets], dtype=bool)
    blocked &= zones[block.zone_set][:, None]
    out = np.full((block.n, block.m), INDEFINITE)
    if blocked.any():
        begin = block.window.begin_us
        latest = int(np.max(found.release[blocked], initial=NEVER))
        days = LOOK_AHEAD_DAYS + max(0, (latest - begin) // DAY_US + 1 if latest > begin else 0)
        opens = _next_opens(block, found, blocked, min(int(days), _FARTHEST_DAYS))
        for rows in ranks:
            who = block.customer[rows]
            out[who] = np.minimum(out[who], opens[rows])
    return np.where((out == INDEFINITE) | allowed, NO_INSTANT, out)


def _next_opens(block: Block, found: Denials, blocked: Bools, days: int) -> Ints:
    """Return per blocked row and action the first open start after the release."""
    begin = block.window.begin_us
    out = np.full(blocked.shape, INDEFINITE)
    key = found.times.key
    by_key = np.argsort(key, kind="stable")
    cuts = np.searchsorted(key[by_key], np.arange(len(found.times.start) + 1))
    twins = _twins(block)
    for k in range(len(found.times.start)):
        rows = by_key[cuts[k] : cuts[k + 1]]
        hit = blocked[rows]
        if not hit.any():
            continue
        for group in twins:
            mine = hit[:, group]
            own = np.flatnonzero(mine.any(axis=1))
            if len(own) == 0:
                continue
            at, mine = rows[own], mine[own]
            cells = (at[:, None], group)
            after = np.where(mine, np.maximum(found.release[cells], begin), begin)
            opens = found.clock.next_open(k, int(group[0]), after.ravel(), days).reshape(
                after.shape
            )
            # a basis of consent that has expired by then is no basis
            expired = opens >= found.points.until[at[:, None], block.channel_of[group]]
            out[cells] = np.where((opens == NO_INSTANT) | expired | ~mine, INDEFINITE, opens)
    return out


def _twins(block: Block) -> list[Ints]:
    """Actions of one hour whose channels the hours rules treat alike are looked up together."""
    hours = block.of_kind("hours", "holiday")
    alike = block.reach[:, hours].transpose(2, 0, 1).reshape(len(block.channels), -1)
    found: dict[tuple[int, bytes], list[int]] = {}
    for a in range(block.m):
        mark = (int(block.actions.hours[a]), alike[block.channel_of[a]].tobytes())
        found.setdefault(mark, []).append(a)
    return [np.array(group, dtype=np.int64) for group in found.values()]


# ---- debts named together ------------------------------------------------------------------------


def _other_debts(block: Block, allowed: Bools) -> tuple[str, ...]:
    """Other debts of the same customer, creditor and ownership, allowed wherever a row is."""
    debts = block.view.debts
    names = np.full(block.n_debts, "", dtype=object)
    several = np.flatnonzero(np.bincount(block.customer[: block.n_debts], minlength=block.n)[
        block.customer[: block.n_debts]
    ] > 1)  # fmt: skip
    known = (debts["creditor"].notna() & debts["ownership"].notna()).to_numpy(dtype=bool)
    several = several[known[several] & allowed[several].any(axis=1)]
    if len(several) == 0:
        return tuple(names.tolist())
    own = debts.iloc[several]
    key = np.stack(
        [
            block.customer[several],
            pd.factorize(own["creditor"].astype(object))[0],
            pd.factorize(own["ownership"].astype(object))[0],
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
    code = debts["debt"].to_numpy(dtype=np.int64)[b]  # codes are in the order of ids
    order = np.lexsort((code, a))
    a, ids = a[order], debts["debt_id"].to_numpy(dtype=object)[b[order]]
    rank = np.arange(len(a)) - np.searchsorted(a, a, side="left")
    for k in range(int(rank.max(initial=-1)) + 1):
        at = rank == k
        names[a[at]] = ids[at] if k == 0 else names[a[at]] + ("|" + ids[at])
    return tuple(names.tolist())
