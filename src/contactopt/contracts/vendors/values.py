"""Their columns as values: ids, texts, numbers and flags out of text or native types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as ptypes

from contactopt.contracts.cast import STRING, cast_column
from contactopt.contracts.vendors.mapping import ReadOptions
from contactopt.contracts.vendors.scalars import FALSE_WORDS, TRUE_WORDS

__all__ = ["column_of", "flags_of", "ids_of", "literal", "numbers_of", "objects"]

Mask = npt.NDArray[np.bool_]


def objects(values: pd.Series) -> npt.NDArray[np.object_]:
    """Return texts as an object array with None where nothing stands."""
    found = np.array(values.to_numpy(object))
    found[pd.isna(found)] = None
    return found


def column_of(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return one of their columns as it is, or several joined by a blank, nulls left out."""
    if len(names) == 1:
        return frame[names[0]].reset_index(drop=True)
    joined = pd.Series([""] * len(frame), dtype=STRING)
    for name in names:
        joined = (joined + " " + literal(frame[name])).str.strip()
    return joined.mask(joined == "")


def literal(raw: pd.Series) -> pd.Series:
    """Return a column as trimmed text, the same for a value however its column is typed.

    Null becomes the empty text; a whole float is written as its digits, an instant in UTC.
    """
    raw = raw.reset_index(drop=True)
    if isinstance(raw.dtype, pd.CategoricalDtype):
        raw = raw.astype(object)
    if ptypes.is_datetime64_any_dtype(raw.dtype):
        if isinstance(raw.dtype, pd.DatetimeTZDtype):
            raw = raw.dt.tz_convert("UTC")
        text = raw.dt.strftime("%Y-%m-%dT%H:%M:%S.%f%z")
    elif ptypes.is_float_dtype(raw.dtype):
        read = cast_column(raw, "id").values
        text = read.where(read.notna(), raw.astype(STRING))
    else:
        text = raw.astype(STRING)
    return text.astype(STRING).where(raw.notna(), "").fillna("").str.strip()


def ids_of(raw: pd.Series) -> tuple[pd.Series, Mask]:
    """Return ids as trimmed text (null where nothing stands), and which are no ids."""
    cast = cast_column(raw, "id")
    if cast.structural:
        return cast.values, np.asarray(raw.notna())
    text = cast.values.str.strip()
    bad = np.any(list(cast.bad.values()), axis=0) if cast.bad else np.zeros(len(raw), bool)
    return text.mask((text == "").fillna(False)), bad


def numbers_of(raw: pd.Series, options: ReadOptions) -> tuple[pd.Series, Mask]:
    """Return numbers (NaN where nothing stands), and which values are none.

    In text the decimal and thousands signs of the file hold; currency signs and blanks around a
    number say nothing. Where no thousands sign is said, point or comma is taken for one where it
    can be nothing else: `1.234,50` and `1.234.567` with a decimal comma, but not `1.234`.
    """
    raw = raw.reset_index(drop=True)
    if ptypes.is_numeric_dtype(raw.dtype) and not ptypes.is_bool_dtype(raw.dtype):
        values = raw.to_numpy(np.float64, na_value=np.nan)
        return pd.Series(values), np.isinf(values)
    text = literal(raw).str.replace(r"^[^\d+\-.,]+|[^\d.,]+$", "", regex=True)
    present = np.asarray(literal(raw) != "")
    sign = options.thousands or {",": ".", ".": ","}.get(options.decimal, "")
    decimal, thousands = _escaped(options.decimal), _escaped(sign)
    shapes = [rf"\d*(?:{decimal}\d*)?"]
    if options.thousands:
        shapes.append(rf"\d{{1,3}}(?:{thousands}\d{{3}})+(?:{decimal}\d*)?")
    elif sign:
        shapes.append(rf"\d{{1,3}}(?:{thousands}\d{{3}})+{decimal}\d*")
        shapes.append(rf"\d{{1,3}}(?:{thousands}\d{{3}}){{2,}}")
    good = text.str.fullmatch(rf"[+-]?(?:{'|'.join(shapes)})").fillna(False)
    good = good & text.str.contains(r"\d", regex=True).fillna(False)
    plain = text.str.replace(sign, "", regex=False) if sign else text
    plain = plain.str.replace(options.decimal, ".", regex=False)
    values = pd.to_numeric(plain.where(good), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return pd.Series(values), present & np.isnan(values)


def _escaped(sign: str) -> str:
    return rf"\{sign}" if sign and not sign.isalnum() else sign


def flags_of(raw: pd.Series) -> tuple[npt.NDArray[np.int8], Mask]:
    """Return 1 true, 0 false, -1 nothing, and which values are neither."""
    if ptypes.is_bool_dtype(raw.dtype):
        return raw.to_numpy(bool, na_value=False).astype(np.int8), np.zeros(len(raw), bool)
    word = literal(raw).str.lower()
    true, false = np.asarray(word.isin(TRUE_WORDS)), np.asarray(word.isin(FALSE_WORDS))
    nothing = np.asarray(word == "")
    flags = np.where(true, 1, np.where(nothing, -1, 0)).astype(np.int8)
    return flags, ~(true | false | nothing)
