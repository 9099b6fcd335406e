"""What the law of a place wants said in a message, and whether a template says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from contactopt.compliance.block import Block, RuleSet
from contactopt.compliance.data_tables import table
from contactopt.compliance.localities import Ground
from contactopt.compliance.rule import Rule, within
from contactopt.config import TemplateConfig

__all__ = ["Disclosures", "carries", "content_of"]


def content_of(rule: Rule, *, first: bool) -> tuple[str, ...]:
    """Return the words that every message under a rule must carry, empty for other duties.

    What has a deadline of its own (a notice within days) is not part of every message.

    Parameters
    ----------
    rule : Rule
        Of kind `disclosure`.
    first : bool
        Nothing was sent to the customer before.
    """
    p = rule.parameters
    if rule.kind != "disclosure" or "deadline" in p:
        return ()
    turn = p.get("required_first" if first else "required_later", [])
    return (*p.get("required", []), *turn)


class Disclosures:
    """What messages must say, by whom a rule binds: each question is worked out once.

    Parameters
    ----------
    block : Block
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.rules = {
            first: [(r, words) for r in block.book.rules if (words := content_of(r, first=first))]
            for first in (False, True)
        }
        self._kept: dict[object, tuple[tuple[str, str], ...]] = {}

    def demanded(
        self, own: RuleSet, channel: int, days: tuple[date, ...], *, first: bool
    ) -> tuple[tuple[str, str], ...]:
        """Return (rule id, word) for everything a message in a channel must say."""
        key = (own.ground, own.ownership, channel, days, first)
        if key not in self._kept:
            self._kept[key] = tuple(
                (rule.id, word)
                for rule, words in self.rules[first]
                if rule.reaches(self.block.words[channel])
                and any(rule.effective_on(d) for d in days)
                and _binds(rule, own.ground, own.ownership)
                for word in words
            )
        return self._kept[key]


def carries(template: TemplateConfig, demanded: Sequence[tuple[str, str]]) -> bool:
    """Return whether a template names every word, its rule, or a name that stands for the word."""
    aliases = table("disclosures")["names"]
    said = set(template.disclosures)
    said |= {word for name in template.disclosures for word in aliases.get(name, ())}
    return all(rule in said or word in said for rule, word in demanded)


def _binds(rule: Rule, ground: Ground, ownership: str | None) -> bool:
    if ownership is not None and ownership not in rule.applies_to:
        return False
    here = rule.jurisdiction == "*" or any(
        within(j, rule.jurisdiction) for j in ground.jurisdictions
    )
    local = rule.locality is None or ground.locality is None or rule.locality == ground.locality
    return here and local
