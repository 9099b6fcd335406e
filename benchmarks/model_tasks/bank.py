"""Phone campaigns of a bank in time order, without `duration` (UCI bank marketing, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_tasks.data_files import read_table
from model_tasks.propensity import compare, expanding_windows

NAME = "bank"
BARS = {"AUC": 0.65, "log-loss": 0.40}
#: known only after the call
AFTER_THE_CALL = ["duration"]


def run(data: Path, *, seed: int, quick: bool) -> list[dict[str, Any]]:
    table = read_table(data, "bank_marketing")
    y = (table["y"].astype(str).isin(["yes", "1"])).to_numpy().astype(int)
    order = table["row_id"].to_numpy()
    X = table.drop(columns=["row_id", "y", *AFTER_THE_CALL], errors="ignore")
    folds = expanding_windows(order)
    folds = folds[-2:] if quick else folds
    return compare(NAME, X, y, folds, bars=BARS, seed=seed, quick=quick, times=order, drift_bar=1.0)
