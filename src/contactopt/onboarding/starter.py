"""A folder to start from: header-only tables, annotated settings, an MLflow store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from contactopt.config import example_strategy_text
from contactopt.config.mapping_example import example_mapping_text
from contactopt.contracts.catalogue import CATALOGUE_TABLES, column_catalogue
from contactopt.contracts.folder import umask
from contactopt.errors import ConfigError
from contactopt.tracking.store import open_store

__all__ = ["COMMANDS", "start_folder"]

#: what to type next, inside the folder
COMMANDS = (
    "contactopt validate portfolio --strategy strategy.yaml",
    "contactopt rank portfolio --strategy strategy.yaml --as-of 2026-06-02T12:00Z --out plan",
    "contactopt fit portfolio --strategy strategy.yaml --as-of 2026-06-02T12:00Z"
    " --register contact-strategy",
)

_README = """contactopt: a folder to start from

portfolio/       one CSV file per table, header only (UTF-8, comma, instants as
                 2026-06-02T12:00:00Z or with another offset). A table may also be Parquet:
                 delete its .csv then. Tables that stay empty mean "there is none".
                 `contactopt schema TABLE` prints what each column may hold.
strategy.yaml    annotated settings: channels, costs, hours, rules, budgets.
mapping.yaml     annotated example for files of vendors (SMS, dialler, mail house, bank):
                 `contactopt ingest --help`.
mlflow.db        the MLflow store: strategies that are fitted and registered here.

For a first plan five files are enough: customers, debts, debt_snapshots, contact_points, and
consents for the channels that need consent. Then, in this folder:

1. What is wrong, what these tables allow, what the next step needs:

   {validate}

2. A plan for the 24 hours after an instant, on documented priors (works on the empty tables too).
   Write the instant of your decision, with its zone; nothing reads the clock. The word `latest`
   means the newest instant of touches, payments and debt_snapshots:

   {rank}

3. Once there are touches and payments: learn from them, and keep the result in MLflow:

   {fit}

Countries without a rule pack are not planned, unless strategy.yaml says `fallback: cautious`.
Nothing here is legal advice.
"""


def start_folder(path: str | Path) -> Path:
    """Make a folder to start from; whole, or not at all.

    Parameters
    ----------
    path : str or Path
        A new or empty folder.

    Returns
    -------
    Path
        The folder: ``portfolio/`` with a header-only CSV file for every table of the contract and
        for capacity (which then limits nothing), ``strategy.yaml``, ``mapping.yaml``,
        ``mlflow.db`` (an initialised store), ``README.txt``.

    Raises
    ------
    ConfigError
        If something stands there already: nothing is ever replaced.
    TrackingError
        If MLflow cannot make its store.
    """
    target = Path(path).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(
            f"{path} exists and is not empty", hint="name a new folder; nothing is ever replaced"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _fill(fresh)
        fresh.chmod(0o777 & ~umask())
        if target.exists():
            target.rmdir()
        fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return target


def _fill(folder: Path) -> None:
    tables = folder / "portfolio"
    tables.mkdir()
    for name in CATALOGUE_TABLES:
        if name != "scored_batch":
            header = ",".join(column_catalogue(name)["column"])
            (tables / f"{name}.csv").write_text(header + "\n", encoding="utf-8")
    (folder / "strategy.yaml").write_text(example_strategy_text(), encoding="utf-8")
    (folder / "mapping.yaml").write_text(example_mapping_text(), encoding="utf-8")
    validate, rank, fit = COMMANDS
    text = _README.format(validate=validate, rank=rank, fit=fit)
    (folder / "README.txt").write_text(text, encoding="utf-8")
    with open_store(f"sqlite:///{(folder / 'mlflow.db').as_posix()}"):
        pass  # opening makes and checks its tables
