"""Contacts of the past and plans of earlier batches, as orchestration reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.words import code_words, root_of
from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import DAY_US, local_day, local_day_start

__all__ = [
    "ANSWERED",
    "FAILED",
    "SPOKEN",
    "History",
    "day_begins",
    "latest_per",
    "root_code",
    "root_mask",
]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint64]

#: nobody was there, or it was somebody else's address: the attempt failed, known at once
FAILED = (*v.NO_CONTACT_OUTCOMES, "wrong_number")
#: a conversation or a reply
SPOKEN = (
    *v.RIGHT_PARTY_OUTCOMES,
    *v.STATE_OUTCOMES,
    *(o for o in v.ENGAGED_OUTCOMES if o != "opened"),
    "complained",
    "opted_out",
)
#: the customer was there, or took note
ANSWERED = (*SPOKEN, "opened")
_PORTAL = "portal"


@dataclass(frozen=True, eq=False)
class History:
    """Touches and open plans, one entry each; shape (e,).

    Parameters
    ----------
    customer, time : int64 arrays
        Time: start of a touch, slot of a plan (the decision's instant where it has none).
    settled : int64 array
        When the outcome came about.
    channel : int64 array
        Position in `CHANNELS`, -1 unknown.
    vendor : object array
        None where it is not known.
    point : int64 array
        Contact point code, -1 unknown.
    attempt : bool array
        Outbound (or not known to be inbound), by a channel that reaches out.
    planned, failed, spoken, answered, unknown : bool arrays
    template : object array
        Template id, None where it is not known.
    touch : int64 array
        Row of the view's touches, -1 for plans.
    outcome : object array
        The contract's word; "planned" for plans.
    """

    block: Block
    customer: Ints
    time: Ints
    settled: Ints
    channel: Ints
    vendor: npt.NDArray[np.object_]
    point: Ints
    attempt: Bools
    planned: Bools
    failed: Bools
    spoken: Bools
    answered: Bools
    unknown: Bools
    template: npt.NDArray[np.object_]
    touch: Ints
    outcome: npt.NDArray[np.object_]

    @classmethod
    def of(cls, block: Block, reach_days: int) -> History:
        """Collect touches of the last days and every open plan."""
        view = block.view
        touches = view.touches
        oldest = view.as_of_us - (reach_days + 3) * DAY_US
        # outcomes of older messages may have come about only now
        recent = touches[["started_us", "settled_us"]].max(axis=1).to_numpy(dtype=np.int64)
        at = np.flatnonzero(recent >= oldest)
        touches = touches.iloc[at].reset_index(drop=True)
        decisions = view.decisions
        plans = decisions[decisions["open"].to_numpy(dtype=bool)].reset_index(drop=True)
        k, p = len(touches), len(plans)
        code, words = code_words(touches["outcome"])
        by_machine = touches["machine_only"].to_numpy(dtype=bool)
        seen = np.array([w in ("opened", "clicked") for w in words] + [False])[code] & by_machine

        def among(known: tuple[str, ...]) -> Bools:
            hit = np.array([w in known for w in words] + [False])[code]
            return np.append(hit & ~seen, np.zeros(p, dtype=bool))

        channel = np.append(_codes(touches["channel"], block), _codes(plans["channel"], block))
        inbound = touches["direction"].astype(object).to_numpy() == "inbound"
        slot = plans["slot_start_us"].to_numpy(dtype=np.int64)
        slot = np.where(slot == NO_INSTANT, plans["decided_us"].to_numpy(dtype=np.int64), slot)
        nothing = np.full(p, -1, dtype=np.int64)
        return cls(
            block=block,
            customer=_join(touches["customer"], plans["customer"]),
            time=_join(touches["started_us"], slot),
            settled=_join(touches["settled_us"], slot),
            channel=channel,
            vendor=np.append(_texts(touches["vendor"]), np.full(p, None, dtype=object)),
            point=_join(touches["contact_point"], nothing),
            attempt=np.append(~inbound, np.ones(p, dtype=bool))
            & (channel != v.CHANNELS.index(_PORTAL)),
            planned=np.append(np.zeros(k, dtype=bool), np.ones(p, dtype=bool)),
            failed=among(FAILED),
            spoken=among(SPOKEN),
            answered=among(ANSWERED),
            unknown=np.append(
                np.array([w == "unknown" for w in words] + [True])[code], np.ones(p, dtype=bool)
            ),
            template=np.append(_texts(touches["template_id"]), _texts(plans["template_id"])),
            touch=_join(at, nothing),
            outcome=np.append(
                np.array([*words, "unknown"], dtype=object)[code],
                np.full(p, "planned", dtype=object),
            ),
        )

    def __len__(self) -> int:
        return len(self.customer)

    @cached_property
    def portal(self) -> Bools:
        """Self-service: nobody spoke with anybody."""
        return self.channel == v.CHANNELS.index(_PORTAL)


def _join(a: Any, b: Any) -> Ints:
    return np.concatenate([np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)])


def _texts(column: pd.Series) -> npt.NDArray[np.object_]:
    values = column.astype(object)
    return values.where(values.notna(), None).to_numpy(dtype=object)


def _codes(column: pd.Series, block: Block) -> Ints:
    code, words = code_words(column)
    return np.array([*(root_code(w, block) for w in words), -1], dtype=np.int64)[code]


def root_code(name: str, block: Block) -> int:
    """Return the position in `CHANNELS` of the channel that a name follows, -1 unknown."""
    root = root_of(name, block.config)
    return v.CHANNELS.index(root) if root in v.CHANNELS else -1


def root_mask(block: Block, *roots: int) -> np.uint64:
    """Return the action channels that follow one of some channels, as bits."""
    own = [c for c, name in enumerate(block.channels) if root_code(name, block) in roots]
    return np.uint64(sum(1 << c for c in own))


def day_begins(block: Block, customer: Ints, us: Ints, shift: int) -> tuple[Ints, Ints]:
    """Return when local day(us) + shift begins: earliest and latest over candidate zones.

    Customers without a zone get (`INDEFINITE`, `NEVER`): they are denied anyway.
    """
    source, zone = block.in_zones(block.places.zone_set[customer])
    begin = local_day_start(local_day(us[source], zone) + shift, zone)
    earliest, latest = np.full(len(us), INDEFINITE), np.full(len(us), NEVER)
    np.minimum.at(earliest, source, begin)
    np.maximum.at(latest, source, begin)
    return earliest, latest


def latest_per(key: Ints, time: Ints, *ties: Any) -> Ints:
    """Return the position of the latest entry of each key; among ties the largest ``ties``."""
    order = np.lexsort((*reversed(ties), time, key))
    sorted_key = key[order]
    last = np.append(sorted_key[1:] != sorted_key[:-1], True) if len(order) else np.empty(0, bool)
    return order[last]
