"""A portfolio folder: tables as Parquet files, folders of Parquet parts, or CSV."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contactopt.contracts.arrow_tables import arrow_table
from contactopt.contracts.capacity import CAPACITY_COLUMNS
from contactopt.contracts.csv_separator import OtherSeparatorError, check_separator
from contactopt.contracts.csv_shape import shape_faults
from contactopt.contracts.faults import Fault
from contactopt.contracts.tables import TABLES, TableSpec
from contactopt.errors import ContractError

__all__ = ["FolderContent", "read_folder", "table_place", "write_folder"]

_BESIDE = ("capacity",)


#: files by which somebody may have meant a table, in forms that are not read
_OTHER_FORMS = (
    ".csv", ".parquet", ".pq", ".parq", ".csv.gz", ".csv.zip", ".csv.bz2", ".csv.zst", ".gz",
    ".zip", ".tsv", ".txt", ".xlsx", ".xls", ".ods", ".json", ".jsonl", ".feather", ".arrow",
    ".orc",
)  # fmt: skip

#: what exports write where a value is missing, in columns of free text: a collector called NULL
#: would be somebody else, whose touches count against none of our caps. Elsewhere such a word is a
#: broken cell, and broken cells block: an end of validity that says null may have been one
_NOTHING = ["", "NULL", "null", "None", "NaN", "nan", "NaT", "<NA>", "\\N", "N/A", "#N/A"]


class _NoPartError(ValueError):
    """A folder that should hold a table's parts has none."""


class FolderFrames(Mapping[str, pd.DataFrame]):
    """Raw tables of a folder, read anew each time one is asked for and never kept.

    A file that cannot be read raises KeyError, as if it were not there, and is noted in ``faults``.
    """

    def __init__(self, files: Mapping[str, Path], faults: list[Fault]) -> None:
        self._files = dict(files)
        self._faults = faults
        self._shapes_told: set[str] = set()

    def __getitem__(self, name: str) -> pd.DataFrame:
        path = self._files[name]
        try:
            if path.suffix != ".csv":
                return _read_parquet(path)
            frame = _read_csv(path, name)
            self._tell_shape(path, name, frame)
            return frame
        except (OSError, ValueError, pa.ArrowException) as error:
            # messages of the readers may quote the file's content: name the kind only
            detail = f"{path.name}: {_unreadable(error)}"
            self._faults.append(Fault(name, "", "unreadable file", detail=detail))
            raise KeyError(name) from None

    def _tell_shape(self, path: Path, name: str, frame: pd.DataFrame) -> None:
        """Look once at the lines of a table that protects, and of one that reads askew."""
        askew = not isinstance(frame.index, pd.RangeIndex)
        protects = name in TABLES and TABLES[name].on_fault == "customer"
        if (protects or askew) and name not in self._shapes_told:
            self._shapes_told.add(name)
            self._faults += shape_faults(path, name)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@dataclass(slots=True)
