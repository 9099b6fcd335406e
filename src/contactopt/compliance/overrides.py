"""A user's changes to the rules: a stricter one is free, any other names who approved it.

Deny wins, so a rule of one's own can only deny more. A changed rule takes the place of the
original inside its part of the portfolio; whether it is at least as strict is proved parameter
by parameter, and what cannot be proved counts as laxer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from contactopt.compliance.pack_check import DAYS, check_rule, minutes_of
from contactopt.compliance.reading import rule_of
from contactopt.compliance.rule import Reach, Rule
from contactopt.config.sections import OverrideConfig
from contactopt.errors import RulePackError

__all__ = ["at_least_as_strict", "with_overrides"]

_PACK = {"pack": "overrides", "binds": "always"}


def with_overrides(rules: Sequence[Rule], overrides: Sequence[OverrideConfig]) -> list[Rule]:
    """Apply the overrides of a strategy, in their order.

    Raises
    ------
    RulePackError
        An override that names no rule, is malformed, or is laxer without an approval; all faults
        are told together, each with its place in the list and the rule's id.
    """
    out, faults = list(rules), []
    for i, entry in enumerate(overrides):
        found = _added(out, entry) if entry.rule is None else _changed(out, entry)
        faults += [f"overrides[{i}] {entry.id or entry.rule or ''}: {f}" for f in found]
    if faults:
        raise RulePackError(
            f"{len(faults)} fault(s) in the strategy's overrides\n  " + "\n  ".join(faults),
            hint="an override has `rule` and `parameters` (or `disable`), or `id`, `kind` and "
            "`parameters`; `approved_by` names who answers for a laxer one",
        )
    return out


def _reach_of(entry: OverrideConfig) -> Reach:
    return Reach(entry.creditors, entry.books, entry.channels)


def _added(rules: list[Rule], entry: OverrideConfig) -> list[str]:
    if not entry.id or not entry.kind:
        return ["needs `rule`, or `id` and `kind`"]
    if any(r.id == entry.id for r in rules):
        return ["a rule of that id is loaded; give it another, or name it as `rule`"]
    raw = {
        "id": entry.id,
        "kind": entry.kind,
        "channels": ["*"],
        "parameters": entry.parameters,
        "jurisdiction": entry.jurisdiction,
        "summary": entry.summary or "A rule of the strategy's own.",
        "citation": "the strategy file",
    }
    faults = check_rule(raw)
    if faults:
        return faults
    made = rule_of(_PACK, raw)
    rules.append(replace(made, reach=_reach_of(entry), order=len(rules)))
    return []


def _changed(rules: list[Rule], entry: OverrideConfig) -> list[str]:
    at = [i for i, r in enumerate(rules) if r.id == entry.rule]
    if not at:
        return ["no such rule is loaded"]
    if entry.disable == bool(entry.parameters):
        return ["needs `parameters` or `disable: true`, one of the two"]
    part, faults = _reach_of(entry), []
    for i in at:
        old = rules[i]
        merged = _merged(old.parameters, entry.parameters)
        new_id = entry.id or f"{old.id}/override"
        if not entry.disable:
            shape = {"id": new_id, "kind": old.kind, "channels": ["*"], "parameters": merged}
            faults += check_rule(shape)
            if faults:
                return faults
        strict = not entry.disable and at_least_as_strict(old.kind, old.parameters, merged)
        if not strict and entry.approved_by is None:
            return ["is laxer than the rule, or cannot be shown not to be: name `approved_by`"]
        rules[i] = replace(old, spared=(*old.spared, part))
        if not entry.disable:
            rules.append(
                replace(
                    old,
                    id=new_id,
                    parameters=merged,
                    reach=part,
                    approved_by=entry.approved_by,
                    summary=entry.summary or old.summary,
                    order=old.order,
                )
            )
    return faults


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(old)
    for key, value in new.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = {**out[key], **value} if both else value
    return out


# ---- is it stricter ------------------------------------------------------------------------------


def at_least_as_strict(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a rule with new parameters provably denies all that the old one denies.

    Examples
    --------
    >>> week = {
    ...     "max": 7,
    ...     "period": {"type": "rolling_civil_days", "length": 7},
    ...     "count": {},
    ...     "group_by": ["person"],
    ... }
    >>> at_least_as_strict("frequency_cap", week, {**week, "max": 3})
    True
    >>> at_least_as_strict("frequency_cap", week, {**week, "max": 9})
    False
    """
    tests = _TESTS.get(kind, {})
    for key in set(old) | set(new):
        a, b = old.get(key), new.get(key)
        if a != b and (key not in tests or not tests[key](a, b)):
            return False
    return True


def _at_most(a: Any, b: Any) -> bool:
    return b is not None and (a is None or b <= a)


def _at_least(a: Any, b: Any) -> bool:
    return b is not None and (a is None or b >= a)


def _fewer(a: Iterable[str] | None, b: Iterable[str] | None) -> bool:
    return set(b or ()) <= set(a or ())


def _more(a: Iterable[str] | None, b: Iterable[str] | None) -> bool:
    return "*" in (b or ()) or set(b or ()) >= set(a or ())


def _period(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    if a.get("type") == "none":
        return True
    days = ("civil_day", "rolling_civil_days")
    if a.get("type") in days and b.get("type") in days:
        return int(b["length"]) >= int(a["length"])
    return a.get("type") == b.get("type") and a.get("week_start") == b.get("week_start")


def _count(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    whole = a.get("include_outcomes") and not b.get("include_outcomes")  # no list counts all
    named = bool(a.get("include_outcomes")) == bool(b.get("include_outcomes"))
    return (
        _more(a.get("channels", ["*"]), b.get("channels", ["*"]))
        and (b.get("direction", "any") in ("any", a.get("direction", "any")))
        and bool(whole or (named and _more(a.get("include_outcomes"), b.get("include_outcomes"))))
        and _fewer(a.get("exclude_outcomes"), b.get("exclude_outcomes"))
        and _fewer(a.get("exclude_flags"), b.get("exclude_flags"))
        and bool(a.get("planned_only")) >= bool(b.get("planned_only"))
    )


def _trigger(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return (
        _more(a["channels"], b["channels"])
        and _more(a["outcomes"], b["outcomes"])
        and b.get("direction", "any") in ("any", a.get("direction", "any"))
    )


def _windows(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> bool:
    return _open_minutes(b) <= _open_minutes(a)


def _open_minutes(windows: Sequence[Mapping[str, Any]]) -> set[int]:
    return {
        1440 * DAYS.index(day) + minute
        for w in windows
        for day in w["days"]
        for minute in range(minutes_of(w["start"]), minutes_of(w["end"]))
    }


_TESTS: dict[str, dict[str, Any]] = {
    "hours": {"windows": _windows, "holidays": lambda a, b: a is None and b is not None},
    "frequency_cap": {
        "max": _at_most, "attempts_max": _at_most, "min_gap_days": _at_least, "period": _period,
        "count": _count, "group_by": _fewer,
    },
    "cooldown": {
        "length_days": _at_least, "trigger": _trigger, "group_by": _fewer,
        "first_day": lambda a, b: b == "day_after",
    },
    "one_channel": {"period": _period, "trigger_outcomes": _more, "group_by": _fewer},
    "consent": {"expiry_days": _at_most, "basis_any": _fewer},
    "holiday": {"policy": lambda a, b: b == "closed"},
    "suppression": {"grace_days": _at_least},
    "disclosure": {},
}  # fmt: skip
