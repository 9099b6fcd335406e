"""Which contact point an action would use: the best one that nothing forbids.

Forbidden are dead points, points that are not valid or not the customer's, points under a hold,
and points without the consent that a rule asks for. Only if no point of a fitting kind is left
is the channel denied, by the rules that forbid each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import INDEFINITE, NEVER, Block
from contactopt.compliance.consents import ConsentState, PointConsent, at_point
from contactopt.compliance.data_tables import table
from contactopt.compliance.fact_table import FactIndex, Facts
from contactopt.compliance.notices import first_notice

__all__ = ["PointChoice", "choose_points"]

Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PointChoice:
    """The point of every (row, channel).

    Parameters
    ----------
    point : int64 array, shape (n_rows, c)
        Row of ``view.points``; -1 where none is usable or none is needed.
    denied : uint64 array, shape (words, n_rows, c)
        Bits of the rules that leave no point.
    until : int64 array, shape (n_rows, c)
        From then on the basis of consent has expired, `INDEFINITE` where it does not.
    expiring : uint64 array, shape (words, n_rows, c)
        Bits of the rules that deny from ``until`` on.
    """

    point: Ints
    denied: Bits
    until: Ints
    expiring: Bits


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Pairs (point row or -1, channel) that fit by kind, with the facts against each."""

    customer: Ints
    point: Ints
    channel: Ints
    facts: Bools
    names: tuple[str, ...]


def choose_points(block: Block, index: FactIndex, facts: Facts, state: ConsentState) -> PointChoice:
    """Choose the point of every row and channel."""
    found = _candidates(block, facts, state, index)
    source, row = block.rows_of(found.customer)
    bits = _fact_bits(block, index, found, source, row)
    until = np.full(len(source), INDEFINITE)
    expiring = np.zeros_like(bits)
    consent = at_point(state, found.customer, found.point, found.channel)
    for rule in block.of_kind("consent"):
        _ask_consent(block, rule, found, consent, state, source, row, bits, until, expiring)
    return _choose(block, index, found, source, row, bits, until, expiring)


def _candidates(block: Block, facts: Facts, state: ConsentState, index: FactIndex) -> _Candidates:
    kind, words = block.columns.words("points", "kind")
    owner = block.columns.ints("points", "customer")
    customer, point, channel = [], [], []
    for c, name in enumerate(block.channels):
        kinds = block.compiled.once(("point kinds", name), lambda c=name: _kinds_of(block, c))
        if kinds:
            rows = np.flatnonzero(np.array([*(w in kinds for w in words), False])[kind])
            customer.append(owner[rows])
            point.append(rows)
        else:
            customer.append(np.arange(block.n))
            point.append(np.full(block.n, -1))
        channel.append(np.full(len(point[-1]), c))
    joined = [
        np.concatenate([np.empty(0), *part]).astype(np.int64) for part in (customer, point, channel)
    ]
    if block.planned is not None:
        joined = _as_planned(block, *joined)
    names = tuple(index.names)
    against = np.zeros((len(joined[0]), len(names)), dtype=bool)
    _point_facts(block, joined[1], against, index)
    revoked = state.revoked[joined[0], joined[2]] | state.point_revoked[joined[1], joined[2]]
    against[:, index.of("consent:revoked")] |= revoked
    _held(block, facts, joined[0], joined[1], joined[2], against)
    return _Candidates(*joined, facts=against, names=names)


def _kinds_of(block: Block, name: str) -> tuple[str, ...]:
    return tuple(block.config.channel(name).contact_point_kinds or ())


def _as_planned(block: Block, customer: Ints, point: Ints, channel: Ints) -> list[Ints]:
    """Keep the point that is planned, where a channel of a customer has a plan."""
    codes = np.append(block.columns.ints("points", "contact_point"), -1)
    wanted = block.planned.by_channel(block, block.planned.point, -2)[customer, channel]
    keep = (wanted == -2) | (wanted == codes[point])
    return [customer[keep], point[keep], channel[keep]]


