"""What reading a vendor's file found: rows, codes, and what could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from contactopt.errors import ContractError

__all__ = ["VendorReport"]

#: more different codes than this are no codes: the column is another, and its values stay here
_MOST_CODES = 60
#: codes named in the text
_TOLD_CODES = 12


@dataclass(frozen=True, eq=False, repr=False)
class VendorReport:
    """What a vendor's file held, and what it became; made by `read_vendor_file`.

    Parameters
    ----------
    source, table, vendor : str
        File name, our table, the vendor's name.
    rows_read, rows_skipped, rows_repeated : int
        Rows of the file; those that the mapping leaves out (`skip`); those that say what another
        row of the file has said.
    made : dict of str to int
        Rows of our tables: touches and touch_events, or payments, or promises.
    codes : pandas.DataFrame
        Columns column, code, word, machine, rows, mapped: every code of every coded column.
    unmatched : int
        Rows of nobody (payments and promises: of no debt) that is known.
    stop_lost : dict of str to int
        Outcomes that stop contact, in rows of nobody: nobody is protected by them.
    unprotected_customers : int
        Customers of touches whose channel or instant cannot be read: they are taken out.
    shared : int
        Rows whose address several customers have: each of them has the touch.
    contradictions : dict of str to int
        Ids whose rows say different things in a column where they should agree.
    faults : pandas.DataFrame
        Columns column, check, rows.
    quarantine : pandas.DataFrame
        Columns row (from 1 below the header), column, check, value, code: this frame is data.
    """

    source: str
    table: str
    vendor: str
    rows_read: int
    rows_skipped: int
    rows_repeated: int
    made: dict[str, int]
    codes: pd.DataFrame
    unmatched: int
    stop_lost: dict[str, int]
    unprotected_customers: int
    shared: int
    contradictions: dict[str, int]
    faults: pd.DataFrame
    quarantine: pd.DataFrame

    @property
    def rows_quarantined(self) -> int:
        """Return how many rows have some fault."""
        return int(self.quarantine["row"].nunique())

    @property
    def quarantined_share(self) -> float:
        """Return the share of faulty rows among those that count."""
        return self.rows_quarantined / max(self.rows_read - self.rows_skipped, 1)

    @property
    def unmapped_codes(self) -> dict[str, int]:
        """Return the codes of outcomes that have no meaning here, with their number of rows."""
        return self._codes_of(self.codes["column"].isin(["outcome", "event"]))

    @property
    def quarantined_by_code(self) -> dict[str, int]:
        """Return how many faulty rows carry each code."""
        rows = self.quarantine.drop_duplicates("row")["code"].fillna("")
        counts = rows[rows != ""].value_counts()
        return {str(k): int(counts[k]) for k in sorted(counts.index)}

    @property
    def codes_are_codes(self) -> bool:
        """Return whether the coded columns hold few enough values to be codes."""
        return len(self.codes) <= _MOST_CODES or len(self.codes) * 10 < self.rows_read

    def _codes_of(self, which: pd.Series) -> dict[str, int]:
        rows = self.codes[which & ~self.codes["mapped"]]
        pairs = zip(rows["code"], rows["rows"], strict=True)
        return {str(c): int(n) for c, n in pairs if c != ""}

    # ---- judging -----------------------------------------------------------------------------

    def raise_for_faults(self, max_quarantined_share: float = 0.0) -> None:
        """Refuse the file if more of its rows are faulty than allowed.

        Raises
        ------
        ContractError
            With every kind of fault, and the share that would allow them.
        """
        if self.quarantined_share <= max_quarantined_share:
            return
        n = self.rows_quarantined
        rows = self.quarantine.groupby(["column", "check"], sort=False)["row"]
        lines = []
        for fault in self.faults.itertuples():
            some = rows.get_group((fault.column, fault.check)).head(5)
            where = f"{self.table}.{fault.column} " if fault.column else ""
            named = ", ".join(f"row {r}" for r in some)
            lines.append(f"  {where}{fault.check} in {fault.rows} row(s) ({named})")
        enough = min(1.0, np.ceil(self.quarantined_share * 10_000) / 10_000)
        raise ContractError(
            "\n".join(
                [
                    f"{self.source}: {n} of {self.rows_read} row(s) cannot be used as they stand",
                    *lines,
                    *(f"  {text}" for text in self._alarms()),
                    # else the codes without a meaning come to light one refusal later
                    *(f"{h}: {t}" for h, t in self._code_lines() if "UNMAPPED" in h),
                ]
            ),
            faults=tuple(self.faults.itertuples(index=False)),
            hint="mend the rows or the mapping; the quarantine frame (--quarantine DIR) holds "
            f"them; max_quarantined_share={enough:.4f} (--max-quarantined-share) goes on without",
        )

    def _alarms(self) -> list[str]:
        told = []
        if self.stop_lost:
            words = ", ".join(f"{w} {n}" for w, n in self.stop_lost.items())
            n = sum(self.stop_lost.values())
            told.append(
                f"ATTENTION: {n} row(s) that stop contact are of nobody we know ({words}): "
                "nobody is protected by them"
            )
        if self.unprotected_customers:
            told.append(
                f"{self.unprotected_customers} customer(s) have touches whose channel or instant "
                "cannot be read: they are taken out of the portfolio"
            )
        if self.unmatched and self.unmatched == self.rows_read - self.rows_skipped:
            told.append(
                "no row at all leads to a customer: is it the right column, `hash` and file?"
            )
        return told

    # ---- telling -----------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-ready values; the quarantine frame as counts."""
        codes = self.codes if self.codes_are_codes else self.codes[self.codes["mapped"]]
        return {
            "source": self.source,
            "table": self.table,
            "vendor": self.vendor,
            "rows_read": self.rows_read,
            "rows_skipped": self.rows_skipped,
            "rows_repeated": self.rows_repeated,
            "made": self.made,
            "codes": codes.to_dict("records"),
            "unmapped_codes": self.unmapped_codes if self.codes_are_codes else {},
            "unmatched": self.unmatched,
            "stop_lost": self.stop_lost,
            "unprotected_customers": self.unprotected_customers,
            "shared_address": self.shared,
            "contradictions": self.contradictions,
            "faults": self.faults.to_dict("records"),
            "rows_quarantined": self.rows_quarantined,
            "quarantined_share": self.quarantined_share,
            "quarantined_by_code": self.quarantined_by_code if self.codes_are_codes else {},
        }

    def __repr__(self) -> str:
        return "\n".join(f"{head}: {text}" for head, text in self.lines())

    def _repr_html_(self) -> str:
        cells = (
            f"<tr><th style='text-align:left'>{escape(head)}</th><td>{escape(text)}</td></tr>"
            for head, text in self.lines()
        )
        return f"<table>{''.join(cells)}</table>"

    def lines(self) -> list[tuple[str, str]]:
        """Return the report as pairs of heading and text."""
        read = f"{self.rows_read:,}"
        if self.rows_skipped:
            read += f", {self.rows_skipped:,} left out by the mapping"
        if self.rows_repeated:
            read += f", {self.rows_repeated:,} of an id that another row has"
        made = ", ".join(f"{t} {n:,}" for t, n in self.made.items())
        vendor = f" of {self.vendor}" if self.vendor else ""
        lines = [("VendorFile", f"{self.source}{vendor}"), ("  rows read", read), ("  made", made)]
        lines += self._code_lines()
        if self.unmatched:
            whom = "customer" if self.table == "touches" else "debt"
            lines.append(("  unmatched", f"{self.unmatched:,} row(s) of no {whom} that is known"))
        if self.shared:
            lines.append(
                ("  shared address", f"{self.shared:,} row(s), counted for every owner as unknown")
            )
        lines += [
            ("  contradiction", f"{n:,} id(s) with different {c}")
            for c, n in self.contradictions.items()
        ]
        lines += [
            ("  fault", f"{f.column or 'row'} {f.check}: {f.rows:,} row(s)")
            for f in self.faults.itertuples()
        ]
        lines += [("  attention", text) for text in self._alarms()]
        return lines

    def _code_lines(self) -> list[tuple[str, str]]:
        if not self.codes_are_codes:
            text = f"{len(self.codes):,} different codes: is it the right column?"
            return [("  codes", text)]
        lines = []
        for column, codes in self.codes.groupby("column", sort=False):
            known = codes[codes["mapped"]]
            told = [
                f"{c.code or '(blank)'} -> {c.word}{' (machine)' if c.machine else ''} {c.rows:,}"
                for c in known.head(_TOLD_CODES).itertuples()
            ]
            if told:
                lines.append((f"  codes of {column}", _cut(told, len(known))))
            rest = codes[~codes["mapped"]]
            unknown = [f"{c.code or '(blank)'} {c.rows:,}" for c in rest.itertuples()]
            if unknown:
                shown = _cut(unknown[:_TOLD_CODES], len(unknown))
                head = f"  UNMAPPED codes of {column}"
                meaning = "; they count as unknown" if column in ("outcome", "event") else ""
                lines.append((head, shown + meaning))
        return lines


def _cut(told: list[str], n: int) -> str:
    return ", ".join(told) + (f" and {n - len(told)} more" if n > len(told) else "")
