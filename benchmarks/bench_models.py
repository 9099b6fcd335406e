"""Our models with their defaults beside the peers, on real data that nobody here made.

    python benchmarks/bench_models.py [DATA] [--quick] [--tasks a,b] [--seeds 3] [--out FILE]
    python benchmarks/bench_models.py --csv FILE --target COL [--positive VALUE] [--time COL]
                                      [--group COL] [--drop COL,COL]

DATA is the folder of the real sets (default: the environment variable CONTACTOPT_DATA). Every
module of `benchmarks/model_tasks` with a NAME is a task; all models of a task see the same folds.
Nothing is tuned per set. Printed are AUC, log-loss and calibration error (ECE, ten equal-mass
bins, beside the value that a perfect model would show on those rows) or what the task is about,
paired differences to the peers with 95 % intervals (bootstrap over rows or groups), and the bars.
Several seeds give other folds and other model seeds; figures are their means, intervals the means
of their ends. With --csv any other table is scored by the same code: expanding windows by --time,
else five random folds (whole --group values together).
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def tasks() -> dict[str, Any]:
    """Return every task module by its name."""
    import model_tasks

    found = {}
    for module in pkgutil.iter_modules(model_tasks.__path__):
        loaded = importlib.import_module(f"model_tasks.{module.name}")
        if hasattr(loaded, "NAME") and hasattr(loaded, "run"):
            found[loaded.NAME] = loaded
    return found


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Mean over the seeds of each task, model and metric, in the order in which they came."""
    table = pd.DataFrame(rows)
    for name in ("value", "low", "high", "bar"):
        table[name] = pd.to_numeric(table[name])
    keys = ["task", "model", "metric"]
    grouped = table.groupby(keys, sort=False)
    found = grouped[["value", "low", "high", "n", "bar"]].mean()
    found["met"] = grouped["met"].agg(lambda met: _share_met(list(met)))
    found["seeds"] = grouped.size()
    found["note"] = grouped["note"].first()
    return found.reset_index()


def _share_met(met: list[Any]) -> str:
    told = [bool(m) for m in met if m is not None and not pd.isna(m)]
    if not told:
        return ""
    return "yes" if all(told) else "no" if not any(told) else f"{sum(told)} of {len(told)}"


def shown(table: pd.DataFrame) -> str:
    """Return the summary as text, one line per figure."""
    out = table.copy()
    for name in ("value", "low", "high"):
        out[name] = [f"{v:.4f}" if np.isfinite(v) else "" for v in out[name]]
    out["bar"] = [f"{v:g}" if np.isfinite(v) else "" for v in out["bar"]]
    out["n"] = out["n"].round().astype(int)
    return out.to_string(index=False)


def run_tasks(names: list[str], data: Path, seeds: int, quick: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    known = tasks()
    unknown = [n for n in names if n not in known]
    if unknown:
        raise SystemExit(f"no task {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    for name in names or sorted(known):
        for seed in range(seeds):
            began, used = time.perf_counter(), time.process_time()
            try:
                found = known[name].run(data, seed=seed, quick=quick)
            except FileNotFoundError as error:
                print(f"{name}: {error}", file=sys.stderr)
                break
            rows += [{**row, "seed": seed} for row in found]
            print(
                f"{name}, seed {seed}: {time.perf_counter() - began:.0f} s, "
                f"{time.process_time() - used:.0f} s of CPU",
                file=sys.stderr,
            )
    return rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, help="folder of the real sets")
    parser.add_argument("--quick", action="store_true", help="fewer folds and draws")
    parser.add_argument("--tasks", default="", help="names, comma-separated")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file for every row of every seed")
    parser.add_argument("--csv", type=Path, help="score this table instead")
    parser.add_argument("--target", help="column of --csv with two values")
    parser.add_argument("--positive", help="value of the target that is a yes")
    parser.add_argument("--time", help="column of --csv that orders the rows")
    parser.add_argument("--group", help="column of --csv whose rows stay together")
    parser.add_argument("--drop", default="", help="columns of --csv that are no features")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    # verdicts per fold would bury the table; the drift bar tells what was flagged
    logging.getLogger("contactopt").setLevel(logging.ERROR)
    if given.csv is not None:
        if given.target is None:
            raise SystemExit("--csv needs --target")
        from model_tasks.any_table import run_table

        drop = [c for c in given.drop.split(",") if c]
        shared: dict[str, Any] = {"positive": given.positive, "time": given.time}
        shared |= {"group": given.group, "drop": drop, "quick": given.quick}
        rows = [
            {**row, "seed": seed}
            for seed in range(given.seeds)
            for row in run_table(given.csv, target=given.target, seed=seed, **shared)
        ]
    else:
        data = given.data or os.environ.get("CONTACTOPT_DATA")
        if not data or not Path(data).is_dir():
            raise SystemExit("give the data folder, or set CONTACTOPT_DATA")
        names = [n for n in given.tasks.split(",") if n]
        rows = run_tasks(names, Path(data), given.seeds, given.quick)
    if not rows:
        raise SystemExit("nothing was scored")
    table = summary(rows)
    print(shown(table))
    if given.out is not None:
        report = {
            "summary": json.loads(table.to_json(orient="records")),
            "rows": rows,
            "quick": given.quick,
        }
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(report, indent=1, default=float), encoding="utf-8")
    missed = table[table["met"].isin(["no"])]
    if len(missed):
        print(f"{len(missed)} bars missed", file=sys.stderr)


if __name__ == "__main__":
    main()
