"""Who may speak now: one attempt a day, quiet after contact, one active channel, what comes first.

Every rule is told as facts: whom, which channels, from when to when. Starts are local days in
every candidate zone at once, so a fact begins with the earliest and ends with the latest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.fact_table import ALL, FactIndex, Facts, fact_arrays, joined
from contactopt.compliance.orchestration.history import (
    History,
    day_begins,
    latest_per,
    root_code,
    root_mask,
)
from contactopt.contracts import vocabulary as v

__all__ = ["active_channel", "daily_attempts", "first_ones", "quiet_days"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
_BOT, _AGENT = v.CHANNELS.index("call_bot"), v.CHANNELS.index("call_agent")


def daily_attempts(block: Block, index: FactIndex, history: History) -> Facts:
    """One outbound attempt per local day; an agent may follow a bot that failed.

    Attempts at a shared point count for each of its holders, without that exception.
    """
    turns = block.config.orchestration
    if not turns.one_attempt_per_day:
        return fact_arrays(0)
    at = np.flatnonzero(history.attempt & (history.time > block.long_past(1)))
    shared = block.neighbours  # the phone rang for somebody else who has it, too
    customer = np.append(history.customer[at], shared["customer"]).astype(np.int64)
    when = np.append(history.time[at], shared["started_us"]).astype(np.int64)
    channels = np.full(len(customer), ALL)
    if turns.agent_after_failed_bot:
        spared = np.flatnonzero((history.channel[at] == _BOT) & history.failed[at])
        channels[spared] = ALL ^ root_mask(block, _AGENT)
    start, _ = day_begins(block, customer, when, 0)
    _, end = day_begins(block, customer, when, 1)
    near = (end > block.window.begin_us) & (start < block.window.end_us)
    return fact_arrays(
        int(near.sum()), customer=customer[near], name=index.of("attempt:today"),
        channels=channels[near], start=start[near], end=end[near],
    )  # fmt: skip


def quiet_days(block: Block, index: FactIndex, history: History) -> Facts:
    """Nothing more on a local day with a conversation or a reply, whoever began it."""
    if not block.config.orchestration.quiet_after_contact:
        return fact_arrays(0)
    heard = history.spoken | (history.unknown & ~history.attempt & ~history.planned)
    at = np.flatnonzero(heard & ~history.portal)
    customer, when = history.customer[at], history.settled[at]
    of = block.columns
    if of.size("touch_events"):
        rows = np.full(of.size("touches") + 1, -1, dtype=np.int64)
        rows[history.touch[at]] = at
        rows[-1] = -1
        entry = rows[of.ints("touch_events", "touch")]
        own = (entry >= 0) & ~of.bools("touch_events", "machine")
        customer = np.append(customer, history.customer[entry[own]])
        when = np.append(when, of.ints("touch_events", "occurred_us")[own])
    late = when > block.long_past(1)
    customer, when = customer[late], when[late]
    start, _ = day_begins(block, customer, when, 0)
    _, end = day_begins(block, customer, when, 1)
    near = (end > block.window.begin_us) & (start < block.window.end_us)
    return fact_arrays(
        int(near.sum()), customer=customer[near], name=index.of("contact:today"),
        start=start[near], end=end[near],
    )  # fmt: skip


def active_channel(block: Block, index: FactIndex, history: History) -> Facts:
    """Keep the customer with channel and vendor of the latest attempt until patience is over.

    An answer keeps them longer. What follows a failure (an agent a bot, the next channel of a
    chain) need not wait. An attempt by a channel that is not known leaves none active.
    """
    turns = block.config.orchestration
    if not turns.single_active_channel:
        return fact_arrays(0)
    attempts = np.flatnonzero(history.attempt)
    newest = _all_latest(history, attempts)
    customer, root = history.customer[newest], history.channel[newest]
    _, end = day_begins(block, customer, history.time[newest], turns.patience_days + 1)
    end = np.maximum(end, _kept_by_answer(block, history, customer, root))
    vendor, vendors = history.vendor.code[newest], history.vendor.words
    owners, owner = np.unique(np.stack([root, vendor]), axis=1, return_inverse=True)
    others = [_others(block, int(r), vendors[w] if w >= 0 else None) for r, w in owners.T]
    channels = np.array([*others, ALL], dtype=np.uint64)[owner.ravel()]
    failed = history.failed[newest]
    for code in np.unique(root[failed]):
        next_one = _may_follow(block, int(code))
        channels = np.where(failed & (root == code), channels & ~next_one, channels)
    near = end > block.window.begin_us
    return fact_arrays(
        int(near.sum()), customer=customer[near], name=index.of("channel:other_active"),
        channels=channels[near], end=end[near],
    )  # fmt: skip


def _all_latest(history: History, at: Ints) -> Ints:
    """Every attempt that shares the latest time of its customer."""
    latest = np.full(int(history.customer.max(initial=-1)) + 1, NEVER)
    np.maximum.at(latest, history.customer[at], history.time[at])
    return at[history.time[at] == latest[history.customer[at]]]


def _kept_by_answer(block: Block, history: History, customer: Ints, root: Ints) -> Ints:
    """Until when the latest answer on a channel keeps a customer with it, `NEVER` without one."""
    n = len(v.CHANNELS) + 1
    days = block.config.orchestration.answer_keeps_days + 1
    at = np.flatnonzero(history.answered & (history.settled > block.long_past(days)))
    key = history.customer[at] * n + history.channel[at]
    newest = at[latest_per(key, history.settled[at])]
    _, end = day_begins(block, history.customer[newest], history.settled[newest], days)
    asked = customer * n + root
    keys = history.customer[newest] * n + history.channel[newest]
    if len(keys) == 0:
        return np.full(len(asked), NEVER)
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[place] == asked, end[place], NEVER)


def _others(block: Block, root: int, vendor: str | None) -> np.uint64:
    """Channels that are not the active one, or not its vendor's."""
    vendors = block.config.orchestration.vendors
    own = np.uint64(0)
    for c, name in enumerate(block.channels):
        theirs = vendors.get(name)
        same = vendor is None or theirs is None or vendor == theirs
        if root >= 0 and root_code(name, block) == root and same:
            own |= np.uint64(1 << c)
    return ALL ^ own


