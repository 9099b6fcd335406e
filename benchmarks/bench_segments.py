"""Segments on real data: do two halves agree, does drift stay quiet, do the tree's rates hold.

    python benchmarks/bench_segments.py [DATA] [--rows 1000000] [--seeds 3] [--out FILE]

DATA (default: environment variable CONTACTOPT_DATA) holds uci_default_credit, bank_marketing and
kz_direct_mail as gzip CSV. Per set and seed the rows are cut at random into three parts:
behaviour segments are fitted on the first, refitted on the second with the names of the first,
and both label the third (adjusted Rand index; also against a refit from scratch). The stability
index between the first and the third part is of no drift: the share flagged should be about 5 %.
The payment tree is fitted on the first two parts; its rates are compared with those of the third.
Then one fit at --rows rows, timed. Protected columns (age, sex, marriage, education) are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contactopt.segments import BehaviourSegments, PaymentTreeSegments, match_segments

PROTECTED = ("age", "sex", "marriage", "education", "marital", "gender", "female", "married")
NOT_USED = (*PROTECTED, "row_id")


def credit(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.read_csv(next((data / "uci_default_credit").glob("*.csv.gz")))
    label = next(c for c in map(str, frame) if c.lower().startswith("default"))
    return frame.drop(columns=label), 1 - frame[label].to_numpy()


def bank(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.read_csv(next((data / "bank_marketing").glob("*.csv.gz")), sep=None, engine="python")
    y = frame["y"].isin(("yes", 1)).to_numpy().astype(int)
    return frame.drop(columns=["y", "duration"]), y


def mail(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.read_csv(next((data / "kz_direct_mail").glob("*.csv.gz")))
    y = frame["tookup"].fillna(0).to_numpy().astype(int)
    # known only after the answer to the letter
    after = ("tookup", "applied", "rejected", "loansize", "term", "pstdue", "grossinterest")
    return frame.drop(columns=[c for c in frame if str(c).startswith(after)]), y


def judged(name: str, X: pd.DataFrame, y: np.ndarray, seed: int) -> dict[str, Any]:
    part = np.random.default_rng(seed).permutation(len(X)) % 3
    one, two, three = (X[part == k] for k in range(3))
    began = time.perf_counter()
    first = BehaviourSegments(random_state=seed).fit(one)
    seconds = time.perf_counter() - began
    again = first.refit(two)
    scratch = BehaviourSegments(random_state=seed + 100).fit(two)
    drift = first.drift(three)
    tree = PaymentTreeSegments(random_state=seed).fit(X[part < 2], y[part < 2])
    truth = pd.Series(y[part == 2]).groupby(tree.predict(three)).agg(["mean", "size"])
    rates = tree.rules_.set_index("segment").join(truth)
    error = np.sqrt(rates["rate"] * (1 - rates["rate"]) * (1 / rates["n"] + 1 / rates["size"]))
    labels = first.predict(three)
    return {
        "set": name, "seed": seed, "rows": len(one), "segments": len(first.names_),
        "separated": first.separated_, "fit_s": seconds,
        "ari_refit": match_segments(labels, again.predict(three)).ari,
        "ari_scratch": match_segments(labels, scratch.predict(three)).ari,
        "names_kept": len(again.match_.kept) if again.match_ else 0,
        "drift_flagged": int(drift["drifted"].sum()), "drift_tested": len(drift),
        "rules": len(tree.rules_), "rate_min": float(tree.rules_["rate"].min()),
        "rate_max": float(tree.rules_["rate"].max()),
        "rates_within_2se": float(((rates["mean"] - rates["rate"]).abs() <= 2 * error).mean()),
    }  # fmt: skip


def timed(X: pd.DataFrame, rows: int) -> dict[str, Any]:
    large = X.iloc[np.random.default_rng(0).integers(len(X), size=rows)].reset_index(drop=True)
    began = time.perf_counter()
    made = BehaviourSegments().fit(large)
    fitted = time.perf_counter()
    made.predict(large)
    told = time.perf_counter()
    return {
        "rows": rows,
        "columns": X.shape[1],
        "fit_s": fitted - began,
        "predict_s": told - fitted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", nargs="?", default=os.environ.get("CONTACTOPT_DATA"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.data is None:
        parser.error("give the folder of the data sets, or set CONTACTOPT_DATA")
    sets = {"credit": credit, "bank": bank, "mail": mail}
    read = {name: make(Path(given.data)) for name, make in sets.items()}
    kept = {
        name: (X.drop(columns=[c for c in X if str(c).lower() in NOT_USED]), y)
        for name, (X, y) in read.items()
    }
    rows = [judged(name, X, y, s) for name, (X, y) in kept.items() for s in range(given.seeds)]
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    size = timed(kept["credit"][0], given.rows) if given.rows else {}
    print(size)
    if given.out:
        given.out.write_text(json.dumps({"sets": rows, "size": size}, indent=1) + "\n")


if __name__ == "__main__":
    main()
