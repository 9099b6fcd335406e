"""Holds as facts: what each kind means, by the table `flags.json`, with its details."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import ALL, FactIndex, Facts, fact_arrays, joined
from contactopt.compliance.pack_check import DAYS, minutes_of
from contactopt.compliance.refused_points import REVOKED
from contactopt.compliance.words import channel_words, code_words, root_of
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError
from contactopt.journal.local_time import DAY_US, instant_of, local_us, to_us

__all__ = ["channel_mask", "facts_of_holds", "local_window_mask", "next_local_window"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
MINUTE_US = 60_000_000
#: minutes by which clocks are turned back somewhere
_TURNED_BACK = (30, 60, 120)


#: facts of holds while they are made: one array per field of `Facts`
_Held = dict[str, Any]


def facts_of_holds(block: Block, index: FactIndex) -> tuple[Facts, list[dict[str, Any]]]:
    """Return the holds that are in force or begin soon, and the local windows they name."""
    of = block.columns
    if of.size("holds") == 0:
        return _of_others(block, index), []
    end = of.ints("holds", "ends_us")
    end = np.where(end == NO_INSTANT, INDEFINITE, end)
    debt = of.ints("holds", "debt")
    row = np.where(debt < 0, -1, block.row_of_debt[debt])
    # of a debt that is not known: nothing to deny
    live = np.flatnonzero((end > block.view.as_of_us) & ((debt < 0) | (row >= 0)))
    kind, kinds = of.words("holds", "kind")
    names = np.array([index.of(f"hold:{k}") for k in kinds] + [index.of("hold:do_not_contact")])
    row, kind = row[live], kind[live]
    plain = fact_arrays(
        len(live),
        customer=np.where(row >= 0, block.customer[row], of.ints("holds", "customer")[live]),
        row=row,
        name=names[kind],
        channels=_reached_by(block)[live],
        start=of.ints("holds", "starts_us")[live],
        end=end[live],
        point=of.ints("holds", "contact_point")[live],
    )
    held: _Held = {k: np.array(v) for k, v in plain.__dict__.items() if k != "windows"}
    windows: list[dict[str, Any]] = []
    for k in np.unique(kind).tolist():
        how = table("flags")["holds"].get(kinds[k]) if k >= 0 else None
        if how:
            _apply(block, held, live, np.flatnonzero(kind == k), how, windows)
    facts = Facts(**held)
    own = of.ints("holds", "contact_point")[live]
    agreed = np.flatnonzero((own >= 0) & (facts.point < 0))
    parts = [facts, _at_twins(block, facts), _elsewhere(block, facts.take(agreed), own[agreed])]
    return joined([*parts, _of_others(block, index)]), windows


# ---- the same phone or address under other ids ---------------------------------------------------


def _pairs(block: Block, customer: Ints, point: Ints) -> tuple[Ints, Ints, Bools]:
    """Return (position, point code) pairs of customers' points, and whether the address is one."""
    of = block.columns
    code, key = of.ints("points", "contact_point"), of.coded("points", "address_key")[0]
    address = np.full(len(block.view.point_ids) + 1, -2, dtype=np.int64)
    address[code] = np.where(key < 0, code, key + len(block.view.point_ids))
    left = pd.DataFrame({"customer": customer, "at": np.arange(len(customer))})
    right = pd.DataFrame({"customer": of.ints("points", "customer"), "code": code})
    both = left.merge(right[right["customer"].isin(customer)], on="customer")
    at, other = (both[k].to_numpy(dtype=np.int64) for k in ("at", "code"))
    return at, other, address[other] == address[point[at]]


def _at_twins(block: Block, facts: Facts) -> Facts:
    """Let a hold of one point reach every other point of the customer with that address."""
    facts = facts.take(np.flatnonzero(facts.point >= 0))
    if len(facts) == 0:
        return facts
    at, code, same = _pairs(block, facts.customer, facts.point)
    keep = same & (code != facts.point[at])
    return replace(facts.take(at[keep]), point=code[keep])


def _elsewhere(block: Block, facts: Facts, point: Ints) -> Facts:
    """Close every point but the one at which a callback was agreed, inside its window too."""
    if len(facts) == 0:
        return facts
    at, code, same = _pairs(block, facts.customer, point)
    return replace(facts.take(at[~same]), point=code[~same])


