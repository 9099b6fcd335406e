"""From a frame with numbers and categories to one float matrix, the same at fit and later."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ConfigError

__all__ = ["Encoder", "checked_matrix", "checked_weight", "column_of"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)


class Encoder:
    """Codes of categories learned once; numbers pass as they are, missing is NaN.

    A level never seen at fit is treated as missing, and logged with its column and row count.

    Parameters
    ----------
    levels : dict of str to list of str
        Ordered levels per category column.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, 2.0], "book": ["b", "a"]})
    >>> Encoder.learn(frame).encode(frame)["book"].tolist()
    [1.0, 0.0]
    """

    def __init__(self, levels: dict[str, list[str]]) -> None:
        self.levels = levels

    @classmethod
    def learn(cls, X: Any) -> Encoder:
        """Learn the levels of a frame; anything but a frame has none."""
        if not isinstance(X, pd.DataFrame):
            return cls({})
        levels = {}
        for name in X.columns:
            column = X[name]
            if isinstance(column.dtype, pd.CategoricalDtype):
                levels[str(name)] = [str(v) for v in column.cat.categories]
            elif not pd.api.types.is_numeric_dtype(column.dtype):
                levels[str(name)] = sorted(str(v) for v in column.dropna().unique())
        return cls(levels)

    def encode(self, X: Any) -> Any:
        """Return the frame with category columns as float codes; other input unchanged."""
        if not isinstance(X, pd.DataFrame) or not self.levels:
            return X
        out = {}
        for name in X.columns:
            column = X[name]
            if str(name) not in self.levels:
                out[name] = column.astype(np.float64)
                continue
            out[name] = self._codes(str(name), column)
        return pd.DataFrame(out, index=X.index)

    def _codes(self, name: str, column: pd.Series) -> Floats:
        known = column.notna().to_numpy()
        words = column.astype(object).where(column.notna(), "").astype(str)
        code = pd.Index(self.levels[name]).get_indexer(pd.Index(words)).astype(np.float64)
        unseen = int(((code < 0) & known).sum())
        if unseen:
            _log.warning("column %s: %d rows hold a level unseen at fit: missing", name, unseen)
        code[(code < 0) | ~known] = np.nan
        return code

    def category_positions(self, names: list[str]) -> list[int]:
        """Positions of the category columns among ``names``."""
        return [k for k, name in enumerate(names) if name in self.levels]


def checked_matrix(estimator: Any, X: Any, *, reset: bool) -> Floats:
    """Encode and check a frame or matrix, shape (n, k) float64; learns the levels if ``reset``.

    Raises
    ------
    ValueError
        By scikit-learn's rules: names or their order differ from the fit, infinite values,
        a plain matrix without rows at fit. An empty frame is accepted.
    """
    from sklearn.utils.validation import validate_data

    if reset:
        estimator.encoder_ = Encoder.learn(X)
    empty_allowed = isinstance(X, pd.DataFrame) or not reset
    matrix: Any = validate_data(
        estimator,
        estimator.encoder_.encode(X),
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        ensure_min_samples=0 if empty_allowed else 1,
        reset=reset,
    )
    return matrix


def checked_weight(sample_weight: Any, X: Floats) -> Floats:
    """Return row weights, shape (n,), ones where none are given; checked as scikit-learn does."""
    from sklearn.utils.validation import _check_sample_weight

    if len(X) == 0:
        return np.zeros(0)
    return _check_sample_weight(sample_weight, X, dtype=np.float64)


def column_of(estimator: Any, X: Floats, name: str | None, role: str) -> Floats | None:
    """Return the named column of an encoded matrix, or None where no name is configured.

    Raises
    ------
    ConfigError
        If the estimator names a column that the frame did not have at fit.
    """
    if name is None:
        return None
    names = list(getattr(estimator, "feature_names_in_", ()))
    if name not in names:
        raise ConfigError(
            f"{type(estimator).__name__}: the frame has no column for {role}",
            hint=f"{role}={name!r} is not among its {X.shape[1]} columns; name one, or None",
        )
    return X[:, names.index(name)]
