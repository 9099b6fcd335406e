"""How fast is the last look? A million planned contacts judged again, one customer scored anew.

    python benchmarks/bench_recheck.py [--customers 1300000] [--touches 10] [--events 200] [--out F]

Recheck: random tables of `bench_rules` for so many customers, one lawful contact planned for
everybody who may be contacted, then `recheck` of the whole plan twenty minutes later, after some
customers complained, paid or were held: wall and CPU seconds, rows withdrawn by rule, peak memory.
Making the tables and the plan is not part of any figure; reading them into a journal is.

Event: a strategy is fitted on the demo portfolio (not part of the figure), then each of so many
customers gets an event (a dispute, a reply, a payment) and `strategy.on_event` scores the customer
anew: median and 95th percentile. The strategy's own work only: the portfolio is in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_rules import AS_OF, CONFIG, tables_of

import contactopt as co
from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.contracts.tables import TABLES
from contactopt.journal.terms import open_journal
from contactopt.plan import recheck

PART = 50_000
LATER = AS_OF + pd.Timedelta(minutes=20)
#: ids of one part's rows: made unique over parts by a prefix
IDS = ("debt_id", "contact_point_id", "touch_id", "hold_id")


def tables_of_parts(customers: int, touches: int) -> dict[str, pd.DataFrame]:
    """Return random tables of so many customers, made part by part."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for seed, start in enumerate(range(0, customers, PART)):
        made = tables_of(min(PART, customers - start), touches, seed)
        for name, frame in made.items():
            for column in frame.columns:
                if frame[column].dtype == object:
                    frame[column] = frame[column].astype("str")
                if column in IDS:
                    frame[column] = f"{seed:03d}" + frame[column]
            parts.setdefault(name, []).append(frame)
    out = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    for name in ("promises", "payments"):
        out[name] = pd.DataFrame({c: [] for c in TABLES[name].columns})
    return out


def planned(portfolio: Portfolio, config: StrategyConfig) -> pd.DataFrame:
    """Return a plan: one lawful contact, by lot, for everybody who has one."""
    rng, parts = np.random.default_rng(0), []
    rules = RuleBook.load(config.rules, AS_OF)
    arms = pd.DataFrame(
        [(a.action_id, a.channel, a.slot_local_hour) for a in config.action_space],
        columns=["action_id", "channel", "slot_local_hour"],
    )
    for block in portfolio.blocks(PART):
        view = open_journal(block, config).as_of(AS_OF)
        verdict = evaluate(view, rules=rules, config=config)
        who = np.flatnonzero(verdict.allowed.any(axis=1))
        lot = verdict.allowed[who] * rng.random((len(who), len(arms)))
        at = (who, lot.argmax(axis=1))
        debt, point = verdict.debt[at], verdict.contact_point[at]
        points = np.array([*view.points["contact_point_id"], None], dtype=object)
        parts.append(
            arms.iloc[at[1]].assign(
                decision_id="N" + pd.Series(view.customer_ids[who], dtype="str").to_numpy(),
                decided_at=AS_OF,
                customer_id=view.customer_ids[who],
                pool="all",
                slot_start=pd.DatetimeIndex(verdict.slot_start[at].view("M8[us]"), tz="UTC"),
                start_before=pd.DatetimeIndex(verdict.start_before[at].view("M8[us]"), tz="UTC"),
                contact_point_id=points[point],
                template_id=None,
                debt_id=view.debts["debt_id"].to_numpy(dtype=object)[debt],
                debt_ids=np.array(verdict.other_debts, dtype=object)[debt],
            )
        )
    plan = pd.concat(parts, ignore_index=True)
    text = ("decision_id", "customer_id", "contact_point_id", "template_id", "debt_id", "debt_ids")
    return plan.astype(dict.fromkeys(text, "str"))


