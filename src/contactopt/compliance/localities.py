"""Where a customer may be: candidate jurisdictions and candidate time zones.

Declared zone and the zones of contact points all count together; a jurisdiction's own zones are
used where nothing is declared. Rules of all candidate jurisdictions apply, hours must hold in all
candidate zones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.data_tables import table
from contactopt.compliance.rule import within
from contactopt.compliance.view_columns import columns_of

__all__ = ["UNKNOWN", "Ground", "Places", "places_of", "zones_of_jurisdiction"]

Ints = npt.NDArray[np.int64]

#: jurisdiction of a customer of whom none is known: no pack speaks for it
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Ground:
    """The jurisdictions whose rules apply together, and the locality if one is declared."""

    jurisdictions: tuple[str, ...]
    locality: str | None


@dataclass(frozen=True, eq=False)
class Places:
    """Candidate zones and jurisdictions of n customers.

    Parameters
    ----------
    zone_sets : tuple of tuple of str
        Distinct sets; the first zone is the one in which slots are meant. The empty set comes
        first: no candidate is known.
    zone_set : int64 array, shape (n,)
    grounds : tuple of Ground
    ground : int64 array, shape (n,)
    """

    zone_sets: tuple[tuple[str, ...], ...]
    zone_set: Ints
    grounds: tuple[Ground, ...]
    ground: Ints


@cache
def _country_zones() -> dict[str, tuple[str, ...]]:
    text = files("tzdata").joinpath("zoneinfo").joinpath("zone.tab").read_text("utf-8")
    zones: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, []).append(zone)
    return {k: tuple(v) for k, v in zones.items()}


@cache
def zones_of_jurisdiction(jurisdiction: str) -> tuple[str, ...]:
    """Return every zone of a jurisdiction, the main one first; empty where it is not known.

    Examples
    --------
    >>> zones_of_jurisdiction("CO"), zones_of_jurisdiction("US-FL")
    (('America/Bogota',), ('America/New_York', 'America/Chicago'))
    >>> zones_of_jurisdiction("XX")
    ()
    """
    own = table("zones").get(jurisdiction)
    if own is not None:
        return tuple(own)
    return _country_zones().get(jurisdiction.split("-")[0], ())


def places_of(view: Any, compiled: Any) -> Places:
    """Collect the candidates of every customer of a view.

    Customers of whom the same is known share their places: those are worked out once per kind
    of customer, and kept with the rule book.

    Parameters
    ----------
    view : JournalView
        Customers: jurisdiction, locality, time_zone. Points of other people and points that are
        not valid say nothing of where the customer is.
    compiled : Compiled
        Its book may name the time zones of jurisdictions.
    """
    kinds, kind = _kinds(view)
    zone_sets, zone_set, grounds, ground = compiled.once(
        ("places", kinds), lambda: _places(kinds, dict(compiled.book.zones or {}))
    )
    return Places(zone_sets, zone_set[kind], grounds, ground[kind])


#: jurisdiction, locality, time zone; then jurisdiction and time zone of every point that tells
_Kind = tuple[tuple[str | None, str | None, str | None], tuple[tuple[str | None, str | None], ...]]


def _kinds(view: Any) -> tuple[tuple[_Kind, ...], Ints]:
    """Return what is known of customers' places, each kind once, and every customer's kind."""
    columns, n = columns_of(view), len(view.customer_ids)
    named = [_words(view, "customers", c) for c in ("jurisdiction", "locality", "time_zone")]
    told = [columns.words("points", c) for c in ("jurisdiction", "time_zone")]
    says = (told[0][0] >= 0) | (told[1][0] >= 0)
    says &= columns.bools("points", "valid") & ~columns.among("points", "holder", "third_party")
    at = np.flatnonzero(says)
    width = len(told[1][1]) + 1
    pair = (told[0][0][at] + 1) * width + told[1][0][at] + 1
    pairs = _sets(n, [(columns.ints("points", "customer")[at], pair)])
    kind, rows = _unique_rows(np.column_stack([*(code for code, _ in named), pairs]))
    words = [[*names, None] for _, names in named]
    places = [[None, *names] for _, names in told]
    kinds = tuple(
        (
            tuple(words[i][row[i]] for i in range(3)),
            tuple((places[0][p // width], places[1][p % width]) for p in row[3:] if p >= 0),
        )
        for row in rows.tolist()
    )
    return kinds, kind


def _words(view: Any, table: str, name: str) -> tuple[Ints, list[str]]:
    if name in getattr(view, table):
        return columns_of(view).words(table, name)
    return np.full(len(getattr(view, table)), -1, dtype=np.int64), []


def _places(
    kinds: tuple[_Kind, ...], own_zones: dict[str, tuple[str, ...]]
) -> tuple[tuple[tuple[str, ...], ...], Ints, tuple[Ground, ...], Ints]:
    """Work out zone sets and grounds of distinct kinds of customers."""
    n = len(kinds)
    owner = np.array([i for i, (_, points) in enumerate(kinds) for _ in points], dtype=np.int64)
    at = [p for _, points in kinds for p in points]
    own = _objects([UNKNOWN if k[0][0] is None else k[0][0] for k in kinds])
    own_code, point_code, names = _codes(own, _objects([p[0] for p in at]))
    jurisdictions = _sets(n, [(np.arange(n), own_code), (owner, point_code)])
    locality, localities = pd.factorize(_objects([k[0][1] for k in kinds]), sort=True)
    ground, rows = _unique_rows(np.column_stack([jurisdictions, locality]))
    grounds = tuple(
        Ground(
            tuple(names[c] for c in row[:-1] if c >= 0),
            None if row[-1] < 0 else str(localities[row[-1]]),
        )
        for row in rows
    )
    declared = _objects([k[0][2] for k in kinds])
    of_point = _objects([p[1] for p in at])
    zone_sets, zone_set = _zones(declared, of_point, owner, own_code, point_code, names, own_zones)
    return zone_sets, zone_set, grounds, ground


def _objects(values: list[Any]) -> npt.NDArray[np.object_]:
    out = np.full(len(values), None, dtype=object)
    out[:] = values
    return out


def _zones(
    own_zone: npt.NDArray[np.object_],
    point_zone: npt.NDArray[np.object_],
    owner: Ints,
    own: Ints,
    at_point: Ints,
    names: list[str],
    own_zones: dict[str, tuple[str, ...]],
) -> tuple[tuple[tuple[str, ...], ...], Ints]:
    n = len(own_zone)
    declared, of_point, zones = _codes(own_zone, point_zone)
    code = {z: i for i, z in enumerate(zones)}
    of_place = [own_zones.get(j) or zones_of_jurisdiction(j) for j in names]
    by_place = [[code.setdefault(z, len(code)) for z in found] for found in of_place]
    pairs = [(np.arange(n), declared), (owner, of_point)]
    # a point without a zone in another jurisdiction: the customer may be there
    elsewhere = (of_point < 0) & (at_point >= 0)
    elsewhere &= _unrelated(own[owner], at_point, names)
    told = np.zeros(n, dtype=bool)
    for who, which in pairs:
        told[who[which >= 0]] = True
    pairs += _zones_of(owner[elsewhere], at_point[elsewhere], by_place)
    silent = np.flatnonzero(~told)
    fallback = _zones_of(silent, own[silent], by_place)
    by_name = np.argsort(np.argsort(np.array(list(code), dtype=object)))
    others = [np.concatenate(part) for part in zip(*pairs[1:], strict=True)]
    primary = _primary(n, [pairs[0], *fallback, (others[0], others[1])], by_name)
    matrix = np.column_stack([primary, _sets(n, [*pairs, *fallback])])
    index, rows = _unique_rows(matrix)
    all_zones = list(code)
    sets = [tuple(dict.fromkeys(all_zones[c] for c in row if c >= 0)) for row in rows]
    return tuple(sets), index


def _primary(n: int, pairs: list[tuple[Ints, Ints]], by_name: Ints) -> Ints:
    """Return the declared zone, else the jurisdiction's main one, else the first by name."""
    primary = np.full(n, -1, dtype=np.int64)
    for who, which in pairs:
        free = which >= 0
        free[free] = primary[who[free]] < 0
        who, which = who[free], which[free]
        order = np.lexsort((np.append(by_name, 0)[which], who))[::-1]
        primary[who[order]] = which[order]  # the last one written is the first by name
    return primary


