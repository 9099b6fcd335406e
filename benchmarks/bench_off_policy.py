"""Do intervals of off-policy values hold the truth? One command.

    python benchmarks/bench_off_policy.py [--logs 2000] [--quick] [--out FILE]

Each cell draws logs from a known world, asks the public functions for a 95 % interval of the value
of another policy, and counts how often the truth lies outside, by side. Logs of which the answer is
"not enough data" are counted apart. Beside it stands the percentile bootstrap over rows, 200
resamples on a tenth of the logs, as is common practice. `--quick` draws 300 logs per cell.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from contactopt.metrics import Estimate, dr_value, ips_value, snips_value, value_difference

ARMS = 10


class Log(NamedTuple):
    """One log with what a caller would know, and the expected rewards of a fair model."""

    reward: np.ndarray
    target: np.ndarray
    other: np.ndarray
    propensity: np.ndarray
    q_drawn: np.ndarray
    q_target: np.ndarray
    q_other: np.ndarray
    customer: np.ndarray | None
    day: np.ndarray | None


class World(NamedTuple):
    """What makes logs: reward per arm, both policies' sharpness, clusters, money."""

    n: int
    rate: float
    logged: float  # softmax scale of the logging policy, 0: uniform
    chosen: float  # softmax scale of the target
    money: bool = False
    customers: int = 0
    days: int = 0
    rows_like: float = 0.0  # sd of a customer's own log-odds
    day_like: float = 0.0
    gain: float = 0.4  # log-odds per unit of the score that the target follows


CELLS: dict[str, World] = {
    "frequent, n=2,000": World(2000, 0.3, 0.5, 1.0),
    "frequent, uniform log, n=2,000": World(2000, 0.5, 0.0, 1.5),
    "rare, uniform log, n=2,000": World(2000, 0.0145, 0.0, 2.5),
    "rare, uniform log, n=10,000": World(10_000, 0.0145, 0.0, 2.5),
    "rare, 1.45 %, n=2,000": World(2000, 0.0145, 0.0, 3.5, gain=0.0),
    "rare, 1.45 %, n=10,000": World(10_000, 0.0145, 0.0, 3.5, gain=0.0),
    "rare, softmax log, n=2,000": World(2000, 0.0145, 0.7, 1.2),
    "rare, softmax log, n=10,000": World(10_000, 0.0145, 0.7, 1.2),
    "few events, n=500": World(500, 0.01, 0.0, 1.0),
    "customers, frequent": World(3000, 0.3, 0.5, 1.0, False, 600, 0, 1.0),
    "customers and 20 days": World(3000, 0.3, 0.5, 1.0, False, 600, 20, 0.7, 0.3),
    "customers, 20 days without effect": World(3000, 0.3, 0.5, 1.0, False, 600, 20, 0.7, 0.0),
    "customers, rare": World(3000, 0.0145, 0.5, 1.0, False, 1500, 0, 1.0),
    "money, n=2,000": World(2000, 0.1, 0.5, 1.0, True),
    "money, n=10,000": World(10_000, 0.1, 0.5, 1.0, True),
}


def _softmax(score: np.ndarray, scale: float) -> np.ndarray:
    p = np.exp(scale * (score - score.max(axis=1, keepdims=True)))
    return p / p.sum(axis=1, keepdims=True)


