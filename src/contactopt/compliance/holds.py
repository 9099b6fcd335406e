"""Holds as facts: what each kind means, by the table `flags.json`, with its details."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import ALL, FactIndex, fact_frame
from contactopt.compliance.pack_check import DAYS, minutes_of
from contactopt.compliance.words import channel_words, code_words, root_of
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError
from contactopt.journal.local_time import DAY_US, local_us, to_us

__all__ = ["channel_mask", "facts_of_holds", "local_window_mask"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
MINUTE_US = 60_000_000


def facts_of_holds(block: Block, index: FactIndex) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the holds that are in force or begin soon, and the local windows they name."""
    holds = block.view.holds
    end = holds["ends_us"].to_numpy(dtype=np.int64)
    end = np.where(end == NO_INSTANT, INDEFINITE, end)
    live = np.flatnonzero(end > block.view.as_of_us)
    holds, end = holds.iloc[live].reset_index(drop=True), end[live]
    debt = holds["debt"].to_numpy(dtype=np.int64)
    kind, kinds = code_words(holds["kind"])
    names = np.array([index.of(f"hold:{k}") for k in kinds] + [index.of("hold:do_not_contact")])
    row = np.where(debt < 0, -1, block.row_of_debt[debt])
    frame = fact_frame(
        len(holds),
        customer=np.where(row >= 0, block.customer[row], holds["customer"].to_numpy(np.int64)),
        row=row,
        name=names[kind],
        channels=_reached_by(block, holds["channel"]),
        start=holds["starts_us"].to_numpy(dtype=np.int64),
        end=end,
        point=holds["contact_point"].to_numpy(dtype=np.int64),
    )
    frame = frame[(debt < 0) | (row >= 0)]  # of a debt that is not known: nothing to deny
    windows: list[dict[str, Any]] = []
    for k, word in enumerate(kinds):
        how = table("flags")["holds"].get(word)
        at = np.flatnonzero(kind == k)
        at = at[np.isin(at, frame.index)]
        if how and len(at):
            _apply(block, frame, holds, at, how, windows)
    return frame, windows


def _reached_by(block: Block, channel: pd.Series) -> Bits:
    """Channels a hold reaches: those whose rule words include all of its channel's; null: all."""
    code, names = code_words(channel)
    masks = [channel_mask(block, name) for name in names]
    return np.array([*masks, ALL], dtype=np.uint64)[code]


def channel_mask(block: Block, name: str) -> np.uint64:
    """Return the action channels that a word for a channel reaches, as bits.

    Self-service and unknown words reach every channel.
    """
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
    block: Block, frame: pd.DataFrame, holds: pd.DataFrame, at: Ints, how: dict[str, Any],
    windows: list[dict[str, Any]],
) -> None:  # fmt: skip
    """Bring a hold's own meaning into the facts at some positions."""
    if "only_place" in how:
        frame.loc[at, "place"] = 1
    if "spares_channels" in how:
        spared = [
            c
            for c, name in enumerate(block.channels)
            if root_of(name, block.config) in how["spares_channels"]
        ]
        frame.loc[at, "channels"] = ALL ^ np.uint64(sum(1 << c for c in spared))
    if how.get("detail") == "local_window":
        _local_windows(frame, holds, at, windows)
    elif how.get("detail") == "agreed_window":
        _agreed(block, frame, holds, at)
    elif how.get("detail") == "channels":
        _refused(block, frame, holds, at)


def _local_windows(
    frame: pd.DataFrame, holds: pd.DataFrame, at: Ints, windows: list[dict[str, Any]]
) -> None:
    details = list(holds["detail"])
    texts = {
        i: json.dumps(details[i], sort_keys=True)
        for i in at.tolist()
        if isinstance(details[i], dict)
    }
    for text in sorted(set(texts.values())):
        detail = json.loads(text)
        rows = [i for i, t in texts.items() if t == text]
        if detail.get("place") == "work":
            frame.loc[rows, "place"] = 1
        if {"start", "end", "days"} & set(detail):
            frame.loc[rows, "local_window"] = len(windows)
            windows.append(detail)


