"""Faulty rows of a vendor's file, noted while it is read; the quarantine frame is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vendors.values import column_of, literal

__all__ = ["QUARANTINE_COLUMNS", "RowFaults"]

QUARANTINE_COLUMNS = ["row", "column", "check", "value", "code"]


@dataclass(slots=True)
class RowFaults:
    """Collects faults by column and check; rows are positions in the file.

    Parameters
    ----------
    n_rows : int
    """

    n_rows: int
    found: list[tuple[str, str, npt.NDArray[np.int64], tuple[str, ...]]] = field(
        default_factory=list
    )

    def note(
        self, column: str, check: str, rows: npt.ArrayLike, theirs: Sequence[str] = ()
    ) -> None:
        """Note faulty rows, a mask, and in which of their columns the value stands."""
        positions = np.flatnonzero(np.asarray(rows, bool))
        if len(positions):
            self.found.append((column, check, positions, tuple(theirs)))

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Return which rows have any fault."""
        faulty = np.zeros(self.n_rows, bool)
        for _, _, rows, _ in self.found:
            faulty[rows] = True
        return faulty

    def without(self, rows: npt.NDArray[np.bool_]) -> RowFaults:
        """Return the faults of all other rows."""
        kept = RowFaults(self.n_rows)
        for column, check, positions, theirs in self.found:
            mask = np.zeros(self.n_rows, bool)
            mask[positions] = True
            kept.note(column, check, mask & ~rows, theirs)
        return kept

    def counts(self) -> pd.DataFrame:
        """Return columns column, check, rows, the most frequent first."""
        lines = [(column, check, len(rows)) for column, check, rows, _ in self.found]
        frame = pd.DataFrame(lines, columns=["column", "check", "rows"])
        return frame.sort_values(["rows", "column"], ascending=[False, True], ignore_index=True)

    def quarantine(self, raw: pd.DataFrame, code: pd.Series) -> pd.DataFrame:
        """Return one line per faulty row and check, with their value (this frame is data)."""
        parts = []
        for column, check, rows, theirs in self.found:
            value = None
            if theirs:
                value = literal(column_of(raw.iloc[rows], theirs)).to_numpy(object)
            parts.append(
                pd.DataFrame(
                    {
                        "row": rows + 1,
                        "column": column,
                        "check": check,
                        "value": value,
                        "code": code.iloc[rows].to_numpy(object),
                    }
                )
            )
        if not parts:
            empty = {c: pd.Series(dtype="str") for c in QUARANTINE_COLUMNS}
            return pd.DataFrame(empty).astype({"row": "int64"})
        frame = pd.concat(parts, ignore_index=True)
        frame = frame.astype(dict.fromkeys(QUARANTINE_COLUMNS[1:], "str"))
        return frame.sort_values(QUARANTINE_COLUMNS[:3], ignore_index=True)
