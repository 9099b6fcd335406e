"""Delimited text for other people's programs: exact ids, nothing that a spreadsheet would run."""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from pathlib import Path

import pandas as pd

from contactopt.errors import ConfigError, ContractError

__all__ = ["FORMULAS", "delimited_bytes", "read_delimited", "replace_file"]

#: what is done with text that a spreadsheet would run
FORMULAS = ("quote", "keep")
_SEPARATORS = (",", ";", "|", "\t")
_ENCODINGS = {"utf-8": b"", "utf-8-sig": b"\xef\xbb\xbf"}
#: quotes of its own, then a sign that begins a formula (the wide ones count in East Asian offices)
_FORMULA = "^'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"


def delimited_bytes(
    frame: pd.DataFrame, *, separator: str = ",", encoding: str = "utf-8", quote_formulas: bool
) -> bytes:
    """Return a frame as delimited text; texts stand in double quotes, nulls are empty.

    Parameters
    ----------
    frame : DataFrame
        Text and integer columns.
    separator : str
    encoding : {"utf-8", "utf-8-sig"}
    quote_formulas : bool
        Put a single quote before text that begins like a formula, and warn.

    Raises
    ------
    ConfigError
        For another separator or encoding.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    if separator not in _SEPARATORS:
        raise ConfigError(
            f"separator {separator!r} is not one of , ; | and tab",
            hint="Excel in Spanish, German or French expects ';'",
        )
    if encoding not in _ENCODINGS:
        raise ConfigError(f"no encoding {encoding!r}", hint=f"it is {' or '.join(_ENCODINGS)}")
    columns, quoted = {}, {}
    for name in frame.columns:
        given = frame[name]
        if not pd.api.types.is_integer_dtype(given.dtype):
            runs = (
                given.str.contains(_FORMULA, regex=True, na=False) if len(given) else given.isna()
            )
            if quote_formulas and runs.any():
                quoted[name] = int(runs.sum())
                given = given.where(~runs, "'" + given)
            columns[name] = pa.array(given.astype(object).where(given.notna(), None), pa.string())
        else:
            columns[name] = pa.array(given.astype("Int64"), pa.int64(), from_pandas=True)
    out = io.BytesIO()
    out.write(_ENCODINGS[encoding])
    # all texts in double quotes: a separator of another country inside one opens no cell
    options = pa_csv.WriteOptions(delimiter=separator, quoting_style="all_valid")
    pa_csv.write_csv(pa.table(columns), out, options)
    _warn(quoted)
    return out.getvalue()


def _warn(quoted: dict[str, int]) -> None:
    if quoted:
        told = ", ".join(f"{name} ({k})" for name, k in quoted.items())
        warnings.warn(
            f"cells that a spreadsheet would run as formulas begin with a quote now: {told}; "
            'read_dispatch takes it off, formulas="keep" writes them as they are',
            UserWarning,
            stacklevel=5,
        )


def read_delimited(path: Path, separator: str) -> pd.DataFrame:
    """Return the texts of a file of `delimited_bytes`, quotes before formulas taken off.

    Raises
    ------
    ContractError
        If it is not such a file.
    """
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    content = path.read_bytes().removeprefix(_ENCODINGS["utf-8-sig"])
    try:
        names = pa_csv.read_csv(
            io.BytesIO(content.split(b"\n", 1)[0] + b"\n"),
            parse_options=pa_csv.ParseOptions(delimiter=separator),
        ).column_names
        table = pa_csv.read_csv(
            io.BytesIO(content),
            parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        raise ContractError(
            f"{path.name} is not the delimited text that was written",
            hint="name the separator it was written with; a program in between may have changed it",
        ) from None
    frame = pd.DataFrame({c: pd.Series(table.column(c).to_pylist(), dtype="str") for c in names})
    for name in frame.columns:
        text = frame[name]
        if len(text):
            held = text.str.contains("^'" + _FORMULA[1:], regex=True, na=False)
            frame[name] = text.where(~held, text.str.slice(1))
    return frame


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, in the place of an older one."""
    if path.is_dir():
        raise ConfigError(f"{path.name} is a folder", hint="name a file in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(fresh).chmod(0o644)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
