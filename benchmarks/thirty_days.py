"""Thirty simulated days: true net money of every policy, each acting in its own copy of one world.

    python benchmarks/thirty_days.py [--customers 2000] [--days 30] [--seeds 10] [--workers 2]
                                     [--only NAME ...] [--no-effect] [--control-share 0.02]
                                     [--vw-python PATH] [--out FILE]

With --out every run is kept as it ends, and a run that FILE holds already is not made again.

A world runs 100 days under its incumbent and a strategy is fitted on its tables. Then each policy
plans day after day in a copy of that world that has the same chances: same law, same capacities,
same allocation and draw. Money is the money ledger's: payments that count, each once, less
reversals, variable cost, complaints and opt-outs. Differences to ours are paired by world, with a
95 % interval over worlds (Student). With --no-effect the world's contacts change nothing, and the
right thing is to wait: contacts per customer and day are printed, five days at a time. Ours is run
first; CPU seconds are each policy's own. All figures are *simulated*. Requirement 000-15.

Policies
--------
contactopt            fit once, explore within the budget, update every fifth day
fixed waterfall       text early, call at ten when mid, call and letter when late
voice only            agent calls at ten, largest debt first
epsilon-greedy        LightGBM P(pays | contacted so) x amount, trained anew every fifth day; one
                      customer in ten at random
most engaged          the channel and hour with the best answer rate in the log, for everybody
VW squarecb           VowpalWabbit on our features, learning daily (squarecb/rival.py); run where
                      --vw-python names a Python that has it
constant              one effect per channel x reach x amount, never updated, no exploration
LP on static scores   the response scores less cost, never updated
never updated         ours without `update`; only with --only

Constant and LP are static; those above them learn no effect, or one without capacities.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent))

from month_rivals import UPDATE_DAYS, ByResponse, most_engaged
from orchestration_year import attempts_of_today
from squarecb.rival import SquareCb

WARM_UP_DAYS = 100
CONTROL_SHARE, EXPLORATION_SHARE = 0.02, 0.03
OURS, STILL, SQUARECB = "contactopt", "never updated", "VW squarecb"
#: what makes a report's runs comparable
WORLD = ("customers", "days", "no_effect", "control_share")
#: name here -> name among the rivals of compare_policies; None: made here
POLICIES: dict[str, str | None] = {
    OURS: None,
    "fixed waterfall": "fixed waterfall",
    "voice only": "voice only",
    "epsilon-greedy": "response x amount",
    "most engaged": None,
    SQUARECB: None,
    "constant": None,
    "LP on static scores": "LP on static scores",
    STILL: None,
}


def run_policy(
    name: str,
    seed: int,
    customers: int,
    days: int,
    no_effect: bool,
    fitted: tuple[str, float],
    python: str,
) -> dict[str, Any]:
    """Run one policy in one world and return its money per customer and its contacts."""
    import contactopt as co
    from contactopt.config import StrategyConfig
    from contactopt.journal.money_ledger import money_ledger
    from contactopt.journal.terms import open_journal
    from contactopt.simulation import capacity_table

    logging.getLogger("contactopt").setLevel(logging.ERROR)
    began = time.process_time()
    world = make_world(seed, customers, days, no_effect)
    strategy = co.ContactStrategy.load(fitted[0])
    if name == "constant":  # scores of the constant policy are made where safety is on
        given = {**strategy.config.to_mapping(), "safety": {"enabled": True}}
        strategy.config = StrategyConfig.from_mapping(given)
    other = POLICIES[name]
    rival = None if other is None else ByResponse(other, seed, learns=name == "epsilon-greedy")
    if name == SQUARECB:
        rival = SquareCb(python, seed)
    config, since, spent, budget = strategy.config, world.as_of, 0.0, 0.0
    with tempfile.TemporaryDirectory(prefix="contactopt-days-") as log:
        for k in range(days):
            portfolio, as_of = world.portfolio(), world.as_of
            if name == OURS and k and k % UPDATE_DAYS == 0:
                strategy.update(portfolio, as_of=as_of, log=log)
            capacity = capacity_table(customers, as_of.date())
            batch = strategy.score(portfolio, as_of=as_of, random_state=seed + k)
            if isinstance(rival, SquareCb) and k == 0:
                rival.start(strategy, portfolio, batch)
            plan = decide(name, strategy, batch, portfolio, capacity, seed + k, rival)
            if isinstance(rival, SquareCb):
                rival.decided(plan.to_frame())
            if name == OURS:
                plan.write(log)
                truth = world.true_values(batch.actions, as_of, objective=config.objective)
                spent += realised_cost(batch, plan, truth, capacity, config)
                budget += float(str(plan.summary()["exploration_and_control_cost"]))
            world.step(world.day, attempts_of_today(plan.to_frame(), as_of.date()))
    view = open_journal(world.portfolio(), config).as_of(world.as_of)
    if isinstance(rival, SquareCb):
        rival.close()
    objective = config.objective
    ledger = money_ledger(
        view,
        since=since,
        period_days=days + 1,
        cost_per_complaint=objective.cost_per_complaint,
        cost_per_opt_out=objective.cost_per_opt_out,
    )
    return {
        "policy": name,
        "seed": seed,
        "net": round(float(ledger["net"].sum()) / customers, 4),
        "paid": round(float(ledger["paid"].sum()) / customers, 4),
        "contacts": round(float(ledger["contacts"].sum()) / customers / days, 4),
        "contacts_by_five_days": contacts_by_five_days(view, since, customers, days),
        "control": lift_told(strategy),
        "exploration_true": round(spent / customers, 4),
        "exploration_planned": round(budget / customers, 4),
        "cpu_seconds": round(time.process_time() - began + getattr(rival, "cpu_seconds", 0.0), 1),
        "fit_cpu_seconds": round(fitted[1], 1),
    }


def lift_told(strategy) -> dict[str, Any]:
    """Return what the control group said by the last update: lift, its error, the promise."""
    record = strategy.update_record_.get("residual", {})
    return {k: round(v, 4) for k, v in record.get("control", {}).items()}


def contacts_by_five_days(view, since: pd.Timestamp, customers: int, days: int) -> list[float]:
    """Return contacts per customer and day between one update and the next."""
    from contactopt.journal.money_ledger import money_ledger

    ledger = money_ledger(view, since=since, period_days=UPDATE_DAYS)
    counted = ledger.groupby("period")["contacts"].sum()
    periods = range(-(-days // UPDATE_DAYS))
    lengths = [min(UPDATE_DAYS, days - UPDATE_DAYS * k) for k in periods]
    return [
        round(float(counted.get(k, 0)) / customers / length, 4)
        for k, length in zip(periods, lengths, strict=True)
    ]


def decide(name: str, strategy, batch, portfolio, capacity: pd.DataFrame, seed: int, rival=None):
    """Return the plan of a policy: its scores through the same allocation and draw."""
    from contactopt.plan import rank
    from contactopt.policy import ContactPolicy

    config = strategy.config
    if name in (OURS, STILL):
        return rank(
            batch, policy=strategy.policy_, capacity=capacity, pools=config.pools,
            random_state=seed,
        )  # fmt: skip
    plain = ContactPolicy(exploration=None, holdout_share=0.0)
    if name == "most engaged":
        scored = most_engaged(batch, portfolio, config)
    elif name == "constant":
        scored = replace(
            batch, value=batch.constant_value, spread=batch.constant_spread,
            constant_value=None, constant_spread=None,
        )  # fmt: skip
    else:
        assert rival is not None
        scores, allowed = rival.scores(strategy, portfolio, batch)
        scored = replace(batch, value=scores, lift=scores, allowed=batch.allowed & allowed)
    return rank(scored, policy=plain, capacity=capacity, pools=config.pools, random_state=seed)


def realised_cost(batch, plan, truth, capacity: pd.DataFrame, config) -> float:
    """Return the true value that exploration and control gave up against tau = 0.

    Of one step: truth is what a contact adds if none follows it, so what a contact of tomorrow
    makes good counts as lost.
    """
    from contactopt.plan import rank
    from contactopt.policy import ContactPolicy

    plain = ContactPolicy(exploration=None, holdout_share=0.0)
    greedy = rank(batch, policy=plain, capacity=capacity, pools=config.pools)

    def value(p) -> float:
        return float((p.allocation.probabilities[:, :-1] / 2.0**36 * truth).sum())

    return value(greedy) - value(plan)


def make_world(seed: int, customers: int, days: int, no_effect: bool):
    """Return a world at the end of the incumbent's days."""
    from contactopt.simulation import PRESETS, World

    preset = PRESETS["mixed"]
    if no_effect:
        nothing = tuple(tuple(0.0 for _ in row) for row in preset.strength)
        none = (0.0, 0.0, 0.0, 0.0)
        preset = replace(
            preset, name="no_effect", strength=nothing, promise_share=none, paid_now_share=none,
            plan_share=none,
        )  # fmt: skip
    length = WARM_UP_DAYS + days
    world = World(preset, n_customers=customers, random_state=seed, n_days=length)
    return world.run(WARM_UP_DAYS)


