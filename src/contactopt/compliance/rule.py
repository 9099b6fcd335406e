"""One rule as read from a pack: who is bound, when, by what, with its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

__all__ = ["Rule", "within"]


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

    def effective_on(self, day: date) -> bool:
        """Return whether the rule is law on a local date."""
        after_start = self.effective_from is None or self.effective_from <= day
        return after_start and (self.effective_to is None or day <= self.effective_to)

    def reaches(self, words: frozenset[str]) -> bool:
        """Return whether a channel with these rule words is meant."""
        return "*" in self.channels or not words.isdisjoint(self.channels)

    def card(self) -> dict[str, Any]:
        """Return what a denial shows: id, summary, kind, source and how sure it is."""
        return {
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


def within(jurisdiction: str, region: str) -> bool:
    """Return whether a code lies in a region: itself or a subdivision of it.

    Examples
    --------
    >>> within("US-CO", "US"), within("US-CO", "CO"), within("MX", "*")
    (True, False, True)
    """
    return region == "*" or jurisdiction == region or jurisdiction.startswith(f"{region}-")
