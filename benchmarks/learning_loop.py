"""The loop through files and the command line alone: rank, tables grown by a day, update, rank.

    python benchmarks/learning_loop.py [--customers 300] [--days 30] [--seed 0] [--out FILE]

A simulated world runs 70 days under its incumbent and is written as a portfolio folder; `contactopt
fit` makes the first bundle. Then, day after day, each command in a fresh process: `contactopt rank`
draws a plan, the world carries it out, the folder is written anew with that day's rows (payments of
every third customer are recorded two days late, and one payment in ten is reversed a week later),
and `contactopt update` makes the next bundle. At the end one process of its own loads the *first*
bundle and updates once from the last tables and the log, and another steps through all days in
memory. The bundles must be equal bit for bit. Exit code 1 if they are not. *Simulated*.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.simulation import World, capacity_table, strategy_mapping

WARM_UP_DAYS = 70
LATE_DAYS, REVERSAL_DAYS = 2, 7
TODAY = ["customer_id", "channel", "slot_local_hour", "decision_id", "contact_point_id"]


def with_late_rows(portfolio: co.Portfolio, as_of: pd.Timestamp, since: pd.Timestamp):
    """Return what the tables hold at an instant: late rows are not there yet, reversals are."""
    payments = portfolio.tables["payments"]
    owner = portfolio.tables["debts"].set_index("debt_id")["customer_id"]
    number = payments["debt_id"].map(owner).str.extract(r"(\d+)$")[0].astype(int)
    recorded = payments["paid_at"] + pd.to_timedelta(
        np.where(number % 3 == 0, LATE_DAYS, 0), unit="D"
    )
    new = payments["paid_at"] >= since
    back = payments["paid_at"] + pd.Timedelta(days=REVERSAL_DAYS)
    reversed_at = back.where(new & (number % 10 == 0) & (back <= as_of))
    changed = payments.assign(
        recorded_at=recorded.where(new), reversed_at=reversed_at.astype("datetime64[us, UTC]")
    )
    kept = changed[(~new | (recorded <= as_of)).to_numpy()]
    return co.Portfolio.from_frames(
        {**portfolio.tables, "payments": kept},
        complete_to={"payments": str(as_of), "touches": str(as_of)},
    )


def run(*words: object) -> dict:
    """Run a verb in a fresh process and return its JSON."""
    verb = "from contactopt.cli.app import main; main()"
    command = [sys.executable, "-c", verb, *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def carried_out(plan: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the contacts of the batch's own day."""
    start = plan["slot_start"].fillna(as_of)
    return plan[(start < as_of.normalize() + pd.Timedelta(days=1)).to_numpy()][TODAY]


def main() -> None:
    """Step, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="contactopt-loop-") as work:
        result = loop(args, Path(work))
    result["seconds"] = round(time.monotonic() - began)
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if not result["equal"]:
        raise SystemExit(1)


def loop(args: argparse.Namespace, work: Path) -> dict:
    """Run the days and return the versions that three ways lead to."""
    config = StrategyConfig.from_mapping(
        {**strategy_mapping("mixed"), "random_state": args.seed, "exploration": {"share": 0.2}}
    )
    (work / "strategy.yaml").write_text(yaml.safe_dump(config.to_mapping()), "utf-8")
    world = World(
        "mixed", n_customers=args.customers, random_state=args.seed, n_days=WARM_UP_DAYS + args.days
    ).run(WARM_UP_DAYS)
    since, tables, log = world.as_of, work / "portfolio", work / "log"
    with_late_rows(world.portfolio(), since, since).to_folder(tables)
    bundle = work / "bundle-0"
    run("fit", tables, "--strategy", work / "strategy.yaml", "--as-of", since.isoformat(),
        "--save", bundle)  # fmt: skip
    in_memory = co.ContactStrategy.load(bundle)
    same_plans = 0
    for k in range(args.days):
        as_of = world.as_of
        capacity_table(args.customers, as_of.date()).to_csv(work / "capacity.csv", index=False)
        now = with_late_rows(world.portfolio(), as_of, since)
        plan = in_memory.rank(
            now, as_of=as_of, capacity=work / "capacity.csv", random_state=args.seed + k
        )
        run("rank", tables, "--model", bundle, "--as-of", as_of.isoformat(), "--out", log,
            "--capacity", work / "capacity.csv", "--random-state", args.seed + k)  # fmt: skip
        drawn = pd.read_parquet(log / "plan.parquet")
        same_plans += plan.to_frame().equals(drawn) or plan.batch_id == drawn["batch_id"].iloc[0]
        world.step(world.day, carried_out(drawn[drawn["rank"] == 1], as_of))
        grown = with_late_rows(world.portfolio(), world.as_of, since)
        grown.to_folder(tables)
        after = world.as_of.isoformat()
        following = work / f"bundle-{k + 1}"
        told = run("update", tables, "--model", bundle, "--log", log, "--as-of", after,
                   "--save", following)  # fmt: skip
        bundle = following
        in_memory.update(grown, as_of=after, log=log)
        print(f"day {k + 1}: {told['saved']['content_hash'][:12]}", file=sys.stderr, flush=True)
    once = co.ContactStrategy.load(work / "bundle-0").update(
        co.Portfolio.from_folder(tables), as_of=world.as_of, log=log
    )
    versions = {
        "fresh processes": co.ContactStrategy.load(bundle).version,
        "one process": in_memory.version,
        "one replay": once.version,
    }
    record = once.update_record_
    return {
        "customers": args.customers,
        "days": args.days,
        "versions": versions,
        "equal": len(set(versions.values())) == 1 and same_plans == args.days,
        "same_plans": same_plans,
        **{name: record[name] for name in ("decisions", "executed", "wait", "mature")},
        "reversed_payments": int(
            with_late_rows(world.portfolio(), world.as_of, since)
            .tables["payments"]["reversed_at"]
            .notna()
            .sum()
        ),
    }


if __name__ == "__main__":
    main()
