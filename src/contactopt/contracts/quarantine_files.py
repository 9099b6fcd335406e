"""The quarantine on disk: one CSV file per table, for whoever mends the source."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from contactopt.contracts.faults import QUARANTINE_COLUMNS
from contactopt.contracts.folder import swap_folder, umask
from contactopt.contracts.tables import TABLES
from contactopt.errors import ConfigError

__all__ = ["CUSTOMERS_FILE", "write_quarantine"]

CUSTOMERS_FILE = "quarantined_customers.csv"


def write_quarantine(
    folder: str | Path, quarantine: pd.DataFrame, customers: Iterable[str] = ()
) -> list[Path]:
    """Write what was set aside: all files, or none.

    Parameters
    ----------
    folder : str or Path
        New, or written by this function before; then it is replaced.
    quarantine : pandas.DataFrame
        Columns table, key, column, check, value.
    customers : iterable of str
        Customers who were taken out.

    Returns
    -------
    list of Path
        ``<table>.csv`` (key, column, check, value) of every table with a faulty row, and
        ``quarantined_customers.csv``, which is always there. The values are customers' data.

    Raises
    ------
    ConfigError
        If something else stands at that place.
    """
    target = Path(folder)
    names = {f"{name}.csv" for name in TABLES} | {CUSTOMERS_FILE}
    if target.exists() and not (
        target.is_dir() and all(p.is_file() and p.name in names for p in target.iterdir())
        and (not any(target.iterdir()) or (target / CUSTOMERS_FILE).is_file())
    ):  # fmt: skip
        raise ConfigError(
            f"{target} exists and is no quarantine folder",
            hint="give a new folder: files of other kinds are never replaced",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for table, rows in quarantine.groupby("table", sort=True):
            own = rows[[c for c in QUARANTINE_COLUMNS if c != "table"]]
            own.to_csv(fresh / f"{table}.csv", index=False, encoding="utf-8")
        out = pd.DataFrame({"customer_id": pd.Series(sorted(customers), dtype=object)})
        out.to_csv(fresh / CUSTOMERS_FILE, index=False, encoding="utf-8")
        fresh.chmod(0o777 & ~umask())
        swap_folder(fresh, target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return sorted(target.iterdir())
