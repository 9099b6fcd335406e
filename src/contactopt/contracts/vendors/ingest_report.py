"""What a vendor's file added to a portfolio folder."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from contactopt.contracts.vendors.report import VendorReport

__all__ = ["IngestReport"]


@dataclass(frozen=True, eq=False, repr=False)
class IngestReport:
    """What a vendor's file added to a portfolio folder; made by `ingest`.

    Parameters
    ----------
    folder : Path
    file : VendorReport
        What the file held.
    added, updated : dict of str to int
        Rows by table: with a new id, and with an id that is there and says something more.
    written : tuple of str
        Files of the folder that were written; empty if nothing was new.
    dry_run : bool
        Whether nothing was to be written.
    quarantined_customers : int
        Customers whom rows of this file take out of the portfolio: from now on it loads only with
        a `max_quarantined_share` that allows them.
    """

    folder: Path
    file: VendorReport
    added: dict[str, int]
    updated: dict[str, int]
    written: tuple[str, ...]
    dry_run: bool
    quarantined_customers: int

    @property
    def nothing_new(self) -> bool:
        """Return whether the portfolio holds all of the file already."""
        return not any(self.added.values()) and not any(self.updated.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-ready values."""
        return {
            "folder": str(self.folder),
            "added": self.added,
            "updated": self.updated,
            "written": list(self.written),
            "dry_run": self.dry_run,
            "quarantined_customers": self.quarantined_customers,
            "file": self.file.to_dict(),
        }

    def lines(self) -> list[tuple[str, str]]:
        """Return the report as pairs of heading and text."""
        done = ", ".join(f"{t} {n:,}" for t, n in self.added.items())
        more = ", ".join(f"{t} {n:,}" for t, n in self.updated.items() if n)
        head = "nothing is new" if self.nothing_new else f"added {done}"
        lines = [("Ingest", head + (f"; updated {more}" if more else ""))]
        if self.dry_run:
            lines.append(("  dry run", "nothing was written"))
        elif self.written:
            lines.append(("  written", ", ".join(self.written)))
        if self.quarantined_customers:
            n = self.quarantined_customers
            lines.append(
                (
                    "  quarantine",
                    f"{n:,} customer(s) are taken out by faulty rows of this file; the portfolio "
                    "loads only with a max_quarantined_share that allows them",
                )
            )
        return lines + self.file.lines()

    def __repr__(self) -> str:
        return "\n".join(f"{head}: {text}" for head, text in self.lines())

    def _repr_html_(self) -> str:
        cells = (
            f"<tr><th style='text-align:left'>{escape(head)}</th><td>{escape(text)}</td></tr>"
            for head, text in self.lines()
        )
        return f"<table>{''.join(cells)}</table>"