def _zones_of(who: Ints, place: Ints, by_place: list[list[int]]) -> list[tuple[Ints, Ints]]:
    """One pair of arrays per rank of a zone in its jurisdiction, so that the main zone leads."""
    out = []
    depth = max((len(z) for z in by_place), default=0)
    padded = np.full((len(by_place) + 1, depth), -1, dtype=np.int64)
    for i, zones in enumerate(by_place):
        padded[i, : len(zones)] = zones
    for rank in range(depth):
        which = padded[place, rank]
        if (which >= 0).any():
            out.append((who[which >= 0], which[which >= 0]))
    return out


def _unrelated(own: Ints, other: Ints, names: list[str]) -> npt.NDArray[np.bool_]:
    k = len(names)
    apart = np.ones((k + 1, k + 1), dtype=bool)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            apart[i, j] = not (within(a, b) or within(b, a))
    return apart[own, other]


def _codes(a: Any, b: Any) -> tuple[Ints, Ints, list[str]]:
    """Code two columns by the same sorted words; -1 for null."""
    both = np.concatenate([np.asarray(a, dtype=object), np.asarray(b, dtype=object)])
    codes, words = pd.factorize(both, sort=True)
    codes = codes.astype(np.int64)
    return codes[: len(a)], codes[len(a) :], [str(w) for w in words]


def _sets(n: int, pairs: list[tuple[Ints, Ints]]) -> Ints:
    """Return the distinct non-negative codes per owner, sorted, -1 padded, shape (n, k)."""
    who = np.concatenate([p[0] for p in pairs]).astype(np.int64)
    which = np.concatenate([p[1] for p in pairs]).astype(np.int64)
    who, which = who[which >= 0], which[which >= 0]
    if who.size == 0:
        return np.full((n, 1), -1, dtype=np.int64)
    span = int(which.max()) + 1
    key = np.unique(who * span + which)
    who, which = key // span, key % span
    start = np.searchsorted(who, np.arange(n))
    rank = np.arange(len(who)) - start[who]
    matrix = np.full((n, int(rank.max()) + 1), -1, dtype=np.int64)
    matrix[who, rank] = which
    return matrix


def _unique_rows(matrix: Ints) -> tuple[Ints, Ints]:
    """Return the index of each row among the distinct ones, and those, in sorted order."""
    code = np.zeros(len(matrix), dtype=np.int64)
    if len(matrix) == 1:
        return code, matrix
    for column in matrix.T:
        _, dense = np.unique(column, return_inverse=True)
        _, code = np.unique(code * (int(dense.max(initial=0)) + 1) + dense, return_inverse=True)
    _, first = np.unique(code, return_index=True)
    return code.astype(np.int64), matrix[first]
