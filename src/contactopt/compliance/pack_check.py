"""Every fault of a rule pack at once, each with its rule and the likely word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from contactopt.compliance.data_tables import table
from contactopt.contracts.vocabulary import OWNERSHIPS

__all__ = ["DAYS", "DEFAULTS", "check_pack", "check_rule", "known_zones", "minutes_of"]

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_HEAD = {
    "format", "pack", "version", "researched_on", "disclaimer", "note", "jurisdictions", "binds",
    "calendars", "zones", "rules",
}  # fmt: skip
_NEEDED = ("id", "channels", "kind", "parameters")
#: what a rule of a user's own pack says where it says nothing
DEFAULTS: dict[str, Any] = {
    "jurisdiction": "*", "applies_to": list(OWNERSHIPS), "strength": "hard", "scope": "consumer",
    "effective_from": None, "effective_to": None, "status": "in_force", "citation": "own rule",
    "confidence": "own",
}  # fmt: skip
_OPTIONAL = (
    "locality", "purposes", "exceptions", "source_url", "summary", "note", "creditors", "books",
    "approved_by",
)  # fmt: skip
_KEYS = (*_NEEDED, *DEFAULTS, *_OPTIONAL)


def check_pack(data: Any) -> list[str]:
    """Return all faults of a pack's content, empty where it is sound.

    Parameters
    ----------
    data : object
        What the JSON or YAML file holds.
    """
    if not isinstance(data, Mapping):
        return ["the file does not hold a mapping with a `rules` list"]
    faults = [f"unknown key{_meant(k, _HEAD)}: {k}" for k in data if k not in _HEAD]
    for key in ("pack", "version", "disclaimer", "jurisdictions", "rules"):
        if key not in data:
            faults.append(f"missing key: {key}")
    if data.get("binds", "profile") not in ("profile", "always"):
        faults.append("`binds` is `profile` or `always`")
    if not isinstance(data.get("jurisdictions", []), list) or not isinstance(
        data.get("rules", []), list
    ):
        return [*faults, "`jurisdictions` and `rules` are lists"]
    faults += _check_calendars(data.get("calendars") or {}) + _check_zones(data.get("zones") or {})
    spans: dict[str, list[tuple[str, str]]] = {}
    for number, rule in enumerate(data.get("rules", [])):
        if not isinstance(rule, Mapping):
            faults.append(f"rule {number + 1} is not a mapping")
            continue
        name = str(rule.get("id", f"number {number + 1}"))
        faults += [f"{name}: {fault}" for fault in check_rule(rule)]
        first, last = (str(rule.get(k) or e) for k, e in _ENDLESS)
        if any(first <= b and a <= last for a, b in spans.get(name, [])):
            faults.append(
                f"{name}: the id is used twice with overlapping effective dates; end the older "
                "text the day before the newer one begins"
            )
        spans.setdefault(name, []).append((first, last))
    return faults


_ENDLESS = (("effective_from", "0000-01-01"), ("effective_to", "9999-12-31"))


def _check_calendars(calendars: Any) -> list[str]:
    if not isinstance(calendars, Mapping):
        return ["`calendars` maps a name to a list of dates"]
    faults = []
    for name, days in calendars.items():
        try:
            [date.fromisoformat(str(d)) for d in days]
        except (ValueError, TypeError):
            faults.append(f"calendar {name}: not a list of dates YYYY-MM-DD")
    return faults


@cache
def known_zones() -> frozenset[str]:
    """Return every IANA zone that can be read here."""
    return frozenset(available_timezones())


def _check_zones(zones: Any) -> list[str]:
    if not isinstance(zones, Mapping):
        return ["`zones` maps a jurisdiction to a list of time zones"]
    return [
        f"zones of {code}: unknown time zone {zone!r}{_meant(zone, known_zones())}"
        for code, names in zones.items()
        for zone in (names if isinstance(names, list) else [names])
        if zone not in known_zones()
    ]


def check_rule(rule: Mapping[str, Any]) -> list[str]:
    """Return all faults of one rule, empty where it is sound."""
    known = table("kinds")
    missing = [k for k in _NEEDED if k not in rule]
    faults = [f"missing key {k}" for k in missing]
    faults += [f"unknown key {k}{_meant(k, _KEYS)}" for k in rule if k not in _KEYS]
    if missing:
        return faults
    rule = {**DEFAULTS, **rule}
    kinds = [k for k, v in known.items() if isinstance(v, dict) and "tested" in v]
    faults += _word(rule["kind"], kinds, "kind")
    faults += _word(rule["strength"], known["strengths"]["policy"], "strength")
    faults += _word(rule["status"], known["statuses"], "status")
    confidences = [*known["confidences"], *known["own_confidence"]]
    faults += _word(rule["confidence"], confidences, "confidence")
    words = table("words")
    for key in ("channels", "applies_to", "creditors", "books", "purposes", "exceptions"):
        if not isinstance(rule.get(key, []), (list, tuple)):
            return [*faults, f"`{key}` is a list"]
    for c in rule["channels"]:
        faults += _word(c, [*words["rule_channels"], "*"], "channel")
    for o in rule["applies_to"]:
        faults += _word(o, OWNERSHIPS, "applies_to")
    faults += [
        "an exception is a mapping with `when`"
        for e in rule.get("exceptions") or ()
        if not isinstance(e, Mapping) or not e.get("when")
    ]
    faults += _check_dates(rule)
    if not isinstance(rule["parameters"], Mapping):
        return [*faults, "`parameters` is not a mapping"]
    if rule["kind"] in kinds:
        faults += _check_parameters(rule["kind"], rule["parameters"])
    return faults


def _check_dates(rule: Mapping[str, Any]) -> list[str]:
    faults, days = [], []
    for key in ("effective_from", "effective_to"):
        value = rule[key]
        try:
            days.append(None if value is None else date.fromisoformat(str(value)))
        except ValueError:
            faults.append(f"{key} is not a date YYYY-MM-DD")
    if len(days) == 2 and days[0] and days[1] and days[1] < days[0]:
        faults.append("effective_to lies before effective_from")
    return faults


def _check_parameters(kind: str, parameters: Mapping[str, Any]) -> list[str]:
    known = table("kinds")
    allowed = [w for part in ("tested", "noted", "untested") for w in known[kind][part]]
    faults = [f"unknown parameter {k}{_meant(k, allowed)}" for k in parameters if k not in allowed]
    check = _CHECKS.get(kind)
    if check is not None:
        try:
            faults += check(parameters)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            faults.append(f"parameters cannot be read: {type(error).__name__} at {error}")
    return faults


def _check_hours(p: Mapping[str, Any]) -> list[str]:
    faults = []
    for window in p["windows"]:
        for day in window["days"]:
            faults += _word(day, DAYS, "day")
        if minutes_of(window["start"]) >= minutes_of(window["end"]):
            faults.append("a window ends before it starts")
    if p.get("holidays"):
        faults += _word(p["holidays"]["policy"], ("closed", "as_sunday"), "holiday policy")
        faults += [] if p["holidays"]["calendar"] else ["no holiday calendar"]
    return faults + _place(p)


def _check_cap(p: Mapping[str, Any]) -> list[str]:
    faults = _period(p["period"])
    faults += _words_of(p["count"].get("channels", []), "rule_channels")
    for key in p["count"]:
        faults += _word(key, table("kinds")["count"], "count")
    for key in ("include_outcomes", "exclude_outcomes"):
        faults += _words_of(p["count"].get(key, []), "rule_outcomes")
    for flag in p["count"].get("exclude_flags", []):
        faults += _word(flag, table("words")["contact_flags"], "flag of a contact")
    faults += _word(p["count"].get("direction", "any"), ("in", "out", "any"), "direction")
    faults += _groups(p) + _place(p)
    if "line_type" in p:
        faults += _word(p["line_type"], ("wireless", "residential"), "line_type")
    if "active_after" in p:
        faults += _word(p["active_after"], ("first_conversation",), "active_after")
    for key in ("min_gap_days", "strict_min_gap_days", "attempts_max"):
        if key in p and (not isinstance(p[key], int) or p[key] < 1):
            faults.append(f"`{key}` is a whole number above 0")
    if p["max"] is not None and (not isinstance(p["max"], int) or p["max"] < 1):
        faults.append("`max` is a whole number above 0, or null")
    return faults


def _check_cooldown(p: Mapping[str, Any]) -> list[str]:
    faults = _words_of(p["trigger"]["outcomes"], "rule_outcomes")
    faults += _words_of(p["trigger"]["channels"], "rule_channels")
    faults += _word(p.get("first_day", "trigger_day"), ("trigger_day", "day_after"), "first_day")
    if not isinstance(p["length_days"], int) or p["length_days"] < 1:
        faults.append("`length_days` is a whole number above 0")
    return faults + _groups(p)


def _check_one_channel(p: Mapping[str, Any]) -> list[str]:
    faults = _words_of(p["trigger_outcomes"], "rule_outcomes")
    return faults + _period(p["period"]) + _groups(p)


def _check_consent(p: Mapping[str, Any]) -> list[str]:
    if "model" not in p and "grants_exemption_from" not in p:
        return ["a consent rule needs `model` or `grants_exemption_from`"]
    models = table("kinds")["consent_models"]
    return _word(p["model"], models, "consent model") if "model" in p else []


def _check_suppression(p: Mapping[str, Any]) -> list[str]:
    faults = [] if isinstance(p["flag"], str) and p["flag"] else ["no flag"]
    return faults + (_word(p["match"], table("kinds")["matches"], "match") if "match" in p else [])


def _check_disclosure(p: Mapping[str, Any]) -> list[str]:
    if "precondition" not in p:
        return []
    before = p["precondition"]
    wait = before.get("wait_days", 0)
    faults = _word(before["event"], table("flags")["notices"], "notice")
    ok = isinstance(wait, int) and wait >= 0
    return faults + ([] if ok else ["`wait_days` is a whole number"])


def _place(p: Mapping[str, Any]) -> list[str]:
    return _word(p["place"], table("kinds")["places"], "place") if "place" in p else []


_CHECKS = {
    "hours": _check_hours,
    "frequency_cap": _check_cap,
    "cooldown": _check_cooldown,
    "one_channel": _check_one_channel,
    "consent": _check_consent,
    "suppression": _check_suppression,
    "disclosure": _check_disclosure,
    "holiday": lambda p: (
        _word(p["policy"], ("closed", "as_sunday"), "holiday policy")
        + ([] if p["calendar"] else ["no holiday calendar"])
    ),
}


def _period(period: Mapping[str, Any]) -> list[str]:
    faults = _word(period["type"], table("kinds")["periods"], "period type")
    length = period.get("length")
    if period["type"] != "none" and (not isinstance(length, int) or length < 1):
        faults.append("a period needs a whole number of days")
    return faults


def _groups(p: Mapping[str, Any]) -> list[str]:
    named = [*p["group_by"], *p.get("strict_group_by", [])]
    return [f for g in named for f in _word(g, table("kinds")["group_by"], "group_by")]


def _words_of(words: Iterable[str], name: str) -> list[str]:
    return [f for w in words for f in _word(w, [*table("words")[name], "*"], "word")]


def _word(word: Any, known: Iterable[str], what: str) -> list[str]:
    known = list(known)
    return [] if word in known else [f"unknown {what} {word!r}{_meant(str(word), known)}"]


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def minutes_of(clock: str | int) -> int:
    """Return minutes after midnight of ``HH:MM``; 24:00 is the end of the day.

    Examples
    --------
    >>> minutes_of("07:30"), minutes_of("24:00")
    (450, 1440)
    """
    if isinstance(clock, int):  # YAML reads an unquoted 10:00 as 600
        clock = f"{clock // 60}:{clock % 60}"
    hours, minutes = str(clock).split(":")
    value = 60 * int(hours) + int(minutes)
    if not 0 <= value <= 1440 or not 0 <= int(minutes) < 60:
        raise ValueError(f"{clock} is not a clock time")
    return value
