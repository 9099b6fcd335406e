"""Rivals of the allocation for bench_allocation.py: greedy rules, HiGHS, PDLP in a child."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from contactopt.plan.prices.problem import Problem
from contactopt.policy.compiled import compiled

__all__ = ["Clock", "greedy_run", "highs_run", "pdlp_run"]


class Clock:
    """Wall and CPU seconds of one piece of work."""

    def __enter__(self) -> Clock:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.cpu_seconds = time.process_time() - self._cpu


@compiled
def _fill(order, who, value, usage, cell, cover, left, free):
    """Take pairs in order wherever customer and rows have room; return the value taken."""
    total = 0.0
    for k in order:
        i, c, u = who[k], cell[k], usage[k]
        if value[k] <= 0.0 or not free[i]:
            continue
        fits = True
        for r in range(left.size):
            if c < cover.shape[1] and cover[r, c] and left[r] < u:
                fits = False
        if not fits:
            continue
        free[i] = False
        total += value[k]
        for r in range(left.size):
            if c < cover.shape[1] and cover[r, c]:
                left[r] -= u
    return total


def greedy_run(problem: Problem) -> dict:
    """Best action then truncation, and one list of all pairs by value."""
    n = len(problem.weight)
    who = np.repeat(np.arange(n), np.diff(problem.starts))
    cover = problem.rows.table.cover
    found = {}
    with Clock() as clock:
        order = np.argsort(-problem.value, kind="stable")
        _, first = np.unique(who[order], return_index=True)  # each customer's dearest pair
        best = order[np.sort(first)]
    found["sort_seconds"] = clock.seconds
    for name, taken in (("truncation", best), ("global", order)):
        left, free = problem.rows.limit.copy(), np.ones(n, dtype=bool)
        found[name] = _fill(
            taken, who, problem.value, problem.usage, problem.cell, cover, left, free
        )
    return found


def highs_run(problem: Problem) -> dict:
    """Solve the linear programme with HiGHS."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, vstack

    n, pairs = len(problem.weight), len(problem.value)
    who = np.repeat(np.arange(n), np.diff(problem.starts))
    inside = np.column_stack([problem.rows.table.cover, np.zeros(len(problem.rows.table), bool)])
    with Clock() as clock:
        one = csr_matrix((np.ones(pairs), (who, np.arange(pairs))), shape=(n, pairs))
        rows = csr_matrix(np.where(inside[:, problem.cell], problem.usage, 0.0))
        found = linprog(
            -problem.value, A_ub=vstack([one, rows]).tocsr(),
            b_ub=np.concatenate([np.ones(n), problem.rows.limit]), bounds=(0, None),
            method="highs",
        )  # fmt: skip
    return {
        "customers": n,
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu_seconds,
        "optimum": -float(found.fun),
    }


def pdlp_run(problem: Problem, python: str, limit: float, threads: int) -> dict | None:
    """Run PDLP in a child process; None where it is not there."""
    probe = subprocess.run(
        [python, "-c", "import ortools, scipy"], capture_output=True, env=_clean(), check=False
    )
    if probe.returncode != 0:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(
            path, starts=problem.starts, value=problem.value, usage=problem.usage,
            cell=problem.cell, cover=problem.rows.table.cover, limit=problem.rows.limit,
        )  # fmt: skip
        child = Path(__file__).with_name("pdlp_child.py")
        done = subprocess.run(
            [python, str(child), str(path), str(limit), str(threads)],
            capture_output=True, text=True, env=_clean(), check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"PDLP failed: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
