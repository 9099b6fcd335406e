"""Faults of the data: collected over all tables first, told once, without a customer's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_scalar

from contactopt.contracts.fault_advice import advice
from contactopt.errors import ContractError, sample_ids

__all__ = ["QUARANTINE_COLUMNS", "Fault", "FaultLog", "contract_error"]

QUARANTINE_COLUMNS = ["table", "key", "column", "check", "value"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault in one column of one table.

    Parameters
    ----------
    table, column, check : str
        Where, and which check failed; ``column`` is empty for a fault of the whole table.
    n_rows : int
        Rows concerned; 0 for a fault of the table as a whole, which no share can allow.
    ids : tuple of str
        At most five keys of such rows.
    detail : str
        What to know about it; never a value of a customer.
    """

    table: str
    column: str
    check: str
    n_rows: int = 0
    ids: tuple[str, ...] = ()
    detail: str = ""

    @property
    def structural(self) -> bool:
        """Return whether the table as a whole is at fault."""
        return self.n_rows == 0

    @property
    def told(self) -> str:
        """Return what to know about it, or else what the column wants."""
        return self.detail or advice(self.table, self.column, self.check)

    def __str__(self) -> str:
        where = f"{self.table}.{self.column}" if self.column else self.table
        rows = f" in {self.n_rows} row{'s' if self.n_rows != 1 else ''}" if self.n_rows else ""
        named = f" ({', '.join(self.ids)})" if self.ids else ""
        detail = f": {self.told}" if self.told else ""
        return f"{where} {self.check}{rows}{named}{detail}"


@dataclass(slots=True)
class _RowFault:
    table: str
    column: str
    check: str
    rows: npt.NDArray[np.int64]


@dataclass(slots=True)
class FaultLog:
    """Collects faults while tables are read and checked; rows are positions in the raw tables."""

    structural: list[Fault] = field(default_factory=list)
    _rows: list[_RowFault] = field(default_factory=list)

    def table(self, table: str, check: str, detail: str = "", column: str = "") -> None:
        """Note a fault of a whole table or column."""
        self.structural.append(Fault(table, column, check, detail=detail))

    def rows(self, table: str, column: str, check: str, rows: npt.ArrayLike) -> None:
        """Note faulty rows, given as a mask or as positions; none given notes nothing."""
        found = np.asarray(rows)
        positions = np.flatnonzero(found) if found.dtype == bool else np.unique(found)
        if len(positions):
            self._rows.append(_RowFault(table, column, check, positions.astype(np.int64)))

    def faulty(
        self, table: str, n_rows: int, columns: tuple[str, ...] | None = None
    ) -> npt.NDArray:
        """Return the mask of a table's rows with a fault (in some columns, if given)."""
        mask = np.zeros(n_rows, bool)
        for fault in self._rows:
            if fault.table == table and (columns is None or fault.column in columns):
                mask[fault.rows] = True
        return mask

    def columns_of(self, table: str) -> dict[str, npt.NDArray[np.int64]]:
        """Return faulty row positions by column of a table."""
        found: dict[str, list[npt.NDArray[np.int64]]] = {}
        for fault in self._rows:
            if fault.table == table:
                found.setdefault(fault.column, []).append(fault.rows)
        return {c: np.unique(np.concatenate(rows)) for c, rows in found.items()}

    def summary(self, ids: Mapping[str, pd.Series]) -> list[Fault]:
        """Return all faults, structural first; ``ids`` names their rows, by table."""
        told = list(self.structural)
        for f in self._rows:
            names = ids[f.table]
            own = f.column == names.name and f.check != "duplicate"
            # a fault of the key itself is named by its row: the key may be anything then
            some = f.rows[:5]
            named = [f"row {r}" for r in some] if own else names.iloc[some].fillna("no id")
            told.append(Fault(f.table, f.column, f.check, len(f.rows), tuple(map(str, named))))
        return told

    def quarantine(
        self, keys: Mapping[str, pd.Series], raw: Mapping[str, pd.DataFrame]
    ) -> pd.DataFrame:
        """Return one line per faulty row and check, with the raw value (this frame is data)."""
        parts = []
        for f in self._rows:
            table = raw[f.table]
            found = table.loc[:, table.columns == f.column].iloc[f.rows]
            value = found.iloc[:, 0] if found.shape[1] else None
            parts.append(
                pd.DataFrame(
                    {
                        "table": f.table,
                        "key": keys[f.table].iloc[f.rows].to_numpy(object),
                        "column": f.column,
                        "check": f.check,
                        "value": None if value is None else [_written(v) for v in value],
                    },
                    index=pd.RangeIndex(len(f.rows)),
                )
            )
        if not parts:
            return pd.DataFrame({c: pd.Series(dtype="str") for c in QUARANTINE_COLUMNS})
        frame = pd.concat(parts, ignore_index=True).astype("str")
        return frame.sort_values(QUARANTINE_COLUMNS, ignore_index=True)

    @property
    def n_faulty_rows(self) -> int:
        """Return how many rows of all tables have some fault."""
        tables = {f.table for f in self._rows}
        return sum(
            len(np.unique(np.concatenate([f.rows for f in self._rows if f.table == t])))
            for t in tables
        )


def _written(value: Any) -> str | None:
    """Write any raw value as text that can be stored."""
    if is_scalar(value) and pd.isna(value):
        return None
    return str(value).encode("utf-8", "backslashreplace").decode()


def contract_error(
    faults: list[Fault], headline: str, hint: str, refusal: object = None
) -> ContractError:
    """Return the one error that tells every fault: table x check x count."""
    lines = [f"  {f}" for f in faults[:60]]
    if len(faults) > 60:
        more = sample_ids({f.table for f in faults[60:]})
        lines.append(f"  and {len(faults) - 60} more kinds of fault in {more}")
    message = "\n".join([headline, *lines])
    return ContractError(message, faults=faults, hint=hint, refusal=refusal)
