"""The `read` section of a mapping: how a text file is written."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from contactopt.contracts.vendors.mapping import ReadOptions
from contactopt.contracts.vendors.scalars import as_whole

__all__ = ["read_options"]

_SIGNS = {
    "comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "bar": "|",
    "colon": ":", "space": " ", "blank": " ", "point": ".", "dot": ".", "apostrophe": "'",
}  # fmt: skip
_ALIASES = {"delimiter": "separator", "sep": "separator", "quotechar": "quote"}
_KEYS = (
    "separator", "encoding", "decimal", "thousands", "quote", "header", "names", "skip_footer",
    "nulls",
)  # fmt: skip
_NONE = ("none", "null", "~", "no", "false")


def read_options(given: Any, faults: list[str]) -> ReadOptions:
    """Read the section; faults are noted, never raised."""
    if given in (None, ""):
        return ReadOptions()
    if not isinstance(given, Mapping):
        faults.append("read: give keys with values")
        return ReadOptions()
    options = {_ALIASES.get(str(k), str(k)): v for k, v in given.items()}
    for key in options:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            faults.append(
                f"read.{key}: unknown key" + (f" (did you mean {close[0]!r}?)" if close else "")
            )
    default = ReadOptions()
    found = ReadOptions(
        separator=_sign(options, "separator", default.separator, faults, False),
        encoding=_encoding(options.get("encoding"), faults),
        decimal=_sign(options, "decimal", default.decimal, faults, False),
        thousands=_sign(options, "thousands", default.thousands, faults, True),
        quote=_sign(options, "quote", default.quote, faults, True),
        header=_header(options, faults),
        names=_texts(options, "names", faults),
        skip_footer=_whole(options, "skip_footer", 0, faults),
        nulls=_texts(options, "nulls", faults),
    )
    if found.thousands and found.thousands == found.decimal:
        faults.append("read.thousands: the same sign as read.decimal")
    if found.separator == found.quote:
        faults.append("read.quote: the same sign as read.separator")
    return found


def _sign(
    options: Mapping[str, Any], key: str, default: str, faults: list[str], may_be_none: bool
) -> str:
    value = options.get(key)
    if value is None and key not in options:
        return default
    if may_be_none and (value is None or value is False or str(value).lower() in (*_NONE, "")):
        return ""
    sign = _SIGNS.get(str(value).lower(), str(value))
    if len(sign) != 1 or sign in "\r\n":
        faults.append(f"read.{key}: give one sign, or a word such as semicolon, comma, tab")
        return default
    return sign


def _encoding(value: Any, faults: list[str]) -> str | None:
    if value in (None, ""):
        return None
    name = {"ansi": "cp1252", "windows": "cp1252", "latin": "latin-1", "latin_1": "latin-1"}.get(
        str(value).lower(), str(value)
    )
    try:
        codecs.lookup(name)
    except LookupError:
        faults.append("read.encoding: no such encoding; usual ones: utf-8, latin-1, cp1252, utf-16")
        return None
    return name


def _header(options: Mapping[str, Any], faults: list[str]) -> int:
    value = options.get("header", 1)
    if value is None or value is False or str(value).lower() in _NONE:
        return 0
    if value is True or str(value).lower() in ("true", "yes"):
        return 1
    return _whole(options, "header", 1, faults)


def _whole(options: Mapping[str, Any], key: str, default: int, faults: list[str]) -> int:
    if key not in options:
        return default
    found = as_whole(options[key], 0)
    if found is None:
        faults.append(f"read.{key}: not a whole number")
    return default if found is None else found


def _texts(options: Mapping[str, Any], key: str, faults: list[str]) -> tuple[str, ...]:
    value = options.get(key)
    if value in (None, ""):
        return ()
    if isinstance(value, str | int):
        value = [value]
    if not isinstance(value, Sequence) or any(isinstance(v, Mapping | list) for v in value):
        faults.append(f"read.{key}: give a list of texts")
        return ()
    return tuple(str(v) for v in value)
