"""The contract of a feature block: columns of customers at instants, from the journal alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from contactopt.errors import ConfigError
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


class FeatureBlock(TransformerMixin, BaseEstimator):
    """A family of columns. Subclasses set ``name`` and ``fitted``, write `columns` and `compute`.

    What a block learns (population rates, category lists) it learns in `learn`, from what is
    known at the moments it is given; `compute` returns one array per column. Blocks see the past
    only through the journal's folds and states, which know nothing later than each instant.
    A block of your own is proved by `contactopt.testing.check_feature_block`.

    Examples
    --------
    >>> from contactopt.journal.folds import window_sums
    >>> class Evenings(FeatureBlock):
    ...     "Contacts that began at 18 h local time or later, in a year."
    ...
    ...     name = "evenings"
    ...
    ...     def columns(self):
    ...         return (Column("n", "count", "365d", "touches"),)
    ...
    ...     def compute(self, moments):
    ...         late = np.where(moments.journal.touch_hours >= 18, 0, -1)
    ...         index, year = moments.journal.touches.index, [365 * 86_400_000_000]
    ...         n = window_sums(index, late, 1, year, moments.customers, moments.instants)
    ...         return {"n": n[:, 0, 0]}
    >>> Evenings().get_feature_names_out().tolist()
    ['evenings.n']
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
        self.names_ = [c.name for c in self.columns()]
        self.n_moments_ = len(moments)
        return self

    def transform(self, moments: Moments) -> pd.DataFrame:
        """Return the block's columns, shape (n_moments, n_columns), in the catalogue's order.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        ConfigError
            If the block computes other columns than its catalogue names, other columns than at
            the fit, or columns of another length than there are moments.
        """
        check_is_fitted(self, "n_moments_")
        names = [c.name for c in self.columns()]
        self._check_names(names, getattr(self, "names_", names), "fitted with")
        found = self.compute(moments)
        self._check_names(list(found), names, "catalogued")
        for column, values in found.items():
            if np.shape(values) != (len(moments),):
                raise ConfigError(
                    f"feature block {self.name!r}: column {column!r} has shape {np.shape(values)}, "
                    f"not ({len(moments)},)",
                    hint="compute returns one value per moment and column",
                )
        return pd.DataFrame({f"{self.name}.{n}": _typed(found[n]) for n in names})

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the block's columns, object array."""
        return np.array([f"{self.name}.{c.name}" for c in self.columns()], dtype=object)

    def _check_names(self, found: list[str], expected: list[str], word: str) -> None:
        if set(found) == set(expected) and len(found) == len(expected):
            return
        missing = [n for n in expected if n not in found]
        more = [n for n in found if n not in expected]
        parts = [f"without {', '.join(missing[:5])}"] if missing else []
        parts += [f"with {', '.join(more[:5])} besides"] if more else []
        raise ConfigError(
            f"feature block {self.name!r}: columns differ from those {word}: "
            f"{'; '.join(parts) or 'one stands there twice'}",
            hint="columns depend on parameters and on what `learn` sets, and on nothing else",
        )

    def to_state(self) -> dict[str, Any]:
        """Return parameters and fitted values as plain data."""
        check_is_fitted(self, "n_moments_")
        names = ("n_moments_", *self.fitted)
        return {
            "params": self.get_params(deep=False),
            "fitted": {n: getattr(self, n) for n in names},
            "names": list(getattr(self, "names_", [c.name for c in self.columns()])),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild a fitted block from `to_state`."""
        block = cls(**state["params"])
        for name, value in state["fitted"].items():
            setattr(block, name, value)
        block.names_ = list(state.get("names", [c.name for c in block.columns()]))
        return block


def _typed(values: Any) -> Any:
    if isinstance(values, pd.Categorical):
        return values
    return np.asarray(values, dtype=np.float64)


def category(codes: npt.ArrayLike, words: Any) -> pd.Categorical:
    """Return a Categorical with a fixed list of words; codes below 0 are missing."""
    return coded(np.asarray(codes, dtype=np.int64), words)
