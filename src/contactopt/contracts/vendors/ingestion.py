"""A vendor's file into a portfolio folder: checked as a whole first, then written or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contactopt.contracts.cast import cast_column, empty_column
from contactopt.contracts.folder import read_folder, table_place
from contactopt.contracts.local_days import customer_zones
from contactopt.contracts.portfolio import Portfolio
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.ingest_report import IngestReport
from contactopt.contracts.vendors.mapping import VendorMapping
from contactopt.contracts.vendors.merging import Additions, additions, merged_portfolio
from contactopt.contracts.vendors.owners import debt_owners
from contactopt.contracts.vendors.reading import read_vendor_file
from contactopt.contracts.vendors.table_csv import csv_bytes
from contactopt.contracts.vendors.table_parquet import parquet_tables

if TYPE_CHECKING:
    from contactopt.contracts.vendors.vendor_file import VendorFile

__all__ = ["ingest", "write_quarantine"]


def ingest(
    folder: str | Path,
    source: str | Path | Any,
    mapping: VendorMapping | Mapping[str, Any] | str | Path,
    *,
    received_at: str | pd.Timestamp | None = None,
    max_quarantined_share: float = 0.0,
    extra_channels: Iterable[str] = (),
    quarantine: str | Path | None = None,
    dry_run: bool = False,
) -> IngestReport:
    """Add a vendor's file to a portfolio folder.

    Parameters
    ----------
    folder : path
        A portfolio folder. Each table stays in the format it has there: lines are added to CSV,
        a Parquet file is written anew, a folder of parts gets one more part. A table that is not
        there takes the format of touches.
    source, mapping, received_at
        See `read_vendor_file`.
    max_quarantined_share : float
        Largest share, in [0, 1], of faulty rows of the file, of faulty rows of the portfolio and
        of customers in quarantine with which to go on.
    extra_channels : iterable of str
        Channels that the strategy adds by `like`.
    quarantine : path, optional
        Folder that receives the faulty rows as CSV, also when the file is refused.
    dry_run : bool
        Read, check and report only.

    Returns
    -------
    IngestReport
        A file whose rows are all there changes no byte of the folder.

    Raises
    ------
    ContractError
        If the file cannot be read, more of its rows are faulty than allowed, or the portfolio
        does not meet the contract with or without it. Nothing is written then.
    ConfigError
        If the mapping is faulty.
    """
    place = Path(folder)
    channels = tuple(extra_channels)
    if isinstance(mapping, str | Path):
        mapping = VendorMapping.from_yaml(mapping, extra_channels=channels)
    elif not isinstance(mapping, VendorMapping):
        mapping = VendorMapping.from_mapping(mapping, extra_channels=channels)
    portfolio = Portfolio.from_folder(
        place, max_quarantined_share=max_quarantined_share, extra_channels=channels
    )
    file = read_vendor_file(source, mapping, portfolio=portfolio, received_at=received_at)
    if quarantine is not None and len(file.report.quarantine):
        write_quarantine(file, quarantine)
    merged = merged_portfolio(portfolio, file, max_quarantined_share)
    changes = additions(_standing(place, portfolio, file), file)
    changes = {n: c for n, c in changes.items() if not c.nothing}
    written: tuple[str, ...] = ()
    if changes and not dry_run:
        written = _write(place, changes, portfolio)
    before, now = portfolio.quarantined_customers, merged.quarantined_customers
    return IngestReport(
        folder=place,
        file=file.report,
        added={n: len(changes[n].added) if n in changes else 0 for n in file.tables},
        updated={n: len(changes[n].changed) if n in changes else 0 for n in file.tables},
        written=written,
        dry_run=dry_run,
        quarantined_customers=len(set(now) - set(before)),
    )


def write_quarantine(file: VendorFile, folder: str | Path) -> Path:
    """Write the faulty rows of a vendor's file as CSV, with their values; return the file."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    target = place / f"{Path(file.report.source).stem}.quarantine.csv"
    file.report.quarantine.to_csv(target, index=False, encoding="utf-8")
    return target


