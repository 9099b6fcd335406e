"""Reading raw columns as the kinds of the contract; what cannot be read is told, not guessed.

Every function takes one raw column and returns a `Cast`: values of the kind's dtype, null where
the raw value was null or unreadable, with a mask per fault. It never raises for bad data.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api import types as ptypes

__all__ = ["STRING", "WHOLE_DATE", "Cast", "cast_column", "empty_column", "says_nothing"]

STRING = pd.StringDtype(na_value=np.nan)
UTC_US = pd.DatetimeTZDtype(unit="us", tz="UTC")
#: a whole date, alone or with a time of day; `2026-05`, `now` and `today` are none
_WHOLE = r"\d{4}-?\d{2}-?\d{2}(?:[Tt ]\d{2}.*)?"
WHOLE_DATE = re.compile(_WHOLE)
_OFFSET = r"[Tt ]\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
#: floats above this do not hold every whole number: an id read as float has lost digits
_EXACT = 2.0**53

#: what may stand for an instant or a day in a column of mixed objects, beside text
_MOMENTS = (dt.date, np.datetime64)

Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Cast:
    """One column after reading."""

    values: pd.Series
    #: rows by name of the fault
    bad: dict[str, Mask] = field(default_factory=dict)
    #: fault of the whole column
    structural: str | None = None
    #: rows of a day column that were plain dates (to be placed in the customer's zone)
    plain_date: Mask | None = None

    def fault(self, check: str, mask: Mask) -> None:
        """Note unreadable rows, if there are any."""
        if mask.any():
            self.bad[check] = mask


def empty_column(kind: str, n: int) -> pd.Series:
    """Return a null column of a kind's dtype, shape (n,)."""
    if kind == "number":
        return pd.Series(np.full(n, np.nan))
    if kind == "flag":
        return pd.Series(np.zeros(n, bool))
    if kind in ("instant", "day", "due_day"):
        return pd.Series(
            pd.DatetimeIndex(np.full(n, np.datetime64("NaT", "us"))).tz_localize("UTC")
        )
    # zeros that are never written to take no memory
    offsets, valid = np.zeros(n + 1, np.int64), np.zeros(-(-n // 8), np.uint8)
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(b"")]
    nothing = pa.Array.from_buffers(pa.large_string(), n, buffers, null_count=n)
    return pd.Series(nothing, dtype=STRING)


def says_nothing(raw: pd.Series) -> bool:
    """Return whether a column is null throughout and of a dtype that could hold any kind."""
    dtype = raw.dtype
    open_to_all = isinstance(dtype, pd.StringDtype) or ptypes.is_object_dtype(dtype)
    return open_to_all and len(raw) > 0 and bool(raw.isna().all())


def cast_column(raw: pd.Series, kind: str) -> Cast:
    """Read one raw column as a kind of the contract.

    Parameters
    ----------
    raw : pandas.Series, shape (n,)
    kind : str
        See `contactopt.contracts.tables.fields.Kind`.

    Returns
    -------
    Cast
        With a fresh 0..n-1 index.
    """
    raw = raw.reset_index(drop=True)
    if isinstance(raw.dtype, pd.CategoricalDtype):
        raw = raw.astype(raw.cat.categories.dtype if raw.notna().all() else object)
    if len(raw) == 0 or (raw.dtype == object and raw.isna().all()):
        cast = Cast(empty_column(kind, len(raw)))
        if kind in ("day", "due_day"):
            cast.plain_date = np.zeros(len(raw), bool)
        return cast
    if kind in ("instant",):
        return _instants(raw)
    if kind in ("day", "due_day"):
        return _days(raw)
    if kind == "number":
        return _numbers(raw)
    if kind == "flag":
        return _flags(raw)
    if kind == "json":
        return _json(raw)
    return _texts(raw)


def _texts(raw: pd.Series) -> Cast:
    cast = Cast(raw)
    if isinstance(raw.dtype, pd.StringDtype):
        values = raw.astype(STRING)
    elif ptypes.is_bool_dtype(raw.dtype) or ptypes.is_datetime64_any_dtype(raw.dtype):
        cast.values = empty_column("id", len(raw))
        cast.structural = "not text"
        return cast
    elif ptypes.is_integer_dtype(raw.dtype):
        values = raw.astype(STRING)
    elif ptypes.is_float_dtype(raw.dtype):
        number = raw.to_numpy(float, na_value=np.nan)
        whole = np.isfinite(number) & (number == np.floor(number)) & (np.abs(number) < _EXACT)
        cast.fault("not an id (fraction, or digits lost)", ~whole & ~np.isnan(number))
        values = pd.Series(np.where(whole, number, 0).astype(np.int64)).astype(STRING)
        values = values.mask(~whole)
    elif ptypes.infer_dtype(raw, skipna=True) == "string" and _writable(raw):
        values = raw.astype(STRING)
    else:
        values = raw.map(_one_text).astype(STRING)
        cast.fault("not text", np.asarray(values.isna() & raw.notna()))
    cast.values = values.mask(values == "") if (values == "").any() else values
    return cast


def _writable(raw: pd.Series) -> bool:
    """Return whether all text of a column is text: half a character pair is none."""
    try:
        raw.astype(STRING)
    except UnicodeEncodeError:
        return False
    return True


def _one_text(value: Any) -> str | None:
    """Write one value of a mixed column as text; None where it is none."""
    if isinstance(value, str):
        plain = str.__str__(value)  # of a member of an enumeration: its value
        return plain if _encodable(plain) else None
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating | Decimal):
        exact = isfinite(value) and value == int(value) and abs(value) < _EXACT
        return str(int(value)) if exact else None
    return str(value) if isinstance(value, UUID) else None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers(raw: pd.Series) -> Cast:
    cast = Cast(raw)
    if ptypes.is_datetime64_any_dtype(raw.dtype) or ptypes.is_bool_dtype(raw.dtype):
        cast.values, cast.structural = empty_column("number", len(raw)), "not a number"
        return cast
    null = np.asarray(raw.isna())
    if ptypes.is_numeric_dtype(raw.dtype):
        values = raw.to_numpy(np.float64, na_value=np.nan)
    else:
        if isinstance(raw.dtype, pd.StringDtype):
            null = null | np.asarray((raw == "").fillna(False))
        values = pd.to_numeric(raw, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    finite = np.isfinite(values)
    cast.fault("not a number", ~finite & ~null)
    cast.values = pd.Series(np.where(finite, values, np.nan) + 0.0)
    return cast


_TRUE, _FALSE = ("true", "t", "1", "1.0", "yes"), ("false", "f", "0", "0.0", "no")


def _flags(raw: pd.Series) -> Cast:
    null = np.asarray(raw.isna())
    if ptypes.is_bool_dtype(raw.dtype):
        return Cast(pd.Series(raw.to_numpy(bool, na_value=False)))
    words = raw.astype(str).str.lower()
    true, false = np.asarray(words.isin(_TRUE)), np.asarray(words.isin(_FALSE))
    cast = Cast(pd.Series(true & ~null))
    cast.fault("not true or false", ~(true | false | null | np.asarray(words == "")))
    return cast


def _json(raw: pd.Series) -> Cast:
    """Read JSON objects; mappings are written as JSON with sorted keys. Holds are few."""
    null = (
        np.asarray(raw.isna())
        if not raw.map(type).isin([dict, list]).any()
        else np.asarray(raw.map(lambda v: v is None or (isinstance(v, float) and np.isnan(v))))
    )
    texts = raw.map(_one_json)
    cast = Cast(texts.astype(STRING))
    blank = np.asarray(raw.map(lambda v: isinstance(v, str) and not v.strip()))
    cast.fault("not a JSON object", np.asarray(cast.values.isna()) & ~null & ~blank)
    return cast


def _one_json(value: Any) -> str | None:
    try:
        if isinstance(value, dict):
            value = json.dumps({k: v for k, v in value.items() if v is not None}, default=str)
        read = json.loads(value) if isinstance(value, str) else None
        return json.dumps(read, sort_keys=True) if isinstance(read, dict) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _instants(raw: pd.Series) -> Cast:
    cast = Cast(raw)
    if isinstance(raw.dtype, pd.DatetimeTZDtype):
        cast.values = raw.dt.tz_convert("UTC").dt.as_unit("us")
        return cast
    if _arrow_zoned(raw):
        cast.values = pd.Series(pd.DatetimeIndex(raw).tz_convert("UTC").as_unit("us"))
        return cast
    empty = empty_column("instant", len(raw))
    if raw.isna().all():
        cast.values = empty
    elif ptypes.is_datetime64_any_dtype(raw.dtype):
        cast.values, cast.structural = empty, "naive instants: no time zone"
    elif ptypes.is_numeric_dtype(raw.dtype):
        cast.values, cast.structural = empty, "numbers instead of instants"
    else:
        cast = _parsed(raw)
        naive = cast.plain_date
        assert naive is not None
        cast.plain_date = None
        read = np.asarray(cast.values.notna())
        if read.any() and naive[read].all():
            cast.structural, cast.bad = "naive instants: no time zone", {}
        else:
            cast.fault("naive instant: no time zone", naive & read)
        cast.values = cast.values.mask(naive)
    return cast


def _days(raw: pd.Series) -> Cast:
    """Read days: plain dates as UTC midnights with `plain_date`, instants as they are."""
    cast = Cast(raw)
    n = len(raw)
    if isinstance(raw.dtype, pd.DatetimeTZDtype) or _arrow_zoned(raw):
        cast = _instants(raw)
        cast.plain_date = np.zeros(n, bool)
    elif raw.isna().all():
        cast.values, cast.plain_date = empty_column("day", n), np.zeros(n, bool)
    elif ptypes.is_datetime64_any_dtype(raw.dtype):
        cast.values = raw.dt.as_unit("us").dt.tz_localize("UTC")
        cast.plain_date = np.ones(n, bool)
    elif ptypes.is_numeric_dtype(raw.dtype):
        cast.values, cast.structural = empty_column("day", n), "numbers instead of days"
        cast.plain_date = np.zeros(n, bool)
        return cast
    else:
        cast = _parsed(raw)
    assert cast.plain_date is not None
    midnight = np.asarray(cast.values == cast.values.dt.normalize())
    timed = cast.plain_date & ~midnight & np.asarray(cast.values.notna())
    cast.fault("time of day without a time zone", timed)
    cast.values = cast.values.mask(timed) if timed.any() else cast.values
    return cast


def _arrow_zoned(raw: pd.Series) -> bool:
    arrow = getattr(raw.dtype, "pyarrow_dtype", None)
    return arrow is not None and getattr(arrow, "tz", None) is not None


def _parsed(raw: pd.Series) -> Cast:
    """Parse text, date and datetime objects as UTC; `plain_date` marks those without a zone."""
    if ptypes.infer_dtype(raw, skipna=True) in ("string", "empty") and _writable(raw):
        return _parsed_text(raw)
    is_text = np.asarray(raw.map(lambda v: isinstance(v, str)), bool)
    written = raw.where(is_text).map(_one_text)
    cast = _parsed_text(written)
    assert cast.plain_date is not None
    moment = np.asarray(raw.map(lambda v: isinstance(v, _MOMENTS) and not pd.isna(v)), bool)
    zoned = np.asarray(raw.map(lambda v: getattr(v, "tzinfo", None) is not None), bool)
    read = pd.to_datetime(raw.where(moment), errors="coerce", utc=True).dt.as_unit("us")
    values = cast.values.where(~moment, read)
    blank = np.asarray((written.astype(STRING).str.strip() == "").fillna(False), bool)
    found = Cast(values, plain_date=cast.plain_date | (moment & ~zoned))
    found.fault(
        "not an instant or day", np.asarray(values.isna()) & ~np.asarray(raw.isna()) & ~blank
    )
    return found


def _parsed_text(raw: pd.Series) -> Cast:
    text = raw.astype(STRING).str.strip()
    null = np.asarray(raw.isna()) | np.asarray((text == "").fillna(False))
    whole = np.asarray(text.str.fullmatch(_WHOLE).fillna(False), bool)
    naive = ~np.asarray(text.str.contains(_OFFSET, regex=True).fillna(False), bool)
    values = pd.to_datetime(text.where(whole), errors="coerce", utc=True, format="ISO8601")
    cast = Cast(values.dt.as_unit("us"), plain_date=naive & ~null)
    cast.fault("not an instant or day", np.asarray(values.isna()) & ~null)
    return cast
