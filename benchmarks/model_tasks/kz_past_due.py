"""Which borrowers were ever past due: a small sample (Karlan and Zinman 2008, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_tasks.data_files import read_table
from model_tasks.kz_take_up import BEFORE_THE_LETTER
from model_tasks.propensity import compare, random_folds

NAME = "kz_past_due"
BARS = {"log-loss": 0.648}


def run(data: Path, *, seed: int, quick: bool) -> list[dict[str, Any]]:
    table = read_table(data, "kz_direct_mail")
    table = table[table["pstdue_average"].notna()].reset_index(drop=True)
    y = (table["pstdue_average"] > 0).to_numpy().astype(int)
    folds = random_folds(y, seed, quick)
    X = table[BEFORE_THE_LETTER]
    return compare(NAME, X, y, folds, bars=BARS, seed=seed, quick=quick)
