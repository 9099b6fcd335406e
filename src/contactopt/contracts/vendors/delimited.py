"""Delimited text in any encoding as a frame of text; broken lines are told, never dropped."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.vendors.mapping import ReadOptions
from contactopt.errors import ContractError

__all__ = ["RawRows", "read_delimited"]

Mask = npt.NDArray[np.bool_]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_USUAL = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


@dataclass(frozen=True, slots=True)
class RawRows:
    """A vendor's rows as they stand, and those whose line is broken.

    Parameters
    ----------
    frame : pandas.DataFrame
        Their columns; of text files all values are text, null where nothing stands.
    broken : bool array, shape (n_rows,)
        Lines with more fields than the header, or with a quote that runs on into the next row.
    """

    frame: pd.DataFrame
    broken: Mask


def read_delimited(path: Path, options: ReadOptions) -> RawRows:
    """Read a text file.

    Raises
    ------
    ContractError
        If the encoding is another, a quote is never closed, or nothing but one column is found
        where another separator would give several. Messages quote nothing of the file.
    """
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if data[:4] == b"PK\x03\x04" or path.suffix.lower() in (".xls", ".xlsx"):
        raise ContractError(
            f"{path.name} is a spreadsheet, not text",
            hint="save the sheet as CSV (UTF-8) and read that",
        )
    text = _decoded(data, path.name, options.encoding)
    del data
    table = _table(text, path.name, options)
    if options.skip_footer:
        table = table.iloc[: max(len(table) - options.skip_footer, int(options.header > 0))]
    return _with_header(table, text, path.name, options)


def _decoded(data: bytes, name: str, encoding: str | None) -> str:
    mark = next((e for sign, e in _MARKS if data.startswith(sign)), None)
    # a byte order mark is proof, whatever the mapping says
    used = mark or encoding or "utf-8"
    try:
        text = data.decode(used)
    except UnicodeDecodeError as error:
        tried = "utf-16" if data[:200].count(0) > 20 else "cp1252"
        raise ContractError(
            f"{name} is not encoded as {used} (byte {error.start})",
            hint=f"name its encoding in the mapping, for example read: {{encoding: {tried}}}; "
            "files of Windows programs are mostly cp1252",
        ) from None
    if text.count("\0") > len(text) // 4:
        raise ContractError(
            f"{name} is not encoded as {used}: every other character is empty",
            hint="name its encoding in the mapping: read: {encoding: utf-16-le}",
        )
    return text


def _table(text: str, name: str, options: ReadOptions) -> pd.DataFrame:
    """Return all fields from the header line on, blank lines left out."""
    skipped = max(options.header - 1, 0)
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=options.separator,
            header=None,
            skiprows=skipped,
            dtype="str",
            keep_default_na=False,
            na_values=["", *options.nulls],
            quotechar=options.quote or '"',
            quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
            skip_blank_lines=True,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except pd.errors.ParserError:
        # some line is longer than the first: read it field by field, so that only it is broken
        return _ragged(text, name, options, skipped)


def _ragged(text: str, name: str, options: ReadOptions, skipped: int) -> pd.DataFrame:
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        lines.readline()
    reader = csv.reader(
        lines,
        delimiter=options.separator,
        quotechar=options.quote or None,
        quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
        strict=bool(options.quote),
    )
    try:
        rows = [row for row in reader if any(row)]
    except csv.Error:
        raise ContractError(
            f"{name}: a quote is not closed, or a field is too long (line {reader.line_num})",
            hint="where quotes are part of the text, say read: {quote: none}",
        ) from None
    width = max(map(len, rows), default=0)
    table = pd.DataFrame([row + [""] * (width - len(row)) for row in rows], dtype="str")
    nulls = {"", *options.nulls}
    return table.mask(table.isin(nulls))


def _with_header(table: pd.DataFrame, text: str, name: str, options: ReadOptions) -> RawRows:
    if table.empty and options.header and not len(table.columns):
        raise ContractError(f"{name} is empty", hint="it needs a line that names its columns")
    if options.header:
        names = [("" if pd.isna(n) else str(n)).strip() for n in table.iloc[0]]
        table = table.iloc[1:].reset_index(drop=True)
    else:
        width = len(table.columns)
        names = list(options.names) or [str(k + 1) for k in range(width)]
        names = (names + [""] * width)[: max(width, len(names))]
        table = table.reindex(columns=range(len(names)))
    if sum(bool(n) for n in names) == 1:
        _one_column(names, text, name, options)
    twice = sorted({n for n in names if n and names.count(n) > 1})
    if twice:
        raise ContractError(
            f"{name}: {len(twice)} column name(s) stand twice",
            hint="rename them at the source, or read it with header: 0 and names of your own, "
            "with the header line skipped",
        )
    unnamed = [k for k, n in enumerate(names) if not n]
    broken = np.zeros(len(table), bool)
    for k in unnamed:
        # what stands beyond the header has slipped there from its own column
        broken |= np.asarray(table.iloc[:, k].notna())
    named = [k for k, n in enumerate(names) if n]
    frame = table.iloc[:, named].reset_index(drop=True)
    frame.columns = pd.Index([names[k] for k in named])
    return RawRows(frame, broken | _run_on(frame, options))


def _one_column(names: list[str], text: str, name: str, options: ReadOptions) -> None:
    """Refuse a file that has one column only because its separator is another."""
    header = text[: text.find("\n") + 1 or len(text)]
    counts = {sign: header.count(sign) for sign in _USUAL if sign != options.separator}
    likely = max(counts, key=lambda sign: counts[sign])
    if counts[likely]:
        raise ContractError(
            f"{name}: the header holds no {_USUAL.get(options.separator, options.separator)!s} "
            f"but {counts[likely]} {_USUAL[likely]} sign(s)",
            hint=f"say read: {{separator: {_USUAL[likely]}}} in the mapping",
        )


def _run_on(frame: pd.DataFrame, options: ReadOptions) -> Mask:
    """Return rows that have swallowed the next: a field with a line's worth of separators."""
    found = np.zeros(len(frame), bool)
    width = len(frame.columns)
    if not options.quote or width < 2:
        return found
    for column in frame.columns:
        values = frame[column]
        several = np.asarray(values.str.contains("\n", regex=False).fillna(False), bool)
        if several.any():
            rows = np.flatnonzero(several)
            signs = values.iloc[rows].str.count(f"[{options.separator}]").to_numpy()
            found[rows[signs >= width - 1]] = True
    return found
