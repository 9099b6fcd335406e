"""Who takes up a mailed credit offer (Karlan and Zinman 2008, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_tasks.data_files import read_table
from model_tasks.propensity import compare, random_folds

NAME = "kz_take_up"
BARS = {"AUC": 0.708}
#: on or before the letter; everything else came after it
BEFORE_THE_LETTER = [
    *("offer4", "yearlong", "onetermshown", "termshown", "wave", "risk", "grossincome"),
    *("dependants", "dormancy", "itcscore", "appscore", "lastterm", "lastamount", "trcount"),
    *("married", "female", "edhi", "age", "rural"),
]


def run(data: Path, *, seed: int, quick: bool) -> list[dict[str, Any]]:
    table = read_table(data, "kz_direct_mail")
    X, y = table[BEFORE_THE_LETTER], table["tookup"].to_numpy().astype(int)
    folds = random_folds(y, seed, quick)
    return compare(NAME, X, y, folds, bars=BARS, seed=seed, quick=quick)
