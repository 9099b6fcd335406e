"""Sections of the plan's page; every text that comes from outside is escaped in `table`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.plan.dispatch import dispatch_frame
from contactopt.plan.page.plots import (
    blocked_frame,
    load_chart,
    load_frame,
    probability_bins,
    value_frame,
)
from contactopt.plan.summary import usage_frame
from contactopt.plotting import (
    Plot,
    blocked_bars,
    capacity_bars,
    inline_svg,
    probability_chart,
    value_bars,
)
from contactopt.plotting.canvas import GRID, INK

if TYPE_CHECKING:
    from contactopt.plan.contact_plan import ContactPlan

__all__ = [
    "blocked",
    "capacity",
    "headline",
    "notes",
    "probability",
    "sample",
    "section",
    "table",
    "work",
]

#: pools that get a chart of their own, those with most contacts
_POOL_CHARTS = 8
#: capacity rows that get a line in the table
_CAPACITY_ROWS = 200
#: what blocks besides rules
_OURS = {
    "capacity.closed": "The pool has no capacity at that time.",
    "plan.control_group": "The customer is in the control group and only waits.",
    "scores.not_allowed": "The scores did not allow it and gave no reason.",
    "not_scored": "The scores have no row for this customer and action.",
}


# ---- pieces --------------------------------------------------------------------------------------


def section(title: str, body: str) -> str:
    """Return a section with its heading; ``body`` is HTML."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def table(
    label: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Collection[int] = (),
    wide: Collection[int] = (),
    ids: Collection[int] = (),
) -> str:
    """Return a table that scrolls inside its own box; all cells are escaped.

    Parameters
    ----------
    label : str
        Name of the table for screen readers.
    heads : sequence of str
    rows : iterable of sequences
    numbers, wide, ids : collection of int
        Columns set to the right, with wrapped text, in typewriter letters.
    """

    def kind(k: int) -> str:
        name = "n" if k in numbers else "w" if k in wide else "id" if k in ids else ""
        return f' class="{name}"' if name else ""

    head = "".join(f'<th scope="col"{kind(k)}>{escape(h)}</th>' for k, h in enumerate(heads))
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{kind(k)}>{escape(_text(c))}</td>" for k, c in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="box" role="region" tabindex="0" aria-label="{escape(label)}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _text(value: Any) -> str:
    """Return a cell; what cannot stand in a page (lone surrogates, controls) as a question mark."""
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return "-"
    return "".join(c if c.isprintable() else "�" for c in str(value))


def _figure(name: str, plot: Plot, description: str) -> str:
    title = plot.ax.get_title(loc="left").replace(r"\$", "$")
    svg = inline_svg(
        plot.ax.figure,
        name=name,
        title=title,
        description=_text(description),
        colours={INK: "var(--ink)", GRID: "var(--line)"},
    )
    return f"<figure>{svg}</figure>"


def _charts(figures: Iterable[str]) -> str:
    return '<div class="charts">\n' + "\n".join(figures) + "\n</div>"


# ---- sections ------------------------------------------------------------------------------------


def headline(figures: dict[str, Any]) -> str:
    """Return the figures that a manager asks for first."""
    money = figures["currency"]
    tiles = [
        ("customers in the batch", f"{figures['customers']:,}"),
        ("can be contacted", f"{figures['eligible']:,}"),
        ("planned contacts", f"{figures['planned']:,}"),
        ("control group, only waits", f"{figures['control']:,}"),
        ("expected value over waiting, estimate", f"{figures['expected_value']:,.0f} {money}"),
        (
            "cost of learning, at most",
            f"{figures['exploration_and_control_cost']:,.0f} {money}",
        ),
    ]
    cells = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles
    )
    gap = f"{100 * figures['certified_gap']:.2g} %"
    budget = f"{figures['exploration_budget']:,.0f} {money}"
    return (
        f'<dl class="tiles">\n{cells}\n</dl>\n'
        "<p>The expected value is what the models estimate that these contacts add to what would "
        "be paid without them, after their cost: an average over the possible draws, and no "
        "measurement. The cost of learning is what probing other actions, the floor on "
        "probabilities and the control group take from it, against the best plan within the same "
        f"capacities; the budget is {escape(budget)}. "
        f"The value of that best plan is certified to within {escape(gap)}.</p>"
    )


