"""One rule as read from a pack: who is bound, when, by what, with its source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

__all__ = ["EVERYWHERE", "Reach", "Rule", "within"]


@dataclass(frozen=True, slots=True)
class Reach:
    """Part of a portfolio that a rule is limited to; an empty part is the whole.

    Parameters
    ----------
    creditors, books : tuple of str
        As they stand in debts.
    channels : tuple of str
        Names of the strategy's channels, or rule words.
    """

    creditors: tuple[str, ...] = ()
    books: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def holds(self, creditor: str | None, book: str | None, *, unknown: bool) -> bool:
        """Return whether a debt lies inside; what is not known counts as ``unknown`` says."""
        for part, value in ((self.creditors, creditor), (self.books, book)):
            if part and not (unknown if value is None else value in part):
                return False
        return True

    def speaks(self, name: str, words: Collection[str]) -> bool:
        """Return whether a channel with these rule words lies inside."""
        return (
            not self.channels or name in self.channels or not set(words).isdisjoint(self.channels)
        )


EVERYWHERE = Reach()


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule of a pack; the numbers live in ``parameters``, never in code.

    Parameters
    ----------
    id : str
        Stable id that stands in every denial.
    jurisdiction : str
        ISO 3166-1 or -2, or ``*`` for packs that are ours.
    locality : str or None
        Name of a city or area without a code.
    kind : str
        hours, holiday, frequency_cap, cooldown, one_channel, consent, suppression, disclosure.
    applies_to : tuple of str
        Ownerships that are bound.
    channels : tuple of str
        Rule words of channels, or ``*``.
    parameters : dict
    strength, status, scope : str
    effective_from, effective_to : date or None
        Local dates, inclusive.
    citation, confidence, summary, note, source_url : str
    pack : str
        Name of the pack it came from.
    always : bool
        True for packs of ours that bind in every profile.
    reach : Reach
        Creditors, books and channels it is limited to.
    spared : tuple of Reach
        Where an approved override takes its place.
    approved_by : str or None
        Who approved an override that is laxer than the rule.
    order : int
        Position among all rules read; the first that denies is named as the deciding one.
    """

    id: str
    jurisdiction: str
    locality: str | None
    kind: str
    applies_to: tuple[str, ...]
    channels: tuple[str, ...]
    parameters: dict[str, Any]
    strength: str
    status: str
    scope: str
    effective_from: date | None
    effective_to: date | None
    citation: str
    confidence: str
    summary: str = ""
    note: str = ""
    source_url: str | None = None
    purposes: tuple[str, ...] = ("collection",)
    exceptions: tuple[dict[str, Any], ...] = field(default=())
    pack: str = ""
    always: bool = False
    reach: Reach = EVERYWHERE
    spared: tuple[Reach, ...] = ()
    approved_by: str | None = None
    order: int = 0

    def effective_on(self, day: date) -> bool:
        """Return whether the rule is law on a local date."""
        after_start = self.effective_from is None or self.effective_from <= day
        return after_start and (self.effective_to is None or day <= self.effective_to)

    def reaches(self, words: Collection[str]) -> bool:
        """Return whether a channel with these rule words is meant."""
        return "*" in self.channels or not set(words).isdisjoint(self.channels)

    def speaks(
        self, name: str, words: Collection[str], creditor: str | None, book: str | None
    ) -> bool:
        """Return whether a contact by a channel about a debt is meant, overrides included."""
        if not self.reaches(words) or not self.reach.speaks(name, words):
            return False
        if not self.reach.holds(creditor, book, unknown=True):
            return False
        if "letter" in self.relaxed_by and set(words) == {"letter"}:
            return False  # letters are outside the cap
        return not any(
            s.speaks(name, words) and s.holds(creditor, book, unknown=False) for s in self.spared
        )

    @property
    def relaxed_by(self) -> frozenset[str]:
        """Names of circumstances in which the rule does not deny the contact itself."""
        named = [str(e.get("when")) for e in self.exceptions]
        named += (self.parameters.get("count") or {}).get("exclude_flags", [])
        return frozenset(named)

    def card(self) -> dict[str, Any]:
        """Return what a denial shows: id, summary, kind, source and how sure it is."""
        card = {
            "id": self.id,
            "kind": self.kind,
            "jurisdiction": self.jurisdiction,
            "summary": self.summary,
            "parameters": self.parameters,
            "citation": self.citation,
            "source_url": self.source_url,
            "confidence": self.confidence,
            "strength": self.strength,
            "pack": self.pack,
        }
        if self.approved_by:
            card["approved_by"] = self.approved_by
        return card


def within(jurisdiction: str, region: str) -> bool:
    """Return whether a code lies in a region: itself or a subdivision of it.

    Examples
    --------
    >>> within("US-CO", "US"), within("US-CO", "CO"), within("MX", "*")
    (True, False, True)
    """
    return region == "*" or jurisdiction == region or jurisdiction.startswith(f"{region}-")
