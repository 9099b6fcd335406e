"""The rules in force: packs chosen by the strategy, their version, and what nobody tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import Any

from contactopt.compliance.data_tables import table, table_text
from contactopt.compliance.overrides import with_overrides
from contactopt.compliance.reading import in_profile, pack_texts, read_packs, rules_of
from contactopt.compliance.rule import Rule, within
from contactopt.config import RulesConfig
from contactopt.errors import RulePackError
from contactopt.journal.local_time import DAY_US, to_us

__all__ = ["RuleBook"]

#: local dates and the plan's 24 hours reach at most this far from the UTC date of as_of
_DATE_REACH = timedelta(days=3)
#: books kept, newest first: what was asked for, packs' texts included, and the answer
_READ: list[tuple[Any, RuleBook]] = []
_BOOKS = 8
_CONFIDENCES = {"legal_text": 1, "summary": 2, "memory": 3}


@dataclass(frozen=True, eq=False)
class RuleBook:
    """All rules that may bind around an instant, and how strictly they are read.

    Parameters
    ----------
    rules : tuple of Rule
        Sorted by id and start; those of the profile whose effective dates touch the days around
        as_of.
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
    zones : dict
        Time zones of jurisdictions that a pack names.
    proposed : tuple of Rule
        Rules that do not bind but are drafted or scheduled: they only deny in `with_proposed`.
    excluded : tuple of str
        Ids of rules left out by ``min_confidence``.

    Notes
    -----
    `load` reads the packs from disk each time: a changed pack of the user's binds from the next
    load on, without a restart, and shows in ``version``. Packs of the very same text are not
    worked out again for instants of one UTC day: which rules are chosen depends on the day only.

    Examples
    --------
    >>> book = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    >>> book.covers("US-NY"), book.covers("FR")
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
    zones: Mapping[str, tuple[str, ...]] | None = None
    proposed: tuple[Rule, ...] = ()
    excluded: tuple[str, ...] = ()

    @classmethod
    def load(
        cls,
        config: RulesConfig | None = None,
        as_of: Any = None,
        *,
        purposes: Iterable[str] = ("collection",),
    ) -> RuleBook:
        """Read and check the packs.

        Parameters
        ----------
        config : RulesConfig
            ``packs`` holds names of shipped packs, paths of JSON or YAML packs, or ``auto``.
        as_of : Timestamp, str with a zone, or int microseconds
            Rules of other times are left out; None keeps all.
        purposes : iterable of str
            What the contacts are for; a collection message that sells something is marketing too.

        Raises
        ------
        RulePackError
            If a pack is missing, unreadable or faulty, or an override is; all faults are named.
        """
        config = config or RulesConfig.model_validate({})
        texts = pack_texts(config.packs)
        day = None if as_of is None else _today(as_of)
        installed = tuple(_installed(name) for name in ("holidays", "tzdata"))
        wanted = (config, texts, day, tuple(purposes), installed)
        for asked, book in _READ:
            if asked == wanted:
                return book._at(as_of)
        book = cls._chosen(config, texts, as_of, wanted[3])
        book.__dict__["_compiled"] = []  # one list for all instants of the day
        del _READ[_BOOKS - 1 :]
        _READ.insert(0, (wanted, book))
        return book

    def _at(self, as_of: Any) -> RuleBook:
        """Return the same rules, chosen for another instant of the same day."""
        other = replace(self, as_of_us=None if as_of is None else to_us(as_of))
        for name in ("_compiled", "_by_id", "unchecked"):  # what was worked out holds all day
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    @classmethod
    def _chosen(
        cls, config: RulesConfig, texts: dict[str, str], as_of: Any, purposes: tuple[str, ...]
    ) -> RuleBook:
        data = read_packs(texts)
        every = with_overrides(rules_of(data), config.overrides)
        for rule_id in config.adopt:
            if not any(r.id == rule_id and r.status == "proposed" for r in every):
                raise RulePackError(
                    f"adopt: no proposed rule {rule_id!r} is loaded",
                    hint="`contactopt rules list --proposed` shows them",
                )
        kept, excluded = [], []
        for rule in every:
            if set(purposes).isdisjoint(rule.purposes):
                continue
            if _surely(rule) > _CONFIDENCES[config.min_confidence]:
                excluded.append(rule.id)
                continue
            adopted = rule.id in config.adopt
            rule = replace(rule, status="in_force") if adopted else rule
            kept.append(in_profile(rule, config.profile))
        binding = [r for r in kept if _binds(r, config.profile) and _near(r, as_of)]
        return cls(
            rules=_sorted(binding),
            jurisdictions=tuple(
                sorted({j for p in data.values() for j in p["jurisdictions"] if j != "*"})
            ),
            profile=config.profile,
            fallback=config.fallback,
            guard_minutes=config.guard_minutes,
            version=_version(texts, config),
            packs=tuple({k: v for k, v in p.items() if k != "rules"} for p in data.values()),
            calendars={
                k: tuple(map(str, v))
                for p in data.values()
                for k, v in (p.get("calendars") or {}).items()
            },
            as_of_us=None if as_of is None else to_us(as_of),
            zones={k: tuple(v) for p in data.values() for k, v in (p.get("zones") or {}).items()},
            proposed=_sorted([r for r in kept if _to_come(r, config.profile, as_of)]),
            excluded=tuple(sorted(set(excluded))),
        )

    def with_proposed(self) -> RuleBook:
        """Return the book in which drafted and scheduled rules deny too, as if in force today.

        For comparison only (see `diff`): no plan is made from it unless the strategy adopts them.
        """
        coming = [
            replace(r, status="in_force", effective_from=None, effective_to=None)
            for r in self.proposed
        ]
        version = hashlib.sha256(f"{self.version}+proposed".encode()).hexdigest()
        return replace(self, rules=_sorted([*self.rules, *coming]), version=version, proposed=())

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

    def named(self, part: str) -> frozenset[str]:
        """Return the ``creditors`` or ``books`` that some rule is limited to."""
        reaches = [x for r in self.rules for x in (r.reach, *r.spared)]
        return frozenset(name for x in reaches for name in getattr(x, part))

    def rule(self, rule_id: str) -> Rule:
        """Return a rule by id (of several texts the latest); `KeyError` where none is loaded."""
        return self._by_id[rule_id]

    @property
    def calendar_versions(self) -> dict[str, str]:
        """Versions of the packages of holidays and of time zones that are part of ``version``."""
        return _calendars()

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {r.id: r for r in self.rules}

    @cached_property
    def unchecked(self) -> tuple[tuple[str, str], ...]:
        """Rules of the loaded packs that no machine tests: (id, why), sorted by id."""
        found = [(r.id, why) for r in self.rules if (why := _why_unchecked(r))]
        return tuple(sorted(found))

    def unchecked_in(self, jurisdictions: Iterable[str | None]) -> tuple[tuple[str, str], ...]:
        """Return those of `unchecked` that bind somebody in some jurisdictions.

        Parameters
        ----------
        jurisdictions : iterable of str or None
            Where the customers of a portfolio may be; the rules of the house bind everywhere,
            those of the pack `cautious` where no other pack speaks.
        """
        places = {j for j in jurisdictions if isinstance(j, str)}
        bare = any(not self.covers(j) for j in places)
        bound = {
            r.id
            for r in self.rules
            if (bare if r.pack == "cautious" else any(within(j, r.jurisdiction) for j in places))
            or (r.jurisdiction == "*" and r.pack != "cautious")
        }
        return tuple((rule_id, why) for rule_id, why in self.unchecked if rule_id in bound)

    @property
    def duties(self) -> tuple[str, ...]:
        """Ids of rules that no machine can test (content, conduct): duties for people."""
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
        known = ", ".join(f"{name} {version}" for name, version in self.calendar_versions.items())
        lines.append(f"  calendars: {known}")
        if self.excluded:
            lines.append(
                f"  left out by min_confidence ({len(self.excluded)}): {', '.join(self.excluded)}"
            )
        if self.proposed:
            names = ", ".join(r.id for r in self.proposed)
            lines.append(f"  proposed or to come, not binding ({len(self.proposed)}): {names}")
        lines.append("  Not legal advice: counsel must review every rule before use.")
        if self.unchecked:
            lines.append(f"  not checked ({len(self.unchecked)}):")
            lines += [f"    {rule_id}: {why}" for rule_id, why in self.unchecked]
        return "\n".join(lines)

    def explain(self, rule_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the card (summary, citation, confidence, ...) of each rule id, in order."""
        return [self.rule(i).card() for i in rule_ids]


# ---- choosing ------------------------------------------------------------------------------------


def _sorted(rules: list[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda r: (r.id, r.effective_from or date.min)))


def _surely(rule: Rule) -> int:
    """Rank of what a rule rests on; our own and the user's are known."""
    known = table("kinds")["confidences"]
    return known.index(rule.confidence) + 1 if rule.confidence in known else 0


def _to_come(rule: Rule, profile: str, as_of: Any) -> bool:
    if rule.always or rule.strength not in table("kinds")["strengths"][profile]:
        return False
    if rule.status == "proposed":
        return True
    starts = rule.effective_from
    later = as_of is not None and starts is not None and starts > _today(as_of) + _DATE_REACH
    return later


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
    today = _today(as_of)
    starts_late = rule.effective_from is not None and rule.effective_from > today + _DATE_REACH
    ended = rule.effective_to is not None and rule.effective_to < today - _DATE_REACH
    return not (starts_late or ended)


def _today(as_of: Any) -> date:
    return date(1970, 1, 1) + timedelta(days=to_us(as_of) // DAY_US)


def _why_unchecked(rule: Rule) -> str | None:
    p = rule.parameters
    if rule.kind == "disclosure" and "precondition" not in p:
        return "duty: the content of the message is not checked"
    if rule.kind == "suppression" and p["flag"] not in table("flags")["flags"]:
        return f"duty: no table sets the flag {p['flag']}"
    if rule.kind == "frequency_cap" and (p["max"] is None or p["period"]["type"] == "none"):
        return "duty: the rule names no number"
    if rule.kind == "consent" and "model" not in p:
        return "an exemption that is never used: no table records direct prior consent"
    if rule.kind == "consent" and p["model"] in table("kinds")["consent_not_needed"]:
        return "duty: a legal basis other than consent is not checked"
    untested = [k for k in table("kinds")[rule.kind]["untested"] if k in p]
    return f"tested but for: {', '.join(untested)}" if untested else None


def _version(texts: dict[str, str], config: RulesConfig) -> str:
    parts: dict[str, Any] = {"packs": texts, "settings": config.model_dump(mode="json")}
    parts["settings"].pop("packs", None)
    parts["tables"] = {n: table_text(n) for n in ("words", "flags", "kinds", "zones")}
    parts["calendars"] = _calendars()
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _calendars() -> dict[str, str]:
    return {name: _installed(name) for name in ("holidays", "tzdata")}


@cache
def _installed(name: str) -> str:
    try:
        return package_version(name)
    except PackageNotFoundError:
        return "absent"