def work(plan: ContactPlan, figures: dict[str, Any]) -> str:
    """Return load by hour and value by channel."""
    load, value = load_frame(plan), value_frame(plan)
    by_hour = load.groupby("hour")["contacts"].sum()
    most = int(by_hour.to_numpy().argmax()) if len(by_hour) else 0
    busiest = f"; most at {by_hour.index[most]:02d}h" if len(by_hour) else ""
    shown = value.rename(columns={"planned": "contacts"})
    money = figures["currency"]
    rows = [
        (r.channel, f"{r.planned:,}", f"{r.expected_contacts:,.1f}", f"{r.expected_value:,.2f}",
         f"{r.drawn_value:,.2f}")
        for r in value.itertuples()
    ]  # fmt: skip
    told = "; ".join(f"{r[0]}: {r[3]} {money}, {r[1]} contacts" for r in rows)
    charts = _charts(
        [
            _figure("load", load_chart(plan, load, None, "customer"),
                    f"{figures['planned']:,} contacts by the customers' own clocks{busiest}."),
            _figure("value", value_bars(shown, currency=money), told),
        ]
    )  # fmt: skip
    heads = ["channel", "planned", "expected contacts", f"expected value, {money}",
             f"value of this draw, {money}"]  # fmt: skip
    body = charts + table("Value by channel", heads, rows, numbers=range(1, 5))
    return section("Work and value", body + _by_segment(plan, money))


def _by_segment(plan: ContactPlan, money: str) -> str:
    if plan.batch.segment is None or not len(plan.drawn):
        return ""
    rows = [
        (r["segment"], f"{r['customers']:,}", f"{r['planned']:,}", f"{r['control']:,}",
         f"{r['expected_value']:,.2f}")
        for r in plan.summary(by="segment").to_dict(orient="records")
    ]  # fmt: skip
    heads = ["segment", "customers", "planned", "control", f"expected value, {money}"]
    return table("Figures by segment", heads, rows, numbers=range(1, 5))


def capacity(plan: ContactPlan, figures: dict[str, Any]) -> str:
    """Return each pool's hours against its capacity, and the capacity rows with their prices."""
    load, money = load_frame(plan, None, "pool"), figures["currency"]
    contacts = load.groupby("pool")["contacts"].sum().sort_values(ascending=False, kind="stable")
    usage = usage_frame(plan)
    drawn = [_figure("capacity", capacity_bars(usage, currency=money, top=12),
                     f"{len(usage)} capacity rows; all stand in the table below.")]  # fmt: skip
    for k, pool in enumerate(contacts.index[:_POOL_CHARTS]):
        own = load[load["pool"] == pool].reset_index(drop=True)
        chart = load_chart(plan, own, pool, "pool")
        drawn.append(_figure(f"pool{k}", chart, f"{int(contacts[pool]):,} contacts of {pool}."))
    rows = [
        (r["row"], r["unit"], f"{r['units']:,.6g}", f"{r['expected']:,.6g}", f"{r['drawn']:,.6g}",
         f"{r['price']:,.4g}", r["kept"])
        for r in usage.head(_CAPACITY_ROWS).to_dict(orient="records")
    ]  # fmt: skip
    heads = ["pool and time", "unit", "units", "expected use", "drawn", f"price, {money} per unit",
             "kept"]  # fmt: skip
    text = (
        "<p>Hours are those of the pool's own clock. The price is what one more unit would be "
        "worth to the plan; 0 means that there is enough.</p>"
    )
    more = len(usage) - len(rows)
    if more > 0:
        text += f"<p>{more} more rows stand in the plan's summary.</p>"
    body = table("Capacity", heads, rows, numbers=range(2, 6)) if rows else (
        "<p>No capacity table was given: nothing is limited.</p>"
    )  # fmt: skip
    return section("Load against capacity", text + _charts(drawn) + body)


def probability(plan: ContactPlan) -> str:
    """Return how sure the draw was."""
    bins = probability_bins(plan)
    told = "; ".join(
        f"{name}: {int(part['customers'].sum()):,} customers"
        for name, part in bins.groupby("series", sort=False)
    )
    text = (
        "<p>Every action was drawn with a known probability, which is logged: without it no later "
        "policy could be proven on these contacts. Who can only wait does so with probability 1."
        "</p>"
    )
    figure = _figure("probability", probability_chart(bins), told or "nobody is in the batch")
    return section("Probabilities", text + _charts([figure]))


