"""The validation report as HTML: a fragment for notebooks, a page of its own for a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from contactopt.contracts.dropped import dropped_text
from contactopt.contracts.report_text import age_text, headline, suggestion

if TYPE_CHECKING:
    from contactopt.contracts.report import ValidationReport

__all__ = ["report_fragment", "report_page"]

_STYLE = """
.co-report{font:14px/1.5 system-ui,sans-serif;max-width:60rem;color:#1b1f24;background:#fff;
padding:.5rem 1rem}
.co-report h2{font-size:1.25rem;margin:.4rem 0}
.co-report h3{font-size:1rem;margin:1.2rem 0 .3rem}
.co-report .box{overflow-x:auto}
.co-report table{border-collapse:collapse;width:100%}
.co-report th,.co-report td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;
border-bottom:1px solid #d9dde2;overflow-wrap:anywhere;background:transparent;color:inherit}
.co-report .n{text-align:right;white-space:nowrap}
@media (max-width:40rem){.co-report thead{display:none}
.co-report tr{display:block;padding:.4rem 0;border-bottom:1px solid #d9dde2}
.co-report td,.co-report .n{display:block;border:0;padding:.05rem 0;text-align:left;
white-space:normal}
.co-report td:empty{display:none}
.co-report td[data-h]:not([data-h=""])::before{content:attr(data-h) ": ";color:#57606a}}
.co-report .ok{color:#176639}.co-report .bad{color:#a11d1d}.co-report .dim{color:#57606a}
"""


def report_page(report: ValidationReport) -> str:
    """Return a whole HTML document without scripts or outside resources."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Validation report</title>\n</head>\n<body>\n{report_fragment(report)}\n"
        "</body>\n</html>\n"
    )


def report_fragment(report: ValidationReport) -> str:
    """Return the report as one `div`, with its style; every text is escaped."""
    kind = "ok" if report.ok else "bad"
    held = report.n_quarantined_customers
    customers = f"{report.n_customers:,} customers" + (f", {held:,} in quarantine" if held else "")
    parts = [f"<h2>Validation: <span class='{kind}'>{escape(headline(report))}</span></h2>"]
    parts.append(f"<p>{escape(customers)}</p>")
    for p in report.problems:
        parts.append(f"<p class='bad'>{escape(p.message.partition(chr(10))[0])}</p>")
        parts.append(f"<p class='dim'>{escape(p.hint or '')}</p>")
    parts += [_ladder(report), _faults(report), _quarantine(report), _time(report), _rest(report)]
    return f"<div class='co-report'><style>{_STYLE}</style>{''.join(parts)}</div>"


def _table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[int] = ()
) -> str:
    body = "".join(
        "<tr>" + "".join(_cell("td", i, v, numbers, heads[i]) for i, v in enumerate(row)) + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    head = "".join(_cell("th", i, h, numbers) for i, h in enumerate(heads))
    return (
        f"<h3>{escape(title)}</h3><div class='box'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(tag: str, i: int, value: Any, numbers: Sequence[int], head: str = "") -> str:
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    # on a phone rows are stacked, and each cell says what it is
    told = f' data-h="{escape(head)}"' if head else ""
    return f"<{tag}{' class=n' if i in numbers else ''}{told}>{escape(shown)}</{tag}>"


def _ladder(report: ValidationReport) -> str:
    rows = [
        ("yes" if s.reached else "not yet", s.step, s.allows, s.have, s.needs)
        for s in report.ladder.itertuples()
    ]
    return _table("What these tables allow", ["", "step", "allows", "there is", "needs"], rows)


def _faults(report: ValidationReport) -> str:
    rows = [
        (f.table, f.column, f.check, f.n_rows or "whole table", ", ".join(f.ids), f.told)
        for f in sorted(report.fault_list, key=lambda f: (f.table, not f.structural, f.column))
    ]
    heads = ["table", "column", "check", "rows", "for example", "cause or way on"]
    return _table("Faults by table and check", heads, rows, [3])


def _quarantine(report: ValidationReport) -> str:
    counts = report.quarantine.groupby("table", sort=True)["key"].nunique()
    rows = [(str(table), int(n)) for table, n in counts.items()]
    if report.n_quarantined_customers:
        rows.append(("customers taken out", report.n_quarantined_customers))
    return _table("In quarantine", ["table", "rows"], rows, [1])


def _time(report: ValidationReport) -> str:
    ages = [
        (a.table, age_text(a.table, a.age_hours, a.state, a.limit_hours))
        for a in report.staleness.itertuples()
    ]
    late = [
        (d.table, f"{d.rows:,}", f"{d.median_hours:.1f} h", f"{d.p95_hours:.1f} h")
        for d in report.delays.itertuples()
    ]
    heads = ["table", "rows", "median", "95 %"]
    told = f"<p class='dim'>{escape(suggestion(report))}</p>" if report.data_delay else ""
    return (
        _table("Delays seen (recorded_at after the event)", heads, late, [1, 2, 3])
        + told
        + _table("Age of the tables", ["table", "age"], ages)
    )


def _rest(report: ValidationReport) -> str:
    dropped = [
        (table, dropped_text(table, names)) for table, names in report.dropped_columns.items()
    ]
    unread = [(name,) for name in report.not_used_yet]
    rows = [(table, n) for table, n in report.rows.items() if n]
    return (
        _table("Dropped: columns that are not of the contract", ["table", "columns"], dropped)
        + _table("Not used yet", ["column or word"], unread)
        + _table("Rows", ["table", "rows"], rows, [1])
    )
