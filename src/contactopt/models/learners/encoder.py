"""From a frame with numbers, times and text to one float matrix, the same at fit and later."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ConfigError, ContractError

__all__ = ["Encoder", "checked_matrix", "checked_weight", "column_of"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)
#: text whose values are mostly met once names rows, it does not describe them
_IDENTIFIER_LEVELS, _IDENTIFIER_SHARE = 100, 0.5


class Encoder:
    """Codes of categories learned once; numbers pass as they are, missing is NaN.

    Numbers and booleans, nullable or not, and objects that are all numbers are numbers. Times are
    days since 1970 UTC, durations days: a time that only grows tells the age of the row, so a
    difference of two times serves better. Categories and text are levels; a level never seen at
    fit is treated as missing, and logged with its column and row count. Text that looks like an
    identifier (more than 100 values, most of them met once) is left out, with a warning.

    Parameters
    ----------
    levels : dict of str to list of str
        Sorted levels met at fit per category column; none for a column left out.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, 2.0], "book": ["b", "a"]})
    >>> Encoder.learn(frame).encode(frame)["book"].tolist()
    [1.0, 0.0]
    """

    def __init__(self, levels: dict[str, list[str]]) -> None:
        self.levels = levels
        #: columns of which levels unseen at fit were told
        self._told: set[str] = set()
        self._positions: list[int] = []

    @classmethod
    def learn(cls, X: Any) -> Encoder:
        """Learn the levels of a frame; anything but a frame has none."""
        if not isinstance(X, pd.DataFrame):
            return cls({})
        levels = {}
        for k, name in enumerate(X.columns):
            column = X.iloc[:, k]
            _told_apart(str(name), column)
            if isinstance(column.dtype, pd.CategoricalDtype):
                used = column.cat.remove_unused_categories().cat.categories
                levels[str(name)] = sorted(str(v) for v in used)
            elif _numbers(column) is None:
                levels[str(name)] = _levels_of_text(str(name), column)
        self = cls(levels)
        self._positions = [k for k, name in enumerate(X.columns) if str(name) in levels]
        return self

    def encode(self, X: Any) -> Any:
        """Return the frame as floats, categories as codes, names as text; other input unchanged.

        Raises
        ------
        ContractError
            If a column that held numbers at fit holds text now, its cells hold lists or the like,
            or two columns have one name.
        """
        if not isinstance(X, pd.DataFrame):
            return X
        out = {}
        # text, because scikit-learn compares no other names: a swapped column would go unseen
        for k, name in enumerate(str(c) for c in X.columns):
            column = X.iloc[:, k]
            _told_apart(name, column)
            if name in self.levels:
                out[name] = self._codes(name, column)
                continue
            numbers = _numbers(column)
            if numbers is None and column.notna().any():
                raise ContractError(
                    f"column {name} held numbers at fit, now text",
                    hint="give it the same type as at fit, or fit again",
                )
            out[name] = np.full(len(X), np.nan) if numbers is None else numbers
        if len(out) < X.shape[1]:
            raise ContractError(
                "two columns of the frame have one name", hint="rename or drop one of them"
            )
        return pd.DataFrame(out, index=X.index)

    def _codes(self, name: str, column: pd.Series) -> Floats:
        levels = self.levels[name]
        if not levels:
            # nothing was learned of it; an amount or days past due that came empty still count
            numbers = _numbers(column)
            return np.full(len(column), np.nan) if numbers is None else numbers
        # each value is looked up once, however many rows hold it
        code, values = pd.factorize(column, use_na_sentinel=True)
        known = pd.Index(levels).get_indexer(pd.Index([str(v) for v in values], dtype=object))
        found = np.append(known, -1)[code].astype(np.float64)
        unseen = int(((found < 0) & (code >= 0)).sum())
        if unseen:
            # said once per fitted encoder: a nightly batch is scored in many blocks
            level = logging.DEBUG if name in self._told else logging.WARNING
            self._told.add(name)
            _log.log(level, "column %s: %d rows hold a level unseen at fit: missing", name, unseen)
        found[found < 0] = np.nan
        return found

    def category_positions(self, names: list[str]) -> list[int]:
        """Positions of the category columns among ``names``; without names, those of the fit."""
        if not names:
            return self._positions
        return [k for k, name in enumerate(names) if name in self.levels]


def _levels_of_text(name: str, column: pd.Series) -> list[str]:
    known = column.dropna()
    levels = sorted({str(v) for v in known.unique()})
    if len(levels) > max(_IDENTIFIER_LEVELS, _IDENTIFIER_SHARE * len(known)):
        _log.warning("column %s: looks like an identifier, left out", name)
        return []
    return levels


def _numbers(column: pd.Series) -> Floats | None:
    """Return a column as floats, None where it holds levels."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return None
    if pd.api.types.is_datetime64_any_dtype(kind):
        naive = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz else column
        return _days(naive.to_numpy(dtype="datetime64[us]"))
    if pd.api.types.is_timedelta64_dtype(kind):
        return _days(column.to_numpy(dtype="timedelta64[us]"))
    if pd.api.types.is_complex_dtype(kind):
        raise ValueError("Complex data not supported: a column of the frame holds complex numbers")
    if pd.api.types.is_numeric_dtype(kind):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_object_dtype(kind):
        known = column.dropna()
        if len(known) and all(isinstance(v, Number | np.bool_) for v in known):
            try:
                return column.where(column.notna(), np.nan).to_numpy(dtype=np.float64)
            except (TypeError, OverflowError) as error:
                raise ContractError(
                    f"column {column.name} holds numbers that are no floats: complex or too large",
                    hint="give plain numbers, missing where there is none",
                ) from error
    return None