class FolderContent:
    """Raw frames of a folder and the faults of the files themselves.

    The frames are read when asked for; only then are the faults of their files known.
    """

    frames: FolderFrames
    capacity: pd.DataFrame | None = None
    complete_to: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_folder(path: str | Path) -> FolderContent:
    """Open a portfolio folder as it stands: its tables are read one by one when asked for.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    FolderContent

    Raises
    ------
    ContractError
        If there is no such folder. Faults of single files are returned.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ContractError(
            f"no portfolio folder at {folder}",
            hint="give a folder with one Parquet or CSV file per table, as the contract names them",
        )
    faults: list[Fault] = []
    found = {name: _file_of(folder, name, faults) for name in (*TABLES, *_BESIDE)}
    files = {name: file for name, file in found.items() if file is not None}
    if not files and not faults:
        _look_below(folder)
    beside = FolderFrames({n: f for n, f in files.items() if n in _BESIDE}, faults)
    content = FolderContent(
        FolderFrames({n: f for n, f in files.items() if n in TABLES}, faults),
        capacity=beside.get("capacity"),
        faults=faults,
    )
    _look_alikes(folder, content)
    content.complete_to = _complete_to(folder / "portfolio.json", content)
    return content


def table_place(folder: str | Path, name: str) -> Path | None:
    """Return the file, or folder of parts, that holds a table; None if there is none."""
    return _file_of(Path(folder), name, [])


def _file_of(folder: Path, name: str, faults: list[Fault]) -> Path | None:
    """Return the one file, or folder of parts, that holds a table."""
    file, parts, text = folder / f"{name}.parquet", folder / name, folder / f"{name}.csv"
    there = [p for p in (file, parts, text) if p.is_file() or (p == parts and p.is_dir())]
    if not there:
        return None
    if len(there) > 1:
        both = " and ".join(sorted(p.name for p in there))
        faults.append(Fault(name, "", "given twice", detail=both))
        return None
    return there[0]


def _read_parquet(path: Path) -> pd.DataFrame:
    if path.is_file():
        return _plain(pq.ParquetFile(path).read())
    parts = sorted(p for p in path.rglob("*.parquet") if p.is_file())
    if not parts:
        raise _NoPartError(
            "a folder without a Parquet part: text is one file, named as the table with .csv"
        )
    frames = [pq.ParquetFile(p).read() for p in parts]
    frames = [f for f in frames if f.num_rows] or frames[:1]
    return _plain(pa.concat_tables(frames, promote_options="permissive"))


def _plain(table: pa.Table) -> pd.DataFrame:
    table = table.replace_schema_metadata(None)
    # nanoseconds would not hold a validity "to the end of time"; each column is let go of as soon
    # as it is converted
    return table.to_pandas(coerce_temporal_nanoseconds=False, split_blocks=True, self_destruct=True)


def _unreadable(error: Exception) -> str:
    """Say why a file cannot be read, in our words where the reader's name says little."""
    if isinstance(error, pd.errors.EmptyDataError):
        return "empty: give it at least its header line"
    if isinstance(error, OtherSeparatorError | _NoPartError):
        return str(error)
    if isinstance(error, pa.ArrowInvalid):
        return "no Parquet file, or a broken one: write it anew"
    if isinstance(error, pd.errors.ParserError):
        return "lines that do not fit the header: quote texts that hold a comma, quote or line end"
    if isinstance(error, UnicodeDecodeError):
        return (
            "not UTF-8: save it as UTF-8 (touches, payments and promises of a vendor come in by "
            "`contactopt ingest` as they are)"
        )
    return type(error).__name__


def _read_csv(path: Path, name: str) -> pd.DataFrame:
    """Read text as text: the contract's kinds, not a guess by column, decide what it means."""
    check_separator(path, name, TABLES[name].columns if name in TABLES else CAPACITY_COLUMNS)
    frame = pd.read_csv(
        path, dtype="str", keep_default_na=False, na_values=[""], encoding="utf-8-sig"
    )
    spec = TABLES.get(name)
    for column in frame.columns:
        if spec is not None and _is_free_text(spec, str(column)):
            frame[column] = frame[column].mask(frame[column].isin(_NOTHING))
        if spec is not None and column not in spec.columns and str(column).startswith("x_"):
            frame[column] = _guess(frame[column])
    return frame


def _is_free_text(spec: TableSpec, column: str) -> bool:
    known = spec.columns.get(column)
    return column.startswith("x_") if known is None else known.kind == "text"


def _guess(text: pd.Series) -> pd.Series:
    """Return an extra column of a CSV file as number or bool if all of it reads so."""
    present = text.notna()
    words = {"true": True, "false": False}
    lower = text.str.lower()
    if present.any() and lower[present].isin(words).all():
        return lower.map(words).astype(object).where(present, None)
    number = pd.to_numeric(text, errors="coerce")
    return number if (number.notna() == present).all() else text


