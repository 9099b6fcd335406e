"""Card accounts already late: who pays next month (UCI default of credit card clients)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model_tasks.credit import accounts
from model_tasks.propensity import compare, random_folds

NAME = "credit_late"
BARS = {"log-loss": 0.625, "ECE": 0.03}


def run(data: Path, *, seed: int, quick: bool) -> list[dict[str, Any]]:
    X, y = accounts(data)
    late = np.flatnonzero(X["PAY_0"].to_numpy() >= 1)
    X, y = X.iloc[late].reset_index(drop=True), y[late]
    folds = random_folds(y, seed, quick)
    return compare(NAME, X, y, folds, bars=BARS, seed=seed, quick=quick)
