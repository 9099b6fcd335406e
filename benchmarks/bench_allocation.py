"""How fast and good the allocation is, beside linear-programming solvers and greedy rules.

    python benchmarks/bench_allocation.py [--customers 100000] [--slots 60] [--rows 30] [--seed 0]
        [--threads 2] [--repeats 3] [--pdlp-python PYTHON] [--out FILE]

One random batch (`capacity_batches.py`): heavy-tailed values, 60 % of the pairs eligible, six
channels limited to 2-15 % of the customers, about 30 rows of contacts, channel-hours, minutes with
each customer's own handling time, and money. In one run, interleaved, medians:

plain       the certified linear programme (tau = 0): gathering the pairs, prices, integers
exploring   the default policy, and one whose budget binds: certified loss, passes; cold and warm
            from the prices of a batch whose values differ by 10 % each
draw        order of customers and draw, every probability interior; rows exceeded
greedy      each customer's best action, then the dearest ones of each row; and one list of all
            pairs by value
HiGHS       scipy.optimize.linprog on the first customers (3,000 unless --highs-customers)
PDLP        OR-tools, relative tolerance 1e-4, in a child process with as many threads

Exit code 1 if a bar is missed: gap <= 5e-5, no row exceeded, loss within the budget and at least
0.9 of it where it binds, <= 120 passes cold and <= 20 warm, 70 times as fast as PDLP.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from allocation_rivals import Clock, greedy_run, highs_run, pdlp_run
from capacity_batches import CapacityCase, make_case

from contactopt.plan.draw import build_tree, draw
from contactopt.plan.prices.allocation import allocate
from contactopt.plan.prices.capacity_rows import CellMap, map_cells
from contactopt.plan.prices.capacity_table import capacity_table
from contactopt.plan.prices.problem import Problem
from contactopt.plan.prices.warm_start import WarmStart
from contactopt.plan.ranking import _open_problem
from contactopt.policy import ContactPolicy, control_group

PLAIN = ContactPolicy(exploration=None, holdout_share=0.0)
#: without control group, so that what is spent is exploration; tau_learn never in the way
BINDING = ContactPolicy(exploration_share=0.03, tau_learn=1.0, holdout_share=0.0)


def open_case(case: CapacityCase, threads: int) -> tuple[CellMap, Problem, Clock]:
    """Return cells and gathered problem of a case."""
    table = capacity_table(case.capacity, {*case.batch.pools})
    cells = map_cells(case.batch, table, case.pools, n_threads=threads)
    with Clock() as clock:
        cells, problem = _open_problem(case.batch, cells, threads)
    return cells, problem, clock


def feasibility(problem: Problem, use: np.ndarray) -> float:
    """Return the largest share of its units that a row uses."""
    return float((use / problem.rows.table.units).max(initial=0.0))


def plain_run(case: CapacityCase, threads: int) -> dict:
    """Solve the plain programme once, from the scores to integer probabilities."""
    _, problem, gather = open_case(case, threads)
    none = control_group(case.batch.customer_ids, 0.0)
    with Clock() as clock:
        found = allocate(problem, PLAIN, none, len(case.batch.actions), n_threads=threads)
    return {
        "gather_seconds": gather.seconds,
        "solve_seconds": clock.seconds,
        "seconds": gather.seconds + clock.seconds,
        "cpu_seconds": gather.cpu_seconds + clock.cpu_seconds,
        "passes": found.passes,
        "gap": found.loss / found.greedy.bound,
        "value": found.value,
        "bound": found.greedy.bound,
        "worst_row": feasibility(problem, found.expected_use),
    }


def exploring_run(case: CapacityCase, policy: ContactPolicy, threads: int) -> dict:
    """Solve an exploring plan cold, and warm from a batch whose values differ by 10 % each."""
    batch, m = case.batch, len(case.batch.actions)
    control = control_group(batch.customer_ids, policy.holdout_share)
    _, problem, _ = open_case(case, threads)
    with Clock() as cold_clock:
        cold = allocate(problem, policy, control, m, n_threads=threads)
    start = _yesterday(case, policy, control, threads)
    with Clock() as warm_clock:
        warm = allocate(
            problem, policy, control, m, n_threads=threads, start=start, as_of=batch.as_of
        )
    return {
        "share": policy.exploration_share,
        "tau": cold.tau,
        "tau_warm": warm.tau,
        "binds": cold.tau < policy.tau_learn,
        "loss_of_budget": cold.loss / cold.budget,
        "loss_of_budget_warm": warm.loss / warm.budget,
        "value": cold.value,
        "value_warm": warm.value,
        "passes": cold.passes,
        "passes_warm": warm.passes,
        "seconds": cold_clock.seconds,
        "seconds_warm": warm_clock.seconds,
        "cpu_seconds": cold_clock.cpu_seconds,
        "cpu_seconds_warm": warm_clock.cpu_seconds,
        "worst_row": feasibility(problem, cold.expected_use),
    }


def beside_highs(case: CapacityCase) -> dict:
    """Solve a case with HiGHS and with ours, on one thread."""
    found = highs_run(open_case(case, 1)[1])
    ours, best = plain_run(case, 1), found["optimum"]
    return {
        **found,
        "ours_seconds": ours["seconds"],
        "ours_cpu_seconds": ours["cpu_seconds"],
        "ours_value_below_optimum": (best - ours["value"]) / best,
        "ours_bound_above_optimum": (ours["bound"] - best) / best,
    }


def _yesterday(case: CapacityCase, policy, control, threads: int) -> WarmStart:
    rng = np.random.default_rng(1)
    noise = rng.lognormal(0.0, 0.1, case.batch.value.shape).astype(np.float32)
    other = replace(case, batch=replace(case.batch, value=case.batch.value * noise))
    _, problem, _ = open_case(other, threads)
    found = allocate(problem, policy, control, len(case.batch.actions), n_threads=threads)
    return WarmStart.from_allocation(found, problem.rows, case.batch.as_of)


def draw_run(case: CapacityCase, threads: int, seeds: int = 3) -> dict:
    """Draw a plan whose probabilities are all interior; count rows that are exceeded."""
    batch, m = case.batch, len(case.batch.actions)
    cells, problem, _ = open_case(case, threads)
    none = control_group(batch.customer_ids, 0.0)
    policy = ContactPolicy(holdout_share=0.0)
    found = allocate(problem, policy, none, m, n_threads=threads)
    p = found.probabilities
    interior = bool(((p[:, :m] > 0) == (batch.allowed & (cells.cell >= 0))).all())
    with Clock() as order:
        tree = build_tree(batch, cells, problem.rows, p, found.expected_use, n_threads=threads)
    runs, over, margin = [], 0, []
    rows = problem.rows
    for seed in range(seeds):
        with Clock() as clock:
            arm = draw(p, tree, seed, n_threads=threads)
        runs.append(clock)
        who = np.flatnonzero(arm < m)
        by_cell = np.bincount(
            cells.cell[who, arm[who]], weights=batch.usage[who, arm[who]],
            minlength=problem.n_cells + 1,
        )  # fmt: skip
        use = rows.table.cover @ by_cell[:-1]
        over += int((use > rows.table.units * (1 + 1e-9)).sum())
        margin.append(np.where(rows.counting, -np.inf, use - found.expected_use).max())
    return {
        "interior": interior,
        "order_seconds": order.seconds,
        "draw_seconds": median(c.seconds for c in runs),
        "seconds": order.seconds + median(c.seconds for c in runs),
        "cpu_seconds": order.cpu_seconds + median(c.cpu_seconds for c in runs),
        "rows_exceeded": over,
        "largest_excess_over_expectation": float(max(margin)),
        "largest_margin_held": float(rows.margin.max(initial=0.0)),
    }


# ---- the run -------------------------------------------------------------------------------------


def middle(runs: list[dict]) -> dict:
    """Return medians of what varies, the last run's values of the rest."""
    return {
        k: median(r[k] for r in runs) if k.endswith("seconds") else runs[-1][k] for k in runs[-1]
    }


