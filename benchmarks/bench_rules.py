"""How fast is the law? A million customers, ten million touches, six channels by twelve slots.

    python benchmarks/bench_rules.py [--customers 1000000] [--touches 10] [--block 20000] [--out F]

Makes random tables for customers of five jurisdictions (US-NY, US-FL, US-CA, CO, MX) block by
block, opens the journal and evaluates every rule of the shipped packs and of `house` for every
customer and action, reasons included. Prints seconds for the journal's view and for the mask,
peak memory, the share allowed and the rules that deny most; then the time for one customer alone.
Two worker processes share the blocks, one for each core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig
from contactopt.journal.journal import Journal

AS_OF = pd.Timestamp("2026-06-02T12:00Z")
DAY_US = 86_400_000_000
PLACES = ("US-NY", "US-FL", "US-CA", "CO", "MX")
ZONES = ("America/New_York", None, "America/Los_Angeles", "America/Bogota", "America/Mexico_City")
CHANNELS = ("call_agent", "call_bot", "sms", "whatsapp", "email", "push")
OUTCOMES = ("no_answer", "busy", "voicemail", "delivered", "refused", "promise", "unreachable")
CONFIG = {
    "channels": {c: {} for c in CHANNELS},
    "slots": list(range(8, 20)),
    "rules": {"fallback": "cautious"},
}


def tables_of(n: int, touches: int, seed: int) -> dict[str, pd.DataFrame]:
    """Make n customers with one or two debts, four points and `touches` contacts each."""
    rng = np.random.default_rng(seed)
    who = np.array([f"C{seed:03d}{i:06d}" for i in range(n)], dtype=object)
    place = rng.integers(0, len(PLACES), n)
    now = AS_OF.value // 1000

    def when(size: int, days: float) -> pd.Series:
        us = now - (rng.random(size) * days * DAY_US).astype(np.int64)
        return pd.Series(pd.DatetimeIndex(us.view("M8[us]"), tz="UTC"))

    two = np.flatnonzero(rng.random(n) < 0.2)
    owner = np.concatenate([np.arange(n), two])
    debt = np.array([f"D{i:07d}" for i in range(len(owner))], dtype=object)
    kinds = ("mobile", "landline", "email", "app")
    points = np.tile(np.arange(n), len(kinds))
    t_owner = np.repeat(np.arange(n), touches)
    k = len(t_owner)
    channel = rng.integers(0, len(CHANNELS), k)
    consented = np.concatenate([np.arange(n)] * 3)
    held = np.flatnonzero(rng.random(n) < 0.03)
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": who,
                "jurisdiction": np.array(PLACES, dtype=object)[place],
                "time_zone": np.array(ZONES, dtype=object)[place],
            }
        ),
        "debts": pd.DataFrame(
            {
                "debt_id": debt, "customer_id": who[owner], "product": "other", "creditor": "Bank",
                "ownership": rng.choice(["first_party", "third_party"], len(owner)),
                "currency": "USD", "principal": 100.0, "opened_at": when(len(owner), 900),
                "delinquent_since": when(len(owner), 90),
            }
        ),
        "debt_snapshots": pd.DataFrame(
            {
                "debt_id": debt, "observed_at": when(len(owner), 3), "balance": 90.0,
                "past_due": rng.random(len(owner)) * 90, "days_past_due": 40.0, "status": "open",
            }
        ),
        "contact_points": pd.DataFrame(
            {
                "contact_point_id": [f"P{i}" for i in range(len(points))],
                "customer_id": who[points], "kind": np.repeat(kinds, n), "place": "home",
                "holder": "customer", "valid_from": when(len(points), 900) - pd.Timedelta("900D"),
            }
        ),
        "touches": pd.DataFrame(
            {
                "touch_id": [f"T{i}" for i in range(k)], "customer_id": who[t_owner],
                "channel": np.array(CHANNELS, dtype=object)[channel], "direction": "outbound",
                "started_at": when(k, 60), "outcome": rng.choice(OUTCOMES, k),
                "contact_point_id": [
                    f"P{p}" for p in t_owner + n * np.array([0, 0, 0, 0, 2, 3])[channel]
                ],
            }
        ),
        "consents": pd.DataFrame(
            {
                "customer_id": who[consented],
                "channel": np.repeat(["sms", "email", "whatsapp"], n),
                "changed_at": when(len(consented), 50), "status": "granted",
            }
        ),
        "holds": pd.DataFrame(
            {
                "hold_id": [f"H{i}" for i in held], "customer_id": who[held],
                "kind": rng.choice(["dispute", "vulnerable", "attorney"], len(held)),
                "starts_at": when(len(held), 30),
            }
        ),
    }  # fmt: skip


def one_block(n: int, touches: int, seed: int) -> dict:
    """Make, view and judge a block; return seconds, memory, allowed pairs and reasons."""
    config = StrategyConfig.from_mapping(CONFIG)
    rules = RuleBook.load(config.rules, AS_OF)
    journal = Journal(tables_of(n, touches, seed))
    start = time.perf_counter()
    view = journal.as_of(AS_OF)
    for name in ("debts", "touches", "touch_debts", "points", "holds", "consents", "promises"):
        getattr(view, name)
    viewed, used = time.perf_counter(), time.process_time()
    verdict = evaluate(view, rules=rules, config=config)
    return {
        "view": viewed - start,
        "mask": time.perf_counter() - viewed,
        "cpu": time.process_time() - used,
        "allowed": int(verdict.allowed.sum()),
        "reasons": verdict.counts(),
        "worker": os.getpid(),
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def one_customer(rules: RuleBook, config: StrategyConfig, repeats: int = 60) -> dict[str, float]:
    """Return median milliseconds of judging one customer, by how much was read before.

    ``judged``: the view is open and was read once, only the law is asked. ``new_instant``: the
    same at an instant that nobody was judged at before. ``from_journal``: the view is opened and
    read as well, at a new instant.
    """
    wall: dict[str, list[float]] = {"judged": [], "new_instant": [], "from_journal": []}
    cpu: dict[str, list[float]] = {name: [] for name in wall}

    def timed(name: str, journal: Journal | None, view: Any) -> None:
        w, c = time.perf_counter(), time.process_time()
        view = view if journal is None else journal.as_of(view)
        evaluate(view, rules=rules, config=config)
        wall[name].append(time.perf_counter() - w)
        cpu[name].append(time.process_time() - c)

    for seed in range(repeats):
        journal = Journal(tables_of(1, 10, seed))
        at = AS_OF + pd.Timedelta(seconds=2 * seed)
        timed("from_journal", journal, at)
        view = journal.as_of(at + pd.Timedelta(seconds=1))
        evaluate(view, rules=rules, config=config)  # the view is read once
        view.as_of_us += 1  # what was read stays: only the law of the instant is new
        timed("new_instant", None, view)
        timed("judged", None, view)
    return {
        f"one_customer_{name}_{kind}_ms": round(1000 * float(np.median(values[name][5:])), 1)
        for kind, values in (("wall", wall), ("cpu", cpu))
        for name in values
    }


def main() -> None:
    """Run the blocks and print the figures."""
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--customers", type=int, default=1_000_000)
    read.add_argument("--touches", type=int, default=10)
    read.add_argument("--block", type=int, default=20_000)
    read.add_argument("--workers", type=int, default=2)
    read.add_argument("--out", type=Path)
    said = read.parse_args()
    config = StrategyConfig.from_mapping(CONFIG)
    rules = RuleBook.load(config.rules, AS_OF)
    sizes = [said.block] * (said.customers // said.block)
    view_s, mask_s, cpu_s, allowed, peak = 0.0, 0.0, 0.0, 0, {}
    reasons = Counter[str]()
    with ProcessPoolExecutor(said.workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(one_block, n, said.touches, i) for i, n in enumerate(sizes)]
        for job in jobs:
            found = job.result()
            view_s, mask_s = view_s + found["view"], mask_s + found["mask"]
            cpu_s, allowed = cpu_s + found["cpu"], allowed + found["allowed"]
            peak[found["worker"]] = max(found["gb"], peak.get(found["worker"], 0.0))
            reasons.update(found["reasons"])
    total = sum(sizes)
    result = {
        "customers": total,
        "touches": total * said.touches,
        "actions": len(config.action_space),
        "view_seconds": round(view_s / said.workers, 1),
        "mask_seconds": round(mask_s / said.workers, 1),
        "mask_cpu_seconds_per_core": round(cpu_s / said.workers, 1),
        "workers": said.workers,
        "peak_gb": round(sum(peak.values()), 2),
        "load_average": round(os.getloadavg()[0], 1),
        "allowed_share": round(allowed / (total * len(config.action_space)), 3),
        "most_denials": dict(reasons.most_common(8)),
        **one_customer(rules, config),
    }
    print(json.dumps(result, indent=1))
    if said.out:
        said.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