def _of_others(block: Block, index: FactIndex) -> Facts:
    """Return holds of a phone or address that somebody else who has it asked for."""
    found = block.refused[block.refused["kind"] != REVOKED]
    if len(found) == 0:
        return fact_arrays(0)
    code, names = code_words(found["channel"])
    masks = np.array([*(channel_mask(block, n) for n in names), ALL], dtype=np.uint64)
    end = found["ends_us"].to_numpy(dtype=np.int64)
    row = found["point_row"].to_numpy(dtype=np.int64)
    return fact_arrays(
        len(found),
        customer=found["customer"].to_numpy(dtype=np.int64),
        name=np.array([index.of(f"hold:{k}") for k in found["kind"]], dtype=np.int64),
        channels=masks[code],
        start=found["starts_us"].to_numpy(dtype=np.int64),
        end=np.where(end == NO_INSTANT, INDEFINITE, end),
        point=block.columns.ints("points", "contact_point")[row],
    )


def _reached_by(block: Block) -> Bits:
    """Channels a hold reaches: those whose rule words include all of its channel's; null: all."""
    code, names = block.columns.words("holds", "channel")
    masks = [channel_mask(block, name) for name in names]
    return np.array([*masks, ALL], dtype=np.uint64)[code]


def channel_mask(block: Block, name: str) -> np.uint64:
    """Return the action channels that a word for a channel reaches, as bits.

    Self-service and unknown words reach every channel.
    """
    return block.compiled.once(("channel_mask", name), lambda: _channel_mask(block, name))


def _channel_mask(block: Block, name: str) -> np.uint64:
    words = channel_words(name, block.config)
    if not words or root_of(name, block.config) is None:
        return ALL
    own = [c for c, w in enumerate(block.words) if words <= w or name == block.channels[c]]
    return np.uint64(sum(1 << c for c in own))


def _exactly(block: Block, name: str) -> np.uint64:
    return np.uint64(sum(1 << c for c, own in enumerate(block.channels) if own == name))


def _mask_of(block: Block, names: Any) -> np.uint64:
    bits = np.uint64(0)
    for name in names:
        bits |= channel_mask(block, str(name))
    return bits


def _apply(
    block: Block, held: _Held, live: Ints, at: Ints, how: dict[str, Any],
    windows: list[dict[str, Any]],
) -> None:  # fmt: skip
    """Bring a hold's own meaning into the facts at some positions; ``live``: their holds."""
    if "only_place" in how:
        held["place"][at] = 1
    if "spares_channels" in how:
        spared = [
            c
            for c, name in enumerate(block.channels)
            if root_of(name, block.config) in how["spares_channels"]
        ]
        held["channels"][at] = ALL ^ np.uint64(sum(1 << c for c in spared))
    detail = how.get("detail")
    if detail is None:
        return
    details = block.view.holds["detail"].iloc[live[at]].tolist()
    if detail == "local_window":
        _local_windows(held, details, at, windows)
    elif detail == "agreed_window":
        _agreed(block, held, details, live, at)
    elif detail == "channels":
        _refused(block, held, details, live, at)


def _local_windows(
    held: _Held, details: list[Any], at: Ints, windows: list[dict[str, Any]]
) -> None:
    texts = {
        i: json.dumps(detail, sort_keys=True)
        for i, detail in zip(at.tolist(), details, strict=True)
        if isinstance(detail, dict)
    }
    for text in sorted(set(texts.values())):
        detail = json.loads(text)
        rows = [i for i, t in texts.items() if t == text]
        if detail.get("place") == "work":
            held["place"][rows] = 1
        if {"start", "end", "days"} & set(detail):
            held["local_window"][rows] = len(windows)
            windows.append(detail)


