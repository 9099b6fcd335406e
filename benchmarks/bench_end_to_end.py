"""How long and how much memory, from files to a written plan? One command, some minutes.

    python benchmarks/bench_end_to_end.py [--customers 100000] [--fit-customers 20000]
        [--out benchmarks/results/end_to_end.json]

Each step runs in a child process of its own, so that its peak of resident memory is its own:

- import: `import contactopt`
- demo: `load_demo(fit_customers)`
- fit: the strategy of `contactopt demo` on that portfolio (100 days), saved as a bundle
- rank: read a portfolio of `customers` from its folder, load the bundle, score and rank every
  customer by every action, write the plan

The larger portfolio is simulated first; that is not part of any figure. Prints a table and writes
the same as JSON: wall and CPU seconds per stage, peak memory per step, load average before and
after, versions. Nothing is asserted: the figures depend on the machine.
"""

# requirements: 000-13, 004-13

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("contactopt", "numpy", "pandas", "pyarrow", "lightgbm", "scikit-learn", "numba")


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


def step_import(stages: Stages, _: argparse.Namespace) -> dict[str, Any]:
    with stages.stage("import contactopt"):
        import contactopt  # noqa: F401
    return {}


def step_simulate(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    """Not ours to time: the portfolio that `rank` reads."""
    import contactopt as co

    with stages.stage("simulate"):
        co.datasets.load_demo(args.customers).to_folder(args.work / "large")
    return {}


def step_demo(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    import contactopt as co

    with stages.stage("load_demo"):
        portfolio = co.datasets.load_demo(args.fit_customers)
    portfolio.to_folder(args.work / "fit")
    return {"customers": portfolio.n_customers, "touches": len(portfolio.tables["touches"])}


def step_fit(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    import contactopt as co
    from contactopt.config import StrategyConfig
    from contactopt.simulation import strategy_mapping

    with stages.stage("read folder"):
        portfolio = co.Portfolio.from_folder(args.work / "fit")
    config = StrategyConfig.from_mapping(strategy_mapping())
    with stages.stage("fit"):
        strategy = co.ContactStrategy(config=config).fit(
            portfolio, as_of=portfolio.latest_instant()
        )
    strategy.save(args.work / "bundle")
    return {"customers": portfolio.n_customers, "touches": len(portfolio.tables["touches"])}


def step_rank(stages: Stages, args: argparse.Namespace) -> dict[str, Any]:
    import contactopt as co

    with stages.stage("total"):
        with stages.stage("read folder"):
            portfolio = co.Portfolio.from_folder(args.work / "large")
        with stages.stage("load bundle"):
            strategy = co.ContactStrategy.load(args.work / "bundle")
        with stages.stage("rank"):
            plan = strategy.rank(portfolio, as_of=portfolio.latest_instant())
        with stages.stage("write"):
            plan.write(args.work / "plan")
    rows = {name: len(frame) for name, frame in portfolio.tables.items()}
    return {
        "customers": portfolio.n_customers,
        "actions": len(strategy.config.action_space),
        "rows": rows,
    }


STEPS = {
    "import": step_import,
    "simulate": step_simulate,
    "demo": step_demo,
    "fit": step_fit,
    "rank": step_rank,
}


def run_child(name: str, args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run one step in a fresh interpreter and return what it measured."""
    command = [
        sys.executable, __file__, "--step", name, "--work", str(work),
        "--customers", str(args.customers), "--fit-customers", str(args.fit_customers),
    ]  # fmt: skip
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    before = os.getloadavg()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "load_before": before, "load_after": os.getloadavg()}


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """Run one step here; peak memory is that of this process."""
    stages = Stages()
    told = STEPS[args.step](stages, args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return {**told, "stages": stages.seconds, "peak_rss_gb": round(peak * unit / 1e9, 3)}


def print_table(steps: dict[str, dict[str, Any]]) -> None:
    print(f"{'step':<10}{'stage':<20}{'wall s':>9}{'CPU s':>9}{'peak GB':>9}{'load':>7}")
    for name, step in steps.items():
        for stage, seconds in step["stages"].items():
            print(
                f"{name:<10}{stage:<20}{seconds['wall_s']:>9.2f}{seconds['cpu_s']:>9.2f}"
                f"{step['peak_rss_gb']:>9.2f}{step['load_before'][0]:>7.1f}"
            )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--fit-customers", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/end_to_end.json"))
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.step:
        print(json.dumps(measured(args)))
        return
    with tempfile.TemporaryDirectory(prefix="contactopt-bench-") as work:
        steps = {name: run_child(name, args, Path(work)) for name in STEPS}
    # made for `rank` to read: not a figure of the library
    del steps["simulate"]
    result = {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in PACKAGES},
        "steps": steps,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print_table(steps)


if __name__ == "__main__":
    main()
