"""What `validate` tells: faults, delays, ages, the ladder, and what nobody reads yet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.contracts.checks import as_instant, check_as_of, check_config, check_staleness
from contactopt.contracts.checks import table_ages as _table_ages
from contactopt.contracts.faults import QUARANTINE_COLUMNS, Fault
from contactopt.contracts.ladder import LADDER_COLUMNS, ladder
from contactopt.contracts.needs import StrategyNeeds
from contactopt.contracts.quarantine_files import write_quarantine
from contactopt.contracts.tables import TABLES
from contactopt.contracts.usage import not_used_yet
from contactopt.errors import ContactoptError, ContractError

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio
    from contactopt.contracts.refusal import Refusal

__all__ = ["ValidationReport", "validation_report"]

_AGES = ["table", "newest", "age_hours", "limit_hours", "state"]
_DELAYS = ["table", "rows", "median_hours", "p95_hours"]


@dataclass(frozen=True, eq=False, repr=False)
class ValidationReport:
    """What is wrong with a portfolio, and what its tables allow; made by `Portfolio.validate`.

    Parameters
    ----------
    rows : dict of str to int
        Rows by table, after quarantine (as read, where the portfolio was refused).
    n_customers, n_quarantined_customers : int
    faults : pandas.DataFrame
        Columns table, column, check, rows (0: the table as a whole): what the allowed share let
        pass, or why the portfolio was refused.
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
    ladder : pandas.DataFrame
        Columns step, allows, have, needs, reached; see `contactopt.contracts.ladder.ladder`.
    quarantine : pandas.DataFrame
        Columns table, key, column, check, value: every faulty value. This is customers' data.
    quarantined_customers : tuple of str
    data_delay : dict of str to float
        Tables in which only some rows carry `recorded_at`, with the hours within which 95 % of
        those became known: what the strategy's `data_delay` may say of the others.
    fault_list : tuple of Fault
        The faults with at most five ids each, and what is known of their cause.

    Examples
    --------
    >>> from contactopt.contracts import TABLES, Portfolio
    >>> empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    >>> report = Portfolio.from_frames(empty).validate()
    >>> report.ok, report.ladder["reached"].tolist()
    (True, [False, False, False, False, False])
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
    ladder: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LADDER_COLUMNS))
    quarantine: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=QUARANTINE_COLUMNS)
    )
    quarantined_customers: tuple[str, ...] = ()
    data_delay: dict[str, float] = field(default_factory=dict)
    fault_list: tuple[Fault, ...] = ()

    @classmethod
    def of_refusal(
        cls,
        error: ContractError,
        config: StrategyNeeds | None = None,
        as_of: str | pd.Timestamp | None = None,
    ) -> ValidationReport:
        """Report a portfolio that could not be loaded.

        Parameters
        ----------
        error : ContractError
            Raised by `Portfolio.from_folder` or `from_frames`.
        config : StrategyConfig, optional
            Gives the window of the ladder and delays.
        as_of : instant, optional
            The ladder counts what was known by then.

        Returns
        -------
        ValidationReport
            Not `ok`; ladder and delays rest on the rows that are sound.

        Raises
        ------
        ContractError
            The same error, if it does not come from loading tables.
        """
        left: Refusal | None = error.refusal
        if left is None:
            raise error
        return cls(
            rows=left.rows,
            n_customers=int(left.tables["customers"]["customer_id"].nunique()),
            n_quarantined_customers=len(left.quarantined_customers),
            faults=_faults(left.faults),
            delays=_delays(left.tables)[0],
            staleness=pd.DataFrame(columns=_AGES),
            dropped_columns=left.dropped_columns,
            not_used_yet=[],
            problems=(error,),
            ladder=_ladder(left.tables, config, as_of),
            quarantine=left.quarantine,
            quarantined_customers=left.quarantined_customers,
            data_delay=_delays(left.tables)[1],
            fault_list=left.faults,
        )

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
        """Return the report as plain JSON-ready values; without the quarantine's values."""
        ages = self.staleness.assign(newest=self.staleness["newest"].astype("str"))
        return {
            "ok": self.ok,
            "customers": self.n_customers,
            "customers_in_quarantine": self.n_quarantined_customers,
            "rows": self.rows,
            "faults": self.faults.to_dict("records"),
            "delays": self.delays.to_dict("records"),
            "data_delay": self.data_delay,
            "staleness": ages.astype(object).where(ages.notna(), None).to_dict("records"),
            "dropped_columns": self.dropped_columns,
            "not_used_yet": self.not_used_yet,
            "ladder": self.ladder.to_dict("records"),
            "problems": [str(p) for p in self.problems],
        }

    def write_quarantine(self, folder: str | Path) -> list[Path]:
        """Write the quarantine, one CSV file per table; all files, or none.

        See `contactopt.contracts.quarantine_files.write_quarantine`.
        """
        return write_quarantine(folder, self.quarantine, self.quarantined_customers)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one page without scripts or outside resources.

        Parameters
        ----------
        path : str or Path, optional
            File to write it to as well; replaced at once or not at all.
        """
        from contactopt.contracts.report_html import report_page

        page = report_page(self)
        if path is not None:
            _write_text(Path(path), page)
        return page

    def __repr__(self) -> str:
        from contactopt.contracts.report_text import report_text

        return report_text(self)

    def _repr_html_(self) -> str:
        from contactopt.contracts.report_html import report_fragment

        return report_fragment(self)


def validation_report(
    portfolio: Portfolio, config: StrategyNeeds | None, as_of: str | pd.Timestamp | None
) -> ValidationReport:
    """Make the report; see `Portfolio.validate`."""
    checks: list[Callable[[], object]] = []
    ages = pd.DataFrame(columns=_AGES)
    if as_of is not None:
        checks += [
            lambda: check_as_of(portfolio, as_of),
            lambda: check_staleness(portfolio, config, as_of),
        ]
        ages = _table_ages(portfolio, config, as_of)
    if config is not None:
        checks.append(lambda: check_config(portfolio, config))
    delays, suggested = _delays(portfolio.tables)
    return ValidationReport(
        rows={name: len(frame) for name, frame in portfolio.tables.items()},
        n_customers=portfolio.n_customers,
        n_quarantined_customers=len(portfolio.quarantined_customers),
        faults=_faults(portfolio.faults),
        delays=delays,
        staleness=ages,
        dropped_columns=portfolio.dropped_columns,
        not_used_yet=not_used_yet(portfolio.tables),
        problems=tuple(p for check in checks if (p := _problem(check)) is not None),
        ladder=_ladder(portfolio.tables, config, as_of),
        quarantine=portfolio.quarantine,
        quarantined_customers=tuple(map(str, portfolio.quarantined_customers)),
        data_delay=suggested,
        fault_list=tuple(portfolio.faults),
    )


def _problem(check: Callable[[], object]) -> ContactoptError | None:
    try:
        check()
    except ContactoptError as problem:
        return problem
    return None


def _faults(faults: tuple[Fault, ...]) -> pd.DataFrame:
    rows = [(f.table, f.column, f.check, f.n_rows) for f in faults]
    return pd.DataFrame(rows, columns=["table", "column", "check", "rows"])


def _ladder(
    tables: Mapping[str, pd.DataFrame],
    config: StrategyNeeds | None,
    as_of: str | pd.Timestamp | None,
) -> pd.DataFrame:
    horizons = getattr(getattr(config, "objective", None), "horizons", None)
    return ladder(
        tables,
        as_of=None if as_of is None else as_instant(as_of),
        # what the next step needs is told in whole windows of the longest horizon
        horizon_days=float(getattr(horizons, "longest", 30.0)),
        data_delay={} if config is None else config.data_delay,
    )


def _delays(tables: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the delays seen, and what to suppose of rows that do not tell theirs."""
    rows, suggested = [], {}
    for name, spec in TABLES.items():
        frame = tables[name]
        if spec.event_time is None or frame["recorded_at"].isna().all():
            continue
        late = (frame["recorded_at"] - frame[spec.event_time]).dropna()
        hours = np.maximum(late.dt.total_seconds().to_numpy() / 3600, 0.0)
        if len(hours):
            median, p95 = np.quantile(hours, [0.5, 0.95])
            rows.append((name, len(hours), float(median), float(p95)))
            if frame["recorded_at"].isna().any():
                suggested[name] = float(np.ceil(p95))
    return pd.DataFrame(rows, columns=_DELAYS), suggested


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # readable like any other file, not for its maker alone as temporary files are
        Path(fresh).chmod(0o666 & ~_umask())
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _umask() -> int:
    from contactopt.contracts.folder import umask

    return umask()
