"""What the law of a place wants said in a message, and whether a template says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from contactopt.compliance.block import Block, RuleSet
from contactopt.compliance.data_tables import table
from contactopt.compliance.localities import Ground
from contactopt.compliance.rule import Rule, within
from contactopt.config import TemplateConfig

__all__ = ["carries", "content_of", "demanded"]


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


def demanded(
    block: Block, own: RuleSet, channel: int, days: Sequence[date], *, first: bool
) -> tuple[tuple[str, str], ...]:
    """Return (rule id, word) for everything a message in a channel must say."""
    found = []
    for rule in block.book.rules:
        words = content_of(rule, first=first)
        if not words or not rule.reaches(block.words[channel]):
            continue
        if not any(rule.effective_on(d) for d in days):
            continue
        if _binds(rule, own.ground, own.ownership):
            found += [(rule.id, word) for word in words]
    return tuple(found)


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
