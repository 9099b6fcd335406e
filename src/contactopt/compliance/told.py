"""One contact described in words: what it is, of whom, and which flags stand.

Test vectors speak the words of the rules (flags, notices, consents, what a message holds), more
than the tables of the contract can say. Hours and counting go through the evaluators as ever;
what is told in words is judged here, rule by rule, with the same defaults: a missing place is
home, a missing consent or notice is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from contactopt.compliance.data_tables import table
from contactopt.compliance.localities import Ground, Places
from contactopt.compliance.reading import OURS
from contactopt.compliance.rule import Rule

__all__ = ["Told"]

_VERBAL = {"call", "prerecorded_call", "autodialed_call", "ringless_voicemail", "visit"}
#: two names of one circumstance: the flag of a past call, and of the contact to come
_SAME = ({"direct_consent", "direct_consent_active"},)


@dataclass(frozen=True, eq=False)
class Told:
    """Facts about one contact.

    Parameters
    ----------
    words : frozenset of str
        Rule words of the channel.
    medium : str
    zones : tuple of str
        Candidate zones; none denies wherever hours bind.
    jurisdictions : tuple of str
        Codes whose rules apply, ``CODE@locality`` for those of a locality. Exactly these.
    days : tuple of date
        Local dates of the contact, one per zone.
    flags : frozenset of str
        Standing flags, ``flag`` or ``flag:what`` (a channel, place or account).
    circumstances : frozenset of str
        Flags of this contact: what may relax a rule.
    facts : dict
        Dates and values: notices sent, last inbound message.
    has : frozenset of str
        What the message holds.
    message, recipient, place, line_type : str or None
    accounts : tuple of str
    point : int
        Row of ``view.points`` that stands for place and line.
    conversation_days : tuple of date
        Local dates of earlier conversations with the person.
    """

    words: frozenset[str]
    medium: str
    zones: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    days: tuple[date, ...]
    flags: frozenset[str] = frozenset()
    circumstances: frozenset[str] = frozenset()
    facts: dict[str, Any] | None = None
    has: frozenset[str] = frozenset()
    message: str | None = None
    recipient: str | None = None
    place: str = "home"
    line_type: str | None = None
    accounts: tuple[str, ...] = ()
    point: int = -1
    conversation_days: tuple[date, ...] = ()

    # ---- where ---------------------------------------------------------------------------------

    def places(self, n: int) -> Places:
        """Return the same ground and candidate zones for every person of the vector."""
        codes = tuple(dict.fromkeys(j.split("@")[0] for j in self.jurisdictions))
        everyone = np.zeros(n, dtype=np.int64)
        sets = ((), self.zones) if self.zones else ((),)
        zone_set = everyone + len(sets) - 1
        return Places(sets, zone_set, (Ground(codes, None),), everyone)

    def rules_for(
        self, ground: Ground, ownership: str | None, book: Any
    ) -> tuple[list[int], tuple[str, ...], bool]:
        """Return the rules of exactly the jurisdictions named; ours are left out."""
        named = {j.casefold() for j in self.jurisdictions}
        found = []
        for i, rule in enumerate(book.rules):
            local = f"@{rule.locality}" if rule.locality else ""
            own = f"{rule.jurisdiction}{local}".casefold()
            if rule.pack in OURS or (rule.jurisdiction != "*" and own not in named):
                continue
            if ownership is None or ownership in rule.applies_to:
                found.append(i)
        return found, (), False

    # ---- what speaks against it ----------------------------------------------------------------

    def denying(self, rules: Sequence[Rule]) -> tuple[list[int], list[int]]:
        """Return positions of rules that told facts set off: by a flag named, and by inference."""
        named, inferred = [], []
        # whoever a rule sends us to stands for the customer
        stand_ins = set().union(*(_tokens(r.parameters, "redirect_to") for r in rules))
        for i, rule in enumerate(rules):
            if not rule.reaches(self.words):
                continue
            if rule.kind == "suppression":
                if self._spared(rule):
                    continue
                if self._flagged(rule):
                    named.append(i)
                elif self._inferred(rule, stand_ins):
                    inferred.append(i)
            elif (rule.kind == "consent" and self._lacks_consent(rule)) or (
                rule.kind == "disclosure" and self._lacks_content(rule)
            ):
                named.append(i)
        return named, inferred

    def relaxed(self, rules: Sequence[Rule]) -> list[int]:
        """Return positions of rules that a circumstance relaxes, each by its own exceptions."""
        here = set(self.circumstances) | set(self.flags)
        here |= {k for k, v in (self.facts or {}).items() if v is True}
        for same in _SAME:
            here |= same if here & same else set()
        exempt = set()
        for rule in rules:
            granted = rule.parameters.get("grants_exemption_from")
            if rule.kind == "consent" and granted and self._exempted(rule, here):
                exempt |= set(granted)
        return [i for i, r in enumerate(rules) if r.relaxed_by & here or r.id in exempt]

    def _exempted(self, rule: Rule, here: set[str]) -> bool:
        """Direct consent, for the days it lasts, the consent day being the first."""
        if here & _SAME[0]:
            return True
        days = int(rule.parameters.get("expiry_days") or 1)
        since = [_date(v) for k, v in (self.facts or {}).items() if "direct_consent" in k]
        return any(
            all(0 <= (day - s).days < days for day in self.days)
            and not any(c >= s for c in self.conversation_days)
            for s in since
            if s is not None and self.days
        )

    # ---- flags ---------------------------------------------------------------------------------

    def _flagged(self, rule: Rule) -> bool:
        p = rule.parameters
        if p.get("match") == "place:work" and self.place != "work":
            return False
        for flag in self.flags:
            name, _, what = flag.partition(":")
            if name == p["flag"] and (not what or self._meant(what)):
                return True
        return False

    def _meant(self, what: str) -> bool:
        """Whether a flag's addition concerns this contact; what nobody knows does."""
        own = {*self.words, self.medium, self.place, *self.accounts}
        own |= {"verbal"} if self.words & _VERBAL else set()
        if what in own:
            return True
        known = {*table("words")["rule_channels"], "verbal", "home", "work"}
        return what not in known and not self.accounts

    def _inferred(self, rule: Rule, stand_ins: set[str]) -> bool:
        """Facts that the contact itself shows: a visit, a place, somebody else answering."""
        shown = {"always"} | {f"channel:{w}" for w in self.words}
        shown |= {"point:work"} if self.place == "work" else set()
        somebody = self.recipient is not None and self.recipient not in {*_CUSTOMER, *stand_ins}
        shown |= {"point:third_party"} if somebody else set()
        facts = table("flags")["flags"].get(rule.parameters["flag"], ())
        return not shown.isdisjoint(facts)

    def _spared(self, rule: Rule) -> bool:
        p = rule.parameters
        messages = _tokens(p, "allowed_messages", "allowed", "allow")
        people = _tokens(p, "allowed_recipients", "consumer_includes", "redirect_to")
        said = {self.message} | set(self.circumstances)
        return bool(messages & said) or self.recipient in people

    # ---- consent and content -------------------------------------------------------------------

    def _lacks_consent(self, rule: Rule) -> bool:
        p = rule.parameters
        model = p.get("model")
        if model is None or model in table("kinds")["consent_not_needed"]:
            return False
        if model == "revocation":
            return self._revoked(everywhere=bool(p.get("spreads_to")))
        if model == "safe_harbor":  # it speaks of the number or address; revoking is its own rule
            return self._lacks_basis(p)
        if self._revoked():
            return True
        if p.get("scope_line") == "wireless" and self.line_type in ("landline", "residential"):
            return False
        if p.get("precondition") and not self._event(p["precondition"])[0]:
            return True
        wide = model != "prior_express_consent"
        words = {*self.words, self.medium} if wide else self._own_words()
        express = not wide and bool({"prior_express_consent"} & (self.flags | self.circumstances))
        return not (express or self._said("consent", words))

    def _own_words(self) -> set[str]:
        """Words by which a consent or revocation names this channel; a text is one either way."""
        texts = {"sms", "autodialed_sms"}
        return set(self.words) | (texts if self.words & texts else set())

    def _revoked(self, *, everywhere: bool = False) -> bool:
        """Revoking a medium closes every use of it; one that spreads, all of them."""
        if everywhere and any(f.partition(":")[0] == "revoked" for f in self.flags):
            return True
        return self._said("revoked", {*self._own_words(), self.medium})

    def _said(self, what: str, words: Iterable[str]) -> bool:
        return what in self.flags or any(f"{what}:{w}" in self.flags for w in words)

    def _lacks_basis(self, p: dict[str, Any]) -> bool:
        """Ask for a fresh basis where it expires; take another as told unless denied."""
        facts = self.facts or {}
        if p.get("expiry_days"):
            shown = [v for k, v in facts.items() if any(w in k for w in _RENEWED)]
            if any(v is True for v in shown):
                return False
            dates = [d for d in map(_date, shown) if d is not None]
            last = max(dates, default=None)
            if last is None or not self.days:
                return True
            return any((day - last).days > int(p["expiry_days"]) for day in self.days)
        refused = any(facts.get(k) is False for k in p.get("basis_any", []))
        own = {*p.get("basis_any", [])} & {*self.flags, *(k for k, v in facts.items() if v is True)}
        at_work = self.place == "work" or "work_email" in self.flags | self.circumstances
        asked = at_work and "work_email" in p
        return (asked or refused) and not (own or self._said("consent", self._own_words()))

    def _lacks_content(self, rule: Rule) -> bool:
        p = rule.parameters
        before = p.get("precondition")
        if before:
            known, sent = self._event(before["event"])
            wait = int(before.get("wait_days", 0))
            if not known or (sent is None and wait):
                return True
            return sent is not None and any((day - sent).days < wait for day in self.days)
        tests = table("flags")["disclosures"]
        asked = [w for w in p.get("required", []) if w in tests]
        return any(not ({w, *tests[w]} & self.has) for w in asked)

    def _event(self, name: str) -> tuple[bool, date | None]:
        """Whether something happened by now, and when."""
        value = (self.facts or {}).get(name)
        sent = _date(value)
        if sent is not None:
            return not self.days or sent <= max(self.days), sent
        return value is True or name in self.flags, None


_CUSTOMER = ("consumer", "customer", "debtor", "borrower", "self")
#: parts of the names of facts that renew a basis of consent
_RENEWED = ("inbound", "reassigned", "reconfirmed")


def _tokens(p: dict[str, Any], *keys: str) -> set[str]:
    """Words of some parameters, those joined by ``_or_`` apart as well."""
    found: set[str] = set()
    for key in keys:
        value = p.get(key, ())
        for word in [value] if isinstance(value, str) else value:
            found |= {word, *word.split("_or_")}
    return found


def _date(value: Any) -> date | None:
    """Read a date, or the date of an instant; None for anything else."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
