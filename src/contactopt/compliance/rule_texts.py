"""The rules in words, to be kept with a batch: what each says, where it stands, what ends it."""

from __future__ import annotations

from typing import Any

from contactopt.compliance.data_tables import table
from contactopt.compliance.evaluate import LOOK_AHEAD_DAYS
from contactopt.compliance.rule import Rule
from contactopt.compliance.rulebook import RuleBook

__all__ = ["ending_of", "rule_texts"]


def rule_texts(rules: RuleBook) -> dict[str, Any]:
    """Return the texts of all rules in force, JSON-ready and small enough for every batch.

    Packs change; what stood in them on the day of a decision must still be readable years later.

    Parameters
    ----------
    rules : RuleBook

    Returns
    -------
    dict
        ``searched_days``: how far beyond the last known release an open hour was looked for;
        ``rules``: by id ``kind``, ``summary``, ``citation`` and ``ends`` (what must change before
        the denial is lifted; None where it ends by itself, at an instant), ``confidence`` (where
        the rule was seen), ``source_url`` (None for our own) and ``unchecked`` (why no machine
        tests it; None where one does);
        ``calendars``: versions of the packages that say which days are holidays and when clocks
        change. A changed calendar changes ``rules.version`` as well.

    Examples
    --------
    >>> texts = rule_texts(RuleBook.load())["rules"]
    >>> texts["house.no_contact_point"]["ends"]
    'a contact point of the kind that this channel needs is on record'
    >>> texts["us.regf.hours"]["ends"] is None
    True
    """
    unchecked = dict(rules.unchecked)
    return {
        "searched_days": LOOK_AHEAD_DAYS,
        "calendars": rules.calendar_versions,
        "rules": {
            r.id: {
                "kind": r.kind,
                "summary": r.summary or r.note,
                "citation": r.citation,
                "ends": ending_of(r),
                "confidence": r.confidence,
                "source_url": r.source_url,
                "unchecked": unchecked.get(r.id),
            }
            for r in rules.rules
        },
    }


def ending_of(rule: Rule) -> str | None:
    """Return what must change before a denial is lifted; None where it ends at an instant."""
    endings = table("endings")
    if rule.kind != "suppression":
        return endings["kinds"].get(rule.kind, endings["facts"]["*"])
    facts = table("flags")["flags"].get(rule.parameters["flag"], [])
    found = dict.fromkeys(_ending(fact) for fact in facts)
    if found and set(found) == {None}:
        return None
    words = [text for text in found if text is not None]
    return ", or ".join(words) if words else endings["facts"]["*"]


def _ending(fact: str) -> str | None:
    """Return the words of a fact, else of its kind (the part before the colon)."""
    words = table("endings")["facts"]
    for key in (fact, fact.split(":")[0], "*"):
        if key in words:
            return words[key]
    return None
