"""Does a good policy leave safety, and does a bad one stay in it? One command, some minutes.

    python benchmarks/bench_safety.py [--seeds 10] [--days 40] [--quick] [--out FILE]

In three worlds (the learned scores are good, no better than constant ones, harmful) a plan is
ranked on each of 40 days with safety on, the outcomes of its draw become evidence five days later,
and `decide_lead` decides anew. Printed are the first day on which the learned policy leads, how
many days it led, and the true money of the plans per customer and day beside those that the three
policies alone would have made. Customers pay by themselves, too: the noise is many times the gain.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import contactopt as co
from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch
from contactopt.plan import rank
from contactopt.policy.kernels import UNIT
from contactopt.policy.safety import (
    CANDIDATES,
    Incumbent,
    SafetyEvidence,
    SafetyTerms,
    SafetyVerdict,
    decide_lead,
)

CHANNELS = ("call_agent", "sms", "email")
DELAY = 5
INCUMBENT = Incumbent({"": {"call_agent@10": 0.15, "sms@10": 0.3, "email@10": 0.1}}, "benchmark")
WORLDS = ("good", "no better", "harmful")


def batch_of(world: str, rng: np.random.Generator, n: int, day: pd.Timestamp):
    """Return a day's scores and the true value of every action, shape (n, m)."""
    actions = ActionSpace.from_channels(dict.fromkeys(CHANNELS, (10,)))
    m = len(actions)
    level = np.array([1.0, 0.4, 0.2])
    personal = rng.normal(0.0, 1.2, (n, m)) * (world != "no better")
    truth = level + personal
    learned = {
        "good": truth + rng.normal(0, 0.4, (n, m)),
        "no better": level + rng.normal(0, 0.2, (n, m)),
        "harmful": level + rng.permutation(personal),  # somebody else's
    }[world]
    start = np.full((n, m), day.value // 1000 + 36_000_000_000)
    batch = ScoredBatch(
        as_of=day,
        currency="USD",
        customer_ids=np.array([f"C-{k:05d}" for k in range(n)], dtype=object),
        actions=actions,
        allowed=np.ones((n, m), dtype=bool),
        reason=np.zeros((n, m), dtype=np.int32),
        reason_sets=((),),
        lawful_from=np.full((n, m), NO_INSTANT),
        value=learned,
        spread=np.full((n, m), 0.5),
        p_reach=np.full((n, m), 0.5),
        p_pay=np.full((n, m), 0.5),
        lift=learned,
        cost=np.zeros((n, m)),
        harm=np.zeros((n, m)),
        margin=np.ones((n, m)),
        p_pay_wait=np.full(n, 0.5),
        amount=np.ones(n),
        pool=np.broadcast_to(actions.channel_index.astype(np.int16), (n, m)),
        pools=actions.channels,
        usage=np.ones((n, m)),
        time_zone=np.full(n, "UTC", dtype=object),
        slot_start=start,
        start_before=start + 3_000_000_000,
        debt=np.full((n, m), -1),
        debt_ids=np.zeros(0, dtype=object),
        contact_point=np.full((n, m), -1),
        contact_point_ids=np.zeros(0, dtype=object),
        template=np.full((n, m), -1, dtype=np.int16),
        constant_value=np.broadcast_to(level, (n, m)),
        constant_spread=np.full((n, m), 0.2),
        segment=np.full(n, "early", dtype=object),
    )
    return batch, truth


def run(world: str, seed: int, days: int, n: int) -> dict[str, float]:
    """Return what became of one world."""
    rng = np.random.default_rng([seed, WORLDS.index(world)])
    policy = co.ContactPolicy(exploration_share=0.05, holdout_share=0.02)
    verdict: SafetyVerdict | None = None
    rows: list[dict[str, np.ndarray]] = []
    money = dict.fromkeys(("plan", *CANDIDATES), 0.0)
    led, first, given = 0, 0, 0.0
    for day in range(days):
        at = pd.Timestamp("2026-03-02T00:00Z") + pd.Timedelta(days=day)
        batch, truth = batch_of(world, rng, n, at)
        capacity = pd.DataFrame(
            {"pool": CHANNELS, "date": f"{at:%Y-%m-%d}", "units": [n // 5, n // 2, n // 2]}
        )
        if verdict is None:
            verdict = decide_lead(None)
        terms = SafetyTerms(verdict, INCUMBENT)
        plan = rank(batch, policy=policy, capacity=capacity, safety=terms, random_state=seed)
        assert plan.safe is not None
        kept, drawn = np.flatnonzero(~plan.control), plan.drawn
        full = np.hstack([truth, np.zeros((n, 1))])
        paid = rng.normal(5.0, 8.0, n) + full[np.arange(n), drawn]
        row = {"customer": batch.customer_ids[kept], "day": np.full(len(kept), day)}
        row |= {"reward": paid[kept]}
        row["propensity"] = plan.allocation.probabilities[kept, drawn[kept]] / UNIT
        for name in CANDIDATES:
            p = plan.safe.probabilities_of(name)
            assert p is not None
            row[name] = p[kept, drawn[kept]] / UNIT
            money[name] += float((p / UNIT * full).sum()) / (n * days)
        money["plan"] += float((plan.allocation.probabilities / UNIT * full).sum()) / (n * days)
        rows.append(row)
        given += float(plan.safe.verdict.share or 0.0) / days
        if verdict.lead == "learned":
            led, first = led + 1, first or day
        if day + 1 >= DELAY:
            known = rows[: day + 2 - DELAY]
            evidence = SafetyEvidence(
                **{k: np.concatenate([r[k] for r in known]) for k in known[0]}
            )
            verdict = replace(decide_lead(evidence, previous=verdict), share=None)
    return {"days_led": led, "first_day": first, "share": given, **money}


def main() -> None:
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--seeds", type=int, default=10)
    ask.add_argument("--days", type=int, default=40)
    ask.add_argument("--customers", type=int, default=1000)
    ask.add_argument("--quick", action="store_true", help="3 seeds, 20 days")
    ask.add_argument("--out", type=Path)
    given = ask.parse_args()
    seeds, days = (3, 20) if given.quick else (given.seeds, given.days)
    results = {}
    print(f"{'scores':10s} ever led  days led  first  share   plan  learned constant incumbent")
    for world in WORLDS:
        begin = time.perf_counter()
        found = pd.DataFrame([run(world, s, days, given.customers) for s in range(seeds)])
        ever = found["days_led"] > 0
        mean = found.mean()
        first = found.loc[ever, "first_day"].median() if ever.any() else float("nan")
        print(
            f"{world:10s} {int(ever.sum()):3d}/{seeds:<3d}  {mean['days_led']:8.1f} {first:6.0f}"
            f"  {mean['share']:.2f} {mean['plan']:7.3f} {mean['learned']:8.3f} "
            f"{mean['constant']:8.3f} {mean['incumbent']:8.3f} "
            f"  ({time.perf_counter() - begin:.0f} s)",
            flush=True,
        )
        results[world] = found.to_dict(orient="list")
    if given.out:
        told = {"days": days, "customers": given.customers, "worlds": results}
        given.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
