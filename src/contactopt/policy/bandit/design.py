"""From arrays or frames to the matrix the layers see, the same at every update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from contactopt.models.learners.encoder import Encoder, checked_matrix

__all__ = ["BanditDesign"]

Floats = npt.NDArray[np.float64]

#: levels of a category beyond the first so many share no column
_MAX_LEVELS = 100


class BanditDesign(BaseEstimator):
    """Columns learned from the first rows; numbers as they are, categories one-hot.

    Arrays pass unchanged and may not hold NaN. In frames a missing number becomes the median of the
    first rows, with a flag column of its own where such were missing at first and one column that
    counts the others; a level of a category that the first rows did not hold sets no column.
    """

    encoder_: Encoder
    n_features_in_: int
    feature_names_in_: npt.NDArray[Any]

    def fit(self, X: Any) -> BanditDesign:
        """Learn names, levels and medians."""
        matrix = checked_matrix(self, X, reset=True)
        self.is_frame_ = hasattr(self, "feature_names_in_")
        if not self.is_frame_:
            self.n_columns_ = matrix.shape[1]
            return self
        names = [str(c) for c in self.feature_names_in_]
        levels = self.encoder_.levels
        self.categories_ = [k for k, c in enumerate(names) if c in levels]
        self.n_levels_ = [min(len(levels[names[k]]), _MAX_LEVELS) for k in self.categories_]
        self.numbers_ = np.setdiff1d(np.arange(len(names)), self.categories_)
        missing = np.isnan(matrix[:, self.numbers_])
        self.flagged_ = np.flatnonzero(missing.any(axis=0))
        self.median_ = np.zeros(len(self.numbers_))
        for j, k in enumerate(self.numbers_):
            if not missing[:, j].all():
                self.median_[j] = np.nanmedian(matrix[:, k])
        self.n_columns_ = len(self.numbers_) + len(self.flagged_) + 1 + sum(self.n_levels_)
        return self

    def transform(self, X: Any) -> Floats:
        """Return the matrix, shape (n, n_columns_); nothing is learned.

        Arrays may still hold NaN: who uses the numbers checks them.

        Raises
        ------
        ValueError
            If the columns differ from those of the first rows (scikit-learn's words).
        """
        plain = isinstance(X, np.ndarray) and X.dtype == np.float64 and X.ndim == 2
        if plain and not self.is_frame_ and X.shape[1] == self.n_columns_:
            return np.ascontiguousarray(X)
        matrix = checked_matrix(self, X, reset=False)
        return self._spread(matrix) if self.is_frame_ else np.ascontiguousarray(matrix)

    def _spread(self, matrix: Floats) -> Floats:
        values = matrix[:, self.numbers_]
        missing = np.isnan(values)
        others = np.delete(missing, self.flagged_, axis=1).sum(axis=1, keepdims=True)
        parts = [np.where(missing, self.median_, values), missing[:, self.flagged_], others]
        parts += [
            matrix[:, [k]] == np.arange(n)
            for k, n in zip(self.categories_, self.n_levels_, strict=True)
        ]
        return np.hstack([part.astype(np.float64) for part in parts])

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        state: dict[str, Any] = {"n_columns": self.n_columns_, "n_features": self.n_features_in_}
        if self.is_frame_:
            state |= {
                "names": [str(c) for c in self.feature_names_in_],
                "levels": [[k, list(v)] for k, v in self.encoder_.levels.items()],
                "flagged": self.flagged_.tolist(),
                "median": self.median_.tolist(),
            }
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BanditDesign:
        """Rebuild from `to_state`."""
        self = cls()
        self.n_features_in_ = int(state["n_features"])
        self.n_columns_ = int(state["n_columns"])
        self.is_frame_ = "names" in state
        self.encoder_ = Encoder({})
        if self.is_frame_:
            names = list(state["names"])
            self.feature_names_in_ = np.asarray(names, dtype=object)
            self.encoder_ = Encoder({str(k): list(v) for k, v in state["levels"]})
            levels = self.encoder_.levels
            self.categories_ = [k for k, c in enumerate(names) if c in levels]
            self.n_levels_ = [min(len(levels[names[k]]), _MAX_LEVELS) for k in self.categories_]
            self.numbers_ = np.setdiff1d(np.arange(len(names)), self.categories_)
            self.flagged_ = np.asarray(state["flagged"], dtype=np.int64)
            self.median_ = np.asarray(state["median"], dtype=np.float64)
        return self

    def same_as(self, other: BanditDesign) -> bool:
        """Tell whether both make the same columns."""
        return self.to_state() == other.to_state()
