"""Facts that forbid: holds, outcomes that act like one, promises, the state of the debt.

A fact says of whom, of which debt, in which channels and from when to when. The table
`flags.json` names the flags that a fact sets; the rules of the packs hang on those flags. Holds
of one contact point or place concern the choice of the point and are told apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.words import channel_words, code_words, root_of
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US, local_day, local_day_start, to_us

__all__ = ["FactIndex", "Facts", "collect_facts"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts as arrays of equal length f.

    Parameters
    ----------
    customer, row : int64 arrays
        Row -1: every debt of the customer.
    name : int64 array
        Code of the fact in a `FactIndex`.
    channels : uint64 array
        Action channels reached, as bits.
    start, end : int64 arrays
        In force in [start, end); `INDEFINITE` without an end.
    spare_from, spare_to : int64 arrays
        Inside [spare_from, spare_to) the channels of ``spare_channels`` are not reached.
    spare_channels : uint64 array
    local_window : int64 array
        Code of a local time window outside of which the fact is silent, -1 none.
    point, place : int64 arrays
        Contact point code, or 1 for points at work; then it concerns the choice of the point.
    """

    customer: Ints
    row: Ints
    name: Ints
    channels: Bits
    start: Ints
    end: Ints
    spare_from: Ints
    spare_to: Ints
    spare_channels: Bits
    local_window: Ints
    point: Ints
    place: Ints
    windows: tuple[dict[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, keep: Any) -> Facts:
        """Return the facts of a mask or of positions."""
        arrays = {k: v[keep] for k, v in self.__dict__.items() if k != "windows"}
        return Facts(**arrays, windows=self.windows)


class FactIndex:
    """Names of facts, and the bits of the rules that each sets off by rule set and channel."""

    def __init__(self, block: Block) -> None:
        self.block = block
        flags = table("flags")["flags"]
        self.names = sorted({f for facts in flags.values() for f in facts})
        self.code = {name: i for i, name in enumerate(self.names)}

    def of(self, name: str) -> int:
        """Return the code of a fact, -1 where no flag hangs on it."""
        return self.code.get(name, -1)

    @cached_property
    def bits(self) -> Bits:
        """Shape (words, facts + 1, rule sets, channels); the last fact is none."""
        b = self.block
        out = np.zeros(
            (b.n_words, len(self.names) + 1, len(b.rule_sets), len(b.channels)), dtype=np.uint64
        )
        for flag, facts in table("flags")["flags"].items():
            for rule in b.flag_rules.get(flag, []):
                word, bit = b.bit(rule)
                for name in facts:
                    out[word, self.code[name]] |= np.where(b.reach[:, rule], bit, np.uint64(0))
        return out


def collect_facts(block: Block, index: FactIndex) -> Facts:
    """Read every fact of a block from the journal view."""
    parts = [
        _of_customers(block, index),
        _of_debts(block, index),
        _of_promises(block, index),
        _of_channels(block, index),
        _of_outcomes(block, index),
    ]
    holds, windows = _of_holds(block, index)
    merged = pd.concat([*parts, holds], ignore_index=True)
    merged = merged[merged["name"] >= 0]
    kinds = {f: np.uint64 if "channels" in f else np.int64 for f in _FIELDS}
    arrays = {f: merged[f].to_numpy(dtype=kinds[f]) for f in _FIELDS}
    return Facts(**arrays, windows=tuple(windows))


_FIELDS = (
    "customer", "row", "name", "channels", "start", "end", "spare_from", "spare_to",
    "spare_channels", "local_window", "point", "place",
)  # fmt: skip


def _frame(size: int, **columns: Any) -> pd.DataFrame:
    """Facts with the usual values: all debts, all channels, always, no exception."""
    base: dict[str, Any] = {
        "customer": -1, "row": -1, "name": -1, "channels": ALL, "start": NEVER, "end": INDEFINITE,
        "spare_from": NEVER, "spare_to": NEVER, "spare_channels": np.uint64(0),
        "local_window": -1, "point": -1, "place": -1,
    }  # fmt: skip
    base.update(columns)
    return pd.DataFrame(
        {
            k: np.broadcast_to(
                np.asarray(v, dtype=np.uint64 if "channels" in k else np.int64), (size,)
            )
            for k, v in base.items()
        }
    )


# ---- customers, debts, promises, channels --------------------------------------------------------


def _of_customers(block: Block, index: FactIndex) -> pd.DataFrame:
    refused = np.array([s.refused for s in block.rule_sets], dtype=bool)[block.rule_set]
    unknown = np.array([not z for z in block.places.zone_sets], dtype=bool)[block.zone_set]
    parts = []
    for name, hit in (("pack:none", refused), ("zone:none", unknown)):
        rows = np.flatnonzero(hit)
        parts.append(_frame(len(rows), customer=block.customer[rows], row=rows, name=index.of(name)))
    rows = np.arange(block.n_debts, block.n_rows)
    own = _frame(len(rows), customer=block.customer[rows], row=rows, name=index.of("debt:none"))
    return pd.concat([*parts, own], ignore_index=True)


def _of_debts(block: Block, index: FactIndex) -> pd.DataFrame:
    debts = block.view.debts
    dpd = debts["days_past_due"].to_numpy(dtype=np.float64)
    status, words = code_words(debts["status"])
    said = {
        "debt:no_snapshot": (status < 0) | np.isnan(dpd),
        "debt:current": dpd <= 0,
        "debt:paid_since": debts["paid_since_snapshot"].to_numpy(dtype=bool),
        "debt:closed": debts["closed_at"].notna().to_numpy(dtype=bool),
        "debt:recalled": debts["recalled_at"].notna().to_numpy(dtype=bool),
    }
    said.update({f"status:{w}": status == i for i, w in enumerate(words)})
    parts = []
    for name, hit in said.items():
        rows = np.flatnonzero(hit)
        parts.append(_frame(len(rows), customer=block.customer[rows], row=rows, name=index.of(name)))
    return pd.concat(parts, ignore_index=True)


def _of_promises(block: Block, index: FactIndex) -> pd.DataFrame:
    """Silence towards the whole customer until due day and grace are over, in every zone."""
    promises = block.view.promises
    live = promises[promises["state"].astype(object) != "cancelled"]
    grace = max([0, *[_grace(block, r) for r in block.flag_rules.get("house.promise_silence", [])]])
    customer = live["customer"].to_numpy(dtype=np.int64)
    due = live["due_us"].to_numpy(dtype=np.int64)
    source, zone = block.in_zones(block.places.zone_set[customer])
    end = np.full(len(customer), NEVER)
    over = local_day_start(local_day(due[source], zone) + 1 + grace, zone)
    np.maximum.at(end, source, over)
    end = np.where(due == NO_INSTANT, INDEFINITE, end)  # a promise without a day: silence
    keep = end > block.view.as_of_us
    return _frame(
        int(keep.sum()), customer=customer[keep], end=end[keep], name=index.of("promise:open")
    )


def _grace(block: Block, rule: int) -> int:
    value: Any = block.rules[rule].parameters.get("grace_days", 0)
    if isinstance(value, dict):
        found: Any = block.config
        for part in value["config"].split("."):
            found = getattr(found, part)
        return int(found)
    return int(value)


def _of_channels(block: Block, index: FactIndex) -> pd.DataFrame:
    """A channel can be a fact by itself: a visit is one where visits are ruled out."""
    parts = []
    for c, name in enumerate(block.channels):
        code = index.of(f"channel:{root_of(name, block.config)}")
        if code >= 0:
            everyone = np.arange(block.n)
            parts.append(
                _frame(block.n, customer=everyone, name=code, channels=np.uint64(1) << np.uint64(c))
            )
    return pd.concat([_frame(0), *parts], ignore_index=True)


# ---- outcomes ------------------------------------------------------------------------------------


def _of_outcomes(block: Block, index: FactIndex) -> pd.DataFrame:
    """An outcome acts like a hold until a hold row of that meaning says that it ended."""
    touches, parts = block.view.touches, [_frame(0)]
    code, words = code_words(touches["outcome"])
    known = touches["outcome_known_us"].to_numpy(dtype=np.int64)
    for word, how in table("flags")["outcomes"].items():
        if word not in words:
            continue
        at = np.flatnonzero(code == words.index(word))
        customer = touches["customer"].to_numpy(dtype=np.int64)[at]
        since = known[at]
        row = np.full(len(at), -1, dtype=np.int64)
        if how["debts"] == "touch":
            at, customer, since, row = _per_debt(block, at, customer, since)
        end = _ended(block, how["ended_by_hold"], customer, row, since)
        parts.append(
            _frame(len(at), customer=customer, row=row, end=end, name=index.of(f"outcome:{word}"))
        )
    return pd.concat(parts, ignore_index=True)


def _per_debt(block: Block, at: Ints, customer: Ints, since: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """One entry per named debt; a contact that names none is about all."""
    named = block.view.touch_debts
    position = np.full(len(block.view.touches) + 1, -1, dtype=np.int64)
    position[at] = np.arange(len(at))
    which = position[named["touch"].to_numpy(dtype=np.int64)]
    row = block.row_of_debt[named["debt"].to_numpy(dtype=np.int64)]
    keep = (which >= 0) & (row >= 0)
    which, row = which[keep], row[keep]
    bare = np.setdiff1d(np.arange(len(at)), which)
    source = np.concatenate([which, bare])
    rows = np.concatenate([row, np.full(len(bare), -1)])
    owner = np.where(rows >= 0, block.customer[rows], customer[source])
    return at[source], owner.astype(np.int64), since[source], rows.astype(np.int64)


def _ended(block: Block, kinds: list[str], customer: Ints, row: Ints, since: Ints) -> Ints:
    """End of the latest hold of that meaning that outlasts the outcome; else indefinite."""
    holds = block.view.holds
    holds = holds[holds["kind"].isin(kinds) & holds["channel"].isna() & (holds["contact_point"] < 0)]
    end = np.full(len(customer), NEVER)
    if len(holds):
        h_end = holds["ends_us"].to_numpy(dtype=np.int64)
        h_end = np.where(h_end == NO_INSTANT, INDEFINITE, h_end)
        h_row = block.row_of_debt[holds["debt"].to_numpy(dtype=np.int64)]
        whole = holds["debt"].to_numpy(dtype=np.int64) < 0
        left = pd.DataFrame({"customer": customer, "row": row, "since": since, "i": np.arange(len(row))})
        right = pd.DataFrame(
            {"customer": holds["customer"].to_numpy(), "h_row": np.where(whole, -1, h_row), "whole": whole, "end": h_end}
        )
        both = left.merge(right, on="customer")
        fits = both["whole"] | ((both["row"] >= 0) & (both["row"] == both["h_row"]))
        both = both[fits & (both["end"] > both["since"])]
        np.maximum.at(end, both["i"].to_numpy(), both["end"].to_numpy(dtype=np.int64))
    return np.where(end == NEVER, INDEFINITE, end)


# ---- holds ---------------------------------------------------------------------------------------


def _of_holds(block: Block, index: FactIndex) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    holds = block.view.holds
    end = holds["ends_us"].to_numpy(dtype=np.int64)
    end = np.where(end == NO_INSTANT, INDEFINITE, end)
    live = np.flatnonzero(end > block.view.as_of_us)
    holds, end = holds.iloc[live].reset_index(drop=True), end[live]
    debt = holds["debt"].to_numpy(dtype=np.int64)
    kind, kinds = code_words(holds["kind"])
    names = np.array([index.of(f"hold:{k}") for k in kinds] + [index.of("hold:do_not_contact")])
    row = np.where(debt < 0, -1, block.row_of_debt[debt])
    frame = _frame(
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
        spared = [c for c, name in enumerate(block.channels) if root_of(name, block.config) in how["spares_channels"]]
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
    texts = {i: json.dumps(holds["detail"].iat[i], sort_keys=True) for i in at if isinstance(holds["detail"].iat[i], dict)}
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
    frame.loc[at, "end"] = np.where((end == INDEFINITE) & told, to, end)
    frame.loc[at, "spare_channels"] = frame.loc[at, "channels"].to_numpy(dtype=np.uint64)
    frame.loc[at, "channels"] = ALL
    frame.loc[at, "start"] = NEVER


def _instant(detail: Any, key: str) -> int:
    if not isinstance(detail, dict) or detail.get(key) is None:
        return NO_INSTANT
    try:
        return to_us(detail[key])
    except (ValueError, TypeError, ArithmeticError):
        return NO_INSTANT
    except Exception as error:  # an instant without a zone tells no time: the window is unknown
        if error.__class__.__name__ == "ContractError":
            return NO_INSTANT
        raise


def _refused(block: Block, frame: pd.DataFrame, holds: pd.DataFrame, at: Ints) -> None:
    for i in at:
        detail = holds["detail"].iat[i]
        if not pd.isna(holds["channel"].iat[i]) or not isinstance(detail, dict):
            continue
        if isinstance(detail.get("refused"), list) and detail["refused"]:
            frame.loc[i, "channels"] = _mask_of(block, detail["refused"])
        elif isinstance(detail.get("only"), list) and detail["only"]:
            named = {c for c, n in enumerate(block.channels) if n in detail["only"]}
            frame.loc[i, "channels"] = ALL ^ np.uint64(sum(1 << c for c in named))


def local_window_mask(block: Block, detail: dict[str, Any], us: Ints, zones: tuple[str, ...]) -> Any:
    """Whether starts lie in a local window a customer named, in any zone; unreadable: always."""
    from contactopt.compliance.pack_check import DAYS, minutes_of
    from contactopt.journal.local_time import local_us

    hit = np.zeros(len(us), dtype=bool)
    try:
        begin = minutes_of(detail.get("start", "00:00"))
        end = minutes_of(detail.get("end", "24:00"))
        days = [DAYS.index(str(d).upper()[:3]) for d in detail.get("days", DAYS)]
    except (ValueError, TypeError):
        return np.ones(len(us), dtype=bool)
    for zone in zones:
        wall = local_us(us, zone)
        minute = (wall % DAY_US) // 60_000_000
        inside = (begin <= minute) & (minute < end) if begin < end else (minute >= begin) | (minute < end)
        hit |= inside & np.isin((wall // DAY_US + 3) % 7, days)
    return hit