def _rule_texts(plan: ContactPlan) -> dict[str, dict[str, Any]]:
    kept = plan.batch.meta.get("rules")
    rules = kept.get("rules") if isinstance(kept, dict) else None
    return rules if isinstance(rules, dict) else {}


def blocked(plan: ContactPlan, figures: dict[str, Any]) -> str:
    """Return what is blocked by which rule, with the rule's text and source."""
    count, texts = figures["blocked_by_rule"], _rule_texts(plan)
    frame = blocked_frame(plan, count)
    rows = []
    for r in frame.itertuples():
        card = texts.get(str(r.rule), {})
        said = card.get("summary") or _OURS.get(str(r.rule))
        rows.append((r.rule, f"{r.pairs:,}", f"{r.share:.1%}", said, card.get("citation"),
                     card.get("confidence")))  # fmt: skip
    told = "; ".join(f"{r[0]}: {r[1]}" for r in rows[:5])
    text = (
        "<p>A pair is one customer and one action. Several rules may block the same pair, so that "
        "shares may add up to more than 100 %.</p>"
    )
    if rows and not texts:
        text += "<p>The scores came without the texts of their rules.</p>"
    heads = ["rule", "pairs", "share", "what it says", "where it stands", "how it was seen"]
    body = _charts([_figure("blocked", blocked_bars(frame, top=15), told or "nothing is blocked")])
    if rows:
        body += table("Blocked by rule", heads, rows, numbers=(1, 2), wide=(3, 4))
    return section("What is blocked, and by which rule", text + body)


def notes(plan: ContactPlan, figures: dict[str, Any]) -> str:
    """Return notes of the plan and the rules, and the rules that nobody checks."""
    said = [*figures["notes"], *plan.batch.meta.get("rules_notes", ())]
    texts = _rule_texts(plan)
    items = "".join(f"<li>{escape(_text(note))}</li>\n" for note in said)
    body = f"<ul>\n{items}</ul>" if items else "<p>No notes.</p>"
    ids = plan.batch.meta.get("rules_not_checked")
    body += "<h3>Rules that no machine checks here</h3>"
    if ids is None:
        return section("Notes", body + "<p>The scores do not say which rules were checked.</p>")
    rows = [
        (i, texts.get(i, {}).get("unchecked"), texts.get(i, {}).get("summary"),
         texts.get(i, {}).get("citation"))
        for i in ids
    ]  # fmt: skip
    heads = ["rule", "why not", "what it says", "where it stands"]
    body += (
        "<p>People must see to these.</p>" + table("Rules not checked", heads, rows, wide=(1, 2, 3))
        if rows
        else "<p>None.</p>"
    )
    return section("Notes", body)


def sample(plan: ContactPlan, n_rows: int) -> str:
    """Return the first rows of each pool by priority; ids only."""
    money = plan.batch.currency
    frame = plan.to_frame().sort_values(
        ["pool", "priority", "slot_start", "customer_id"], na_position="last", kind="stable"
    )
    first = frame.groupby("pool", sort=True).head(n_rows)
    local = dispatch_frame(first).set_index("decision_id")
    starts, ends = local["slot_start_local"].to_dict(), local["start_before_local"].to_dict()
    body = (
        f"<p>The first {n_rows} by priority of each pool, of {len(frame):,} planned contacts. "
        "Times are the customers' own. Nothing may start at or after its last column's time.</p>"
    )
    heads = ["priority", "customer_id", "debt_id", "action", "probability",
             f"expected value, {money}", f"price, {money}", "decision_id", "slot starts",
             "start before"]  # fmt: skip
    for pool, own in first.groupby("pool", sort=True):
        rows = [
            (
                *(r[name] for name in ("priority", "customer_id", "debt_id", "action_id")),
                f"{r['propensity']:.4f}",
                f"{r['expected_value']:,.2f}",
                f"{r['price']:,.2f}",
                r["decision_id"],
                starts[r["decision_id"]],
                ends[r["decision_id"]],
            )
            for r in own.to_dict(orient="records")
        ]
        body += f"<h3>{escape(_text(pool))}</h3>" + table(
            f"First rows of {_text(pool)}", heads, rows, numbers=(0, 4, 5, 6), ids=(1, 2, 7)
        )
    return section("First rows", body if len(frame) else "<p>No contact is planned.</p>")
