"""Whether every line of a CSV file has the fields that its header names.

A parser fills short lines with nulls, takes a surplus field for an index and lets an open quote
swallow the lines after it. In a table that protects customers each of these loses protections
without a trace, so such a file is refused as a whole.
"""

from __future__ import annotations

import csv
from pathlib import Path

from contactopt.contracts.faults import Fault
from contactopt.errors import sample_ids

__all__ = ["shape_faults"]


def shape_faults(path: Path, table: str) -> list[Fault]:
    """Return the faults of a file's shape, none for a sound or empty one.

    Parameters
    ----------
    path : Path
        CSV file: UTF-8 (with or without byte order mark), comma, header.
    table : str
        Name of its table, for the faults.

    Returns
    -------
    list of Fault
        Of the table as a whole; lines are named by number, never by content.
    """
    uneven, swallowed = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            for row in rows:
                if row and len(row) != len(header):
                    uneven.append(rows.line_num)
                elif any("\n" in c and _holds_lines(c, k, len(row)) for k, c in enumerate(row)):
                    swallowed.append(rows.line_num)
    except csv.Error:
        return [Fault(table, "", "unreadable file", detail=f"{path.name}: a quote is left open")]
    found = []
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        found.append(Fault(table, sample_ids(twice), "column stands twice"))
    if uneven:
        detail = f"{len(uneven)} line(s) of {path.name}: {_lines(uneven)}"
        found.append(Fault(table, "", "more or fewer fields than the header", detail=detail))
    if swallowed:
        detail = f"{path.name}, up to line {_lines(swallowed)}: is a quote left open?"
        found.append(Fault(table, "", "a cell holds whole lines", detail=detail))
    return found


def _holds_lines(cell: str, column: int, n_columns: int) -> bool:
    """Whether a cell reads as the rest of one line, whole lines, and the start of another."""
    first, *middle, last = (line.count(",") for line in cell.split("\n"))
    starts, ends = first >= n_columns - 1 - column, last >= column
    return starts and ends and all(n >= n_columns - 1 for n in middle)


def _lines(numbers: list[int]) -> str:
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return ", ".join(map(str, numbers[:5])) + more
