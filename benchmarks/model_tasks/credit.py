"""Card accounts: who pays next month (UCI default of credit card clients, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model_tasks.data_files import read_table
from model_tasks.propensity import compare, random_folds

NAME = "credit"
BARS = {"AUC": 0.777, "log-loss": 0.431, "ECE": 0.011}
#: protected: not for contact decisions
PROTECTED = ["SEX", "EDUCATION", "MARRIAGE", "AGE"]


def accounts(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns known before the month, and whether the account pays in it."""
    table = read_table(data, "uci_default_credit")
    paid = 1 - table["default_next_month"].to_numpy()
    return table.drop(columns=["row_id", "default_next_month", *PROTECTED], errors="ignore"), paid


def run(data: Path, *, seed: int, quick: bool) -> list[dict[str, Any]]:
    X, y = accounts(data)
    folds = random_folds(y, seed, quick)
    return compare(NAME, X, y, folds, bars=BARS, seed=seed, quick=quick)