def _told_apart(name: str, column: pd.Series) -> None:
    """Refuse cells that are no values: lists, dicts, arrays."""
    if not pd.api.types.is_object_dtype(column.dtype):
        return
    if any(kind.__hash__ is None for kind in set(map(type, column))):
        raise ContractError(
            f"column {name} holds lists, dicts or arrays in its cells",
            hint="give one number, word or instant per cell, or leave the column out",
        )


def _days(values: npt.NDArray[Any]) -> Floats:
    days = values.astype(np.int64) / 86_400e6
    return np.where(np.isnat(values), np.nan, days)


def checked_matrix(estimator: Any, X: Any, *, reset: bool) -> Floats:
    """Encode and check a frame or matrix, shape (n, k) float64; learns the levels if ``reset``.

    Parameters
    ----------
    estimator : object
        Gets ``encoder_``, ``n_features_in_`` and ``feature_names_in_`` where ``reset``.
    X : pandas or polars DataFrame, or array
    reset : bool

    Raises
    ------
    ValueError
        By scikit-learn's rules: names or their order differ from the fit, infinite values,
        a plain matrix without rows at fit. An empty frame is accepted.
    ContractError
        If the type of a column changed, or a name comes twice.
    """
    from sklearn.utils.validation import validate_data

    if not isinstance(X, pd.DataFrame) and hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if X is None or (isinstance(X, Mapping) and not hasattr(X, "shape")):  # not dok_array
        raise ContractError(
            f"{type(estimator).__name__}: X is given as {type(X).__name__}, which is no frame",
            hint="give a pandas or polars frame, or an array of shape (n, k)",
        )
    if reset:
        estimator.encoder_ = Encoder.learn(X)
    empty_allowed = isinstance(X, pd.DataFrame) or not reset
    encoded = estimator.encoder_.encode(X)
    try:
        matrix: Any = validate_data(
            estimator,
            encoded,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=0 if empty_allowed else 1,
            reset=reset,
        )
    except ValueError as error:
        hint = _way_on(error, encoded)
        if not hint:
            raise
        raise ValueError(f"{error}\nHint: {hint}") from error
    return matrix


def _way_on(error: ValueError, encoded: Any) -> str:
    """Say what to do about a frame that scikit-learn refused."""
    if "feature names should match" in str(error):
        return "X[model.feature_names_in_] gives the columns of the fit in their order"
    if "infinity" in str(error) and isinstance(encoded, pd.DataFrame):
        infinite = [str(c) for c in encoded if np.isinf(encoded[c].to_numpy()).any()]
        return f"infinite values in {', '.join(infinite[:5])}: make them missing (NaN)"
    return ""


def checked_weight(sample_weight: Any, X: Floats) -> Floats:
    """Return row weights, shape (n,), ones where none are given; checked as scikit-learn does."""
    from sklearn.utils.validation import _check_sample_weight

    if len(X) == 0:
        return np.zeros(0)
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError(f"sample_weight is negative in {int((weight < 0).sum())} rows")
    return weight


def column_of(estimator: Any, X: Floats, name: str | None, role: str) -> Floats | None:
    """Return the named column of an encoded matrix, or None where no name is configured.

    Raises
    ------
    ConfigError
        If the estimator names a column that the frame did not have at fit, or that holds words.
    """
    if name is None:
        return None
    names = list(getattr(estimator, "feature_names_in_", ()))
    if name not in names:
        raise ConfigError(
            f"{type(estimator).__name__}: the frame has no column for {role}",
            hint=f"{role}={name!r} is not among its {X.shape[1]} columns; name one, or None",
        )
    if estimator.encoder_.levels.get(name):
        raise ConfigError(
            f"{type(estimator).__name__}: {role}={name!r} is a column of words, not numbers",
            hint="convert it with pandas.to_numeric",
        )
    return X[:, names.index(name)]