class Source:
    """Draws logs of a world; values of policies are means over a large population.

    Contexts come from a fixed population of 20,000, so that the truth is known exactly.
    """

    def __init__(self, world: World) -> None:
        rng = np.random.default_rng(7)
        self.world = world
        score = rng.normal(size=(20_000, ARMS))
        base = logit(world.rate) + world.gain * score
        self.base = base
        self.logged = _softmax(score + 0.5 * rng.normal(size=score.shape), world.logged)
        self.chosen = _softmax(score, world.chosen)
        self.other = _softmax(-score, world.chosen / 2)
        # a customer's and a day's own log-odds are normal: their mean is taken by quadrature
        nodes, weights = np.polynomial.hermite_e.hermegauss(21)
        sd = np.hypot(world.rows_like, world.day_like)
        mean = sum(w * expit(base + sd * x) for x, w in zip(nodes, weights, strict=True))
        self.q = mean / weights.sum() * (self.money_mean() if world.money else 1.0)
        self.q = self.q - (0.3 if world.money else 0.0)
        self.model = self.q * np.exp(0.3 * rng.normal(size=self.q.shape))  # a fair model

    @staticmethod
    def money_mean() -> float:
        """Return the mean amount of a payer."""
        return float(np.exp(3.0 + 0.8**2 / 2))

    @property
    def truth(self) -> float:
        """Return the target's value per decision."""
        return float((self.chosen * self.q).sum(axis=1).mean())

    @property
    def apart(self) -> float:
        """Return the target's value less the other policy's."""
        return float(((self.chosen - self.other) * self.q).sum(axis=1).mean())

    def draw(self, rng: np.random.Generator) -> Log:
        """Return one log."""
        w = self.world
        at = rng.integers(len(self.base), size=w.n)
        if w.customers:
            who = np.repeat(np.arange(w.customers), w.n // w.customers)
            at = rng.integers(len(self.base), size=w.customers)[who]
        p = self.logged[at]
        arm = (p.cumsum(axis=1) < rng.random((w.n, 1))).sum(axis=1).clip(max=ARMS - 1)
        odds = self.base[at, arm]
        customer = day = None
        if w.customers:
            customer = who
            odds = odds + w.rows_like * rng.normal(size=w.customers)[who]
        if w.days:
            day = rng.integers(w.days, size=w.n)
            odds = odds + w.day_like * rng.normal(size=w.days)[day]
        reward = (rng.random(w.n) < expit(odds)).astype(float)
        if w.money:
            reward = reward * rng.lognormal(3.0, 0.8, w.n) - 0.3
        pi, other, model = self.chosen[at], self.other[at], self.model[at]
        i = np.arange(w.n)
        return Log(
            reward, pi[i, arm], other[i, arm], p[i, arm], model[i, arm],
            (pi * model).sum(axis=1), (other * model).sum(axis=1), customer, day,
        )  # fmt: skip


def _clusters(log: Log) -> dict:
    return {"customer": log.customer, "day": log.day}


ESTIMATES: dict[str, Callable[[Log], Estimate]] = {
    "ips": lambda g: ips_value(g.reward, g.target, g.propensity, **_clusters(g)),
    "snips": lambda g: snips_value(g.reward, g.target, g.propensity, **_clusters(g)),
    "dr": lambda g: dr_value(
        g.reward, g.target, g.propensity, g.q_drawn, g.q_target, **_clusters(g)
    ),
    "difference": lambda g: value_difference(
        g.reward, g.target, g.other, g.propensity, estimator="dr",
        q_drawn=g.q_drawn, q_first=g.q_target, q_second=g.q_other, **_clusters(g),
    ),
}  # fmt: skip


def bootstrap(log: Log, rng: np.random.Generator) -> tuple[float, float]:
    """Percentile bootstrap of the IPS mean over rows, 200 resamples."""
    z = log.target / log.propensity * log.reward
    means = z[rng.integers(len(z), size=(200, len(z)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def measure(world: World, logs: int, seed: int) -> dict[str, dict[str, float]]:
    """Return coverage, misses by side, mean width and the share told, per estimator."""
    source, rng = Source(world), np.random.default_rng(seed)
    ends: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ESTIMATES}
    common = []
    for k in range(logs):
        log = source.draw(rng)
        for name, ask in ESTIMATES.items():
            found = ask(log)
            ends[name].append((found.value, found.low, found.high))
        if k % 10 == 0:
            common.append(bootstrap(log, rng))
    told = {}
    for name, rows in ends.items():
        table = np.array(rows)
        told[name] = _coverage(table, source.apart if name == "difference" else source.truth)
    low, high = np.array(common).T
    told["bootstrap (ips)"] = _coverage(np.column_stack([low, low, high]), source.truth)
    return told


def _coverage(table: np.ndarray, truth: float) -> dict[str, float]:
    known = table[np.isfinite(table[:, 0])]
    if len(known) == 0:
        return {"told": 0.0}
    above, below = (known[:, 1] > truth).mean(), (known[:, 2] < truth).mean()
    return {
        "told": len(known) / len(table),
        "coverage": float(1 - above - below),
        "truth_below": float(above),
        "truth_above": float(below),
        "width": float((known[:, 2] - known[:, 1]).mean()),
        "bias": float(known[:, 0].mean() - truth),
        "truth": truth,
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--logs", type=int, default=2000)
    ask.add_argument("--quick", action="store_true", help="300 logs per cell")
    ask.add_argument("--cell", help="only cells whose name holds this")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--out", type=Path)
    given = ask.parse_args()
    logs = 300 if given.quick else given.logs
    results = {}
    print(f"{'cell':36s} {'estimator':16s} told  cover  low>T  high<T  width")
    for name, world in CELLS.items():
        if given.cell and given.cell not in name:
            continue
        start = time.perf_counter()
        results[name] = measure(world, logs, given.seed)
        for estimator, row in results[name].items():
            told = f"{name:36s} {estimator:16s} {row['told']:.3f}"
            if row["told"]:
                told += (
                    f" {row['coverage']:.3f}  {row['truth_below']:.3f}  {row['truth_above']:.3f}"
                    f"   {row['width']:.4g}"
                )
            print(told)
        print(f"  truth {Source(world).truth:.4g}; {time.perf_counter() - start:.0f} s", flush=True)
    if given.out:
        given.out.write_text(json.dumps({"logs": logs, "cells": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