def _may_follow(block: Block, root: int) -> np.uint64:
    """Channels that may take over at once where a channel failed."""
    turns = block.config.orchestration
    bits = np.uint64(0)
    if root == _BOT and (turns.agent_after_failed_bot or turns.bot_before_agent):
        bits |= root_mask(block, _AGENT)
    for first, then in turns.fallback_chains.items():
        if root_code(first, block) == root:
            bits |= _named(block, then)
    return bits


def _named(block: Block, name: str) -> np.uint64:
    """Return the action channels that a strategy's name means: itself, and what is like it."""
    own = [
        c
        for c, k in enumerate(block.channels)
        if k == name or (name in v.CHANNELS and root_code(k, block) == v.CHANNELS.index(name))
    ]
    return np.uint64(sum(1 << c for c in own))


# ---- first one channel, then another -------------------------------------------------------------


def first_ones(
    block: Block, index: FactIndex, history: History, facts: Facts, no_point: Bools
) -> Facts:
    """Deny a channel until the one that comes first has failed, where that one may be used.

    Parameters
    ----------
    facts : Facts
        Holds among them may rule the first channel out.
    no_point : bool array, shape (n_rows, channels)
        No contact point of the row can be used by the channel.
    """
    turns = block.config.orchestration
    pairs = [("fallback:first", a, _named(block, b)) for a, b in turns.fallback_chains.items()]
    if turns.bot_before_agent:
        pairs.append(("bot:first", "call_bot", root_mask(block, _AGENT)))
    parts = [fact_arrays(0)]
    for name, first, mask in pairs:
        code = root_code(first, block)
        own = np.array([root_code(c, block) == code for c in block.channels], dtype=bool)
        held = _held_out(block, index, facts, own)
        usable = (~no_point[:, own] & ~held).any(axis=1)
        rows = np.flatnonzero(usable)
        opens, closes = _opening(block, history, code)
        for start, end in (
            (np.full(block.n, NEVER), opens),
            (closes, np.full(block.n, INDEFINITE)),
        ):
            s, e = start[block.customer[rows]], end[block.customer[rows]]
            near = (s < e) & (e > block.window.begin_us) & (s < block.window.end_us)
            parts.append(
                fact_arrays(
                    int(near.sum()),
                    customer=block.customer[rows[near]],
                    row=rows[near],
                    name=index.of(name),
                    channels=mask,
                    start=s[near],
                    end=e[near],
                )
            )
    return joined(parts)


def _opening(block: Block, history: History, root: int) -> tuple[Ints, Ints]:
    """From when to when the latest attempt by a channel opens the next one, shape (n,) each.

    A failure opens at once, no answer after patience, an answer not at all.
    """
    turns = block.config.orchestration
    opens, closes = np.full(block.n, INDEFINITE), np.full(block.n, INDEFINITE)
    at = np.flatnonzero(history.attempt & (history.channel == root))
    newest = at[latest_per(history.customer[at], history.time[at], ~history.failed[at])]
    customer, time = history.customer[newest], history.time[newest]
    _, patient = day_begins(block, customer, time, turns.patience_days + 1)
    until, _ = day_begins(block, customer, time, turns.failure_opens_days + 1)
    after = np.where(history.failed[newest], NEVER, patient)
    opens[customer] = np.where(history.answered[newest], INDEFINITE, after)
    closes[customer] = np.where(history.answered[newest], INDEFINITE, np.maximum(until, after))
    return opens, closes


def _held_out(block: Block, index: FactIndex, facts: Facts, own: Bools) -> Bools:
    """Whether a hold rules a channel out all through the window, shape (n_rows, own channels)."""
    columns = np.flatnonzero(own)
    out = np.zeros((block.n_rows, len(columns)), dtype=bool)
    w = block.window
    holds = np.array([n.startswith("hold:") for n in index.names] + [False])
    steady = holds[facts.name] & (facts.point < 0) & (facts.place < 0) & (facts.local_window < 0)
    steady &= (facts.start <= w.begin_us) & (facts.end >= w.end_us)
    steady &= facts.spare_to <= facts.spare_from
    some = facts.take(np.flatnonzero(steady))
    reached = (some.channels[:, None] >> columns.astype(np.uint64)) & np.uint64(1) > 0
    one = np.flatnonzero(some.row >= 0)
    np.logical_or.at(out, some.row[one], reached[one])
    whole = np.flatnonzero(some.row < 0)
    source, rows = block.rows_of(some.customer[whole])
    np.logical_or.at(out, rows, reached[whole[source]])
    return out
