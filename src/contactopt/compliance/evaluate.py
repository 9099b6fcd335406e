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
from contactopt.compliance.verdict import Verdict
from contactopt.config import StrategyConfig
from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US

__all__ = ["LOOK_AHEAD_DAYS", "evaluate"]

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
    block = Block(view, rules, config, actions)
    found = Denials(block, denied)
    worth, open_row = _worth(block), _open_rows(block, found)
    order = _ranking(block, worth, open_row)
    best, allowed = _best_rows(block, found.allowed, order)
    reason, sets = _reasons(block, found, allowed, order, open_row)
    lawful = _lawful_from(block, found, allowed, open_row)
    column = np.arange(block.m)
    point = np.where(allowed, found.points.point[:, block.channel_of][best, column], -1)
    template = found.templates[:, block.channel_of][best, column]
    zones = np.array([z[0] if z else None for z in block.places.zone_sets] + [None], dtype=object)
    return Verdict(
        allowed=allowed,
        reason=reason,
        reason_sets=sets,
        lawful_from=lawful,
        slot_start=found.start[best, column],
        start_before=found.before[best, column],
        time_zone=zones[block.places.zone_set],
        debt=np.where(allowed, best, -1),
        contact_point=point,
        template=np.where(allowed & (template >= 0), template, -1).astype(np.int16),
        other_debts=_other_debts(block, found.allowed),
        rules_version=rules.version,
        notes=tuple(
            f"no holidays are known for {c}: its days count as closed"
            for c in sorted(found.clock.unknown_calendars)
        ),
    )


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
        if rule.kind == "suppression" and rule.parameters["flag"] in _ENDED_FLAGS:
            word, bit = block.bit(i)
            ended[word] |= bit
    over = ((found.bits[:, :, :1] & ended[:, None, None]) != 0).any(axis=(0, 2))
    alive = np.bincount(block.customer[~over], minlength=block.n)[block.customer] > 0
    return ~over | ~alive


_ENDED_FLAGS = (
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


def _best_rows(block: Block, allowed: Bools, order: Ints) -> tuple[Ints, Bools]:
    """Return the first allowed row of every (customer, action), else the customer's first row."""
    best = np.zeros((block.n, block.m), dtype=np.int64)
    some = np.zeros((block.n, block.m), dtype=bool)
    for rank, rows in enumerate(_ranks(block, order)):
        who = block.customer[rows]
        if rank == 0:
            best[who] = rows[:, None]
            some[who] = allowed[rows]
            continue
        new = allowed[rows] & ~some[who]
        best[who] = np.where(new, rows[:, None], best[who])
        some[who] |= new
    return best, some


def _reasons(
    block: Block, found: Denials, allowed: Bools, order: Ints, open_row: Bools
) -> tuple[npt.NDArray[np.int32], tuple[tuple[str, ...], ...]]:
    """Union over the customer's open debts of the rules that deny, as codes of distinct sets."""
    bits = np.zeros((block.n_words, block.n, block.m), dtype=np.uint64)
    for rows in _ranks(block, order):
        rows = rows[open_row[rows]]
        bits[:, block.customer[rows]] |= found.bits[:, rows]
    bits[:, allowed] = 0
    code = np.zeros(allowed.size, dtype=np.int64)
    words: list[npt.NDArray[np.uint64]] = []
    for word in bits.reshape(block.n_words, -1):
        dense, distinct = pd.factorize(word)
        code = code * max(len(distinct), 1) + dense
        words.append(word)
    dense, _ = pd.factorize(code)
    first = np.full(int(dense.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[dense[::-1]] = np.arange(len(dense))[::-1]
    names = [_names(block, [int(w[i]) for w in words]) for i in first]
    sets = tuple(sorted({(), *names}))
    position = {s: i for i, s in enumerate(sets)}
    lookup = np.array([position[s] for s in names], dtype=np.int32)
    reason = lookup[dense] if len(dense) else np.empty(0, dtype=np.int32)
    return reason.reshape(allowed.shape).astype(np.int32), sets


def _names(block: Block, words: list[int]) -> tuple[str, ...]:
    found = [
        block.rules[64 * w + b].id
        for w, word in enumerate(words)
        for b in range(word.bit_length())
        if word >> b & 1
    ]
    return tuple(sorted(found))


# ---- when it becomes lawful ----------------------------------------------------------------------


def _lawful_from(block: Block, found: Denials, allowed: Bools, open_row: Bools) -> Ints:
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
        _fill(block, found, blocked, min(int(days), _FARTHEST_DAYS), out)
    return np.where((out == INDEFINITE) | allowed, NO_INSTANT, out)


def _fill(block: Block, found: Denials, blocked: Bools, days: int, out: Ints) -> None:
    begin = block.window.begin_us
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
            own = np.flatnonzero(hit[:, group].any(axis=1))
            if len(own) == 0:
                continue
            at = rows[own]
            after = np.maximum(found.release[at][:, group], begin)
            after[~hit[own][:, group]] = begin
            opens = found.clock.next_open(k, int(group[0]), after.ravel(), days).reshape(
                after.shape
            )
            # a basis of consent that has expired by then is no basis
            expired = opens >= found.points.until[at][:, block.channel_of[group]]
            opens = np.where(
                (opens == NO_INSTANT) | expired | ~hit[own][:, group], INDEFINITE, opens
            )
            np.minimum.at(out, (block.customer[at][:, None], group[None, :]), opens)


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
    key = debts[["customer", "creditor", "ownership"]].astype(object)
    group = key.groupby(list(key), sort=False, dropna=False).ngroup().to_numpy(dtype=np.int64)
    several = np.flatnonzero(np.bincount(group)[group] > 1) if len(group) else np.empty(0, np.int64)
    usable: Bools = np.asarray(allowed[: block.n_debts].any(axis=1))
    several = several[usable[several]]
    known: Bools = np.asarray(debts["creditor"].notna() & debts["ownership"].notna())
    several = several[known[several]]
    side = pd.DataFrame({"group": group[several], "row": several})
    pairs = side.merge(side, on="group", suffixes=("", "_other"))
    pairs = pairs[pairs["row"] != pairs["row_other"]]
    a, b = pairs["row"].to_numpy(dtype=np.int64), pairs["row_other"].to_numpy(dtype=np.int64)
    fits: Bools = np.asarray(~(allowed[a] & ~allowed[b]).any(axis=1))
    pairs = pairs[fits].assign(debt_id=debts["debt_id"].to_numpy(dtype=object)[b[fits]])
    joined = pairs.sort_values(["row", "debt_id"]).groupby("row")["debt_id"].agg("|".join)
    names[joined.index.to_numpy(dtype=np.int64)] = joined.to_numpy(dtype=object)
    return tuple(names.tolist())