def run(given: argparse.Namespace) -> dict:
    """Measure everything."""
    small = make_case(400, n_actions=given.slots, n_rows=given.rows)
    for policy in (PLAIN, BINDING):  # compile first
        exploring_run(small, policy, 2) if policy is BINDING else plain_run(small, 2)
    draw_run(small, 2, seeds=1)
    case = make_case(given.customers, n_actions=given.slots, n_rows=given.rows, seed=given.seed)
    _, problem, _ = open_case(case, given.threads)
    greedy_run(open_case(small, 1)[1])
    plain, pdlp = [], []
    for k in range(given.repeats):
        plain.append(plain_run(case, given.threads))
        if k < given.pdlp_repeats:
            found = pdlp_run(problem, given.pdlp_python, given.pdlp_limit, given.threads)
            pdlp += [] if found is None else [found]
    bound = plain[-1]["bound"]
    greedy = greedy_run(problem)
    result = {
        "settings": {k: v for k, v in vars(given).items() if k not in ("out", "pdlp_python")},
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "pairs": len(problem.value),
        "rows": len(problem.rows.table),
        "counting_rows": int(problem.rows.counting.sum()),
        "plain": middle(plain),
        "greedy_share_of_bound": {k: greedy[k] / bound for k in ("truncation", "global")},
        "exploring": [exploring_run(case, p, given.threads) for p in (ContactPolicy(), BINDING)],
        "draw": draw_run(case, given.threads),
        "highs": None,
        "pdlp": middle(pdlp) if pdlp else None,
    }
    if given.highs_customers:
        first = make_case(
            given.highs_customers, n_actions=given.slots, n_rows=given.rows, seed=given.seed
        )
        result["highs"] = beside_highs(first)
    if pdlp:
        p = result["pdlp"]
        p["ratio"] = p["seconds"] / result["plain"]["seconds"]
        p["cpu_ratio"] = p["cpu_seconds"] / result["plain"]["cpu_seconds"]
        p["below_bound"] = (bound - p["value"]) / bound
    result["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return result


def show(r: dict) -> None:
    """Print the table."""
    s, p, d = r["settings"], r["plain"], r["draw"]

    def line(name: str, seconds: float, cpu: float, told: str) -> None:
        print(f"{name:28}{seconds:9.2f}{cpu:9.2f}   {told}")

    print(
        f"{s['customers']:,} customers x {s['slots']} actions, {r['pairs']:,} eligible pairs, "
        f"{r['rows']} rows ({r['counting_rows']} counted in whole contacts), "
        f"{s['threads']} threads, load {r['load'][0]:.1f}\n{'':28}{'wall s':>9}{'CPU s':>9}"
    )
    told = f"gap {p['gap']:.1e}, fullest row {p['worst_row']:.6f}, {p['passes']} passes"
    line("plain, scores to integers", p["seconds"], p["cpu_seconds"], told)
    for e in r["exploring"]:
        end = "" if e["binds"] else " (tau_learn reached)"
        for kind, name in (("", f"exploring, share {e['share']:g}"), ("_warm", "  warm")):
            told = f"loss {e['loss_of_budget' + kind]:.3f} of the budget{end}"
            told += f", {e['passes' + kind]} passes"
            line(name, e["seconds" + kind], e["cpu_seconds" + kind], told)
    told = f"rows exceeded {d['rows_exceeded']}; minutes and money at most "
    told += f"{d['largest_excess_over_expectation']:.1f} above expectation, margin held up to "
    line(
        "draw, all p interior", d["seconds"], d["cpu_seconds"],
        told + f"{d['largest_margin_held']:.1f}",
    )  # fmt: skip
    if r["highs"]:
        h = r["highs"]
        told = f"{h['seconds'] / h['ours_seconds']:.0f} times ours; our bound is "
        told += f"{h['ours_bound_above_optimum']:.1e} above its optimum, our value "
        told += f"{h['ours_value_below_optimum']:.1e} below"
        line(f"HiGHS, {h['customers']:,} customers", h["seconds"], h["cpu_seconds"], told)
    if r["pdlp"] is None:
        print("PDLP: NOT THERE (give --pdlp-python with ortools and scipy); no ratio")
    else:
        q = r["pdlp"]
        told = f"{q['ratio']:.0f} times ours ({q['cpu_ratio']:.0f} in CPU); {q['below_bound']:.1e} "
        told += f"below the bound, fullest row {q['worst_row']:.6f}, "
        told += "converged" if q["reason"] == 1 else "STOPPED at its time limit"
        line("PDLP 1e-4, solve only", q["seconds"], q["cpu_seconds"], told)
    for name, share in r["greedy_share_of_bound"].items():
        print(f"greedy, {name}: {share:.4f} of the dual bound; ours {1 - p['gap']:.6f}")
    print(f"peak memory {r['peak_memory_gb']:.2f} GB")


def missed_bars(r: dict) -> list[str]:
    """Return the bars that were missed."""
    p, d, explored = r["plain"], r["draw"], r["exploring"]
    losses = [
        (e["binds"], e[name])
        for e in explored
        for name in ("loss_of_budget", "loss_of_budget_warm")
    ]
    large, huge = (r["settings"]["customers"] >= size for size in (100_000, 1_000_000))
    bars = {
        "gap <= 5e-5 and no row exceeded": p["gap"] <= 5e-5 and p["worst_row"] <= 1 + 1e-9,
        "loss within the budget": all(loss <= 1 for _, loss in losses),
        "at least 0.9 of it where it binds": all(loss >= 0.9 for binds, loss in losses if binds),
        "rows of exploring plans": all(e["worst_row"] <= 1 + 1e-9 for e in explored),
        "120 passes cold": all(e["passes"] <= 120 for e in explored),
        "20 passes warm": all(e["passes_warm"] <= 20 for e in explored),
        "draw: interior, no row exceeded": d["interior"] and d["rows_exceeded"] == 0,
        "70 times PDLP": not large or r["pdlp"] is None or r["pdlp"]["ratio"] >= 70,
        "a million in 5 s": not huge or p["seconds"] <= 5,
        "a million drawn in 10 s": not huge or d["seconds"] <= 10,
    }
    return [name for name, met in bars.items() if not met]


def main() -> int:
    """Read arguments, run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--slots", "--arms", type=int, default=60, help="a multiple of 6")
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pdlp-python", default=sys.executable)
    parser.add_argument("--pdlp-repeats", type=int, default=1)
    parser.add_argument("--pdlp-limit", type=float, default=600.0, help="seconds")
    parser.add_argument("--highs-customers", type=int, default=3000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = run(given)
    show(result)
    missed = missed_bars(result)
    print("ok" if not missed else "MISSED: " + "; ".join(missed))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
