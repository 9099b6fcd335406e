"""The contract of a feature block: columns of customers at instants, from the journal alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from contactopt.features.moments import Moments
from contactopt.journal.columns import coded

__all__ = ["Column", "FeatureBlock", "category"]


@dataclass(frozen=True, slots=True)
class Column:
    """One line of the catalogue.

    Parameters
    ----------
    name : str
        Without the block's prefix.
    unit : str
        For example `days`, `money`, `share`, `count`, `category`.
    window : str
        Which past it looks at, for example `30d`, `latest`, `all`.
    source : str
        Contract tables, joined by a plus sign.
    """

    name: str
    unit: str
    window: str
    source: str


class FeatureBlock(BaseEstimator):
    """A family of columns. Subclasses set ``name`` and ``fitted``, write `columns` and `compute`.

    What a block learns (population rates, category lists) it learns in `learn`, from what is
    known at the moments it is given; `compute` returns one array per column. Blocks see the past
    only through the journal's folds and states, which know nothing later than each instant.
    """

    #: prefix of the block's columns
    name: ClassVar[str]
    #: names of fitted attributes, kept in a saved state
    fitted: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns, in their order."""

    @abstractmethod
    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array of shape (n_moments,) per column: float64 or Categorical."""

    def learn(self, moments: Moments) -> None:
        """Learn from what is known at the moments; sets the attributes named in ``fitted``."""

    def fit(self, moments: Moments, y: Any = None) -> Self:
        """Learn what the block learns; ``y`` is ignored."""
        self.learn(moments)
        self.n_moments_ = len(moments)
        return self

    def transform(self, moments: Moments) -> pd.DataFrame:
        """Return the block's columns, shape (n_moments, n_columns), in the catalogue's order.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self, "n_moments_")
        found = self.compute(moments)
        names = [c.name for c in self.columns()]
        if set(found) != set(names):
            raise ValueError(f"block {self.name}: columns and catalogue differ")
        return pd.DataFrame({f"{self.name}.{n}": _typed(found[n]) for n in names})

    def to_state(self) -> dict[str, Any]:
        """Return parameters and fitted values as plain data."""
        check_is_fitted(self, "n_moments_")
        names = ("n_moments_", *self.fitted)
        return {"params": self.get_params(), "fitted": {n: getattr(self, n) for n in names}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild a fitted block from `to_state`."""
        block = cls(**state["params"])
        for name, value in state["fitted"].items():
            setattr(block, name, value)
        return block


def _typed(values: Any) -> Any:
    if isinstance(values, pd.Categorical):
        return values
    return np.asarray(values, dtype=np.float64)


def category(codes: npt.ArrayLike, words: Any) -> pd.Categorical:
    """Return a Categorical with a fixed list of words; codes below 0 are missing."""
    return coded(np.asarray(codes, dtype=np.int64), words)