def _agreed(block: Block, held: _Held, details: list[Any], live: Ints, at: Ints) -> None:
    """Nothing until the hold ends, but the agreed call inside its window."""
    begin = np.array([_instant(d, "from") for d in details], dtype=np.int64)
    to = np.array([_instant(d, "to") for d in details], dtype=np.int64)
    starts, end = held["start"][at], held["end"][at]
    told = (begin != NO_INSTANT) & (to != NO_INSTANT)
    ahead = ~told & (starts > block.view.as_of_us)
    held["spare_from"][at] = np.where(told, begin, np.where(ahead, starts, NEVER))
    held["spare_to"][at] = np.where(told, to, np.where(ahead, end, NEVER))
    over = np.where((end == INDEFINITE) & told, to, end)
    # unless the callback is past, this batch does not know how it went: it adds nothing after it
    held["end"][at] = np.maximum(over, block.window.end_us)
    # what was agreed is that channel and no other: an agent's call is no leave for a robot's
    code, names = block.columns.words("holds", "channel")
    exact = np.array([*(_exactly(block, name) for name in names), ALL], dtype=np.uint64)
    agreed = exact[code[live[at]]]
    # a point that is named is where the customer will be, as the channel: silence is everywhere
    placed = np.uint64(
        sum(
            1 << c
            for c, n in enumerate(block.channels)
            if block.config.channel(n).contact_point_kinds
        )
    )
    held["spare_channels"][at] = np.where(held["point"][at] >= 0, agreed & placed, agreed)
    held["point"][at] = -1
    held["channels"][at] = ALL
    held["start"][at] = NEVER


def _instant(detail: Any, key: str) -> int:
    if not isinstance(detail, dict) or detail.get(key) is None:
        return NO_INSTANT
    try:
        return to_us(detail[key])
    except (ValueError, TypeError, ArithmeticError, ContractError):
        return NO_INSTANT  # unreadable, or without a zone: the window is not known


def _refused(block: Block, held: _Held, details: list[Any], live: Ints, at: Ints) -> None:
    """Read which channels a preference refuses, where the hold itself names none."""
    named = block.columns.known("holds", "channel")[live[at]].tolist()
    for i, detail, has_channel in zip(at.tolist(), details, named, strict=True):
        if has_channel or not isinstance(detail, dict):
            continue
        if isinstance(detail.get("refused"), list) and detail["refused"]:
            held["channels"][i] = _mask_of(block, detail["refused"])
        elif isinstance(detail.get("only"), list) and detail["only"]:
            only = {c for c, n in enumerate(block.channels) if n in detail["only"]}
            held["channels"][i] = ALL ^ np.uint64(sum(1 << c for c in only))


def local_window_mask(
    detail: dict[str, Any], us: Ints, zones: tuple[str, ...]
) -> npt.NDArray[np.bool_]:
    """Whether starts lie in a local window a customer named, in any zone; unreadable: always."""
    window = _window_of(detail)
    if window is None:
        return np.ones(len(us), dtype=bool)
    begin, end, days = window
    hit = np.zeros(len(us), dtype=bool)
    for zone in zones:
        wall = local_us(us, zone)
        minute = (wall % DAY_US) // MINUTE_US
        if begin < end:
            hit |= (begin <= minute) & (minute < end) & np.isin((wall // DAY_US + 3) % 7, days)
        else:  # over midnight: which of two days was meant is not known, so both
            hit |= (minute >= begin) | (minute < end)
    return hit


def next_local_window(detail: dict[str, Any], us: Ints, zones: tuple[str, ...]) -> Ints:
    """Return when the window next begins after each start that lies outside of it, in any zone.

    Looked for up to the next local midnight, at which every contact has begun; `INDEFINITE`
    where it does not begin by then.
    """
    nearest = np.full(len(us), INDEFINITE)
    window = _window_of(detail)
    if window is None:
        return nearest
    begin, end, days = window
    there = us != NO_INSTANT
    for zone in zones:
        day = local_us(us[there], zone) // DAY_US
        wall = day * DAY_US + begin * MINUTE_US
        named = np.isin((day + 3) % 7, days) if begin < end else np.ones(len(day), dtype=bool)
        first = instant_of(wall, zone)
        for back in (0, *_TURNED_BACK):  # in autumn clocks may show the beginning twice
            opens = first + back * MINUTE_US
            ahead = named & (opens > us[there])
            ahead &= (local_us(opens, zone) == wall) if back else True
            nearest[there] = np.minimum(nearest[there], np.where(ahead, opens, INDEFINITE))
    return nearest


def _window_of(detail: dict[str, Any]) -> tuple[int, int, list[int]] | None:
    """Return first minute, end and weekdays of a window; None where nothing can be kept of it."""
    try:
        begin = minutes_of(detail.get("start", "00:00"))
        end = minutes_of(detail.get("end", "24:00"))
        days = [DAYS.index(str(d).upper()[:3]) for d in detail.get("days", DAYS)]
    except (ValueError, TypeError, AttributeError):
        return None
    return (begin, end, days) if days else None  # a window on no day says nothing to keep
