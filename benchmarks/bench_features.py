"""How long do features take, and are they those of an event-by-event replay? One command.

    python benchmarks/bench_features.py [--data DIR] [--scale 1.0] [--out FILE.json]

Each step runs in a child process of its own, so that its peak of resident memory is its own:

- portfolio: 200,000 customers with 3,000,000 touches at one instant, from frames to features
- rows: 500,000 (customer, instant) pairs over 5,000,000 events, by block; beside it 26 of the same
  columns by pandas (merge, groupby, merge_asof), which must be equal
- replay (with ``--data``, the folder that holds `cns_phone`): features of the Copenhagen Networks
  Study at every (person, event), in one batch, against a life cut off at each of them

Prints a table; ``--out`` writes the same as JSON with versions and load. ``--scale`` shrinks the
tables. Ratios to pandas carry over to other machines, seconds do not.

Data of the replay: P. Sapiezynski, A. Stopczynski, D. D. Lassen, S. Lehmann, "Interaction data from
the Copenhagen Networks Study", Scientific Data 6:315 (2019); MIT as redistributed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feature_tables import SPAN_DAYS, START, feature_tables

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]
PACKAGES = ("contactopt", "numpy", "pandas", "pyarrow", "numba")
WINDOWS = (7, 30, 90)
CHANNELS = ("call_agent", "call_bot", "sms", "email", "whatsapp")
DAY_US = 86_400_000_000


class Stages:
    """Wall and CPU seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = {
            "wall_s": round(time.perf_counter() - wall, 2),
            "cpu_s": round(time.process_time() - cpu, 2),
        }


def warm() -> None:
    """Compile the kernels, which is not what is measured."""
    from contactopt.features import FeaturePipeline
    from contactopt.journal import Journal

    tables = feature_tables(50, n_touches=500, n_payments=100)
    FeaturePipeline().fit_transform(Journal(tables), as_of="2025-11-01T00:00Z")