def _standing(folder: Path, portfolio: Portfolio, file: VendorFile) -> dict[str, pd.DataFrame]:
    """Return the tables with the rows, among those of the file's ids, that are in quarantine.

    They are not in the portfolio, but they stand in the folder and must not be added again.
    """
    if not len(portfolio.quarantine):
        return portfolio.tables
    frames = read_folder(folder).frames
    tables = dict(portfolio.tables)
    for name, frame in file.tables.items():
        spec, known = TABLES[name], tables[name]
        key = spec.key[0]
        raw = frames.get(name)
        missing = frame.loc[~frame[key].isin(known[key]), key]
        if raw is None or missing.empty or key not in raw:
            continue
        raw = raw[cast_column(raw[key], "id").values.isin(missing).to_numpy(bool)]
        typed = {
            c.name: cast_column(raw[c.name], c.kind).values
            if c.name in raw
            else empty_column(c.kind, len(raw))
            for c in spec.columns.values()
        }
        more = pd.DataFrame(typed, index=pd.RangeIndex(len(raw))).drop_duplicates(list(spec.key))
        tables[name] = pd.concat([known, more], ignore_index=True)
    return tables


# ---- writing -------------------------------------------------------------------------------------


def _write(folder: Path, changes: dict[str, Additions], portfolio: Portfolio) -> tuple[str, ...]:
    """Make all new files beside the folder's, then put them in place."""
    # inside the folder, so that putting a file in place is one step on one disk
    stage = Path(tempfile.mkdtemp(prefix=".ingest-", dir=folder))
    try:
        ready: dict[Path, Path] = {}
        for name, change in changes.items():
            for target, content in _contents(folder, name, change, portfolio).items():
                fresh = stage / f"{len(ready)}{target.suffix}"
                if isinstance(content, bytes):
                    fresh.write_bytes(content)
                else:
                    pq.write_table(content, fresh, compression="zstd")
                if target.exists():
                    shutil.copymode(target, fresh)
                ready[target] = fresh
        _put(ready, stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return tuple(sorted(t.relative_to(folder).as_posix() for t in ready))


def _contents(
    folder: Path, name: str, change: Additions, portfolio: Portfolio
) -> dict[Path, bytes | pa.Table]:
    """Return the new content of every file of a table that changes."""
    place = table_place(folder, name)
    if place is None:
        like = table_place(folder, "touches")
        text = like is not None and like.suffix == ".csv"
        place = folder / f"{name}{'.csv' if text else '.parquet'}"
    if place.suffix == ".csv":
        return {place: csv_bytes(place if place.exists() else None, name, change)}
    days = _local_days(name, change, portfolio)
    if place.is_dir():
        parts = sorted(p for p in place.rglob("*.parquet") if p.is_file())
        touched, fresh = parquet_tables(parts, name, change, days)
        more = {} if fresh is None else {place / _part_name(name, change): fresh}
        return {**touched, **more}
    touched, fresh = parquet_tables([place] if place.exists() else [], name, change, days)
    if fresh is None:
        return dict(touched)
    if not place.exists():
        return {place: fresh}
    before = touched.get(place)
    before = pq.ParquetFile(place).read() if before is None else before
    return {place: pa.concat_tables([before, fresh], promote_options="permissive")}


def _part_name(name: str, change: Additions) -> str:
    keys = "\n".join(change.added.iloc[:, 0].astype("str")) + str(len(change.added))
    return f"ingest-{hashlib.sha256((name + keys).encode()).hexdigest()[:16]}.parquet"


def _local_days(name: str, change: Additions, portfolio: Portfolio) -> dict[str, pd.Series]:
    """Return due days of added promises as dates of the customer's own clock."""
    if name != "promises" or change.added.empty:
        return {}
    customers = portfolio.tables["customers"]
    zones = pd.Series(customer_zones(customers, due=True), index=customers["customer_id"])
    zone = change.added["debt_id"].map(debt_owners(portfolio)).map(zones).fillna("UTC")
    due = change.added["due_at"]
    days = pd.Series(pd.NaT, index=due.index, dtype="datetime64[us]")
    for one in zone.unique():
        here = np.asarray(zone == one)
        days[here] = due[here].dt.tz_convert(one).dt.tz_localize(None).dt.normalize()
    return {"due_at": days}


def _put(ready: dict[Path, Path], stage: Path) -> None:
    """Put files in place, each in one step; if one cannot be, all are as before."""
    kept: dict[Path, Path | None] = {}
    try:
        for target, fresh in ready.items():
            backup = stage / f"before-{len(kept)}"
            kept[target] = Path(shutil.copy2(target, backup)) if target.exists() else None
            fresh.replace(target)
    except BaseException:
        for target, backup in kept.items():
            if backup is None:
                target.unlink(missing_ok=True)
            else:
                backup.replace(target)
        raise
