"""A model card's facts as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from contactopt.models.markdown import number, table

__all__ = ["rendered"]


def rendered(facts: Mapping[str, Any]) -> str:
    """Return the card as Markdown; sections without facts are left out."""
    parts = ["# Model card", _data(facts.get("data", {}))]
    for head, make, key in (
        ("Parts", _parts, "parts"),
        ("Who pays", _payment, "payment"),
        ("What contact adds", _effect, "effect"),
        ("When people are reached", _hours, "hours"),
        ("Segments", _segments, "segments"),
        ("Since the fit", _update, "update"),
    ):
        if facts.get(key):
            parts += [f"## {head}", make(facts[key])]
    if facts.get("report"):
        parts += ["## On later moments", facts["report"]["markdown"].rstrip()]
    if facts.get("limits"):
        parts += ["## Limits", "\n".join(f"- {line}" for line in facts["limits"])]
    return "\n\n".join(p for p in parts if p) + "\n"


def _data(data: Mapping[str, Any]) -> str:
    names = {
        "as_of": "Known by",
        "customers": "Customers",
        "horizon_days": "Horizon, days",
        "horizon_days_by_stage": "Other horizons, days",
        "currency": "Currency",
        "label": "Label",
        "portfolio_hash": "Data",
        "config_hash": "Settings",
        "rules_version": "Rules",
    }
    rows = [(says, _text(data[key])) for key, says in names.items() if data.get(key) is not None]
    return table(["", ""], rows) if rows else ""


def _parts(parts: Mapping[str, Any]) -> str:
    rows = [
        (name, _text(part["rows"])) for name, part in parts.items() if part.get("rows") is not None
    ]
    return table(["part", "rows learned from"], rows)


def _payment(told: Mapping[str, Any]) -> str:
    lines = [f"Learner: **{told['learner']}**, because {told['why']}."]
    if told.get("rows") is not None:
        lines.append(
            f"Learned from {_text(told['rows'])} moments, {_text(told.get('paying_rows'))} with a "
            f"payment; judged on {_text(told.get('held_out_rows'))} held out "
            f"({told.get('validation') or 'not split'}). Calibration: "
            f"{told.get('calibration') or 'none'}."
        )
    out = ["\n".join(lines)]
    if told.get("held_out"):
        rows = []
        for name, held in told["held_out"].items():
            low, high = held.get("low"), held.get("high")
            ends = "" if low is None else f"{number(low)} to {number(high)}"
            rows.append((name, number(held["value"]), ends))
        out.append(table(["held out", "value", "interval"], rows))
    drift = told.get("drift") or {}
    if drift:
        word = "Drift is shown" if drift.get("drifted") else "No drift is shown"
        out.append(
            f"{word} between the newest fifth of the rows and those before: "
            f"{drift.get('n_moved_far', 0)} columns moved far; rate {drift['rate_before']:.1%} "
            f"before, {drift['rate_newest']:.1%} there, {drift['expected_newest']:.1%} expected."
        )
    # drift was told above
    said = [line for line in told.get("verdict", []) if not (drift and line.startswith("drift"))]
    out += ["\n".join(f"- {line}" for line in said)] if said else []
    return "\n\n".join(out)


def _effect(told: Mapping[str, Any]) -> str:
    lines = []
    if told.get("verdict"):
        lines.append(
            f"{_sentence(told['verdict'])} Chosen: **{told['choice']}**; propensities: "
            f"{told['propensity']}."
        )
    if told.get("estimand") == "lone contact" and not told.get("prior_only"):
        lines.append(
            "Effects are those of a contact that no other follows: what later contacts add is "
            "taken off before drawn actions are compared."
        )
    if told.get("prior_only"):
        lines.append("The prior remains: nothing was learned from this log.")
    rows = told.get("candidates") or []
    if rows:
        heads = list(rows[0])
        lines.append(table(heads, [[_text(row[h]) for h in heads] for row in rows]))
    return "\n\n".join(lines)


def _hours(told: Mapping[str, Any]) -> str:
    rows = [
        (name, h.get("verdict") or "", h.get("reason") or "", _text(h.get("p_value")),
         _text(h.get("attempts")))
        for name, h in told.items()
    ]  # fmt: skip
    return table(["channel", "hour effect", "why", "p", "attempts"], rows)


def _segments(told: Mapping[str, Any]) -> str:
    lines = []
    if told.get("behaviours"):
        lines += [f"- {name}" for name in told["behaviours"]]
        lines.append("")
        if told.get("separated") is not None:
            lines.append(
                "There are gaps between them."
                if told["separated"]
                else "They cut a continuum in pieces that two halves of the data agree on."
            )
    if told.get("ari_with_previous") is not None:
        lines.append(
            f"Agreement with the previous fit (adjusted Rand index): "
            f"{told['ari_with_previous']:.3f}, {told.get('names_kept')} names kept."
        )
    if told.get("balance_limits"):
        limits = ", ".join(number(x) for x in told["balance_limits"])
        lines += ["", f"Limits of balance bands: {limits}."]
    return "\n".join(lines).strip()


def _update(told: Mapping[str, Any]) -> str:
    residual, delay = told.get("residual") or {}, told.get("delay") or {}
    control = residual.get("control") or {}
    rows = (
        ("Known by", told.get("as_of")),
        ("Decisions since the fit", told.get("decisions")),
        ("in batches", told.get("batches")),
        ("with a closed window", told.get("mature")),
        ("Delays learned from decisions", delay.get("rows")),
        ("Corrections learned from draws", residual.get("rows")),
        ("Control customers that count", control.get("customers")),
        ("Contacts added, in payers' money per customer", control.get("realised")),
        ("with a standard error of", control.get("error")),
        ("where the models as fitted had promised", control.get("promised")),
        ("The models' gain counts, times", residual.get("slope")),
    )
    return table(["", ""], [(says, _text(value)) for says, value in rows if value is not None])


def _sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _text(value: Any) -> str:
    """Write a value as people read it."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return number(value) if isinstance(value, int | float) else str(value)
