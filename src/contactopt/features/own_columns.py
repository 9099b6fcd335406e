"""The user's own columns (`x_...`) of customers, debts and snapshots, as they stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from contactopt.features._base import Column, FeatureBlock, category
from contactopt.features.arithmetic import value_at
from contactopt.features.moments import Moments
from contactopt.features.trajectory import N_LAGS, lead_snapshots
from contactopt.journal.columns import word_codes

__all__ = ["OwnColumns"]

_TABLES = ("customers", "debts", "debt_snapshots")


class OwnColumns(FeatureBlock):
    """Extra columns: numbers and booleans as numbers, text as categories seen at the fit.

    Columns of debts and snapshots are the lead debt's; numeric snapshot columns also give their
    last six values.

    Examples
    --------
    >>> OwnColumns().name
    'x'
    """

    name = "x"
    fitted = ("numeric_", "words_")

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue: what the portfolio of the fit carried."""
        out = []
        for table in _TABLES:
            for name in self.numeric_[table]:
                out.append(Column(_named(table, name), "as given", "latest", table))
                if table == "debt_snapshots":
                    out += [
                        Column(f"{_named(table, name)}_lag{k}", "as given", f"lag {k}", table)
                        for k in range(1, N_LAGS)
                    ]
            out += [
                Column(_named(table, name), "category", "latest", table)
                for name in self.words_[table]
            ]
        return tuple(out)

    def learn(self, moments: Moments) -> None:
        """Note which extra columns there are, and the words of the textual ones.

        Words are taken from rows that are known at the moments.
        """
        self.numeric_: dict[str, list[str]] = {}
        self.words_: dict[str, dict[str, list[str]]] = {}
        rows = self._rows(moments)
        for table in _TABLES:
            frame = _frame(moments, table)
            names = sorted(str(c) for c in frame.columns if str(c).startswith("x_"))
            is_number = {n: _numeric(frame[n]) for n in names}
            self.numeric_[table] = [n for n in names if is_number[n]]
            seen = np.unique(rows[table][:, 0])
            seen = seen[seen >= 0]
            self.words_[table] = {
                n: sorted(frame[n].iloc[seen].dropna().astype(str).unique().tolist())
                for n in names
                if not is_number[n]
            }

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column; a column that is missing now is all missing."""
        rows = self._rows(moments)
        out: dict[str, Any] = {}
        for table in _TABLES:
            frame = _frame(moments, table)
            for name in self.numeric_[table]:
                values = _floats(frame, name)
                lags = rows[table].shape[1]
                for k in range(lags):
                    suffix = f"_lag{k}" if k else ""
                    out[_named(table, name) + suffix] = value_at(values, rows[table][:, k])
            for name, seen in self.words_[table].items():
                codes = _codes(frame, name, seen)
                out[_named(table, name)] = category(codes[rows[table][:, 0]], seen)
        return out

    def _rows(self, m: Moments) -> dict[str, Any]:
        """Return, per table, the rows of each moment, newest first, -1 where there is none."""
        index = m.journal.debts.snapshots
        at = lead_snapshots(m)
        return {
            "customers": m.customers[:, None],
            "debts": m.lead_debt[:, None],
            "debt_snapshots": np.append(index.rows, -1)[at],
        }


def _frame(m: Moments, table: str) -> pd.DataFrame:
    if table == "customers":
        return m.journal.customer_frame
    return m.journal.debts.frame if table == "debts" else m.journal.debts.snapshot_frame


def _named(table: str, name: str) -> str:
    """Return a name that says which table it is from: the same word may stand in several."""
    return {"customers": "customer_", "debts": "debt_", "debt_snapshots": "snapshot_"}[
        table
    ] + name.removeprefix("x_")


def _numeric(column: pd.Series) -> bool:
    return types.is_numeric_dtype(column) or types.is_bool_dtype(column)


def _floats(frame: pd.DataFrame, name: str) -> Any:
    if name not in frame or not _numeric(frame[name]):
        return np.empty(0)
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _codes(frame: pd.DataFrame, name: str, seen: list[str]) -> Any:
    """Return category codes by row, and a last -1 for rows that do not exist."""
    if name not in frame or len(frame) == 0:
        return np.full(len(frame) + 1, -1)
    column = frame[name].astype(object).where(frame[name].notna(), None)
    words = [None if w is None else str(w) for w in column.unique()]
    codes, _ = pd.factorize(column, sort=False)
    order = [w for w in words if w is not None]
    lookup = np.append(word_codes(pd.Series(order, dtype="str"), seen), -1)
    return np.append(lookup[codes], -1)
