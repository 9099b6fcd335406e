"""Words of a timeline: what a row says, in a few plain words for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v

__all__ = ["decision_words", "plain", "snapshot_words", "stated", "touch_words", "way"]

_WAYS = {
    "call_agent": "agent call",
    "call_bot": "bot call",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "email": "e-mail",
    "push": "push message",
    "chat": "chat",
    "letter": "letter",
    "visit": "visit",
    "portal": "self-service portal",
}
_ENDS = {
    "suppressed_rule": "called off: a rule forbade it",
    "suppressed_event": "called off: something happened before",
    "no_capacity": "not sent: no capacity",
    "vendor_error": "not sent: the vendor failed",
}


def stated(value: Any) -> str | None:
    """Return text, None for every kind of null; what is no scalar is told as it stands."""
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    return str(value)


def plain(word: Any) -> str:
    """Return a word of the contract as people write it."""
    return str(word).replace("_", " ")


def way(channel: Any) -> str:
    """Return a channel in words; a strategy's own channel by its name."""
    return _WAYS.get(str(channel), plain(channel))


def touch_words(touch: Mapping[Any, Any]) -> str:
    """Return what a contact was and what came of it, as far as that is known."""
    head = way(touch["channel"])
    if touch["direction"] == "inbound":
        head = f"customer contacted us ({head})"
    told = touch["outcome"] != v.OUTCOMES[-1]
    parts = [f"{head}: {plain(touch['outcome']) if told else 'outcome not known'}"]
    seconds = touch["duration_s"]
    if not np.isnan(seconds) and seconds > 0:
        parts.append(f"{seconds:.0f} s")
    if touch["machine_only"]:
        parts.append("only machine activity")
    for name, label in (("template_id", "template"), ("offer_id", "offer")):
        if stated(touch[name]):
            parts.append(f"{label} {touch[name]}")
    if stated(touch["collector"]):
        parts.append(f"on behalf of {touch['collector']}")
    return ", ".join(parts)


def snapshot_words(stage: str, status: str | None, days: float, past_due: float) -> str:
    """Return how a debt stood."""
    late = "days past due not known" if np.isnan(days) else f"{days:.0f} days past due"
    money = "" if np.isnan(past_due) else f", {past_due:,.2f} past due"
    return f"debt is {plain(status or 'of unknown status')}, {plain(stage)}: {late}{money}"


def decision_words(decision: Mapping[Any, Any], slot: str | None, *, off_plan: bool) -> str:
    """Return what was decided and what became of it."""
    odds = decision["propensity"]
    chance = "" if np.isnan(odds) else f" (probability {odds:.3g})"
    if decision["channel"] == v.WAIT:
        return f"decided to wait{chance}" + (", control group" if decision["holdout"] else "")
    text = f"planned {way(decision['channel'])}" + (f" at {slot}" if slot else "") + chance
    for name, label in (("template_id", "template"), ("offer_id", "offer")):
        if stated(decision[name]):
            text += f", {label} {decision[name]}"
    return f"{text}: {_became(decision, off_plan)}"


def _became(decision: Mapping[Any, Any], off_plan: bool) -> str:
    if decision["executed"]:
        return "executed"
    if off_plan:
        return "another channel was used"
    status = stated(decision["dispatch_status"])
    if status in _ENDS:
        return _ENDS[status]
    if decision["open"]:
        return "sent, no contact on record yet" if status == "sent" else "pending"
    return "not executed"
