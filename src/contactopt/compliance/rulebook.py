"""The rules in force: packs chosen by the strategy, their version, and what nobody tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import yaml

from contactopt.compliance.data_tables import shipped_packs, table, table_text
from contactopt.compliance.pack_check import check_pack
from contactopt.compliance.rule import Rule, within
from contactopt.config import RulesConfig
from contactopt.errors import RulePackError
from contactopt.journal.local_time import DAY_US, to_us

__all__ = ["RuleBook"]

#: packs of ours that are never named as a jurisdiction's pack
_OURS = ("cautious", "house")
#: local dates and the plan's 24 hours reach at most this far from the UTC date of as_of
_DATE_REACH = timedelta(days=3)


@dataclass(frozen=True, eq=False)
class RuleBook:
    """All rules that may bind around an instant, and how strictly they are read.

    Parameters
    ----------
    rules : tuple of Rule
        Sorted by id; those of the profile whose effective dates touch the days around as_of.
    jurisdictions : tuple of str
        Codes that have a pack.
    profile, fallback, guard_minutes
        From the strategy.
    version : str
        SHA-256 over packs, tables, settings and the versions of calendars and zones.
    packs : tuple of dict
        Head of each loaded pack (name, version, date of research, disclaimer).
    calendars : dict
        Custom holiday dates of the packs.

    Examples
    --------
    >>> book = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    >>> book.covers("US-NY"), book.covers("MX")
    (True, False)
    >>> [r.id for r in book.rules if r.kind == "one_channel"]
    ['co.l2300.one_channel_week']
    """

    rules: tuple[Rule, ...]
    jurisdictions: tuple[str, ...]
    profile: str
    fallback: str
    guard_minutes: int
    version: str
    packs: tuple[dict[str, Any], ...]
    calendars: dict[str, tuple[str, ...]]
    #: instant the rules were chosen for, microseconds UTC; None: rules of all times
    as_of_us: int | None = None

    @classmethod
    def load(cls, config: RulesConfig | None = None, as_of: Any = None) -> RuleBook:
        """Read and check the packs.

        Parameters
        ----------
        config : RulesConfig
            ``packs`` holds names of shipped packs, paths of JSON or YAML packs, or ``auto``.
        as_of : Timestamp, str with a zone, or int microseconds
            Rules of other times are left out; None keeps all.

        Raises
        ------
        RulePackError
            If a pack is missing, unreadable or faulty; all faults are named.
        """
        config = config or RulesConfig.model_validate({})
        texts = _texts_of(config.packs)
        data = _read_all(texts)
        rules = [rule for name, pack in data.items() for rule in _rules_of(name, pack)]
        _no_id_twice(rules)
        kept = [r for r in rules if _binds(r, config.profile) and _near(r, as_of)]
        return cls(
            rules=tuple(sorted(kept, key=lambda r: r.id)),
            jurisdictions=tuple(
                sorted({j for p in data.values() for j in p["jurisdictions"] if j != "*"})
            ),
            profile=config.profile,
            fallback=config.fallback,
            guard_minutes=config.guard_minutes,
            version=_version(texts, config),
            packs=tuple({k: v for k, v in p.items() if k != "rules"} for p in data.values()),
            calendars={
                k: tuple(v) for p in data.values() for k, v in (p.get("calendars") or {}).items()
            },
            as_of_us=None if as_of is None else to_us(as_of),
        )

    def require(self, as_of_us: int) -> None:
        """Refuse to judge a time whose rules may have been left out when the packs were read.

        Raises
        ------
        RulePackError
            If ``as_of_us`` lies more than a day from the instant of `load`.
        """
        if self.as_of_us is not None and abs(self.as_of_us - as_of_us) > DAY_US:
            raise RulePackError(
                "the rules were chosen for another day than the one that is judged",
                hint="call RuleBook.load with the as_of of the batch",
            )

    def covers(self, jurisdiction: str | None) -> bool:
        """Return whether a pack speaks for a code, or for the country it lies in."""
        return jurisdiction is not None and any(
            within(jurisdiction, code) for code in self.jurisdictions
        )

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by id; raises `KeyError` for an id that is not loaded."""
        return self._by_id[rule_id]

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {r.id: r for r in self.rules}

    @cached_property
    def unchecked(self) -> tuple[tuple[str, str], ...]:
        """Rules of the loaded packs that no machine tests: (id, why), sorted by id."""
        found = [(r.id, why) for r in self.rules if (why := _why_unchecked(r))]
        return tuple(sorted(found))

    @property
    def duties(self) -> tuple[str, ...]:
        """Ids of suppression rules whose flag no table can set: duties for people."""
        return tuple(i for i, why in self.unchecked if why.startswith("duty"))

    def summary(self) -> str:
        """Return packs, counts, disclaimer, uncovered ground and unchecked rules as text."""
        lines = [f"rules {self.version[:12]} · profile {self.profile} · fallback {self.fallback}"]
        for pack in self.packs:
            own = [r for r in self.rules if r.pack == pack["pack"]]
            doubtful = sum("unverified" in r.confidence for r in own)
            lines.append(
                f"  {pack['pack']} {pack['version']} (researched {pack.get('researched_on', '-')}):"
                f" {len(own)} rules, {doubtful} from memory only"
            )
            if pack.get("note"):
                lines.append(f"    {pack['note']}")
        if "US" in self.jurisdictions and not any(j.startswith("US-") for j in self.jurisdictions):
            lines.append(
                "  no pack of a US state is loaded: customers there get federal rules only"
            )
        lines.append("  Not legal advice: counsel must review every rule before use.")
        if self.unchecked:
            lines.append(f"  not checked ({len(self.unchecked)}):")
            lines += [f"    {rule_id}: {why}" for rule_id, why in self.unchecked]
        return "\n".join(lines)

    def explain(self, rule_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the card (summary, citation, confidence, ...) of each rule id, in order."""
        return [self.rule(i).card() for i in rule_ids]


# ---- reading -------------------------------------------------------------------------------------


def _texts_of(names: Iterable[str]) -> dict[str, str]:
    shipped = shipped_packs()
    texts: dict[str, str] = {}
    for name in names:
        if name == "auto":
            texts.update({k: v for k, v in shipped.items() if k not in _OURS})
        elif name in shipped:
            texts[name] = shipped[name]
        else:
            path = Path(name)
            if not path.is_file():
                raise RulePackError(
                    f"no rule pack {name!r}",
                    hint=f"shipped: {', '.join(shipped)}; or give the path of a JSON or YAML file",
                )
            texts[path.name] = path.read_text("utf-8")
    return {**texts, **{name: shipped[name] for name in _OURS}}


def _read_all(texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = {}
    faults = []
    for name, text in texts.items():
        try:
            data[name] = (
                yaml.safe_load(text) if name.endswith((".yaml", ".yml")) else json.loads(text)
            )
        except (ValueError, yaml.YAMLError) as error:
            faults.append(f"{name}: not readable: {error}")
            continue
        faults += [f"{name}: {fault}" for fault in check_pack(data[name])]
    if faults:
        raise RulePackError(
            f"{len(faults)} fault(s) in rule packs\n  " + "\n  ".join(faults),
            hint="a shipped pack in contactopt/compliance/packs shows the form",
        )
    return data


def _rules_of(name: str, pack: dict[str, Any]) -> list[Rule]:
    return [
        _rule_of(pack, r)
        for r in pack["rules"]
        if "collection" in r.get("purposes", ["collection"])
    ]


def _rule_of(pack: dict[str, Any], r: dict[str, Any]) -> Rule:
    return Rule(
        id=r["id"],
        jurisdiction=r["jurisdiction"],
        locality=r.get("locality"),
        kind=r["kind"],
        applies_to=tuple(r["applies_to"]),
        channels=tuple(r["channels"]),
        parameters=dict(r["parameters"]),
        strength=r["strength"],
        status=r["status"],
        scope=r["scope"],
        effective_from=_date(r["effective_from"]),
        effective_to=_date(r["effective_to"]),
        citation=r["citation"],
        confidence=r["confidence"],
        summary=r.get("summary") or "",
        note=r.get("note") or "",
        source_url=r.get("source_url"),
        purposes=tuple(r.get("purposes", ["collection"])),
        exceptions=tuple(r.get("exceptions") or ()),
        pack=pack["pack"],
        always=pack.get("binds", "profile") == "always",
    )


def _date(value: Any) -> date | None:
    return None if value is None else date.fromisoformat(str(value))


def _no_id_twice(rules: list[Rule]) -> None:
    ids = [r.id for r in rules]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise RulePackError(
            f"rule ids stand in two packs: {', '.join(twice[:5])}",
            hint="give every rule of a pack of your own an id that starts with the pack's name",
        )


def _binds(rule: Rule, profile: str) -> bool:
    """Proposed rules never bind; a scheduled one does from its date, a repealed one until it."""
    kinds = table("kinds")
    if rule.always:
        return True
    return (
        rule.strength in kinds["strengths"][profile] and rule.status in kinds["statuses_that_bind"]
    )


def _near(rule: Rule, as_of: Any) -> bool:
    if as_of is None:
        return True
    today = date(1970, 1, 1) + timedelta(days=to_us(as_of) // DAY_US)
    starts_late = rule.effective_from is not None and rule.effective_from > today + _DATE_REACH
    ended = rule.effective_to is not None and rule.effective_to < today - _DATE_REACH
    return not (starts_late or ended)


def _why_unchecked(rule: Rule) -> str | None:
    p = rule.parameters
    if rule.kind == "disclosure":
        return "content of the message is not checked"
    if rule.kind == "suppression" and p["flag"] not in table("flags")["flags"]:
        return f"duty: no table sets the flag {p['flag']}"
    if rule.kind == "frequency_cap" and (p["max"] is None or p["period"]["type"] == "none"):
        return "the rule names no number"
    if rule.kind == "consent" and "model" not in p:
        return "an exemption that is never used: no table records direct prior consent"
    untested = [k for k in table("kinds")[rule.kind]["untested"] if k in p]
    return f"tested but for: {', '.join(untested)}" if untested else None


def _version(texts: dict[str, str], config: RulesConfig) -> str:
    parts: dict[str, Any] = {"packs": texts, "settings": config.model_dump(mode="json")}
    parts["settings"].pop("packs", None)
    parts["tables"] = {n: table_text(n) for n in ("words", "flags", "kinds", "zones")}
    parts["calendars"] = {n: _installed(n) for n in ("holidays", "tzdata")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _installed(name: str) -> str:
    try:
        return package_version(name)
    except PackageNotFoundError:
        return "absent"
