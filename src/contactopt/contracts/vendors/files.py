"""A vendor's rows from wherever they come: text, Parquet, or a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contactopt.contracts.native_frames import to_pandas
from contactopt.contracts.vendors.delimited import RawRows, read_delimited
from contactopt.contracts.vendors.mapping import VendorMapping
from contactopt.contracts.vendors.mapping_reader import meant
from contactopt.errors import ContractError

__all__ = ["read_rows"]


def read_rows(source: str | Path | Any, mapping: VendorMapping) -> tuple[str, RawRows]:
    """Return the name of a source and its rows, with every column that the mapping names.

    Raises
    ------
    ContractError
        If the file is missing, cannot be read, or lacks columns (all of them named).
    """
    name, rows = _read(source, mapping)
    absent = [c for c in mapping.needed_columns if c not in rows.frame.columns]
    if absent:
        have = [str(c) for c in rows.frame.columns]
        told = "; ".join(f"{c!r}{meant(c, have)}" for c in absent)
        raise ContractError(
            f"{name}: {len(absent)} of the mapping's column(s) are not in the file: {told}",
            hint="names are compared as they are written, capitals included; the file has "
            f"{len(have)} column(s), and read: {{header: 3}} says that line 3 names them",
        )
    return name, rows


def _read(source: Any, mapping: VendorMapping) -> tuple[str, RawRows]:
    if not isinstance(source, str | Path):
        frame = to_pandas(source, "the vendor's file").reset_index(drop=True)
        frame.columns = pd.Index([str(c) for c in frame.columns])
        return "frame", RawRows(frame, np.zeros(len(frame), bool))
    path = Path(source)
    if not path.is_file():
        raise ContractError(f"no vendor's file at {path}", hint="give a text or Parquet file")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pq.ParquetFile(path).read().replace_schema_metadata(None)
            frame = table.to_pandas(coerce_temporal_nanoseconds=False)
            return path.name, RawRows(frame, np.zeros(len(frame), bool))
        return path.name, read_delimited(path, mapping.read)
    except (OSError, EOFError, pa.ArrowException) as error:
        raise ContractError(
            f"{path.name} cannot be read: {type(error).__name__}",
            hint="give UTF-8 text with a header, or Parquet",
        ) from None