def _look_below(folder: Path) -> None:
    """Refuse a folder without any table whose subfolder has them: one step too high."""
    for below in sorted(p for p in folder.iterdir() if p.is_dir()):
        there = [n for n in TABLES if table_place(below, n) is not None]
        if {"customers", "debts"} <= set(there):
            raise ContractError(
                f"no table of the contract in {folder}", hint=f"they lie in {below}: give that one"
            )


def _look_alikes(folder: Path, content: FolderContent) -> None:
    """Tell a file that looks like a misspelt table; other files are not ours to judge."""
    told = {f.table for f in content.faults}
    absent = [n for n in TABLES if n not in content.frames and n not in told]
    for path in sorted(folder.iterdir()):
        name, dot, form = path.name.lower().partition(".")
        if name in absent and path.is_file() and dot + form in _OTHER_FORMS:
            absent.remove(name)
            detail = f"{path.name}: give Parquet or text, named {name}.parquet or {name}.csv"
            content.faults.append(Fault(name, "", "unreadable file", detail=detail))
            continue
        stem = path.stem if path.is_file() else path.name
        if path.suffix in (".parquet", ".csv", "") and stem not in (*TABLES, *_BESIDE):
            near = get_close_matches(stem, absent, n=1, cutoff=0.8)
            if near:
                detail = f"{path.name}: did you mean `{near[0]}`?"
                content.faults.append(Fault(stem, "", "unknown table", detail=detail))


def _complete_to(path: Path, content: FolderContent) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8-sig"))
        for key in found:
            if key != "complete_to" and get_close_matches(str(key), ["complete_to"], cutoff=0.8):
                # unread, the age of consents and holds would not be judged at all
                told = Fault("portfolio.json", "", "misspelt key", detail="write `complete_to`")
                content.faults.append(told)
        return dict(found.get("complete_to", {}))
    except (ValueError, AttributeError, TypeError, UnicodeDecodeError):
        detail = 'write {"complete_to": {"consents": "2026-05-31T22:00:00Z"}}'
        content.faults.append(Fault("portfolio.json", "", "unreadable file", detail=detail))
        return {}


def write_folder(
    path: str | Path,
    tables: Mapping[str, pd.DataFrame],
    *,
    capacity: pd.DataFrame | None,
    complete_to: Mapping[str, pd.Timestamp],
) -> Path:
    """Write tables as Parquet: all of them, or nothing.

    The folder is made beside its place and moved there; a portfolio that stood there before is
    replaced only then.

    Raises
    ------
    ContractError
        If the place is taken by something that is not a portfolio folder.
    """
    target = Path(path)
    if target.exists() and not _replaceable(target):
        raise ContractError(
            f"{target} exists and is not a portfolio folder",
            hint="give a new place, or a folder that holds nothing but a portfolio",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, frame in tables.items():
            _write_parquet(frame, fresh / f"{name}.parquet")
        if capacity is not None:
            _write_parquet(capacity, fresh / "capacity.parquet")
        if complete_to:
            told = {k: v.isoformat() for k, v in sorted(complete_to.items())}
            text = json.dumps({"complete_to": told}, indent=2)
            (fresh / "portfolio.json").write_text(text + "\n", "utf-8")
        fresh.chmod(0o777 & ~umask())
        swap_folder(fresh, target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return target


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    pq.write_table(arrow_table(frame), path, compression="zstd")


def _replaceable(target: Path) -> bool:
    """Return whether a folder holds nothing but files of a portfolio."""
    if not target.is_dir():
        return False
    ours = {*TABLES, *_BESIDE, "portfolio"}
    suffixes = (".parquet", ".csv", ".json", "")
    return all(p.stem in ours and p.suffix in suffixes for p in target.iterdir())


def umask() -> int:
    """Return the permission bits that new files go without."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def swap_folder(fresh: Path, target: Path) -> None:
    """Put a finished folder in its place; what stood there goes only when that has worked."""
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_name(fresh.name + ".old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