def with_news(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables with holds on one customer in fifty since the plan."""
    who = tables["customers"]["customer_id"].iloc[::50]
    news = pd.DataFrame(
        {
            "hold_id": "NEW" + who,
            "customer_id": who,
            "kind": "dispute",
            "starts_at": AS_OF + pd.Timedelta(minutes=5),
        }
    )
    return {**tables, "holds": pd.concat([tables["holds"], news], ignore_index=True)}


def bench_recheck(customers: int, touches: int, workers: int) -> dict[str, Any]:
    """Return figures of one recheck of everybody's contact."""
    config = StrategyConfig.from_mapping(CONFIG)
    tables = tables_of_parts(customers, touches)
    plan = planned(Portfolio.from_frames(tables), config)
    portfolio = Portfolio.from_frames(with_news(tables))
    del tables
    rows = plan.iloc[:1000]
    recheck(rows, portfolio.subset(rows["customer_id"]), LATER, config=config)  # compiled, read
    load = os.getloadavg()[0]
    wall, cpu = time.perf_counter(), time.process_time()
    found = recheck(plan, portfolio, LATER, config=config, workers=workers)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    by_rule = Counter(r for reasons in found["reasons"] for r in reasons.split("|"))
    return {
        "rows": len(plan),
        "customers": customers,
        "touches": customers * touches,
        "workers": workers,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "wall_seconds_per_million_rows": round(wall / len(plan) * 1e6, 1),
        "withdrawn": len(found),
        "by_rule": dict(by_rule.most_common(5)),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "load_average": round(load, 1),
    }


def bench_events(customers: int, events: int) -> dict[str, Any]:
    """Return figures of scoring single customers anew after an event."""
    portfolio = co.datasets.load_demo(n_customers=customers, random_state=0)
    now = portfolio.latest_instant()
    config = StrategyConfig.from_mapping(CONFIG)
    strategy = co.ContactStrategy(config=config).fit(portfolio, as_of=now)
    debts = portfolio.tables["debts"].drop_duplicates("customer_id")
    debt = dict(zip(debts["customer_id"], debts["debt_id"], strict=True))
    ids = np.random.default_rng(0).permutation(list(debt))[: events + 5]
    wall, cpu = [], []
    load = os.getloadavg()[0]
    for k, who in enumerate(ids):
        at = now + pd.Timedelta(seconds=20 * k)
        rows = _event(k, str(who), debt[who], at)
        w, c = time.perf_counter(), time.process_time()
        strategy.on_event(portfolio, rows, as_of=at)
        wall.append(time.perf_counter() - w)
        cpu.append(time.process_time() - c)
    wall, cpu = (1000 * np.array(x[5:]) for x in (wall, cpu))
    return {
        "customers": customers,
        "events": len(wall),
        "cpu_ms_median": round(float(np.median(cpu)), 1),
        "cpu_ms_p95": round(float(np.quantile(cpu, 0.95)), 1),
        "wall_ms_median": round(float(np.median(wall)), 1),
        "wall_ms_p95": round(float(np.quantile(wall, 0.95)), 1),
        "load_average": round(load, 1),
    }


def _event(k: int, who: str, debt: str, at: pd.Timestamp) -> dict[str, list[dict[str, Any]]]:
    kinds: list[dict[str, list[dict[str, Any]]]] = [
        {"holds": [{"hold_id": "E", "customer_id": who, "kind": "dispute", "starts_at": at}]},
        {
            "touches": [
                {
                    "touch_id": "E", "customer_id": who, "channel": "whatsapp",
                    "direction": "inbound", "started_at": at, "outcome": "replied",
                }
            ]
        },
        {"payments": [{"payment_id": "E", "debt_id": debt, "paid_at": at, "amount": 20.0}]},
    ]  # fmt: skip
    return kinds[k % len(kinds)]


def main() -> None:
    """Run both and print the figures."""
    read = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    read.add_argument("--customers", type=int, default=1_300_000)
    read.add_argument("--touches", type=int, default=10)
    read.add_argument("--workers", type=int, default=2)
    read.add_argument("--events", type=int, default=200)
    read.add_argument("--demo", type=int, default=3_000)
    read.add_argument("--out", type=Path)
    said = read.parse_args()
    result: dict[str, Any] = {}
    if said.events:
        result["on_event"] = bench_events(said.demo, said.events)
    if said.customers:
        result["recheck"] = bench_recheck(said.customers, said.touches, said.workers)
    for name, figures in result.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:32} {value:,}" if isinstance(value, int) else f"  {key:32} {value}")
    if said.out:
        said.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
