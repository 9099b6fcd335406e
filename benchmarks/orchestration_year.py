"""A year of simulated days under the orchestrated policy, against the same policy without it.

    python benchmarks/orchestration_year.py [--customers 200] [--days 365] [--seeds 2]
                                            [--workers 2] [--out FILE]

Each world runs 30 days under its incumbent, then two copies of it are stepped day by day by plans
of a fitted strategy (fitted anew every 60 days): one with orchestration, one with law alone. Law,
capacities, seeds and the world's own chances are the same. The journal is then read touch by
touch for what must never happen, touches per resolved debt are counted, and the difference in
money (payments less cost of contacts, per customer, paired) is printed with its interval whatever
its sign. Worlds and arms are independent: each runs in a process of its own, `--workers` at a
time; progress goes to stderr. All figures are *simulated*.
Requirements 003-13 to 003-18, 003-15 first.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

WARM_UP_DAYS, REFIT_DAYS, GRACE_DAYS, PATIENCE_DAYS = 30, 60, 3, 3
NOBODY = {
    "no_answer", "busy", "voicemail", "unreachable", "blocked", "invalid", "bounced",
    "undelivered", "wrong_number",
}  # fmt: skip
PROOFS = {"invalid", "bounced", "wrong_number"}
TURNS = {
    "promise_grace_days": GRACE_DAYS,
    "single_active_channel": True,
    "patience_days": PATIENCE_DAYS,
    "fallback_chains": {"email": "letter"},
    "futility_attempts": 4,
    "futility_rest_days": 14,
}
LAW_ONLY = {
    "promise_grace_days": 0,
    "outcome_silence_days": 0,
    "callback_days": 0,
    "one_attempt_per_day": False,
    "quiet_after_contact": False,
    "futility_attempts": 0,
    "template_rest_days": 0,
}
ARMS = {"orchestrated": TURNS, "law alone": LAW_ONLY}


# ---- what must never happen, read touch by touch -------------------------------------------------


def audit(tables: dict[str, pd.DataFrame], since: pd.Timestamp) -> Counter[str]:
    """Count contacts since an instant that break an invariant, from the raw tables alone."""
    zones = tables["customers"].set_index("customer_id")["time_zone"].fillna("UTC")
    owner = tables["debts"].set_index("debt_id")["customer_id"]
    promises = tables["promises"].assign(customer_id=tables["promises"]["debt_id"].map(owner))
    made = dict(iter(promises.groupby("customer_id")))
    touches = tables["touches"].sort_values(["customer_id", "started_at", "touch_id"])
    found: Counter[str] = Counter()
    for customer, own in touches.groupby("customer_id"):
        zone = ZoneInfo(str(zones[customer]))
        _read_one(own, made.get(customer), zone, since, found)
    return found


def _read_one(own, promises, zone: ZoneInfo, since: pd.Timestamp, found: Counter[str]) -> None:
    earlier: list = []
    heard: list = []
    dead: dict[str, pd.Timestamp] = {}
    for t in own.itertuples():
        day = t.started_at.astimezone(zone).date()
        if t.direction != "inbound" and t.channel != "portal":
            if t.started_at >= since:
                found["contacts"] += 1
                found["in promise silence"] += _silenced(promises, t.started_at, day, zone)
                found["second attempt on one day"] += _second(t, day, earlier, heard)
                found["to a dead point"] += t.contact_point_id in dead
                found["by another channel"] += _other_channel(t, day, earlier)
            earlier.append((day, t))
            if t.outcome in PROOFS and pd.notna(t.contact_point_id):
                dead.setdefault(t.contact_point_id, t.started_at)
        if t.outcome not in NOBODY | {"delivered", "opened", "unknown", "third_party"}:
            heard.append(day)


def _silenced(promises, when: pd.Timestamp, day, zone: ZoneInfo) -> bool:
    if promises is None:
        return False
    for p in promises.itertuples():
        due = p.due_at.astimezone(zone).date()
        gone = pd.notna(p.cancelled_at) and p.cancelled_at <= when
        if p.made_at < when and not gone and day <= due + timedelta(days=GRACE_DAYS):
            return True
    return False


def _second(t, day, earlier: list, heard: list) -> bool:
    today = [e for d, e in earlier if d == day]
    failed_bots = all(e.channel == "call_bot" and e.outcome in NOBODY for e in today)
    escalates = t.channel == "call_agent" and failed_bots and day not in heard
    return bool(today) and not escalates


def _other_channel(t, day, earlier: list) -> bool:
    """Whether the latest attempt was by another channel whose patience is not over."""
    if not earlier:
        return False
    last_day, last = earlier[-1]
    if last.channel == t.channel or (day - last_day).days > PATIENCE_DAYS:
        return False
    pair = (last.channel, t.channel)
    follows = pair in (("call_bot", "call_agent"), ("email", "letter"))
    return not (follows and last.outcome in NOBODY)


# ---- stepping ------------------------------------------------------------------------------------


def attempts_of_today(plan: pd.DataFrame, today) -> pd.DataFrame:
    """Return the contacts that fall on the customer's local today, as the world takes them."""
    start = plan["slot_start"]
    local = [
        s.astimezone(ZoneInfo(z)).date() for s, z in zip(start, plan["time_zone"], strict=True)
    ]
    own = plan[np.array([d == today for d in local], dtype=bool)]
    names = ["customer_id", "channel", "slot_local_hour", "decision_id", "contact_point_id"]
    return own[names]


