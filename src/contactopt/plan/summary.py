"""The plan in figures, as a mapping, as text and as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = ["blocked_by_rule", "summarise", "summary_html", "summary_text", "usage_frame"]

_BOX = "<div style='overflow-x:auto;max-width:100%'>{}</div>"


def blocked_by_rule(plan: ContactPlan) -> dict[str, int]:
    """Count (customer, action) pairs by each reason that blocks them, largest first."""
    total = np.zeros(0, dtype=np.int64)
    sets: list[str] = []
    n, m = plan.batch.allowed.shape
    step = max(1, 2_000_000 // max(m, 1))
    for a in range(0, n, step):
        codes, sets = plan.reason_codes(np.arange(a, min(a + step, n)))
        seen = np.bincount(codes.ravel(), minlength=len(sets))
        total = seen if total.size == 0 else total + seen
    count: dict[str, int] = {}
    for text, pairs in zip(sets, total, strict=True):
        for rule in filter(None, text.split("|")):
            count[rule] = count.get(rule, 0) + int(pairs)
    some = {rule: pairs for rule, pairs in count.items() if pairs}
    return dict(sorted(some.items(), key=lambda item: (-item[1], item[0])))


def usage_frame(plan: ContactPlan) -> pd.DataFrame:
    """Return one line per capacity row: units, expected, drawn, margin and price."""
    rows = plan.rows
    return pd.DataFrame(
        {
            "row": list(rows.table.label),
            "pool": list(rows.table.pool),
            "unit": list(rows.table.unit),
            "units": rows.table.units,
            "min_units": rows.table.min_units,
            "kept": np.where(rows.counting, "exactly", "to a margin").tolist(),
            "margin": rows.margin,
            "expected": plan.allocation.expected_use,
            "drawn": plan.used,
            "price": plan.allocation.row_prices,
        }
    )


def summarise(plan: ContactPlan) -> dict[str, Any]:
    """Return customers, choices, money, capacity and blocks; JSON-ready."""
    batch, found = plan.batch, plan.allocation
    m = len(batch.actions)
    drawn = plan.drawn[plan.drawn < m]
    by_channel = np.bincount(
        batch.actions.channel_index[drawn], minlength=len(batch.actions.channels)
    )
    eligible = plan.n_eligible() > 0
    return {
        "batch_id": plan.batch_id,
        "as_of": pd.Timestamp(batch.as_of).isoformat(),
        "currency": batch.currency,
        "customers": len(plan.drawn),
        "eligible": int(eligible.sum()),
        "control": int(plan.control.sum()),
        "planned": len(drawn),
        "planned_by_channel": {
            c: int(k) for c, k in zip(batch.actions.channels, by_channel, strict=True)
        },
        "expected_value": found.value,
        "greedy_value": found.greedy.value,
        "greedy_bound": found.greedy.bound,
        "certified_gap": found.greedy.gap,
        "exploration_and_control_cost": found.loss,
        "exploration_budget": found.budget,
        "tau": found.tau,
        "floor": found.floor,
        "passes": found.passes,
        "capacity": usage_frame(plan).to_dict(orient="records"),
        "blocked_by_rule": blocked_by_rule(plan),
        "notes": list(found.notes),
        "policy_version": plan.policy_version,
        "rules_version": plan.rules_version,
    }


def summary_text(plan: ContactPlan) -> str:
    """Return a short text: who, where, what it is worth, what binds, what blocks."""
    s = summarise(plan)
    lines = [f"ContactPlan {s['batch_id']} as of {s['as_of']}"]
    lines += [f"  {name:<18}{text}" for name, text in _figures(s)]
    lines += [f"  {_capacity_line(row)}" for row in _tightest(s["capacity"])]
    rest = len(s["capacity"]) - len(_tightest(s["capacity"]))
    if rest > 0:
        lines.append(f"  ... and {rest} more capacity rows")
    return "\n".join(lines)


def _figures(s: dict[str, Any]) -> list[tuple[str, str]]:
    money = s["currency"]
    channels = ", ".join(f"{c} {k:,}" for c, k in s["planned_by_channel"].items() if k)
    blocked = list(s["blocked_by_rule"].items())
    rules = ", ".join(f"{rule} {pairs:,}" for rule, pairs in blocked[:6])
    more = f", and {len(blocked) - 6} more" if len(blocked) > 6 else ""
    figures = [
        ("customers", f"{s['customers']:,} ({s['eligible']:,} eligible, {s['control']:,} control)"),
        ("planned", f"{s['planned']:,}" + (f": {channels}" if channels else "")),
        ("expected value", f"{s['expected_value']:,.2f} {money} over waiting"),
        (
            "learning costs",
            f"{s['exploration_and_control_cost']:,.2f} {money}, budget "
            f"{s['exploration_budget']:,.2f} (floor, control and exploration; tau {s['tau']:.3g})",
        ),
        ("certified gap", f"{s['certified_gap']:.1e} of the plan without exploration"),
        ("blocked pairs", (rules + more) or "none"),
    ]
    return figures + [("note", note) for note in s["notes"]]


def _tightest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda r: (-r["drawn"] / max(r["units"], 1e-9), r["row"]))[:8]


def _capacity_line(row: dict[str, Any]) -> str:
    margin = "" if row["kept"] == "exactly" else f", margin {row['margin']:,.4g}"
    return (
        f"{row['row']}: {row['drawn']:,.6g} of {row['units']:,.6g} {row['unit']}{margin}, "
        f"price {row['price']:,.3g}"
    )


def summary_html(plan: ContactPlan) -> str:
    """Return the same as two small tables, each in a box that scrolls: notebooks are narrow."""
    s = summarise(plan)
    left = "style='text-align:left;vertical-align:top'"
    body = "".join(
        f"<tr><th {left}>{escape(k)}</th><td {left}>{escape(v)}</td></tr>" for k, v in _figures(s)
    )
    tight = _tightest(s["capacity"])
    table = ""
    if tight:
        shown = pd.DataFrame(tight)[["row", "unit", "units", "expected", "drawn", "price", "kept"]]
        table = _BOX.format(shown.to_html(index=False, float_format="{:,.4g}".format))
        rest = len(s["capacity"]) - len(tight)
        table += f"<p>... and {rest} more capacity rows</p>" if rest > 0 else ""
    title = escape(f"ContactPlan {s['batch_id']} as of {s['as_of']}")
    return f"<b>{title}</b>{_BOX.format(f'<table>{body}</table>')}{table}"
