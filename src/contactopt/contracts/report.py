"""What `validate` tells: faults, delays, ages, and what the data hold that nobody reads yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.contracts.checks import check_as_of, check_config, check_staleness, table_ages
from contactopt.contracts.needs import StrategyNeeds
from contactopt.contracts.tables import TABLES
from contactopt.contracts.usage import not_used_yet
from contactopt.errors import ContactoptError

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio

__all__ = ["ValidationReport", "validation_report"]

#: tables whose age stands in the short report even when nothing is wrong with it
_ALWAYS_TOLD = ("touches", "payments", "debt_snapshots")


@dataclass(frozen=True, eq=False, repr=False)
class ValidationReport:
    """What is wrong with a portfolio, and what its tables allow; made by `Portfolio.validate`.

    Parameters
    ----------
    rows : dict of str to int
        Rows by table, after quarantine.
    n_customers, n_quarantined_customers : int
    faults : pandas.DataFrame
        Columns table, column, check, rows: what the allowed share let pass.
    delays : pandas.DataFrame
        Columns table, rows, median_hours, p95_hours: how much later than the event rows with
        `recorded_at` became known.
    staleness : pandas.DataFrame
        See `contactopt.contracts.checks.table_ages`; empty without an as_of.
    dropped_columns : dict of str to list of str
    not_used_yet : list of str
        Columns and words that the data fill and nobody reads yet.
    problems : tuple of ContactoptError
        What would stop a run.
    """

    rows: dict[str, int]
    n_customers: int
    n_quarantined_customers: int
    faults: pd.DataFrame
    delays: pd.DataFrame
    staleness: pd.DataFrame
    dropped_columns: dict[str, list[str]]
    not_used_yet: list[str]
    problems: tuple[ContactoptError, ...]

    @property
    def ok(self) -> bool:
        """Return whether nothing would stop a run."""
        return not self.problems

    def raise_for_faults(self) -> None:
        """Raise the first of the problems that would stop a run.

        Raises
        ------
        ContractError
            If as_of lies before any data.
        StalenessError
            If a table is too old.
        ConfigError
            If an exchange rate is missing or the capacity table names an unknown pool.
        """
        for problem in self.problems:
            raise problem

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-ready values."""
        ages = self.staleness.assign(newest=self.staleness["newest"].astype("str"))
        return {
            "ok": self.ok,
            "customers": self.n_customers,
            "customers_in_quarantine": self.n_quarantined_customers,
            "rows": self.rows,
            "faults": self.faults.to_dict("records"),
            "delays": self.delays.to_dict("records"),
            "staleness": ages.astype(object).where(ages.notna(), None).to_dict("records"),
            "dropped_columns": self.dropped_columns,
            "not_used_yet": self.not_used_yet,
            "problems": [str(p) for p in self.problems],
        }

    def __repr__(self) -> str:
        return "\n".join(f"{head}: {text}" if text else head for head, text in self._lines())

    def _repr_html_(self) -> str:
        cells = (
            f"<tr><th style='text-align:left'>{escape(head)}</th><td>{escape(text)}</td></tr>"
            for head, text in self._lines()
        )
        return f"<table>{''.join(cells)}</table>"

    def _lines(self) -> list[tuple[str, str]]:
        held = self.n_quarantined_customers
        lines = [
            ("ValidationReport", "ok" if self.ok else f"{len(self.problems)} problem(s)"),
            (
                "  customers",
                f"{self.n_customers:,}" + (f", {held:,} in quarantine" if held else ""),
            ),
            ("  rows", ", ".join(f"{t} {n:,}" for t, n in self.rows.items() if n) or "none"),
        ]
        lines += [("  problem", p.message) for p in self.problems]
        lines += [
            ("  fault", f"{f.table}.{f.column} {f.check}: {f.rows:,} row(s)")
            for f in self.faults.itertuples()
        ]
        lines += [
            ("  delay", f"{d.table} median {d.median_hours:.1f} h, 95 % {d.p95_hours:.1f} h")
            for d in self.delays.itertuples()
        ]
        lines += [
            ("  age", _age(a.table, a.age_hours, a.state, a.limit_hours))
            for a in self.staleness.itertuples()
            if a.state in ("warning", "stale") or a.table in _ALWAYS_TOLD
        ]
        lines += [
            ("  dropped columns", f"{table}: {', '.join(columns)}")
            for table, columns in self.dropped_columns.items()
        ]
        if self.not_used_yet:
            lines.append(("  not used yet", ", ".join(self.not_used_yet)))
        return lines


def validation_report(
    portfolio: Portfolio, config: StrategyNeeds | None, as_of: str | pd.Timestamp | None
) -> ValidationReport:
    """Make the report; see `Portfolio.validate`."""
    checks: list[Callable[[], object]] = []
    ages = pd.DataFrame(columns=["table", "newest", "age_hours", "limit_hours", "state"])
    if as_of is not None:
        checks += [
            lambda: check_as_of(portfolio, as_of),
            lambda: check_staleness(portfolio, config, as_of),
        ]
        ages = table_ages(portfolio, config, as_of)
    if config is not None:
        checks.append(lambda: check_config(portfolio, config))
    return ValidationReport(
        rows={name: len(frame) for name, frame in portfolio.tables.items()},
        n_customers=portfolio.n_customers,
        n_quarantined_customers=len(portfolio.quarantined_customers),
        faults=_faults(portfolio),
        delays=_delays(portfolio),
        staleness=ages,
        dropped_columns=portfolio.dropped_columns,
        not_used_yet=not_used_yet(portfolio.tables),
        problems=tuple(p for check in checks if (p := _problem(check)) is not None),
    )


def _age(table: Any, hours: Any, state: Any, limit: Any) -> str:
    if state == "empty":
        return f"{table} is empty"
    return f"{table} {hours:.0f} h ({state}, limit {limit:.0f} h)"


def _problem(check: Callable[[], object]) -> ContactoptError | None:
    try:
        check()
    except ContactoptError as problem:
        return problem
    return None


def _faults(portfolio: Portfolio) -> pd.DataFrame:
    rows = [(f.table, f.column, f.check, f.n_rows) for f in portfolio.faults]
    return pd.DataFrame(rows, columns=["table", "column", "check", "rows"])


def _delays(portfolio: Portfolio) -> pd.DataFrame:
    rows = []
    for name, spec in TABLES.items():
        frame = portfolio.tables[name]
        if spec.event_time is None or frame["recorded_at"].isna().all():
            continue
        late = (frame["recorded_at"] - frame[spec.event_time]).dropna()
        hours = np.maximum(late.dt.total_seconds().to_numpy() / 3600, 0.0)
        if len(hours):
            median, p95 = np.quantile(hours, [0.5, 0.95])
            rows.append((name, len(hours), float(median), float(p95)))
    return pd.DataFrame(rows, columns=["table", "rows", "median_hours", "p95_hours"])