def fit_world(
    seed: int, customers: int, days: int, no_effect: bool, control_share: float, folder: str
) -> tuple[str, float]:
    """Fit the strategy of one world and save it, for all policies alike."""
    import contactopt as co
    from contactopt.config import StrategyConfig
    from contactopt.simulation import strategy_mapping

    logging.getLogger("contactopt").setLevel(logging.ERROR)
    began = time.process_time()
    world = make_world(seed, customers, days, no_effect)
    given = {
        **strategy_mapping("mixed"),
        "random_state": seed,
        "holdout_share": control_share,
        # the budget is for both: draws keep what they have with the usual control group
        "exploration": {"share": control_share + EXPLORATION_SHARE},
    }
    config = StrategyConfig.from_mapping(given)
    path = f"{folder}/{seed}"
    co.ContactStrategy(config=config).fit(world.portfolio(), as_of=world.as_of).save(path)
    return path, time.process_time() - began


def table_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Money per customer, and ours less each, paired by world."""
    from scipy.stats import t

    net = runs.pivot_table(index="seed", columns="policy", values="net")
    if OURS not in net:
        net[OURS] = np.nan
    rows = []
    for name in net.columns:
        gain = (net[OURS] - net[name]).dropna().to_numpy()
        half = (
            t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            if len(gain) > 1
            else np.nan
        )
        own = runs[runs["policy"] == name]
        rows.append(
            {
                "policy": name,
                "net money": net[name].mean(),
                "ours less it": gain.mean(),
                "+-": half,
                "worlds ahead": int((gain > 0).sum()),
                "worlds": len(gain),
                "contacts a day": own["contacts"].mean(),
            }
        )
    return pd.DataFrame(rows).sort_values("net money", ascending=False, ignore_index=True)


def main() -> None:
    """Run all worlds and policies, print and keep what was counted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="policies to run; all but 'never updated'")
    parser.add_argument("--no-effect", action="store_true")
    parser.add_argument("--control-share", type=float, default=CONTROL_SHARE)
    parser.add_argument("--vw-python", default="", help="a Python that can import vowpalwabbit")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    names = args.only or [n for n in POLICIES if n != STILL and (n != SQUARECB or args.vw_python)]
    runs = run_all(args, [OURS, *(n for n in names if n != OURS)])
    table = table_of(runs)
    print(f"Simulated: {args.customers} customers, {args.days} days, {args.seeds} worlds")
    print(table.round(3).to_string(index=False))
    ours = runs[runs["policy"] == OURS]
    print(
        f"exploration and control: true cost {ours['exploration_true'].mean():.2f} per customer, "
        f"planned {ours['exploration_planned'].mean():.2f} (estimated)"
    )
    print("ours, contacts per customer and day, five days at a time:", end=" ")
    print(np.round(np.mean([*ours["contacts_by_five_days"].dropna()], axis=0), 3))
    minutes = (ours["cpu_seconds"] + ours["fit_cpu_seconds"]).sum() / 60
    print(f"ours: {minutes:.0f} CPU minutes in all, fits included; each run is one process")


