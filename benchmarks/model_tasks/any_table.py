"""Our payment model beside the peers on a table of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model_tasks.propensity import compare, expanding_windows, random_folds


def run_table(
    path: Path,
    *,
    target: str,
    positive: str | None,
    time: str | None,
    group: str | None,
    drop: list[str],
    seed: int,
    quick: bool,
) -> list[dict[str, Any]]:
    """Score a CSV: expanding windows where a time column is named, else random five-fold.

    The larger of the target's two values is the yes, unless ``positive`` names it; rows without a
    target are left out. Neither time nor group nor what is dropped is a feature.
    """
    table = pd.read_csv(path)
    missing = [c for c in (target, time, group, *drop) if c is not None and c not in table]
    if missing:
        raise SystemExit(f"{path.name} has no column {', '.join(missing)}")
    table = table[table[target].notna()].reset_index(drop=True)
    values = sorted(table[target].unique())
    if len(values) != 2:
        raise SystemExit(f"{target} has {len(values)} values, not two")
    yes = str(values[1]) if positive is None else positive
    if yes not in {str(v) for v in values}:
        raise SystemExit(f"--positive {yes}: {target} holds {values[0]} and {values[1]}")
    y = (table[target].astype(str) == yes).to_numpy().astype(int)
    groups = None if group is None else pd.factorize(table[group])[0]
    times = None if time is None else _instants(table[time])
    own = {target, time, group, *drop} - {None}
    X = table.drop(columns=[str(c) for c in own])
    folds = random_folds(y, seed, quick, groups) if times is None else expanding_windows(times)
    shared: dict[str, Any] = {"seed": seed, "quick": quick, "times": times, "groups": groups}
    drift = None if times is None else 0.0
    return compare(path.name.split(".")[0], X, y, folds, bars={}, drift_bar=drift, **shared)


def _instants(column: pd.Series) -> np.ndarray:
    """Microseconds where the column holds dates, else its numbers in their order."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.rank(method="dense").to_numpy().astype(np.int64)
    stamps = pd.DatetimeIndex(pd.to_datetime(column, utc=True, format="mixed"))
    return stamps.as_unit("us").asi8