def run_year(world, turns: dict[str, object], n_days: int, seed: int, name: str = ""):
    """Step a world by the plans of a strategy; return the world."""
    import contactopt as co
    from contactopt.config import StrategyConfig
    from contactopt.simulation import capacity_table, strategy_mapping

    config = StrategyConfig.from_mapping(
        {**strategy_mapping("mixed"), "orchestration": turns, "random_state": seed}
    )
    strategy, began, since = co.ContactStrategy(config=config), time.monotonic(), world.as_of
    for k in range(n_days):
        portfolio, as_of = world.portfolio(), world.as_of
        if k % REFIT_DAYS == 0:
            strategy.fit(portfolio, as_of=as_of)
        capacity = capacity_table(portfolio.n_customers, as_of.date())
        plan = strategy.rank(portfolio, as_of=as_of, capacity=capacity, random_state=seed + k)
        world.step(world.day, attempts_of_today(plan.to_frame(), as_of.date()))
        if name and k % 10 == 9:
            spent = time.monotonic() - began
            so_far = dict(audit(world.portfolio().tables, since)) if k % 60 == 59 else ""
            print(f"{name}: day {k + 1}, {spent:.0f} s {so_far}", file=sys.stderr, flush=True)
    return world


def money(tables: dict[str, pd.DataFrame], since: pd.Timestamp) -> pd.Series:
    """Payments that count less cost of contacts, per customer, since an instant."""
    owner = tables["debts"].set_index("debt_id")["customer_id"]
    paid = tables["payments"]
    paid = paid[(paid["paid_at"] >= since) & paid["reversed_at"].isna()]
    paid = paid[paid["kind"].isna() | paid["kind"].isin(["voluntary", "direct_debit"])]
    got = paid.groupby(paid["debt_id"].map(owner))["amount"].sum()
    touches = tables["touches"]
    spent = touches[touches["started_at"] >= since].groupby("customer_id")["cost"].sum()
    ids = tables["customers"]["customer_id"]
    return got.reindex(ids).fillna(0.0) - spent.reindex(ids).fillna(0.0)


def resolved(tables: dict[str, pd.DataFrame], since: pd.Timestamp) -> int:
    """Debts that were in arrears at some time since, and were not any more at the end."""
    snapshots = tables["debt_snapshots"].sort_values("observed_at")
    later = snapshots[snapshots["observed_at"] >= since]
    late = set(later.loc[later["days_past_due"] > 0, "debt_id"])
    last = snapshots.groupby("debt_id").tail(1)
    over = last["status"].isin(["cured", "settled", "closed"]) | (last["days_past_due"] <= 0)
    return len(late & set(last.loc[over, "debt_id"]))


def run_arm(arm: str, n_customers: int, n_days: int, seed: int) -> dict[str, Any]:
    """Run one arm of one world and return what was counted."""
    from contactopt.simulation import World

    logging.getLogger("contactopt").setLevel(logging.ERROR)  # progress alone goes to stderr
    length = WARM_UP_DAYS + n_days
    world = World("mixed", n_customers=n_customers, random_state=seed, n_days=length)
    world.run(WARM_UP_DAYS)
    since = world.as_of
    tables = run_year(world, ARMS[arm], n_days, seed, name=f"{arm}, seed {seed}").portfolio().tables
    found = audit(tables, since)
    return {
        "arm": arm,
        "seed": seed,
        **found,
        "resolved debts": resolved(tables, since),
        "money": money(tables, since),
    }


def interval(difference: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean per customer with a 95 % bootstrap interval over customers."""
    rng = np.random.default_rng(seed)
    n = len(difference)
    means = np.array([difference[rng.integers(0, n, n)].mean() for _ in range(2_000)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(difference.mean()), float(low), float(high)


def main() -> None:
    """Run both arms of every world, print and keep what was counted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(run_arm, arm, args.customers, args.days, seed)
            for seed in range(args.seeds)
            for arm in ARMS
        ]
        runs = [job.result() for job in jobs]
    result: dict[str, Any] = {"customers": args.customers, "days": args.days, "seeds": args.seeds}
    for arm in ARMS:
        own = [run for run in runs if run["arm"] == arm]
        names = dict.fromkeys(k for run in own for k in run if k not in ("arm", "seed", "money"))
        total: dict[str, float] = {k: int(sum(run.get(k, 0) for run in own)) for k in names}
        total["contacts per resolved debt"] = round(
            total["contacts"] / max(total["resolved debts"], 1), 2
        )
        result[arm] = total
    paired = [
        next(r for r in runs if r["arm"] == "orchestrated" and r["seed"] == seed)["money"]
        - next(r for r in runs if r["arm"] == "law alone" and r["seed"] == seed)["money"]
        for seed in range(args.seeds)
    ]
    mean, low, high = interval(np.concatenate([gain.to_numpy() for gain in paired]))
    result["money per customer, orchestrated less law alone"] = {
        "mean": round(mean, 2), "low": round(low, 2), "high": round(high, 2),
    }  # fmt: skip
    result["seconds"] = round(time.monotonic() - began)
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
