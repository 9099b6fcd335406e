"""Attempts without fruit: a channel or a contact point rests after too many in a row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.fact_table import FactIndex, Facts, fact_arrays
from contactopt.compliance.orchestration.history import (
    History,
    day_begins,
    latest_per,
    root_mask,
)
from contactopt.contracts import vocabulary as v
from contactopt.journal.local_time import local_day

__all__ = ["resting_channels"]

Ints = npt.NDArray[np.int64]


def resting_channels(block: Block, index: FactIndex, history: History) -> Facts:
    """Rest of a channel, else of one contact point on it, after so many attempts in a row.

    An answer on the channel (on the point) or a payment ends the row of attempts. Unknown
    outcomes and open plans are attempts without fruit.
    """
    turns = block.config.orchestration
    if not turns.futility_attempts or not turns.futility_rest_days:
        return fact_arrays(0)
    n = len(v.CHANNELS)
    known = history.channel >= 0
    key = np.where(known, history.customer * n + history.channel, -1)
    key = _often(block, history, key)
    if not (key >= 0).any():
        return fact_arrays(0)
    channel, end = _resting(block, history, key)
    width = len(block.view.point_ids) + 1
    key = np.where((key >= 0) & (history.point >= 0), key * width + history.point, -1)
    of_point, until = _resting(block, history, key)
    # where the channel rests its points need not
    alone = ~np.isin(of_point // width, channel)
    of_point, until = of_point[alone], until[alone]
    channels = np.concatenate([channel, of_point // width])
    masks = np.array([root_mask(block, r) for r in range(n)], dtype=np.uint64)
    return fact_arrays(
        len(channels), customer=channels // n, name=index.of("channel:futile"),
        channels=masks[channels % n], end=np.concatenate([end, until]),
        point=np.concatenate([np.full(len(channel), -1, dtype=np.int64), of_point % width]),
    )  # fmt: skip


def _often(block: Block, history: History, key: Ints) -> Ints:
    """Leave out keys with too few attempts without an answer, whatever came between them."""
    tried = history.attempt & ~history.answered & (key >= 0)
    count = np.bincount(key[tried], minlength=block.n * len(v.CHANNELS) + 1)
    count[-1] = 0
    return np.where(count[key] >= block.config.orchestration.futility_attempts, key, -1)


def _resting(block: Block, history: History, key: Ints) -> tuple[Ints, Ints]:
    """Keys (customer and channel, or with the point) that rest, and until when."""
    turns = block.config.orchestration
    at = np.flatnonzero(history.attempt & ~history.answered & (key >= 0))
    if len(at) < turns.futility_attempts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = at[history.time[at] > _last_fruit(history, key, key[at])]
    at = at[history.time[at] > _last_payment(block)[history.customer[at]]]
    at = at[np.lexsort((-history.time[at], key[at]))]
    k = key[at]
    first = np.append(True, k[1:] != k[:-1]) if len(k) else np.empty(0, dtype=bool)
    start = np.flatnonzero(first)
    size = np.diff(np.append(start, len(k)))
    many = start[size >= turns.futility_attempts]
    newest, oldest = at[many], at[many + turns.futility_attempts - 1]
    who = history.customer[newest]
    span = _days_between(block, who, history.time[oldest], history.time[newest])
    _, end = day_begins(block, who, history.time[newest], turns.futility_rest_days + 1)
    rests = (span < turns.futility_days) & (end > block.window.begin_us)
    return key[newest][rests], end[rests]


def _days_between(block: Block, customer: Ints, old: Ints, new: Ints) -> Ints:
    """Return the least number of local days from one instant to another over candidate zones."""
    if len(customer) == 0:
        return np.empty(0, dtype=np.int64)
    source, zone = block.in_zones(block.places.zone_set[customer])
    days = local_day(new[source], zone) - local_day(old[source], zone)
    out = np.full(len(customer), INDEFINITE)
    np.minimum.at(out, source, days)
    return out


def _last_fruit(history: History, key: Ints, asked: Ints) -> Ints:
    """Return the time of the latest answer under each key asked for, `NEVER` without one."""
    at = np.flatnonzero(history.answered & (key >= 0))
    at = at[latest_per(key[at], history.time[at])]  # sorted by key
    if len(at) == 0:
        return np.full(len(asked), NEVER)
    place = np.minimum(np.searchsorted(key[at], asked), len(at) - 1)
    return np.where(key[at][place] == asked, history.time[at][place], NEVER)


def _last_payment(block: Block) -> Ints:
    of = block.columns
    newest = np.full(block.n, NEVER)
    kind, words = of.words("payments", "kind")
    fruit = np.array([word in v.REWARD_KINDS for word in words] + [True])
    own = fruit[kind] & ~of.bools("payments", "reversed")
    who = of.ints("payments", "customer")[own]
    np.maximum.at(newest, who, of.ints("payments", "paid_us")[own])
    return newest
