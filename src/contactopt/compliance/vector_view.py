"""A test vector as the engine sees it: a small journal view and one contact told in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from contactopt.compliance.data_tables import table
from contactopt.compliance.pack_check import known_zones
from contactopt.compliance.told import Told
from contactopt.compliance.words import SAME_WORD
from contactopt.contracts.vocabulary import OWNERSHIPS
from contactopt.journal.journal import Journal
from contactopt.journal.local_time import to_us

__all__ = ["PERSON", "debt_name", "instant_of", "medium_of", "told_of", "view_of"]

#: the person a vector is about, unless it names another
PERSON = "CONSUMER"


def instant_of(vector: Mapping[str, Any]) -> datetime:
    """Return the instant that is asked about."""
    if vector.get("at_utc"):
        return _utc(str(vector["at_utc"]), "UTC")
    return _utc(str(vector["at_local"]), _own_zone(vector))


def _own_zone(vector: Mapping[str, Any]) -> str:
    zones = [*([vector["at_zone"]] if vector.get("at_zone") else []), *_zones(vector)]
    return str(zones[0]) if zones else "UTC"


def _zones(vector: Mapping[str, Any]) -> tuple[str, ...]:
    zones = tuple(str(z) for z in vector.get("candidate_zones") or ())
    for zone in zones:
        if zone not in known_zones():
            raise ValueError(f"unknown time zone {zone!r}")
    return zones


def _utc(text: str, zone: str) -> datetime:
    """Read an instant; one without a zone is local."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)


def medium_of(channel: str) -> tuple[frozenset[str], str]:
    """Return a channel's rule words and the contract's channel of the same medium."""
    words = table("words")
    if channel in words["rule_channels"]:
        medium = words["media"].get(channel, channel)
        own = next(c for c, w in words["channels"].items() if w and w[0] == medium)
        return frozenset({channel}), own
    if channel in words["channels"]:
        return frozenset(words["channels"][channel]), channel
    raise ValueError(f"unknown channel {channel!r}")


def told_of(vector: Mapping[str, Any], at: datetime) -> Told:
    """Return what the vector says of its contact, flags and facts."""
    action = vector["action"]
    words, own = medium_of(action["channel"])
    zones = _zones(vector)
    here = zones or (_own_zone(vector),)
    talks = [
        e for e in vector.get("prior_events", [])
        if e.get("outcome") == "conversation" and e.get("person", PERSON) == PERSON
    ]  # fmt: skip
    return Told(
        words=words,
        medium=table("words")["channels"][own][0],
        zones=zones,
        jurisdictions=tuple(map(str, vector["jurisdictions"])),
        days=tuple(_day(at, z) for z in here),
        flags=frozenset(map(str, vector.get("flags", []))),
        circumstances=frozenset(map(str, action.get("flags", []))),
        facts=dict(vector.get("facts", {})),
        has=frozenset(map(str, action.get("has", []))),
        message=action.get("message"),
        recipient=action.get("recipient"),
        place=action.get("place") or "home",
        line_type=_line(action),
        accounts=tuple(map(str, action.get("accounts", []))),
        point=0,
        conversation_days=tuple(_day(_event_time(e, vector), here[0]) for e in talks),
    )


def _line(x: Mapping[str, Any]) -> str | None:
    return x.get("line_type", x.get("line", x.get("number_type")))


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _event_time(e: Mapping[str, Any], vector: Mapping[str, Any]) -> datetime:
    return _utc(str(e.get("at_utc") or e["at"]), e.get("zone") or _own_zone(vector))


# ---- the vector as tables ------------------------------------------------------------------------


def debt_name(person: str, account: Any) -> str:
    """Return the id of the debt that stands for a person's account."""
    return f"{person}/{account}"


def _creditor(x: Mapping[str, Any]) -> str:
    return str(x.get("creditor", "one creditor"))


def _account(x: Mapping[str, Any]) -> list[str]:
    """Accounts of an event or action; a creditor without accounts has one of its own."""
    named = [str(a) for a in x.get("accounts", [])]
    return named or ([f"all of {_creditor(x)}"] if "creditor" in x else [])


_LINES = {"wireless": "mobile", "mobile": "mobile", "cell": "mobile", "residential": "landline",
          "landline": "landline"}  # fmt: skip