def run_all(args: argparse.Namespace, names: list[str]) -> pd.DataFrame:
    """Run all worlds under all policies, ours first; a run that the report holds is kept."""
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    world = (args.customers, args.days, args.no_effect)
    runs = kept_runs(args)
    wanted = [(n, s) for n in names for s in seeds]
    missing = [pair for pair in wanted if pair not in {(r["policy"], r["seed"]) for r in runs}]
    with (
        tempfile.TemporaryDirectory(prefix="contactopt-worlds-") as folder,
        # a process for each run: what one world trained is not there in the next
        ProcessPoolExecutor(
            args.workers, mp_context=get_context("spawn"), max_tasks_per_child=1
        ) as pool,
    ):
        fits = {
            seed: pool.submit(fit_world, seed, *world, args.control_share, folder)
            for seed in sorted({seed for _, seed in missing})
        }
        fitted = {seed: fit.result() for seed, fit in fits.items()}
        jobs = [
            pool.submit(run_policy, name, seed, *world, fitted[seed], args.vw_python)
            for name, seed in missing
        ]
        for job in as_completed(jobs):
            runs.append(_told(job.result()))
            keep(args, runs)
    frame = pd.DataFrame([r for r in runs if (r["policy"], r["seed"]) in wanted])
    return frame.sort_values(["seed", "policy"], ignore_index=True)


def kept_runs(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the runs of the report named, where they are of the same size and world."""
    if not args.out or not args.out.exists():
        return []
    report = json.loads(args.out.read_text("utf-8"))
    report.setdefault("control_share", CONTROL_SHARE)
    same = all(report[k] == getattr(args, k) for k in WORLD)
    if not same:
        raise SystemExit(f"{args.out} holds runs of another size or world; name another file")
    return report["runs"]


def keep(args: argparse.Namespace, runs: list[dict[str, Any]]) -> None:
    """Write the report so far: a long benchmark that is stopped goes on from here."""
    if not args.out:
        return
    report = {
        **{k: getattr(args, k) for k in WORLD},
        "table": table_of(pd.DataFrame(runs)).round(4).to_dict("records"),
        "runs": runs,
    }
    fresh = args.out.with_suffix(".part")
    fresh.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    fresh.replace(args.out)


def _told(run: dict[str, Any]) -> dict[str, Any]:
    print(
        f"{run['policy']}, world {run['seed']}: {run['net']:.2f} per customer, "
        f"{run['cpu_seconds']:.0f} s of CPU",
        file=sys.stderr,
        flush=True,
    )
    return run


if __name__ == "__main__":
    main()
