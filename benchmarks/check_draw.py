"""Do the logged probabilities equal the frequencies of the draw? One command, under a minute.

    python benchmarks/check_draw.py [--seeds 10000] [--customers 200]

Draws one plan of 200 customers under 10,000 seeds and prints: the Kolmogorov-Smirnov p-value of the
per-customer chi-square p-values against uniform (cells with expected count < 10 pooled within the
customer), the largest |z| of cells with expected count >= 100, mean z^2, and how often a counting
row was exceeded. Exit code 1 if KS p <= 0.001, |z| > 5.5 or any row was exceeded.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd
from scipy.stats import chi2, kstest

import contactopt as co
from contactopt.plan.draw import build_tree, draw, seed_of

CHANNELS = ("call_agent", "sms", "email")
HOURS = (13, 15, 17, 19)
UNIT = 1 << 36


def scores(n: int) -> co.ScoredBatch:
    """Make a batch whose customers differ in value, uncertainty and what is allowed."""
    rng = np.random.default_rng(20_260_602)
    rows = [(f"C-{k:04d}", c, h) for k in range(n) for c in CHANNELS for h in HOURS]
    frame = pd.DataFrame(rows, columns=["customer_id", "channel", "slot_local_hour"])
    frame["action_id"] = frame["channel"] + "@" + frame["slot_local_hour"].astype(str)
    frame["allowed"] = rng.random(len(frame)) < 0.7
    frame["reasons"] = np.where(frame["allowed"], "", "example.blocked")
    money = np.repeat(rng.lognormal(1.5, 1.0, n), len(CHANNELS) * len(HOURS))
    frame["value"] = money * rng.normal(0.4, 0.5, len(frame))
    frame["spread"] = money * 0.4
    frame["cost"] = 0.0
    day = pd.Timestamp("2026-06-02", tz="UTC")
    frame["slot_start"] = day + pd.to_timedelta(frame["slot_local_hour"], unit="h")
    frame["start_before"] = frame["slot_start"] + pd.Timedelta(minutes=55)
    frame["time_zone"] = "UTC"
    return co.ScoredBatch.from_frame(frame, as_of="2026-06-02T12:00Z", currency="USD")


def capacity(n: int) -> pd.DataFrame:
    """Limit agents by day and by hour, text messages by day."""
    day = "2026-06-02"
    rows = [("call_agent", day, None, n // 5), ("sms", day, None, n // 4)]
    rows += [("call_agent", day, h, n // 16) for h in HOURS]
    return pd.DataFrame(rows, columns=["pool", "date", "hour", "units"])


def chi_square_p(counts: np.ndarray, p: np.ndarray, seeds: int) -> np.ndarray:
    """Return one p-value per customer who has a choice."""
    found = []
    for seen, share in zip(counts, p, strict=True):
        expected = share * seeds
        big = expected >= 10
        e, o = expected[big], seen[big].astype(float)
        rest = expected[~big].sum(), seen[~big].sum()
        if rest[0] >= 10:
            e, o = np.append(e, rest[0]), np.append(o, rest[1])
        else:  # a pool too small for a cell of its own joins the smallest cell
            e[np.argmin(e)] += rest[0]
            o[np.argmin(expected[big])] += rest[1]
        if len(e) > 1:
            found.append(chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1))
    return np.array(found)


def main() -> int:
    """Draw, compare, print, judge."""
    parser = argparse.ArgumentParser(description="check the draw")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=200)
    given = parser.parse_args()
    # explore much, so that many cells have counts worth testing
    policy = co.ContactPolicy(exploration_share=0.5, tau_learn=0.2, floor=0.002)
    plan = co.rank(scores(given.customers), policy=policy, capacity=capacity(given.customers))
    whole = plan.allocation.probabilities
    tree = build_tree(plan.batch, plan.cells, plan.rows, whole, plan.allocation.expected_use)
    n, m = plan.batch.allowed.shape
    counts, over = np.zeros((n, m + 1), dtype=np.int64), 0
    inside = np.column_stack([plan.rows.table.cover, np.zeros((len(plan.rows.table), 2), bool)])
    for seed in range(given.seeds):
        arm = draw(whole, tree, seed_of(seed, plan.batch_id))
        counts[np.arange(n), arm] += 1
        acts = np.flatnonzero(arm < m)
        used = inside[:, plan.cells.cell[acts, arm[acts]]].sum(axis=1)
        over += int((used > plan.rows.limit).sum())
    p = whole / UNIT
    expected = p * given.seeds
    many = (expected >= 100) & (p < 1)
    z = (counts - expected)[many] / np.sqrt(expected * (1 - p))[many]
    chi = chi_square_p(counts, p, given.seeds)
    ks = float(kstest(chi, "uniform").pvalue)
    masked = int(counts[whole == 0].sum())
    print(f"customers {n}, actions {m} and wait, rows {len(plan.rows.table)}, seeds {given.seeds}")
    print(f"chi-square p-values of {len(chi)} customers, KS against uniform: p = {ks:.4f}")
    print(f"cells with expected count >= 100: {int(many.sum())}, largest |z| {np.abs(z).max():.2f}")
    print(f"mean z^2 {np.mean(z**2):.3f}; draws of a masked action {masked}; rows exceeded {over}")
    good = ks > 0.001 and np.abs(z).max() <= 5.5 and over == 0 and masked == 0
    print("ok" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