def _point_facts(block: Block, point: Ints, against: Bools, index: FactIndex) -> None:
    of = block.columns
    has = point >= 0
    valid = of.bools("points", "valid")
    if "valid_to_us" in block.view.points:  # a point must last through the window
        ends = of.ints("points", "valid_to_us")
        valid = valid & ((ends < 0) | (ends >= block.window.end_us))
    dead = of.bools("points", "dead")
    if block.shared.dead:
        ids = block.view.points["contact_point_id"]
        dead = dead | ids.isin(block.shared.dead).to_numpy(dtype=bool)
    said = {
        "point:dead": np.append(dead, False)[point],
        "point:invalid": ~np.append(valid, True)[point],
        "point:third_party": block.point_is("holder", ("third_party",), point),
        "point:unknown_holder": block.point_is("holder", ("unknown",), point),
        "point:work": block.point_is("place", ("work", "unknown"), point),
    }
    for name, hit in said.items():
        against[:, index.of(name)] |= hit & has


def _held(
    block: Block, facts: Facts, customer: Ints, point: Ints, channel: Ints, against: Bools
) -> None:
    """Apply holds of one point or of a place, in force at any time of the window."""
    here = (facts.point >= 0) | (facts.place >= 0)
    here &= (facts.start < block.window.end_us) & (facts.end > block.window.begin_us)
    at = np.flatnonzero(here)
    if len(at) == 0:
        return
    code = np.append(block.columns.ints("points", "contact_point"), -2)[point]
    at_work = block.point_is("place", ("work", "unknown"), point)
    left = pd.DataFrame({"customer": facts.customer[at], "f": at})
    right = pd.DataFrame({"customer": customer, "i": np.arange(len(customer))})
    both = left.merge(right[right["customer"].isin(left["customer"])], on="customer")
    f, i = both["f"].to_numpy(dtype=np.int64), both["i"].to_numpy(dtype=np.int64)
    fits = (facts.channels[f] >> channel[i].astype(np.uint64)) & np.uint64(1) > 0
    fits &= (facts.point[f] < 0) | (facts.point[f] == code[i])
    fits &= (facts.place[f] < 0) | at_work[i]
    against[i[fits], facts.name[f[fits]]] = True


def _fact_bits(block: Block, index: FactIndex, found: _Candidates, source: Ints, row: Ints) -> Bits:
    """Bits against each (candidate, row) pair, shape (words, pairs)."""
    patterns, pattern = _patterns(found.facts)
    sets = len(block.rule_sets)
    against = np.zeros((block.n_words, len(patterns), sets, len(block.channels)), dtype=np.uint64)
    for i, names in enumerate(patterns):
        for f in names:
            against[:, i] |= index.bits[:, f]
    return against[:, pattern[source], block.rule_set[row], found.channel[source]]


def _patterns(against: Bools) -> tuple[list[Ints], Ints]:
    """Distinct combinations of facts, and which each candidate has."""
    used = np.flatnonzero(against.any(axis=0))
    weights = np.uint64(1) << np.arange(len(used), dtype=np.uint64)
    code = (
        (against[:, used] * weights).sum(axis=1, dtype=np.uint64)
        if len(used)
        else np.zeros(len(against), np.uint64)
    )
    kinds, pattern = np.unique(code, return_inverse=True)
    return [used[(k & weights) > 0] for k in kinds], pattern


