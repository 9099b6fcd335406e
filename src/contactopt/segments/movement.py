"""Customers today against those of the fit: shares of segments, distances, each column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.metrics.drift import (
    FittedBins,
    StabilityIndex,
    population_stability_index,
    stability_of_counts,
)

__all__ = ["MOVEMENT_COLUMNS", "movement", "movement_row"]

MOVEMENT_COLUMNS = (
    "kind", "name", "psi", "low", "high", "noise", "limit", "drifted", "verdict", "n_fit",
    "n_today",
)  # fmt: skip


def movement_row(kind: str, name: str, found: StabilityIndex) -> tuple[object, ...]:
    """Return one row of a drift frame."""
    return (
        kind, name, found.value, found.low, found.high, found.noise, found.limit, found.drifted,
        found.verdict, found.n_expected, found.n_actual,
    )  # fmt: skip


def movement(
    fit_counts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    distance_bins: FittedBins,
    distance: npt.NDArray[np.float64],
    bins: Mapping[str, FittedBins],
    frame: pd.DataFrame,
    *,
    level: float,
) -> pd.DataFrame:
    """Return the drift of segments, distances and columns, in that order, see `drift`."""
    shares = stability_of_counts(fit_counts, counts, level=level)
    far = population_stability_index(distance_bins, distance, level=level)
    rows = [
        movement_row("segments", "segment shares", shares),
        movement_row("distance", "distance to the centre", far),
    ]
    columns = [
        movement_row("column", name, population_stability_index(b, frame[name], level=level))
        for name, b in bins.items()
    ]
    columns.sort(key=lambda row: (-np.nan_to_num(float(str(row[2]))), str(row[1])))
    return pd.DataFrame(rows + columns, columns=list(MOVEMENT_COLUMNS))
