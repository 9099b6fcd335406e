"""Consent as it stands: granted or revoked per channel and point, and when it was last shown.

The narrower row and the revocation win, always. An opt-out revokes until a later row grants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import NEVER, Block
from contactopt.compliance.data_tables import table
from contactopt.compliance.holds import channel_mask
from contactopt.compliance.refused_points import REVOKED
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
    p = block.columns.size("points")
    state = ConsentState(
        granted=np.full((n, c), NEVER),
        revoked=np.zeros((n, c), dtype=bool),
        point_granted=np.full((p + 1, c), NEVER),
        point_revoked=np.zeros((p + 1, c), dtype=bool),
        heard=np.full((p + 1, c), NEVER),
    )
    _rows(block, state)
    _opt_outs(block, state)
    _at_address(block, state)
    _inbound(block, state)
    return state


def _point_rows(block: Block, codes: Ints) -> Ints:
    """Row of each contact point code in ``view.points``; the extra last row where unknown."""
    n = block.columns.size("points")
    rows = np.full(len(block.view.point_ids) + 1, n, dtype=np.int64)
    rows[block.columns.ints("points", "contact_point")] = np.arange(n)
    return rows[codes]


def _reach(block: Block, names: list[str]) -> Bools:
    """Whether a revocation of each word reaches each action channel, shape (words + 1, c)."""
    shifts = np.arange(len(block.channels), dtype=np.uint64)
    masks = np.array(
        [*(channel_mask(block, w) for w in names), np.uint64(2**64 - 1)], dtype=np.uint64
    )
    return (masks[:, None] >> shifts) & np.uint64(1) > 0


def _rows(block: Block, state: ConsentState) -> None:
    of = block.columns
    if of.size("consents") == 0:
        return
    customer, point = of.ints("consents", "customer"), of.ints("consents", "contact_point")
    changed = of.ints("consents", "changed_us")
    granted = of.among("consents", "status", "granted")
    code, names = of.words("consents", "channel")
    where = {name: c for c, name in enumerate(block.channels)}
    column = np.array([*(where.get(w, -1) for w in names), -1], dtype=np.int64)[code]
    rows = _point_rows(block, point)
    whole, own = point < 0, column >= 0
    at = granted & whole & own
    np.maximum.at(state.granted, (customer[at], column[at]), changed[at])
    at = granted & ~whole & own & (rows < of.size("points"))
    np.maximum.at(state.point_granted, (rows[at], column[at]), changed[at])
    reach = _reach(block, names)
    at = np.flatnonzero(~granted & whole)
    np.logical_or.at(state.revoked, customer[at], reach[code[at]])
    at = np.flatnonzero(~granted & ~whole & (rows < of.size("points")))
    np.logical_or.at(state.point_revoked, rows[at], reach[code[at]])


def _opt_outs(block: Block, state: ConsentState) -> None:
    """Let an opt-out close its channel until a later row grants the whole channel."""
    of = block.columns
    word = table("flags")["consent_facts"]["revoking_outcome"]
    code, names = of.words("touches", "channel")
    rows = np.flatnonzero(of.among("touches", "outcome", word))
    when = of.ints("touches", "outcome_known_us")[rows]
    if of.size("touch_events"):  # an opt-out counts whatever else came of the contact
        out = of.among("touch_events", "event", word)
        rows = np.append(rows, of.ints("touch_events", "touch")[out])
        when = np.append(when, of.ints("touch_events", "occurred_us")[out])
    if len(rows) == 0:
        return
    customer = of.ints("touches", "customer")[rows]
    last = np.full((block.n, len(block.channels)), NEVER)
    reached = np.where(_reach(block, names)[code[rows]], when[:, None], NEVER)
    np.maximum.at(last, customer, reached)
    state.revoked[:] |= (last != NEVER) & (last >= state.granted)


def _at_address(block: Block, state: ConsentState) -> None:
    """Let a revocation at one point close every point of the same phone or address."""
    found = block.refused[block.refused["kind"] == REVOKED]
    if len(found) == 0:
        return
    code, names = code_words(found["channel"])
    rows = found["point_row"].to_numpy(dtype=np.int64)
    np.logical_or.at(state.point_revoked, rows, _reach(block, names)[code])


def _inbound(block: Block, state: ConsentState) -> None:
    """Last time the customer used a channel from a point of theirs."""
    of = block.columns
    inbound = of.among("touches", "direction", "inbound")
    inbound = np.flatnonzero(inbound & (of.ints("touches", "contact_point") >= 0))
    if len(inbound) == 0:
        return
    code, names = of.words("touches", "channel")
    code = code[inbound]
    root = [root_of(name, block.config) for name in names]
    same = np.array(
        [[r is not None and r == root_of(c, block.config) for c in block.channels] for r in root]
        + [[False] * len(block.channels)]
    )
    rows = _point_rows(block, of.ints("touches", "contact_point")[inbound])
    started = of.ints("touches", "started_us")[inbound]
    np.maximum.at(state.heard, rows, np.where(same[code], started[:, None], NEVER))
    state.heard[-1] = NEVER


@dataclass(frozen=True, eq=False)
class PointConsent:
    """Consent for (customer, point row or -1, channel) triples.

    Parameters
    ----------
    granted : int64 array
        Latest grant that counts, `NEVER` without one.
    own : int64 array
        Granted to the point itself.
    revoked : bool array
    heard : int64 array
        Last inbound contact by the channel from the point.
    """

    granted: Ints
    own: Ints
    revoked: Bools
    heard: Ints


def at_point(state: ConsentState, customer: Ints, point: Ints, channel: Ints) -> PointConsent:
    """Return consent for (customer, point row or -1, channel) triples."""
    own = state.point_granted[point, channel]
    return PointConsent(
        granted=np.maximum(state.granted[customer, channel], own),
        own=own,
        revoked=state.revoked[customer, channel] | state.point_revoked[point, channel],
        heard=state.heard[point, channel],
    )