def _ask_consent(
    block: Block, rule: int, found: _Candidates, consent: PointConsent, state: ConsentState,
    source: Ints, row: Ints, bits: Bits, until: Ints, expiring: Bits,
) -> None:  # fmt: skip
    p = block.rules[rule].parameters
    model = p.get("model")
    if model is None or block.told is not None or model in table("kinds")["consent_not_needed"]:
        return
    channel = found.channel[source]
    asked = block.reach[:, rule][block.rule_set[row], channel]
    if not asked.any():
        return
    revoked = consent.revoked[source]
    granted = consent.granted[source]
    word, bit = block.bit(rule)
    if model == "revocation":
        fails = revoked
        if block.rules[rule].parameters.get(
            "spreads_to"
        ):  # one revocation reaches all its channels
            reached = block.reached(rule)[row]
            fails = fails | (state.revoked[found.customer[source]] & reached).any(axis=1)
    elif model == "safe_harbor":
        fails, end = _safe_harbor(block, p, found, consent, source)
        fails = fails | revoked
        late = asked & ~fails & (end != INDEFINITE)
        expiring[word, late] |= bit
        until[late] = np.minimum(until[late], end[late])
    else:
        fails = revoked | (granted == NEVER)
        if p.get("scope_line") == "wireless":
            fails &= ~block.point_is("kind", ("landline",), found.point)[source]
        if p.get("precondition"):
            fails |= first_notice(block, p["precondition"], 0)[row] > block.window.begin_us
    bits[word, asked & fails] |= bit


def _safe_harbor(
    block: Block, p: dict[str, Any], found: _Candidates, consent: PointConsent, source: Ints
) -> tuple[Bools, Ints]:
    """Whether the basis fails, and when it expires by local dates, earliest zone."""
    known = table("flags")["consent_facts"]["basis"]
    basis = {known.get(name) for name in p.get("basis_any", [])}
    at_work = block.point_is("place", ("work", "unknown"), found.point) & ("work_email" in p)
    latest = np.full(len(found.point), NEVER)
    if "consent" in basis:
        grant = np.where(at_work, consent.own, consent.granted)
        latest = np.maximum(latest, grant)
    if "inbound" in basis:
        latest = np.maximum(latest, consent.heard)
    fails = latest == NEVER
    end = np.full(len(latest), INDEFINITE)
    if p.get("expiry_days"):
        shown = np.flatnonzero(~fails)
        days = int(p["expiry_days"]) + 1
        end[shown], _ = block.day_begins(found.customer[shown], latest[shown], days)
        fails = fails | (end <= block.window.begin_us)
    return fails[source], end[source]


def _choose(
    block: Block, index: FactIndex, found: _Candidates, source: Ints, row: Ints, bits: Bits,
    until: Ints, expiring: Bits,
) -> PointChoice:  # fmt: skip
    shape = (block.n_rows, len(block.channels))
    full = (block.n_words, *shape)
    cell = row * shape[1] + found.channel[source]
    usable = ~(bits != 0).any(axis=0)
    quality = block.columns.floats("points", "quality_share")
    names = block.columns.ints("points", "contact_point")
    rank = np.empty(len(names) + 1, dtype=np.int64)
    rank[:-1][np.lexsort((names, -np.nan_to_num(quality, nan=-1.0)))] = np.arange(len(names))
    rank[-1] = 0
    key = (cell * 2 + ~usable) * (len(names) + 1) + rank[found.point[source]]
    order = np.argsort(key, kind="stable")
    first = order[np.append(True, cell[order][1:] != cell[order][:-1])] if len(order) else order
    point = np.full(shape[0] * shape[1], -1, dtype=np.int64)
    denied = (
        np.broadcast_to(index.bits[:, index.of("point:none")][:, block.rule_set], full)
        .reshape(block.n_words, shape[0] * shape[1])
        .copy()
    )
    ends = np.full(shape[0] * shape[1], INDEFINITE)
    late = np.zeros_like(denied)
    denied[:, cell] = 0
    won = first[usable[first]]
    point[cell[won]] = found.point[source[won]]
    ends[cell[won]], late[:, cell[won]] = until[won], expiring[:, won]
    lost = np.ones(shape[0] * shape[1], dtype=bool)
    lost[cell[won]] = False
    against = np.flatnonzero(lost[cell])
    if len(against):
        at = against[np.argsort(cell[against], kind="stable")]
        start = np.flatnonzero(np.append(True, cell[at][1:] != cell[at][:-1]))
        denied[:, cell[at][start]] = np.bitwise_or.reduceat(bits[:, at], start, axis=1)
    return PointChoice(
        point.reshape(shape), denied.reshape(full), ends.reshape(shape), late.reshape(full)
    )
