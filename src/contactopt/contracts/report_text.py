"""The validation report as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.contracts.dropped import dropped_text

if TYPE_CHECKING:
    from contactopt.contracts.report import ValidationReport

__all__ = ["age_text", "fault_text", "headline", "report_text", "suggestion"]

#: tables whose age stands in the short report even when nothing is wrong with it
_ALWAYS_TOLD = ("touches", "payments", "debt_snapshots")


def headline(report: ValidationReport) -> str:
    """Return the verdict in a few words."""
    refused = any(getattr(p, "refusal", None) is not None for p in report.problems)
    if refused:
        return "refused"
    return "ok" if report.ok else f"{len(report.problems)} problem(s)"


def report_text(report: ValidationReport) -> str:
    """Return the report, one fact a line."""
    held = report.n_quarantined_customers
    lines = [
        ("ValidationReport", headline(report)),
        (
            "  customers",
            f"{report.n_customers:,}" + (f", {held:,} in quarantine" if held else ""),
        ),
        ("  rows", ", ".join(f"{t} {n:,}" for t, n in report.rows.items() if n) or "none"),
    ]
    for p in report.problems:
        lines.append(("  problem", p.message.partition("\n")[0]))
    lines += [("  fault", fault_text(f)) for f in _by_table(report)]
    lines += [
        ("  delay", f"{d.table} median {d.median_hours:.1f} h, 95 % {d.p95_hours:.1f} h")
        for d in report.delays.itertuples()
    ]
    if report.data_delay:
        lines.append(("  suggested", suggestion(report)))
    lines += [
        ("  age", age_text(a.table, a.age_hours, a.state, a.limit_hours))
        for a in report.staleness.itertuples()
        if a.state in ("warning", "stale") or a.table in _ALWAYS_TOLD
    ]
    lines += [
        ("  dropped columns", f"{table}: {dropped_text(table, columns)}")
        for table, columns in report.dropped_columns.items()
    ]
    if report.not_used_yet:
        lines.append(("  not used yet", ", ".join(report.not_used_yet)))
    for s in report.ladder.itertuples():
        mark = "yes" if s.reached else "not yet"
        lines.append(("  ladder", f"{mark:<8}{s.step}: {s.have}"))
        if s.needs:
            lines.append(("  ladder", f"{'':<8}needs {s.needs}"))
    hints = dict.fromkeys(p.hint for p in report.problems if p.hint)
    lines += [("  way on", hint) for hint in hints]
    return "\n".join(f"{head}: {text}" if text else head for head, text in lines)


def _by_table(report: ValidationReport) -> list[Any]:
    return sorted(report.fault_list, key=lambda f: (f.table, not f.structural, f.column, f.check))


def fault_text(fault: Any) -> str:
    """Return one fault: where, which check, how many rows, at most five ids, its cause."""
    where = f"{fault.table}.{fault.column}" if fault.column else fault.table
    rows = f": {fault.n_rows:,} row(s)" if fault.n_rows else ""
    ids = f" ({', '.join(fault.ids)})" if fault.ids else ""
    return f"{where} {fault.check}{rows}{ids}" + (f": {fault.told}" if fault.told else "")


def suggestion(report: ValidationReport) -> str:
    """Return the line for the strategy file that the delays seen suggest."""
    told = ", ".join(f"{table}: {hours:g}" for table, hours in report.data_delay.items())
    return f"data_delay: {{{told}}}  (rows without recorded_at count as known after these hours)"


def age_text(table: Any, hours: Any, state: Any, limit: Any) -> str:
    """Return the age of a table."""
    if state == "empty":
        return f"{table} is empty"
    return f"{table} {hours:.0f} h ({state}, limit {limit:.0f} h)"
