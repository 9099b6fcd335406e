"""Consent as it stands: granted or revoked per channel and point, and when it was last shown.

The narrower row and the revocation win, always. An opt-out revokes until a later row grants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.holds import channel_mask
from contactopt.compliance.words import code_words, root_of

__all__ = ["ConsentState", "consent_state"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ConsentState:
    """Per customer and per contact point, by action channel (c columns).

    Parameters
    ----------
    granted : int64 array, shape (n, c)
        When the whole channel was granted, `NEVER` where it was not.
    revoked : bool array, shape (n, c)
    point_granted : int64 array, shape (points + 1, c)
        By row of ``view.points``; the last row is no point.
    point_revoked : bool array, shape (points + 1, c)
    heard : int64 array, shape (points + 1, c)
        Last inbound contact by the channel from that point.
    """

    granted: Ints
    revoked: Bools
    point_granted: Ints
    point_revoked: Bools
    heard: Ints


def consent_state(block: Block) -> ConsentState:
    """Read consents, opt-outs and inbound contacts of a block."""
    n, c = block.n, len(block.channels)
    p = len(block.view.points)
    state = ConsentState(
        granted=np.full((n, c), NEVER),
        revoked=np.zeros((n, c), dtype=bool),
        point_granted=np.full((p + 1, c), NEVER),
        point_revoked=np.zeros((p + 1, c), dtype=bool),
        heard=np.full((p + 1, c), NEVER),
    )
    _rows(block, state)
    _opt_outs(block, state)
    _inbound(block, state)
    return state


def _point_rows(block: Block, codes: Ints) -> Ints:
    """Row of each contact point code in ``view.points``; the extra last row where unknown."""
    points = block.view.points
    rows = np.full(len(block.view.point_ids) + 1, len(points), dtype=np.int64)
    rows[points["contact_point"].to_numpy(dtype=np.int64)] = np.arange(len(points))
    return rows[codes]


def _reach(block: Block, names: list[str]) -> Bools:
    """Whether a revocation of each word reaches each action channel, shape (words + 1, c)."""
    shifts = np.arange(len(block.channels), dtype=np.uint64)
    masks = np.array(
        [*(channel_mask(block, w) for w in names), np.uint64(2**64 - 1)], dtype=np.uint64
    )
    return (masks[:, None] >> shifts) & np.uint64(1) > 0


def _rows(block: Block, state: ConsentState) -> None:
    consents = block.view.consents
    if len(consents) == 0:
        return
    customer = consents["customer"].to_numpy(dtype=np.int64)
    point = consents["contact_point"].to_numpy(dtype=np.int64)
    changed = consents["changed_us"].to_numpy(dtype=np.int64)
    status, statuses = code_words(consents["status"])
    granted = np.array([*(w == "granted" for w in statuses), False])[status]
    code, names = code_words(consents["channel"])
    where = {name: c for c, name in enumerate(block.channels)}
    column = np.array([*(where.get(w, -1) for w in names), -1], dtype=np.int64)[code]
    rows = _point_rows(block, point)
    whole, own = point < 0, column >= 0
    at = granted & whole & own
    np.maximum.at(state.granted, (customer[at], column[at]), changed[at])
    at = granted & ~whole & own & (rows < len(block.view.points))
    np.maximum.at(state.point_granted, (rows[at], column[at]), changed[at])
    reach = _reach(block, names)
    at = np.flatnonzero(~granted & whole)
    np.logical_or.at(state.revoked, customer[at], reach[code[at]])
    at = np.flatnonzero(~granted & ~whole & (rows < len(block.view.points)))
    np.logical_or.at(state.point_revoked, rows[at], reach[code[at]])


def _opt_outs(block: Block, state: ConsentState) -> None:
    """Let an opt-out close its channel until a later row grants the whole channel."""
    touches = block.view.touches
    word = table("flags")["consent_facts"]["revoking_outcome"]
    code, names = code_words(touches["channel"])
    known = touches["outcome_known_us"].to_numpy(dtype=np.int64)
    outcome, outcomes = code_words(touches["outcome"])
    rows = np.flatnonzero(np.array([*(w == word for w in outcomes), False])[outcome])
    when = known[rows]
    events = block.view.touch_events
    if len(events):  # an opt-out counts whatever else came of the contact
        event, names_of = code_words(events["event"])
        out = np.array([*(w == word for w in names_of), False])[event]
        rows = np.append(rows, events["touch"].to_numpy(dtype=np.int64)[out])
        when = np.append(when, events["occurred_us"].to_numpy(dtype=np.int64)[out])
    if len(rows) == 0:
        return
    customer = touches["customer"].to_numpy(dtype=np.int64)[rows]
    last = np.full((block.n, len(block.channels)), NEVER)
    reached = np.where(_reach(block, names)[code[rows]], when[:, None], NEVER)
    np.maximum.at(last, customer, reached)
    state.revoked[:] |= (last != NEVER) & (last >= state.granted)


def _inbound(block: Block, state: ConsentState) -> None:
    """Last time the customer used a channel from a point of theirs."""
    touches = block.view.touches
    direction, words = code_words(touches["direction"])
    inbound = np.array([*(w == "inbound" for w in words), False])[direction]
    inbound &= touches["contact_point"].to_numpy(dtype=np.int64) >= 0
    if not inbound.any():
        return
    touches = touches[inbound]
    code, names = code_words(touches["channel"])
    root = [root_of(name, block.config) for name in names]
    same = np.array(
        [[r is not None and r == root_of(c, block.config) for c in block.channels] for r in root]
        + [[False] * len(block.channels)]
    )
    rows = _point_rows(block, touches["contact_point"].to_numpy(dtype=np.int64))
    started = touches["started_us"].to_numpy(dtype=np.int64)
    np.maximum.at(state.heard, rows, np.where(same[code], started[:, None], NEVER))
    state.heard[-1] = NEVER


def at_point(state: ConsentState, customer: Ints, point: Ints, channel: Ints) -> pd.DataFrame:
    """Return consent for (customer, point row or -1, channel) triples.

    Columns: granted_us (latest grant that counts), own_us (granted to the point itself), revoked,
    heard_us.
    """
    own = state.point_granted[point, channel]
    return pd.DataFrame(
        {
            "granted_us": np.maximum(state.granted[customer, channel], own),
            "own_us": own,
            "revoked": state.revoked[customer, channel] | state.point_revoked[point, channel],
            "heard_us": state.heard[point, channel],
        }
    )
