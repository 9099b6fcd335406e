"""What a counting rule counts, how many are too many, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contactopt.compliance.rule import Rule

__all__ = ["Span", "days_counted", "is_numeric", "windows_of"]


def is_numeric(rule: Rule) -> bool:
    """Return whether a counting rule names a number."""
    p = rule.parameters
    return rule.kind != "frequency_cap" or (p["max"] is not None and p["period"]["type"] != "none")


def days_counted(rule: Rule) -> int:
    """Return over how many days at most a rule counts."""
    p = rule.parameters
    lengths = [7, int(p.get("length_days", 0)), int(p.get("min_gap_days", 0) or 0)]
    return max([*lengths, int((p.get("period") or {}).get("length") or 0)]) + 1


@dataclass(frozen=True, slots=True)
class Span:
    """How long an event counts: ``kind`` days or week, ``length`` days from ``first`` on.

    ``windows``: planned events ahead are tested in each window that contains both days.
    """

    kind: str
    length: int
    windows: bool
    week_start: str = "MON"


def windows_of(rule: Rule, profile: str) -> list[tuple[dict[str, Any], int, Span]]:
    """Return what counts, how many are too many, and for how long."""
    p = rule.parameters
    if rule.kind == "cooldown":
        length = p["length_days"] + (p.get("first_day") == "day_after")
        trigger = p["trigger"]
        what = {
            "channels": trigger["channels"],
            "include_outcomes": trigger["outcomes"],
            "direction": trigger.get("direction", "any"),
        }
        return [(what, 1, Span("days", length, windows=False))]
    period = dict(p["period"])
    if rule.kind == "one_channel":
        outcomes = list(p["trigger_outcomes"])
        if profile == "strict":
            outcomes += p.get("strict_trigger_outcomes", [])
            period["type"] = period.get("strict_alternative", period["type"])
        what = {"channels": ["*"], "include_outcomes": outcomes, "direction": "any"}
        return [(what, 1, _span(period))]
    out = [(p["count"], int(p["max"]), _span(period))]
    if p.get("attempts_max"):
        attempts = {k: v for k, v in p["count"].items() if k != "include_outcomes"}
        out.append((attempts, int(p["attempts_max"]), _span(period)))
    if p.get("min_gap_days"):
        out.append((p["count"], 1, Span("days", int(p["min_gap_days"]), windows=True)))
    return out


def _span(period: dict[str, Any]) -> Span:
    if period["type"] == "calendar_week":
        return Span("week", 7, windows=True, week_start=period.get("week_start", "MON"))
    return Span("days", int(period["length"]), windows=True)