def step_portfolio(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    from contactopt.features import FeaturePipeline
    from contactopt.journal import Journal

    n, touches = int(200_000 * args.scale), int(3_000_000 * args.scale)
    tables = feature_tables(n, n_touches=touches, n_payments=touches // 5)
    warm()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    as_of = START + pd.Timedelta(days=SPAN_DAYS - 20)
    with stages.stage("total"):
        with stages.stage("journal"):
            journal = Journal(tables)
        with stages.stage("fit and transform"):
            frame = FeaturePipeline().fit_transform(journal, as_of=as_of)
    return {"rows": len(frame), "columns": frame.shape[1], "touches": touches,
            "start_rss_gb": round(memory / 2**20, 2)}  # fmt: skip


def step_rows(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    from contactopt.features import BLOCKS, FeaturePipeline, Moments
    from contactopt.journal import Journal

    n = int(200_000 * args.scale)
    touches, payments = int(4_400_000 * args.scale), int(600_000 * args.scale)
    tables = feature_tables(n, n_touches=touches, n_payments=payments)
    warm()
    rng = np.random.default_rng(1)
    n_pairs = int(500_000 * args.scale)
    who = rng.integers(0, n, n_pairs)
    days = rng.integers(100, SPAN_DAYS, n_pairs)
    when = START.as_unit("us").asm8.astype("int64") + days * DAY_US + 8 * 3_600_000_000
    with stages.stage("journal"):
        journal = Journal(tables)
    with stages.stage("all columns, fit and transform"):
        frame = FeaturePipeline().fit_transform(journal, as_of=when, customers=who)
    columns = frame.shape[1]
    ours = frame[[*peer_names()]].copy()
    del frame
    order = np.lexsort((when, who))
    moments = Moments(journal, who[order], when[order])
    with stages.stage("debts and time zones (shared)"):
        _ = (moments.lead_debt, moments.local_day)
    for name, kind in BLOCKS.items():
        with stages.stage(f"block {name}"):
            kind().fit_transform(moments)
    with stages.stage("the same blocks as pandas"):
        FeaturePipeline(blocks=["payments", "pressure", "channel"]).fit_transform(
            journal, as_of=when, customers=who
        )
    with stages.stage("pandas, 26 columns"):
        theirs = by_pandas(tables, who, when)
    for name in peer_names():
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-9, err_msg=name)
    cpu = {k: v["cpu_s"] for k, v in stages.seconds.items()}
    pandas, same = cpu["pandas, 26 columns"], cpu["the same blocks as pandas"]
    return {
        "rows": n_pairs,
        "columns": columns,
        "events": touches + payments,
        "pandas_columns": len(peer_names()),
        "cpu_ratio_to_pandas_on_a_kept_journal": round(pandas / same, 1),
        "cpu_ratio_to_pandas_with_reading_the_journal": round(pandas / (same + cpu["journal"]), 1),
    }


def peer_names() -> list[str]:
    """Return the columns that pandas makes as well."""
    names = [f"pressure.{kind}_{w}d" for kind in ("n", "inbound") for w in WINDOWS]
    names += [f"payments.{kind}_{w}d" for kind in ("n", "sum") for w in WINDOWS]
    names += [f"channel.{c}_n_{w}d" for c in CHANNELS for w in WINDOWS[:-1]]
    return [*names, "pressure.days_since_touch", "pressure.days_since_inbound",
            "payments.n_all", "payments.sum_all"]  # fmt: skip


def by_pandas(tables: dict[str, pd.DataFrame], who: Any, when: Any) -> pd.DataFrame:
    """Return the same columns by joins and groups, as one would write them without the library."""
    ids = tables["customers"]["customer_id"]
    pairs = pd.DataFrame({"customer_id": ids.take(who).to_numpy(), "pair": np.arange(len(who))})
    pairs["at"] = pd.DatetimeIndex(when.view("datetime64[us]"), tz="UTC")
    out = pd.DataFrame(index=np.arange(len(who)))
    touches = tables["touches"][["customer_id", "started_at", "direction", "channel"]]
    seen = pairs.merge(touches, on="customer_id")
    seen = seen[seen["started_at"] <= seen["at"]]
    age = seen["at"] - seen["started_at"]
    for word, name in (("outbound", "n"), ("inbound", "inbound")):
        this = seen["direction"] == word
        for w in WINDOWS:
            counted = seen.loc[this & (age < pd.Timedelta(days=w)), "pair"]
            out[f"pressure.{name}_{w}d"] = counted.value_counts()
    for c in CHANNELS:
        this = (seen["channel"] == c) & (seen["direction"] == "outbound")
        for w in WINDOWS[:-1]:
            counted = seen.loc[this & (age < pd.Timedelta(days=w)), "pair"]
            out[f"channel.{c}_n_{w}d"] = counted.value_counts()
    paid = tables["payments"].merge(tables["debts"][["debt_id", "customer_id"]], on="debt_id")
    seen = pairs.merge(paid[["customer_id", "paid_at", "amount"]], on="customer_id")
    seen = seen[seen["paid_at"] <= seen["at"]]
    age = seen["at"] - seen["paid_at"]
    for w in WINDOWS:
        groups = seen[age < pd.Timedelta(days=w)].groupby("pair")["amount"]
        out[f"payments.n_{w}d"], out[f"payments.sum_{w}d"] = groups.size(), groups.sum()
    groups = seen.groupby("pair")["amount"]
    out["payments.n_all"], out["payments.sum_all"] = groups.size(), groups.sum()
    out = out.fillna(0.0)
    for word, name in (("outbound", "touch"), ("inbound", "inbound")):
        last = touches.loc[touches["direction"] == word, ["customer_id", "started_at"]]
        found = pd.merge_asof(
            pairs.sort_values("at"), last.sort_values("started_at"), left_on="at",
            right_on="started_at", by="customer_id",
        )  # fmt: skip
        days = (found["at"] - found["started_at"]).dt.total_seconds() / 86_400
        out[f"pressure.days_since_{name}"] = days.set_axis(found["pair"]).sort_index()
    return out


def step_replay(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    from oracles.cns_phone import cns_events, cns_tables, moments_of, one_life_per_moment

    from contactopt.contracts import Portfolio
    from contactopt.features import FeaturePipeline
    from contactopt.journal import Journal

    portfolio = Portfolio.from_frames(cns_tables(args.data))
    moments = moments_of(cns_events(args.data))
    at = {"as_of": moments["as_of"], "customers": moments["customer_id"]}
    pipeline = FeaturePipeline(windows_days=(0.5, 3, 14))
    with stages.stage("batch, fit and transform"):
        batch = pipeline.fit_transform(portfolio, **at)
    different, size = 0, 500
    with stages.stage("replay"):
        # a person's moments lie side by side: every n-th one keeps the parts of one size
        n_parts = -(-len(moments) // size)
        for part in range(n_parts):
            rows = np.arange(part, len(moments), n_parts)
            some = moments.iloc[rows].reset_index(drop=True)
            lives = Journal(one_life_per_moment(portfolio.tables, some))
            found = pipeline.transform(lives, as_of=some["as_of"], customers=np.arange(len(some)))
            different += cells_different(batch.iloc[rows], found)
    return {"people": portfolio.n_customers, "moments": len(moments), "columns": batch.shape[1],
            "cells_different": different}  # fmt: skip


def cells_different(a: pd.DataFrame, b: pd.DataFrame) -> int:
    """Count cells that differ in a bit."""
    total = 0
    for name in a.columns:
        x, y = a[name], b[name]
        if isinstance(x.dtype, pd.CategoricalDtype):
            total += int((x.cat.codes.to_numpy() != y.cat.codes.to_numpy()).sum())
            continue
        x, y = x.to_numpy(), y.to_numpy()
        total += int((~((x == y) | (np.isnan(x) & np.isnan(y)))).sum())
    return total


STEPS = {"portfolio": step_portfolio, "rows": step_rows, "replay": step_replay}


def run_child(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Run one step in a fresh interpreter and return what it measured."""
    command = [sys.executable, __file__, "--step", name, "--scale", str(args.scale)]
    if args.data is not None:
        command += ["--data", str(args.data)]
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    before = os.getloadavg()[0]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "load": [round(before, 1), round(os.getloadavg()[0], 1)]}


def show(report: dict[str, Any]) -> None:
    """Print what was measured."""
    for name, found in report["steps"].items():
        facts = ", ".join(
            f"{k.replace('_', ' ')} {v:,}" for k, v in found.items() if isinstance(v, int | float)
        )
        print(f"\n{name}: {facts} (load {found['load'][0]} to {found['load'][1]})")
        for stage, seconds in found["stages"].items():
            print(f"  {stage:34s} {seconds['cpu_s']:8.2f} s CPU {seconds['wall_s']:8.2f} s wall")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("CONTACTOPT_DATA"))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.data = None if args.data is None else Path(args.data)
    if args.step:
        stages = Stages()
        found = STEPS[args.step](stages, args)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({**found, "peak_rss_gb": round(peak, 2), "stages": stages.seconds}))
        return
    names = [n for n in STEPS if n != "replay" or args.data is not None]
    report = {
        "scale": args.scale,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": {p: version(p) for p in PACKAGES},
        "steps": {name: run_child(name, args) for name in names},
    }
    show(report)
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