def _agreed(block: Block, frame: pd.DataFrame, holds: pd.DataFrame, at: Ints) -> None:
    """Nothing until the hold ends, but the agreed call inside its window."""
    details = holds["detail"].iloc[at]
    begin = np.array([_instant(d, "from") for d in details], dtype=np.int64)
    to = np.array([_instant(d, "to") for d in details], dtype=np.int64)
    starts, end = frame.loc[at, "start"].to_numpy(), frame.loc[at, "end"].to_numpy()
    told = (begin != NO_INSTANT) & (to != NO_INSTANT)
    ahead = ~told & (starts > block.view.as_of_us)
    frame.loc[at, "spare_from"] = np.where(told, begin, np.where(ahead, starts, NEVER))
    frame.loc[at, "spare_to"] = np.where(told, to, np.where(ahead, end, NEVER))
    over = np.where((end == INDEFINITE) & told, to, end)
    # unless the callback is past, this batch does not know how it went: it adds nothing after it
    frame.loc[at, "end"] = np.maximum(over, block.window.end_us)
    # what was agreed is that channel and no other: an agent's call is no leave for a robot's
    named = holds["channel"].iloc[at].astype(object)
    frame.loc[at, "spare_channels"] = np.array(
        [ALL if pd.isna(name) else _exactly(block, str(name)) for name in named], dtype=np.uint64
    )
    frame.loc[at, "channels"] = ALL
    frame.loc[at, "start"] = NEVER


def _instant(detail: Any, key: str) -> int:
    if not isinstance(detail, dict) or detail.get(key) is None:
        return NO_INSTANT
    try:
        return to_us(detail[key])
    except (ValueError, TypeError, ArithmeticError, ContractError):
        return NO_INSTANT  # unreadable, or without a zone: the window is not known


def _refused(block: Block, frame: pd.DataFrame, holds: pd.DataFrame, at: Ints) -> None:
    """Read which channels a preference refuses, where the hold itself names none."""
    details = list(holds["detail"])
    named = holds["channel"].notna().to_numpy(dtype=bool)
    for i in at.tolist():
        detail: Any = details[i]
        if named[i] or not isinstance(detail, dict):
            continue
        if isinstance(detail.get("refused"), list) and detail["refused"]:
            frame.loc[i, "channels"] = _mask_of(block, detail["refused"])
        elif isinstance(detail.get("only"), list) and detail["only"]:
            only = {c for c, n in enumerate(block.channels) if n in detail["only"]}
            frame.loc[i, "channels"] = ALL ^ np.uint64(sum(1 << c for c in only))


def local_window_mask(
    detail: dict[str, Any], us: Ints, zones: tuple[str, ...]
) -> npt.NDArray[np.bool_]:
    """Whether starts lie in a local window a customer named, in any zone; unreadable: always."""
    try:
        begin = minutes_of(detail.get("start", "00:00"))
        end = minutes_of(detail.get("end", "24:00"))
        days = [DAYS.index(str(d).upper()[:3]) for d in detail.get("days", DAYS)]
    except (ValueError, TypeError, AttributeError):
        return np.ones(len(us), dtype=bool)
    if not days:  # a window on no day says nothing that can be kept
        return np.ones(len(us), dtype=bool)
    hit = np.zeros(len(us), dtype=bool)
    for zone in zones:
        wall = local_us(us, zone)
        minute = (wall % DAY_US) // MINUTE_US
        if begin < end:
            hit |= (begin <= minute) & (minute < end) & np.isin((wall // DAY_US + 3) % 7, days)
        else:  # over midnight: which of two days was meant is not known, so both
            hit |= (minute >= begin) | (minute < end)
    return hit
