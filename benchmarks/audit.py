"""Is every decision explained, and how fast? One command, some minutes.

    python benchmarks/audit.py [--customers 100000] [--decisions 1000] [--seed 0]
        [--fit-customers 20000] [--out benchmarks/results/audit.json]

Simulates customers, ranks them with a strategy fitted on others, writes plan and log, and then,
with the log's folder alone:

- opens it, and asks `why` of random decisions, in random order
- checks of each that every action's value is margin x lift - cost - harm and its priced value the
  value less the price, both to 1e-9, that probabilities sum to exactly 1, and that every blocked
  action names a rule with its text and either its first lawful instant or what must change
- does the whole batch again from the log: values, probabilities, draw

Prints a table and writes the same as JSON. Exit code 1 if any check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.simulation import strategy_mapping

PACKAGES = ("contactopt", "numpy", "pandas", "pyarrow", "numba")


class Clock:
    """Wall seconds of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now


def write_log(args: argparse.Namespace, folder: Path, clock: Clock) -> dict[str, Any]:
    """Make plan and log, which is not what is measured."""
    learned = co.datasets.load_demo(args.fit_customers, random_state=args.seed)
    config = StrategyConfig.from_mapping(strategy_mapping())
    strategy = co.ContactStrategy(config=config).fit(learned, as_of=learned.latest_instant())
    del learned
    portfolio = co.datasets.load_demo(args.customers, random_state=args.seed + 1)
    clock.lap("simulate and fit")
    plan = strategy.rank(portfolio, as_of=portfolio.latest_instant())
    clock.lap("rank")
    plan.write(folder)
    clock.lap("write")
    sizes = {
        name: sum(p.stat().st_size for p in (folder / name).glob("*")) / 1e6
        for name in ("decisions", "decision_actions", "batches")
    }
    return {
        "customers": portfolio.n_customers,
        "actions": len(config.action_space),
        "megabytes": {name: round(size, 2) for name, size in sizes.items()},
    }


def audit(table: pd.DataFrame, rules: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Count what one explanation holds, and what is wrong with it."""
    value = table["value"].to_numpy()
    limit = 1e-9 * np.maximum(1.0, np.abs(value))
    parts = (table["margin_x_lift"] - table["cost"] - table["harm"]).to_numpy()
    net = (table["value"] - table["price"]).to_numpy()
    blocked = table[table["reasons"] != ""]
    known = blocked["lawful_from"].notna()
    named = blocked["reasons"].str.split("|").explode()
    return {
        "actions": len(table),
        "blocked": len(blocked),
        "with a first lawful instant": int(known.sum()),
        "with what must change": int((~known & (blocked["until"] != "")).sum()),
        "FAULT value does not add up": int((np.abs(parts - value) > limit).sum()),
        "FAULT priced value does not add up": int(
            (np.abs(net - table["priced_value"].to_numpy()) > limit).sum()
        ),
        "FAULT probabilities do not sum to 1": int(table["probability"].sum() != 1.0),
        "FAULT closed without a reason": int(
            ((table["probability"] == 0) & (table["reasons"] == "")).sum()
        ),
        "FAULT rule without a text": int(
            (~named.isin([r for r in rules if rules[r]["summary"]])).sum()
        ),
        "FAULT neither instant nor what must change": int(
            (~known & (blocked["until"] == "")).sum()
        ),
    }


def explain(folder: Path, args: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Ask why of random decisions, from the folder alone."""
    log = co.read_decisions(folder)
    clock.lap("open")
    ids = log.to_frame()["decision_id"].to_numpy(dtype=object)
    rng = np.random.default_rng(args.seed)
    asked = rng.choice(ids, min(args.decisions, len(ids)), replace=False)
    clock.lap("read all decisions")
    found = [log.why(str(decision_id)) for decision_id in asked]
    tables = [why.to_frame() for why in found]
    clock.lap("why")
    for why in found:
        str(why)
    clock.lap("in words")
    counts: dict[str, int] = {}
    for why, table in zip(found, tables, strict=True):
        for name, number in audit(table, why.rules).items():
            counts[name] = counts.get(name, 0) + number
    clock.lap("check")
    report = log.replay()
    clock.lap("replay the batch")
    print(report, file=sys.stderr)
    return {"decisions": len(asked), "counts": counts, "replay": report.to_dict()}


def print_table(result: dict[str, Any]) -> None:
    print(f"{result['customers']:,} customers x {result['actions']} actions; {result['machine']}")
    for name, seconds in result["seconds"].items():
        print(f"  {name:<46}{seconds:>12.2f} s")
    for name, size in result["megabytes"].items():
        print(f"  {name:<46}{size:>12.2f} MB")
    print(f"  {'why':<46}{result['decisions']:>12,} decisions")
    for name, number in result["counts"].items():
        print(f"  {name:<46}{number:>12,}")
    print(f"  {'replay':<46}{'same' if result['replay']['ok'] else 'NOT THE SAME':>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=1_000)
    parser.add_argument("--fit-customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/audit.json"))
    args = parser.parse_args()
    clock, load = Clock(), os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="contactopt-audit-") as work:
        made = write_log(args, Path(work) / "plan", clock)
        told = explain(Path(work) / "plan", args, clock)
    result = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_before": load,
        "versions": {name: version(name) for name in PACKAGES},
        **made,
        "seconds": clock.seconds,
        **told,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print_table(result)
    faults = sum(n for name, n in told["counts"].items() if name.startswith("FAULT"))
    sys.exit(0 if faults == 0 and told["replay"]["ok"] else 1)


if __name__ == "__main__":
    main()
