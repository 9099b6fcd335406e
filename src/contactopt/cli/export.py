"""``contactopt export``: a written plan as a file for those who execute it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import table, tell
from contactopt.errors import ConfigError

__all__ = ["export"]


def export(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="Folder that `contactopt rank --out` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV file to write.")],
    pool: Annotated[
        str | None, typer.Option(help="One pool only; all pools without, one after the other.")
    ] = None,
    zone: Annotated[
        str,
        typer.Option(help="Clock of the local columns: customer, pool, or an IANA time zone."),
    ] = "customer",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help="A column to write and its name there; repeat in the order wanted. All without.",
        ),
    ] = None,
    separator: Annotated[str, typer.Option(help="One of , ; | or the word tab.")] = ",",
    excel: Annotated[
        bool, typer.Option("--excel", help="Begin with the mark by which Excel knows UTF-8.")
    ] = False,
    keep_formulas: Annotated[
        bool,
        typer.Option(
            "--keep-formulas",
            help="Put no quote before cells that a spreadsheet would run (for machines only).",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write what a dialler, CRM or messaging gateway executes.

    Only rows that were drawn, sorted by slot_start and priority, with decision_id as the key
    under which outcomes come back. Works from the plan's folder alone.

    A file is as old as its plan: whoever executes must look at start_before, and at holds and
    payments that came in since, again before every contact, and never start a row after it.

    \b
    For example:
        contactopt export plan --pool agents --out dialler.csv
        contactopt export plan --out all.csv --separator ";" --excel
        contactopt export plan --out x.csv --column decision_id=REF --column contact_point_id=TO
    """
    from contactopt.plan.dispatch import dispatch_csv, open_rows
    from contactopt.plan.log.written_plan import read_plan

    if zone not in ("customer", "pool") and zone not in available_timezones():
        raise ConfigError(
            f"unknown time zone {zone!r}", hint="customer, pool, or an IANA name: America/Bogota"
        )
    frame, pools, _ = read_plan(plan)
    rows = open_rows(frame)
    over = int((frame["rank"] == 1).sum()) - len(rows)
    rows = rows if pool is None else rows[rows["pool"] == pool]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        dispatch_csv(
            frame,
            out,
            pool=pool,
            pools=pools,
            zone=zone,
            columns=_columns(column),
            separator="\t" if separator == "tab" else separator,
            encoding="utf-8-sig" if excel else "utf-8",
            formulas="keep" if keep_formulas else "quote",
        )
    notes = [str(w.message) for w in told if issubclass(w.category, UserWarning)]
    if over:
        notes.append(f"{over:,} contact(s) of the plan may no longer start and are left out")
    first_end = rows["start_before"].dropna().min() if len(rows) else None
    result: dict[str, Any] = {
        "file": out,
        "rows": len(rows),
        "batch_id": rows["batch_id"].iloc[0] if len(rows) else None,
        "first_start_before": None if first_end is None or first_end != first_end else first_end,
        "notes": notes,
    }
    lines = [("wrote", out), ("rows", f"{len(rows):,}"), ("batch", result["batch_id"] or "none")]
    if result["first_start_before"] is not None:
        lines.append(("recheck", f"the first row may not start at or after {first_end}"))
    tell(result, table([*lines, *(("note", note) for note in notes)]), as_json=as_json)


def _columns(pairs: list[str] | None) -> dict[str, str] | None:
    if not pairs:
        return None
    found: dict[str, str] = {}
    for pair in pairs:
        ours, sign, theirs = pair.partition("=")
        if not sign or not ours or not theirs or ours in found:
            raise ConfigError(
                f"--column {pair!r} is not one of ours and one of theirs",
                hint="write --column decision_id=REF, each of ours once",
            )
        found[ours] = theirs
    return found
