"""Their times: local clock readings become instants, times with an offset keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as ptypes

__all__ = ["Times", "days_of", "format_fault", "instants_of"]

Mask = npt.NDArray[np.bool_]
_WORDS = ("iso", "epoch_s", "epoch_ms", "excel")
_PROBE = datetime(2001, 2, 3, 16, 5, 6)
_OFFSET = r"\d{1,2}:?\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_EXCEL_DAY_0 = pd.Timestamp("1899-12-30")
#: instants outside these years are misread, not history
_FIRST, _LAST = pd.Timestamp("1950-01-01"), pd.Timestamp("2200-01-01")


@dataclass(frozen=True, slots=True)
class Times:
    """A column of times after reading.

    Parameters
    ----------
    values : pandas.Series of datetime64[us, UTC]
        NaT where blank or unreadable.
    unreadable : bool array
        Something stands there, and it is no time.
    no_zone : bool array
        It is a time, but neither it nor the mapping says in which zone.
    """

    values: pd.Series
    unreadable: Mask
    no_zone: Mask


def format_fault(given: str) -> str | None:
    """Return what is wrong with a format, None if nothing is."""
    if given in _WORDS:
        return None
    example = "%d/%m/%Y %H:%M:%S for 31/12/2026 17:05:00"
    if "%" not in given:
        return f"unknown format {given!r}: write for example {example}, or {', '.join(_WORDS)}"
    try:
        pd.to_datetime(_PROBE.strftime(given), format=given)
    except (ValueError, TypeError):
        return f"{given!r} cannot be read as a format; for example {example}"
    return None


def instants_of(raw: pd.Series, formats: Sequence[str], zone: str | None) -> Times:
    """Read a column of times as instants.

    Parameters
    ----------
    raw : pandas.Series, shape (n,)
        Text (null or blank: nothing), or datetimes with or without a zone, or numbers.
    formats : sequence of str
        Tried in turn; empty: ISO 8601. A time that carries an offset keeps it.
    zone : str or None
        IANA zone of times without one. A clock reading that is skipped when clocks go forward is
        moved to the first instant after the gap; one that occurs twice means the later instant,
        so that a touch counts against caps for longer.

    Returns
    -------
    Times
    """
    n, raw = len(raw), raw.reset_index(drop=True)
    if ptypes.is_datetime64_any_dtype(raw.dtype):
        given = np.asarray(raw.notna())
        if isinstance(raw.dtype, pd.DatetimeTZDtype):
            values = raw.dt.tz_convert("UTC").dt.as_unit("us")
            return Times(values, np.zeros(n, bool), np.zeros(n, bool))
        return _placed(raw.dt.as_unit("us"), _no_instants(n), given, zone)
    text = _text_of(raw)
    given = np.asarray(text.notna())
    # few files have as many distinct times as rows, and parsing is what costs
    codes, distinct = pd.factorize(text)
    local, zoned = _parse(pd.Series(distinct, dtype="str"), formats)
    some = np.append(np.arange(len(distinct)), -1)[codes]
    empty = pd.Series([pd.NaT], dtype="datetime64[us]")
    local = pd.concat([local, empty], ignore_index=True).iloc[some].reset_index(drop=True)
    zoned = pd.concat([zoned, empty.dt.tz_localize("UTC")], ignore_index=True)
    return _placed(local, zoned.iloc[some].reset_index(drop=True), given, zone)


def days_of(raw: pd.Series, formats: Sequence[str], zone: str | None) -> tuple[pd.Series, Mask]:
    """Read a column of days: midnights without a zone, and which were not readable.

    The part before the time of day of each format is tried as well. Of an instant with an offset
    the date in ``zone`` is taken.
    """
    n, raw = len(raw), raw.reset_index(drop=True)
    if isinstance(raw.dtype, pd.DatetimeTZDtype):
        return _date_in(raw, zone), np.zeros(n, bool)
    if ptypes.is_datetime64_any_dtype(raw.dtype):
        return raw.dt.as_unit("us").dt.normalize(), np.zeros(n, bool)
    text = _text_of(raw)
    more = [f.split("%H")[0].split("%I")[0].rstrip(" T") for f in formats if "%" in f]
    local, zoned = _parse(text, [*formats, *(f for f in more if "%d" in f and f not in formats)])
    days = local.dt.normalize().where(local.notna(), _date_in(zoned, zone))
    return days, np.asarray(text.notna() & days.isna())


def _date_in(zoned: pd.Series, zone: str | None) -> pd.Series:
    local = zoned.dt.tz_convert(zone) if zone else zoned
    return local.dt.tz_localize(None).dt.normalize().dt.as_unit("us")


def _text_of(raw: pd.Series) -> pd.Series:
    text = raw.astype("str") if not isinstance(raw.dtype, pd.StringDtype) else raw
    text = text.where(raw.notna()).astype("str").str.strip()
    return text.mask((text == "").fillna(False))


def _no_instants(n: int) -> pd.Series:
    return pd.Series(pd.NaT, index=range(n), dtype="datetime64[us, UTC]")


def _parse(text: pd.Series, formats: Sequence[str]) -> tuple[pd.Series, pd.Series]:
    """Return clock readings, and instants of those that carry an offset."""
    text = text.reset_index(drop=True)
    local = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    zoned = _no_instants(len(text))
    offset = np.asarray(text.str.contains(_OFFSET, regex=True).fillna(False), bool)
    if offset.any():
        zoned[offset] = _us(
            pd.to_datetime(text[offset], format="ISO8601", utc=True, errors="coerce")
        )
    for one in formats or ("iso",):
        left = np.asarray(text.notna() & local.isna() & zoned.isna())
        if not left.any():
            break
        some = text[left]
        if "%z" in one:
            zoned[left] = _us(pd.to_datetime(some, format=one, utc=True, errors="coerce"))
        else:
            local[left] = _local(some, one)
    sane = np.asarray((local >= _FIRST) & (local < _LAST))
    sane_too = (zoned >= _FIRST.tz_localize("UTC")) & (zoned < _LAST.tz_localize("UTC"))
    return local.where(sane), zoned.where(np.asarray(sane_too))


def _us(times: pd.Series) -> pd.Series:
    return times.dt.as_unit("us")


def _local(text: pd.Series, one: str) -> pd.Series:
    if one == "iso":
        # a reading with an offset was tried before: what is left of those is no time
        plain = text.mask(text.str.contains(_OFFSET, regex=True))
        # eight digits read as a date only if a format says so
        plain = plain.where(plain.str.match(r"\d{4}-\d{2}-\d{2}").fillna(False).astype(bool))
        return _us(pd.to_datetime(plain, format="ISO8601", errors="coerce"))
    if one in ("epoch_s", "epoch_ms", "excel"):
        number = pd.to_numeric(text, errors="coerce")
        unit = {"epoch_s": 1.0, "epoch_ms": 1e-3, "excel": 86_400.0}[one]
        start = _EXCEL_DAY_0 if one == "excel" else pd.Timestamp(0)
        seconds = (number * unit).where(lambda s: s.abs() < 1e10)
        return _us(start + pd.to_timedelta(seconds.round(6 if one != "excel" else 0), unit="s"))
    if "%p" in one:
        text = text.str.replace(r"(?i)\b([ap])\.?\s*m\b\.?", r"\1m", regex=True)
    return _us(pd.to_datetime(text, format=one, errors="coerce"))


def _placed(local: pd.Series, zoned: pd.Series, given: Mask, zone: str | None) -> Times:
    unreadable = given & np.asarray(local.isna() & zoned.isna())
    if zone is None:
        return Times(zoned, unreadable, np.asarray(local.notna()))
    later = np.zeros(len(local), bool)
    placed = local.dt.tz_localize(zone, ambiguous=later, nonexistent="shift_forward")
    values = _us(placed.dt.tz_convert("UTC")).where(local.notna(), zoned)
    return Times(values, unreadable, np.zeros(len(local), bool))