def _point(x: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return x.get("place") or "home", _LINES.get(str(_line(x))), x.get("phone", x.get("address"))


def view_of(vector: Mapping[str, Any], at: datetime) -> Any:
    """Return the journal view that a vector describes; the first point is the contact's."""
    action, events = vector["action"], list(vector.get("prior_events", []))
    actor = vector.get("actor")
    if actor is not None and actor not in OWNERSHIPS:
        raise ValueError(f"unknown actor {actor!r}")
    things = [action, *events]
    persons = sorted({str(x.get("person", PERSON)) for x in things})
    owners, debts = [], {}
    for x in things:
        person = str(x.get("person", PERSON))
        for account in _account(x) or ["account"]:
            debts.setdefault(debt_name(person, account), (person, _creditor(x)))
    base, instant = _nothing(), pd.Timestamp(at)
    ids, debt_ids = np.array(persons, dtype=object), np.array(sorted(debts), dtype=object)
    owners = [persons.index(debts[d][0]) for d in debt_ids]
    customers = pd.DataFrame({"customer_id": persons, "jurisdiction": "-", "locality": None})
    keys = list(dict.fromkeys(_point(x) for x in things))
    own_debts = _like(base.debts, len(debt_ids), {
        "debt": np.arange(len(debt_ids)), "debt_id": debt_ids, "customer": np.array(owners),
        "ownership": actor, "creditor": [debts[d][1] for d in debt_ids],
    })  # fmt: skip
    names = [f"point {i}" for i in range(len(keys))]
    points = _like(base.points, len(keys), {
        "contact_point": np.arange(len(keys)), "contact_point_id": names, "customer": 0,
        "place": [k[0] for k in keys], "kind": [k[1] for k in keys], "valid": True, "dead": False,
        "address_key": [k[2] for k in keys],
    })  # fmt: skip
    return SimpleNamespace(
        as_of=instant, as_of_us=to_us(instant), customer_ids=ids, debt_ids=debt_ids,
        customers=customers, debts=own_debts, points=points,
        point_ids=np.array(names, dtype=object),
        touches=_touches(base.touches, vector, events, persons, keys),
        touch_debts=_touch_debts(events, list(debt_ids)),
        **{k: getattr(base, k) for k in _EMPTY},
    )  # fmt: skip


_EMPTY = (
    "touch_events", "holds", "consents", "promises", "payments", "notices", "parties",
    "arrangements", "decisions",
)  # fmt: skip


@cache
def _nothing() -> Any:
    """Return a view of which nothing is known: only the form of its frames is used."""
    return Journal({}).as_of("2000-01-01T00:00Z")


def _like(frame: pd.DataFrame, n: int, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return n rows of a view's frame: given columns, else nothing known."""
    out: dict[str, Any] = {}
    for name in frame.columns:
        dtype = frame[name].dtype
        if name in columns:
            value = columns[name]
            out[name] = pd.Series([value] * n if np.isscalar(value) or value is None else value)
        elif pd.api.types.is_bool_dtype(dtype):
            out[name] = np.zeros(n, dtype=bool)
        elif pd.api.types.is_integer_dtype(dtype):
            out[name] = np.full(n, np.iinfo(np.int64).min if name.endswith("_us") else -1)
        elif pd.api.types.is_float_dtype(dtype):
            out[name] = np.full(n, np.nan)
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            out[name] = pd.Series(pd.NaT, index=range(n), dtype=dtype)
        else:
            out[name] = np.full(n, None, dtype=object)
    for name, value in columns.items():
        if name not in out:
            out[name] = value
    return pd.DataFrame(out, index=range(n))


def _touches(
    frame: pd.DataFrame, vector: Mapping[str, Any], events: Sequence[Mapping[str, Any]],
    persons: list[str], keys: list[Any],
) -> pd.DataFrame:  # fmt: skip
    own = vector["action"].get("collector", vector.get("collector"))
    at = [int(_event_time(e, vector).timestamp() * 1_000_000) for e in events]
    outcome = [_outcome(e) for e in events]
    direction = [_DIRECTIONS[str(e.get("direction", "out"))] for e in events]
    whose = [e.get("collector") for e in events]
    return _like(frame, len(events), {
        "touch_id": [str(i) for i in range(len(events))],
        "customer": [persons.index(str(e.get("person", PERSON))) for e in events],
        "channel": [_event_channel(e) for e in events], "direction": direction,
        "outcome": outcome, "started_us": at, "outcome_known_us": at,
        "contact_point": [keys.index(_point(e)) for e in events],
        "collector": [None if c is None or c == own else str(c) for c in whose],
        "machine_only": False, "flags": [list(e.get("flags", [])) for e in events],
    })  # fmt: skip


_DIRECTIONS = {
    "in": "inbound", "inbound": "inbound", "out": "outbound", "outbound": "outbound",
    "unknown": None, "any": None,
}  # fmt: skip


def _event_channel(e: Mapping[str, Any]) -> str:
    channel = str(e["channel"])
    medium_of(channel)
    return (
        channel
        if channel in table("words")["channels"] and channel not in _BOTH
        else (SAME_WORD + channel)
    )


#: words of the contract and of the rules alike: the rules' reading counts
_BOTH = ("sms", "whatsapp", "email", "push", "letter", "visit")


def _outcome(e: Mapping[str, Any]) -> str:
    words, outcome = table("words"), str(e.get("outcome") or "unknown")
    if outcome in words["rule_outcomes"]:
        return SAME_WORD + outcome
    if outcome in words["outcomes"] or outcome == "unknown":
        return outcome
    raise ValueError(f"unknown outcome {outcome!r}")


def _touch_debts(events: Sequence[Mapping[str, Any]], debt_ids: list[str]) -> pd.DataFrame:
    pairs = [
        (i, debt_ids.index(debt_name(str(e.get("person", PERSON)), a)))
        for i, e in enumerate(events)
        for a in _account(e)
    ]
    return pd.DataFrame(
        {
            "touch": np.array([p[0] for p in pairs], dtype=np.int64),
            "debt": np.array([p[1] for p in pairs], dtype=np.int64),
        }
    )
