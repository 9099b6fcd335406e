"""Reading a vendor's file: their rows in, contract tables and a report out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contactopt.contracts.cast import empty_column
from contactopt.contracts.instants import written_instant
from contactopt.contracts.vendors.files import read_rows
from contactopt.contracts.vendors.folding import fold_rows
from contactopt.contracts.vendors.mapping import VendorMapping
from contactopt.contracts.vendors.money_rows import payment_rows, promise_rows
from contactopt.contracts.vendors.report import VendorReport
from contactopt.contracts.vendors.source import Source
from contactopt.contracts.vendors.touch_rows import Made, touch_rows
from contactopt.contracts.vendors.values import literal
from contactopt.contracts.vendors.vendor_file import VendorFile
from contactopt.errors import ConfigError, ContractError, sample_ids

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio

__all__ = ["read_vendor_file"]

_MAKERS = {"touches": touch_rows, "payments": payment_rows, "promises": promise_rows}
#: what rows of one id have to agree in: it says whose they are
_OWNER = {"touches": "customer_id", "payments": "debt_id", "promises": "debt_id"}


def read_vendor_file(
    source: str | Path | Any,
    mapping: VendorMapping | Mapping[str, Any] | str | Path,
    *,
    portfolio: Portfolio,
    received_at: str | pd.Timestamp | None = None,
) -> VendorFile:
    """Read a vendor's file into rows of the contract.

    Parameters
    ----------
    source : path or frame
        Delimited text in any encoding (also gzipped), Parquet, or a pandas, polars or pyarrow
        frame.
    mapping : VendorMapping, mapping, or path of a mapping file
    portfolio : Portfolio
        Whose customers, debts and contact points the rows are matched with.
    received_at : instant, optional
        When the file reached us: becomes `recorded_at` of rows that state none, so that nothing
        is known before it. The library reads no clock; without it the strategy's `data_delay`
        of the table applies. An event more than two hours later than this was misread and is a
        fault.

    Returns
    -------
    VendorFile
        Ids are hashes of the vendor's name, the mapping's `id_from` columns and the customer
        (touches) or debt, so the same rows have the same ids in every file. Rows of one id are
        folded (`folding`): a later status of a message updates it, whatever the order of rows.
        A file without rows gives empty tables.

    Raises
    ------
    ContractError
        If the file cannot be read or lacks columns, or if ids of the vendor's own belong to
        several customers. Faulty rows are not raised but reported: `VendorFile.raise_for_faults`
        and everything that adds the file to a portfolio refuse them.
    ConfigError
        If the mapping is faulty, or times need a `time_zone`.
    """
    mapping = _mapping(mapping)
    name, rows = read_rows(source, mapping)
    known = _instant(received_at)
    read = Source(rows.frame, rows.broken, mapping, portfolio, known)
    made = _MAKERS[mapping.table](read)
    tables: dict[str, pd.DataFrame] = {}
    differ: dict[str, int] = {}
    for table, frame in made.tables.items():
        owner = _OWNER.get(table)
        if owner:
            _one_owner(frame, mapping.key, owner, name)
        tables[table], contradictions = fold_rows(frame, table)
        differ |= contradictions
    return VendorFile(tables, _report(name, read, made, tables, differ))


def _mapping(given: VendorMapping | Mapping[str, Any] | str | Path) -> VendorMapping:
    if isinstance(given, VendorMapping):
        return given
    if isinstance(given, Mapping):
        return VendorMapping.from_mapping(given)
    return VendorMapping.from_yaml(given)


def _instant(given: str | pd.Timestamp | None) -> pd.Timestamp | None:
    if given is None:
        return None
    when = written_instant(given)
    if (
        when is None
        or when.tzinfo is None
        or (not isinstance(given, str | pd.Timestamp) and not hasattr(given, "tzinfo"))
    ):
        raise ConfigError(
            "received_at is no instant with a time zone",
            hint="write ISO 8601 with zone, for example 2026-06-02T06:00Z",
        )
    return when.tz_convert("UTC").as_unit("us")


def _one_owner(frame: pd.DataFrame, key: str, owner: str, name: str) -> None:
    """Refuse ids of the vendor's own that stand for different customers or debts."""
    several = frame.groupby(key)[owner].nunique()
    wrong = several.index[several > 1]
    if len(wrong):
        raise ContractError(
            f"{name}: {len(wrong)} {key}(s) belong to several values of {owner}: "
            f"{sample_ids(wrong)}",
            hint=f"map no {key}: with `id_from` naming their columns that tell rows apart, ids "
            "are made from these and from whose row it is",
        )


def _report(
    name: str,
    read: Source,
    made: Made,
    tables: dict[str, pd.DataFrame],
    differ: dict[str, int],
) -> VendorReport:
    mapping = read.mapping
    column = mapping.code_column if mapping.table == "touches" else "kind"
    code = literal(read.column(column)) if read.has(column) else empty_column("text", read.n)
    faults = read.faults.without(made.skipped)
    n_touch_rows = len(made.tables[mapping.table])
    coded = [c.counts.assign(column=n) for n, c in read.coded.items()]
    columns = ["column", "code", "word", "machine", "rows", "mapped"]
    codes = pd.concat(coded, ignore_index=True)[columns] if coded else pd.DataFrame(columns=columns)
    if not coded:
        codes = codes.astype({"rows": "int64", "mapped": bool, "machine": bool})
    vendors = read.text("vendor").dropna().unique() if mapping.table == "touches" else []
    return VendorReport(
        source=name,
        table=mapping.table,
        vendor=mapping.vendor or ", ".join(sorted(map(str, vendors))[:5]),
        rows_read=read.n,
        rows_skipped=int(made.skipped.sum()),
        rows_repeated=n_touch_rows - len(tables[mapping.table]),
        made={t: len(f) for t, f in tables.items()},
        codes=codes,
        unmatched=int(made.unmatched.sum()),
        stop_lost=made.stop_lost,
        unprotected_customers=_unprotected(tables),
        shared=made.n_shared,
        contradictions=differ,
        faults=faults.counts(),
        quarantine=faults.quarantine(read.raw, code),
    )


def _unprotected(tables: dict[str, pd.DataFrame]) -> int:
    touches = tables.get("touches")
    if touches is None:
        return 0
    bad = np.asarray(touches["channel"].isna() | touches["started_at"].isna())
    return int(touches.loc[bad, "customer_id"].nunique())
