"""A core table saved with another separator: told as that, not as columns that are missing."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

__all__ = ["OtherSeparatorError", "check_separator"]

_NAMES = {";": "semicolons", "\t": "tabs", "|": "bars"}
#: tables that a mapping file can make of a file as it is
_MAPPED = ("touches", "payments", "promises")


class OtherSeparatorError(ValueError):
    """The header of a CSV file is separated by something else than commas."""


def check_separator(path: Path, table: str, columns: Collection[str]) -> None:
    """Look at the header of a CSV file.

    Parameters
    ----------
    path : Path
        UTF-8, with or without byte order mark.
    table : str
    columns : collection of str
        Names of which some must be found.

    Raises
    ------
    OtherSeparatorError
        If commas find none of the names and another sign does; the message says what to do, also
        about an encoding that is not UTF-8.
    """
    # names of columns are ASCII: what else stands in the header need not be readable for this
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = file.readline()
    if _finds(header, ",", columns):
        return
    for sign, name in _NAMES.items():
        if _finds(header, sign, columns):
            way = "save it with commas"
            if not _is_utf8(path):
                way += " and as UTF-8, which it is not"
            if table in _MAPPED:
                way += ", or bring it in by `contactopt ingest` with a mapping, as a vendor's file"
            raise OtherSeparatorError(f"separated by {name}, where the contract has commas: {way}")


def _finds(header: str, sign: str, columns: Collection[str]) -> bool:
    cells = next(csv.reader([header], delimiter=sign), [])
    return any(cell.strip() in columns for cell in cells)


def _is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return all(True for _ in file)
    except UnicodeDecodeError:
        return False
