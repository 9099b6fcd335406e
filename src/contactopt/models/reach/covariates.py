"""Columns of attempts beside who, where and when: fatigue, point quality, anything else known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.models.reach.attempts import column

__all__ = ["RESERVED", "AttemptColumns", "usable_columns"]

Floats = npt.NDArray[np.float64]

#: columns with a meaning of their own, never covariates
RESERVED = frozenset(
    {
        "customer",
        "channel",
        "hour",
        "local_hour",
        "weekday",
        "reached",
        "outcome",
        "age_days",
        "touches_7d",
        "point_quality",
        "propensity",
        "segment",
        "machine_only",
        "direction",
        "started_at",
        "time_zone",
    }
)
_MOST_LEVELS = 30


def usable_columns(frame: pd.DataFrame) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the columns that can serve as covariates, and why others cannot.

    Numbers and booleans serve as they are, words by level where there are at most 30 and more
    than one.
    """
    used, left = [], {}
    for name in map(str, frame.columns):
        if name in RESERVED:
            continue
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(
            values
        ):
            left[name] = "an instant says nothing by itself: give an age or a weekday"
        elif not _is_numeric(values) and _no_words(values):
            left[name] = "lists or the like in its cells"
        elif not _is_numeric(values) and values.nunique() == 1 and values.notna().all():
            left[name] = "one value only"
        elif _is_numeric(values) or values.nunique() <= _MOST_LEVELS:
            used.append(name)
        else:
            left[name] = f"more than {_MOST_LEVELS} different words"
    return tuple(used), left


def _no_words(values: pd.Series) -> bool:
    return any(kind.__hash__ is None for kind in set(map(type, values)))


def _is_numeric(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))


class AttemptColumns:
    """Fatigue, centred point quality, standardised numbers and levels of words.

    Parameters
    ----------
    names : tuple of str
        The covariates.
    mean, scale : float arrays
        One per name; 0 and 1 for words.
    levels : dict of str to list of str
        Words of the columns that are not numbers.
    quality : float
        Mean point quality, which stands for an unknown one.
    shares : dict of str to list of float
        Share of each level at the fit: an unknown word counts as their mean. None in the states of
        the first format, where it counted as a level without an effect.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        mean: Floats,
        scale: Floats,
        levels: dict[str, list[str]] | None = None,
        quality: float = 0.5,
        shares: dict[str, list[float]] | None = None,
    ) -> None:
        self.names = names
        self.mean = mean
        self.scale = scale
        self.levels = levels or {}
        self.quality = quality
        self.shares = shares or {}

    @classmethod
    def learn(cls, rows: pd.DataFrame, names: tuple[str, ...]) -> AttemptColumns:
        """Learn mean and sd of each number (0 and 1 where nothing is known), levels of words."""
        mean, scale = np.zeros(len(names)), np.ones(len(names))
        levels: dict[str, list[str]] = {}
        shares: dict[str, list[float]] = {}
        for k, name in enumerate(names):
            if name in rows and not _is_numeric(rows[name]) and len(rows[name].dropna()):
                counts = rows[name].dropna().astype(str).value_counts()
                ranked = sorted(counts.index, key=lambda w, c=counts: (-int(c[w]), w))
                levels[name] = sorted(ranked[:_MOST_LEVELS])
                shares[name] = [float(counts[w] / counts.sum()) for w in levels[name]]
                continue
            values = column(rows, name, np.nan)
            known = values[np.isfinite(values)]
            if len(known):
                mean[k], scale[k] = known.mean(), known.std() or 1.0
        quality = column(rows, "point_quality", np.nan)
        quality = quality[~np.isnan(quality)]
        middle = float(quality.mean()) if len(quality) else 0.5
        return cls(names, mean, scale, levels, middle, shares)

    def __len__(self) -> int:
        """Return the number of columns of `matrix`."""
        return 2 + sum(len(self.levels.get(name, "1")) for name in self.names)

    def matrix(self, frame: pd.DataFrame) -> Floats:
        """Return the columns, shape (n, len(self)); what is unknown counts as average."""
        parts = [
            column(frame, "touches_7d", 0.0),
            column(frame, "point_quality", self.quality) - self.quality,
        ]
        for k, name in enumerate(self.names):
            if name in self.levels:
                levels = self.levels[name]
                code, known = np.full(len(frame), -1), np.zeros(len(frame), dtype=bool)
                if name in frame:
                    words = pd.Index(frame[name].astype(object).map(str))
                    code = np.where(frame[name].isna(), -1, pd.Index(levels).get_indexer(words))
                    known = code >= 0
                share = self.shares.get(name, [0.0] * len(levels))
                parts.extend(
                    (code == j) - np.where(known, share[j], 0.0) for j in range(len(levels))
                )
                continue
            values = (column(frame, name, np.nan) - self.mean[k]) / self.scale[k]
            parts.append(np.nan_to_num(np.clip(values, -5.0, 5.0)))
        return np.column_stack(parts)

    def to_state(self) -> dict[str, Any]:
        """Return names, scales and levels."""
        return {
            "names": list(self.names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "levels": {k: list(v) for k, v in self.levels.items()},
            "quality": self.quality,
            "shares": {k: list(v) for k, v in self.shares.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AttemptColumns:
        """Rebuild from `to_state`."""
        mean, scale = (np.asarray(state[k], dtype=np.float64) for k in ("mean", "scale"))
        return cls(
            tuple(state["names"]),
            mean,
            scale,
            dict(state.get("levels", {})),
            float(state.get("quality", 0.5)),
            {k: [float(x) for x in v] for k, v in state.get("shares", {}).items()},
        )
