"""What contacts at one address say of every point that has it, whosever it is.

A phone that two customers share rings once: a contact with the one, or an open plan to make it,
counts for the other wherever a person's or a number's contacts are counted. And an address that
is dead is dead under every id and for everybody who gave it, as what was refused there is refused.
A contact that names no point may have gone to any point of a fitting kind: it counts at, and a
proof of death kills, each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.refused_points import REFUSED_COLUMNS, refused_points
from contactopt.compliance.view_columns import columns_of
from contactopt.compliance.words import attempts_of, code_words, root_of
from contactopt.config import StrategyConfig
from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.terms import open_journal

__all__ = ["SharedContacts", "shared_contacts", "shared_contacts_of"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: contacts of one address, channel and outcome that are kept: more than any cap counts
_MOST = 64
_LONG_AGO = np.iinfo(np.int64).min
_FAILED = ("invalid", "bounced")
_ANSWERED = (
    "clicked", "replied", "visited", "paid_online", "opted_out", "complained",
    *v.RIGHT_PARTY_OUTCOMES,
)  # fmt: skip
_DELIVERED = ("delivered", "opened", "third_party")
_COLUMNS = (
    "customer_id", "contact_point_id", "channel", "direction", "started_us", "outcome",
    "machine_only", "collector", "planned",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SharedContacts:
    """Contacts of others at customers' points, and points that are dead by others' proof.

    Parameters
    ----------
    contacts : DataFrame
        One row per customer and contact with somebody else who shares a point: customer_id,
        contact_point_id (the customer's own), channel, direction, started_us, outcome,
        machine_only, collector, planned (an open plan of an earlier batch).
    dead : frozenset of str
        Ids of contact points.
    customers : frozenset of str
        Whose points were looked at: of theirs no narrower view knows better.
    refused : DataFrame
        From `refused_points`.
    """

    contacts: pd.DataFrame
    dead: frozenset[str]
    customers: frozenset[str] = frozenset()
    refused: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(REFUSED_COLUMNS))
    )

    @staticmethod
    def nothing() -> SharedContacts:
        """Return what is known where nobody shares anything."""
        return _NOTHING


def shared_contacts_of(portfolio: Any, config: StrategyConfig, as_of: Any) -> SharedContacts:
    """Read what customers who share an address say of each other, over a whole portfolio.

    Parameters
    ----------
    portfolio : Portfolio
        The whole one, not a block: those who share an address may lie in different blocks.
    config : StrategyConfig
    as_of : Timestamp, str with a zone, or int microseconds

    Returns
    -------
    SharedContacts
        Empty where nobody shares an address. Only customers who do are opened.
    """
    points = portfolio.tables["contact_points"]
    if "address_key" not in points:
        return _NOTHING
    keyed = points.loc[points["address_key"].notna(), ["customer_id", "address_key"]]
    pairs = keyed[keyed.duplicated("address_key", keep=False)].drop_duplicates()
    shared = pairs.loc[pairs.duplicated("address_key", keep=False), "customer_id"].unique()
    shared = shared[pd.Index(portfolio.customer_ids).get_indexer(pd.Index(shared)) >= 0]
    if len(shared) == 0:
        return _NOTHING
    return shared_contacts(open_journal(portfolio.subset(shared), config).as_of(as_of), config)


def shared_contacts(
    view: Any, config: StrategyConfig, known: SharedContacts | None = None
) -> SharedContacts:
    """Read what contacts say of shared, twin and unnamed points among the customers of a view.

    Parameters
    ----------
    view : JournalView
    config : StrategyConfig
    known : SharedContacts, optional
        What is known from a wider view: it takes the place of the view's own knowledge of those
        customers; points of others that are dead or refused are added.
    """
    points = _Points(view)
    rows = _dead(view, points, config)
    refused = refused_points(view, points, config)
    if known is not None and len(rows) == len(refused) == 0:
        return known
    everybody = frozenset(view.customer_ids.tolist()) if known is None else frozenset()
    if known is None and len(rows) == 0 and not points.twin.any():
        return SharedContacts(_NOTHING.contacts, frozenset(), everybody)
    ids = points.frame["contact_point_id"].iloc[rows].astype(object).to_numpy()
    if known is None:
        contacts = _contacts(view, points, config)
        return SharedContacts(contacts, frozenset(ids.tolist()), everybody, refused)
    owner = view.customer_ids[points.customer[rows]].tolist()
    own = {i for i, c in zip(ids.tolist(), owner, strict=True) if c not in known.customers}
    refused = refused[~refused["customer_id"].isin(known.customers).to_numpy(dtype=bool)]
    if len(known.refused) and len(refused):
        refused = pd.concat([known.refused, refused], ignore_index=True)
    elif len(known.refused):
        refused = known.refused
    return replace(known, dead=known.dead | own, refused=refused)


class _Points:
    """Points of a view with their addresses; one without a key is an address of its own."""

    def __init__(self, view: Any) -> None:
        frame, of = view.points, columns_of(view)
        self.frame, self._columns = frame, of
        self.customer: Ints = of.ints("points", "customer")
        #: row of each contact point code; the last entry: none
        self.row = np.full(len(view.point_ids) + 1, -1, dtype=np.int64)
        self.row[of.ints("points", "contact_point")] = np.arange(len(frame))
        self.since: Ints = of.ints("points", "valid_from_us")

    @cached_property
    def address(self) -> Ints:
        """Address of each point, by number."""
        key, _ = self._columns.coded("points", "address_key")
        return np.where(key < 0, np.arange(len(key)), key + len(key))

    @cached_property
    def twin(self) -> Bools:
        """Whether another point has the same address."""
        size = np.bincount(self.address)
        return size[self.address] > 1

    def fitting(self, customer: Ints, channel: pd.Series, config: StrategyConfig) -> pd.DataFrame:
        """Return (event, point) rows: points of a kind that the event's channel uses."""
        code, names = code_words(channel)
        kinds = [_kinds_of(name, config) for name in names] + [frozenset(v.POINT_KINDS)]
        kind, words = code_words(self.frame["kind"])
        uses = np.array([[w in own for w in words] + [False] for own in kinds], dtype=bool)
        left = pd.DataFrame({"customer": customer, "event": np.arange(len(customer))})
        right = pd.DataFrame({"customer": self.customer, "point": np.arange(len(self.customer))})
        right = right[right["customer"].isin(left["customer"])]
        both = left.merge(right, on="customer")
        event, point = (both[k].to_numpy(dtype=np.int64) for k in ("event", "point"))
        return both[uses[code[event], kind[point]]]


def _kinds_of(name: str, config: StrategyConfig) -> frozenset[str]:
    root = root_of(name, config)
    if root is None or (name not in config.channels and root not in v.CHANNELS):
        return frozenset(v.POINT_KINDS)  # nobody knows where it went
    if root == "portal":  # customers come to it: it goes nowhere
        return frozenset()
    return frozenset(config.channel(name).contact_point_kinds or ())


# ---- dead addresses ------------------------------------------------------------------------------


def _dead(view: Any, points: _Points, config: StrategyConfig) -> Ints:
    """Return the rows of points that are dead by proof at a twin, or by one that names no point.

    A failed address (invalid, bounced) is cleared by a later delivery or answer there. One that
    was said to be somebody else's (wrong_number) stays dead for a customer until that very
    customer answers there later.
    """
    touches, of = view.touches, columns_of(view)
    code, words = of.words("touches", "outcome")
    role = np.array([_role(w) for w in words] + [0], dtype=np.int64)[code]
    row = points.row[of.ints("touches", "contact_point")]
    proof = (role == 1) | (role == 2)
    unnamed = np.flatnonzero(proof & (row < 0))
    named = np.flatnonzero(proof & (row >= 0))
    named = named[points.twin[row[named]]]
    if len(unnamed) == 0 and len(named) == 0:
        return np.empty(0, dtype=np.int64)
    owner = touches["customer"].to_numpy(dtype=np.int64)
    fits = points.fitting(owner[unnamed], touches["channel"].iloc[unnamed], config)
    time = touches["started_us"].to_numpy(dtype=np.int64)
    event, point = (fits[k].to_numpy(dtype=np.int64) for k in ("event", "point"))
    there = points.since[point] <= time[unnamed[event]]
    event, point = unnamed[event[there]], point[there]
    hit = np.isin(points.address, points.address[np.append(row[named], point)])
    at = np.flatnonzero((role > 0) & (row >= 0))
    at = at[hit[row[at]]]
    said = pd.DataFrame(
        {
            "address": points.address[np.append(row[at], point)],
            "role": np.append(role[at], role[event]),
            "customer": np.append(owner[at], owner[event]),
            "time": np.append(time[at], time[event]),
        }
    )
    rows = np.flatnonzero(hit)
    address = points.address[rows]
    failed = _latest(said[said["role"] == 1], address)
    works = _latest(said[said["role"] >= 3], address)
    wrong = _latest(said[said["role"] == 2], address)
    answers = said[said["role"] == 4].groupby(["address", "customer"])["time"].max()
    pair = pd.MultiIndex.from_arrays([address, points.customer[rows]])
    answered = answers.reindex(pair).fillna(_LONG_AGO).to_numpy(dtype=np.int64)
    dead = (failed > works) | (wrong > answered)
    return rows[dead]


def _role(word: str) -> int:
    if word in _FAILED:
        return 1
    if word == "wrong_number":
        return 2
    return 3 if word in _DELIVERED else 4 * (word in _ANSWERED)


def _latest(said: pd.DataFrame, address: Ints) -> Ints:
    newest = said.groupby("address")["time"].max()
    return newest.reindex(address).fillna(_LONG_AGO).to_numpy(dtype=np.int64)


# ---- contacts of others --------------------------------------------------------------------------


def _contacts(view: Any, points: _Points, config: StrategyConfig) -> pd.DataFrame:
    """Return the contacts of others at addresses that customers of the view have too."""
    frame = points.frame
    if not points.twin.any():
        return _NOTHING.contacts
    mine = points.twin & ~columns_of(view).among("points", "holder", "third_party")
    own = pd.DataFrame({"address": points.address, "customer": points.customer})[points.twin]
    owners = own.drop_duplicates().groupby("address").size()
    mine &= np.isin(points.address, owners.index[owners > 1])
    if not mine.any():
        return _NOTHING.contacts
    shared = np.isin(points.address, points.address[mine])
    events = _attempts(view, np.unique(points.customer[shared]), config)
    row = points.row[events["point"].to_numpy(dtype=np.int64)]
    direct = np.flatnonzero((row >= 0) & shared[row])
    free = np.flatnonzero(events["point"].to_numpy() < 0)
    fits = points.fitting(events["customer"].to_numpy()[free], events["channel"].iloc[free], config)
    event, point = (fits[k].to_numpy(dtype=np.int64) for k in ("event", "point"))
    event, point = free[event][shared[point]], point[shared[point]]
    there = points.since[point] <= events["started_us"].to_numpy()[event]
    address = points.address[np.append(row[direct], point[there])]
    at = events.iloc[np.append(direct, event[there])].assign(address=address)
    at = at.sort_values("started_us", ascending=False, kind="stable")
    kind = at.groupby(["address", "channel", "outcome", "collector"], observed=True, dropna=False)
    at = at[kind.cumcount().to_numpy() < _MOST]
    holders = pd.DataFrame(
        {
            "address": points.address[mine],
            "holder": points.customer[mine],
            "contact_point_id": frame["contact_point_id"].to_numpy(dtype=object)[mine],
        }
    ).drop_duplicates(["address", "holder"])
    both = at.merge(holders, on="address")
    both = both[both["customer"] != both["holder"]]
    several = both.duplicated(["event", "holder"], keep=False)
    both.loc[several, "contact_point_id"] = None  # which of them is not known
    both = both.drop_duplicates(["event", "holder"]).reset_index(drop=True)
    both["customer_id"] = view.customer_ids[both["holder"].to_numpy(dtype=np.int64)]
    return both[list(_COLUMNS)]


def _attempts(view: Any, customers: Ints, config: StrategyConfig) -> pd.DataFrame:
    """Return outbound contacts, and attempts of open plans, of some customers, one row each."""
    touches, plans = view.touches, view.decisions
    sent = touches[np.isin(touches["customer"].to_numpy(dtype=np.int64), customers)]
    inbound = sent["direction"].astype(object) == "inbound"
    sent = sent[~(inbound | (sent["channel"].astype(object) == "portal"))]
    plans = plans[plans["open"].to_numpy(dtype=bool)]
    plans = plans[np.isin(plans["customer"].to_numpy(dtype=np.int64), customers)]
    times = attempts_of(*code_words(plans["channel"]), config)
    plans = plans.iloc[np.repeat(np.arange(len(plans)), times)]
    slot = plans["slot_start_us"].to_numpy(dtype=np.int64)
    when = np.where(slot == NO_INSTANT, plans["decided_us"].to_numpy(dtype=np.int64), slot)
    # somebody else at a shared address may well have been the other holder: nobody knows
    outcome = sent["outcome"].astype(object)
    outcome = outcome.where(outcome != "third_party", "unknown")
    p = len(plans)
    both = pd.DataFrame(
        {
            "customer": np.append(sent["customer"], plans["customer"]).astype(np.int64),
            "point": np.append(sent["contact_point"], np.full(p, -1)).astype(np.int64),
            "channel": _objects(sent["channel"], plans["channel"]),
            "direction": _objects(sent["direction"], ["outbound"] * p),
            "started_us": np.append(sent["started_us"], when).astype(np.int64),
            "outcome": _objects(outcome, ["unknown"] * p),
            "machine_only": np.append(sent["machine_only"], np.zeros(p)).astype(bool),
            "collector": _objects(sent["collector"], [None] * p),
            "planned": np.append(np.zeros(len(sent)), np.ones(p)).astype(bool),
        }
    )
    return both.assign(event=np.arange(len(both)))


def _objects(a: pd.Series, b: Any) -> npt.NDArray[np.object_]:
    return np.concatenate([a.to_numpy(dtype=object), np.asarray(b, dtype=object)])


_KINDS = {"started_us": np.int64, "machine_only": np.bool_, "planned": np.bool_}
_NOTHING = SharedContacts(
    pd.DataFrame({c: np.empty(0, dtype=_KINDS.get(c, object)) for c in _COLUMNS}), frozenset()
)
