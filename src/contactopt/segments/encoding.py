"""Any frame as a matrix in which every column weighs the same: numbers, levels, what is missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.errors import ConfigError
from contactopt.metrics.columns import numbers_of, words_of

__all__ = ["BehaviourEncoding", "content_order"]

Floats = npt.NDArray[np.float64]
_log = logging.getLogger(__name__)
#: levels held by less than this share of the rows, and those beyond so many, count as none
_LEAST_LEVEL, _MOST_LEVELS = 0.02, 12
#: numbers beyond these quantiles of the fit weigh as those at them
_TAIL = 0.01
_MISSING = "(missing)"


@dataclass(frozen=True, eq=False)
class BehaviourEncoding:
    """Robust scaling learned once.

    A number becomes asinh((x - median) / scale), scale the interquartile range as a standard
    deviation, cut at the 1 % and 99 % quantiles; missing stands at the median, with a column of
    its own that says so. Other columns have a 0/1 column per level, missing among them. The
    columns that come of one column have a variance of 1 together.

    Parameters
    ----------
    columns : tuple of dict
        One plain specification per column that is used.
    dropped : dict of str to str
        Columns that say nothing, and why.
    """

    columns: tuple[dict[str, Any], ...]
    dropped: dict[str, str]

    @classmethod
    def learn(cls, X: pd.DataFrame) -> Self:
        """Learn from a frame with at least one row."""
        specs, dropped = [], {}
        for name in X.columns:
            numbers = numbers_of(X[name])
            found = _numbers(numbers) if numbers is not None else _levels(words_of(X[name]))
            if isinstance(found, str):
                dropped[str(name)] = found
            else:
                specs.append({"name": str(name), **found})
        if dropped:
            told = "; ".join(f"{name}: {why}" for name, why in dropped.items())
            _log.warning("%d columns are left out of the segments: %s", len(dropped), told)
        return cls(tuple(specs), dropped)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns used."""
        return tuple(str(c["name"]) for c in self.columns)

    def encode(self, X: pd.DataFrame) -> Floats:
        """Return the matrix of a frame, shape (n, width).

        Raises
        ------
        ConfigError
            If a column of the fit is not there, or holds text where the fit saw numbers.
        """
        if absent := [c for c in self.names if c not in X.columns]:
            raise ConfigError(
                f"{len(absent)} columns of the fit are not in the frame: {', '.join(absent[:5])}",
                hint="give the columns that the segments were fitted on",
            )
        blocks = [_encoded(X[c["name"]], c) for c in self.columns]
        return np.hstack(blocks) if blocks else np.zeros((len(X), 0))

    def to_state(self) -> dict[str, Any]:
        """Return plain values."""
        return {"columns": [dict(c) for c in self.columns], "dropped": dict(self.dropped)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild from `to_state`."""
        return cls(tuple(dict(c) for c in state["columns"]), dict(state["dropped"]))


def content_order(Z: Floats) -> npt.NDArray[np.int64]:
    """Return the order of rows by what they hold, shape (n,), however they came."""
    total = np.zeros(len(Z), dtype=np.uint64)
    for j in range(Z.shape[1]):
        total = total * np.uint64(0x100000001B3) + pd.util.hash_array(Z[:, j] + 0.0)
    return np.argsort(total, kind="stable")


def _numbers(x: Floats) -> dict[str, Any] | str:
    known = x[~np.isnan(x)]
    if len(known) == 0:
        return "no value"
    # sorted: sums must not depend on the order of the rows, not in the last bit either
    finite = np.sort(known[np.isfinite(known)])
    if len(finite) == 0:
        return "no finite value"
    low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75])
    # most at one value: the others say how far apart values are
    scale = (high - low) / 1.349 or 1.2533 * float(np.abs(finite - middle).mean())
    missing = 0.01 < np.isnan(x).mean() < 0.99
    if scale == 0 and not missing:
        return "one value only"
    spec: dict[str, Any] = {
        "kind": "number",
        "middle": float(middle),
        "scale": float(scale) or 1.0,
        "ends": [-np.inf, np.inf],
        "missing": bool(missing),
        "weight": 1.0,
    }
    spec["ends"] = [float(q) for q in np.quantile(_stretched(known, spec), [_TAIL, 1 - _TAIL])]
    if spec["ends"][0] == spec["ends"][1]:
        # fewer than one in a hundred differ
        spec["ends"] = [
            float(q) for q in (_stretched(finite, spec).min(), _stretched(finite, spec).max())
        ]
    return _weighed(spec, pd.Series(x))


def _stretched(x: Floats, spec: Mapping[str, Any]) -> Floats:
    return np.clip(np.arcsinh((x - spec["middle"]) / spec["scale"]), *spec["ends"])


def _levels(words: pd.Series) -> dict[str, Any] | str:
    share = words.fillna(_MISSING).value_counts(normalize=True)
    held = sorted(share.index[share >= _LEAST_LEVEL], key=lambda w: (-float(share[w]), w))
    if not held:
        return f"no level is held by {_LEAST_LEVEL:.0%} of the rows"
    if share[held[0]] == 1.0:
        return "no value" if held[0] == _MISSING else "one value only"
    return _weighed({"kind": "levels", "levels": held[:_MOST_LEVELS], "weight": 1.0}, words)


def _weighed(spec: dict[str, Any], column: pd.Series) -> dict[str, Any] | str:
    variance = float(np.sort(_encoded(column, spec), axis=0).var(axis=0).sum())
    return spec | {"weight": variance**-0.5} if variance > 1e-12 else "one value only"


def _encoded(column: pd.Series, spec: Mapping[str, Any]) -> Floats:
    if spec["kind"] == "levels":
        words = words_of(column.reset_index(drop=True)).fillna(_MISSING)
        code = pd.Index(spec["levels"], dtype=object).get_indexer(pd.Index(words, dtype=object))
        return (code[:, None] == np.arange(len(spec["levels"]))) * float(spec["weight"])
    x = numbers_of(column)
    if x is None:
        if column.notna().any():
            raise ConfigError(
                f"column {spec['name']} held numbers at the fit, now it holds words",
                hint="give the column as it was at the fit",
            )
        x = np.full(len(column), np.nan)
    absent = np.isnan(x)
    parts: Sequence[Floats] = [np.where(absent, 0.0, _stretched(x, spec))]
    if spec["missing"]:
        parts = [*parts, absent.astype(np.float64)]
    return np.column_stack(parts) * float(spec["weight"])
