"""Do the logged probabilities equal the frequencies of the draw? One command, a minute or two.

    python benchmarks/check_draw.py [--seeds 40000] [--customers 200] [--seed 0] [--out FILE]

Draws one plan under many seeds and prints

- the Kolmogorov-Smirnov p-value of the per-customer chi-square p-values against uniform (cells with
  expected count < 10 pooled within the customer);
- mean z^2 of the cells with expected count >= 100, z = (count - S p) / sqrt(S p (1 - p)). Draws
  under different seeds are independent, so that a cell's count is binomial and E z^2 = 1 exactly,
  however the cells of one draw depend on each other. Their dependence (a customer's cells add up to
  one, rows are full) decides how far the mean strays: its variance is 2 sum rho^2 / N^2 over all
  pairs of N cells. sum rho^2 is estimated without bias from blocks of seeds: for two independent
  blocks E (z_a'z_b)^2 = sum rho^2. The mean over blocks is a second, sharper look at the same;
- whether every counting row was at the whole number below or above its expectation on every seed,
  and how far rows of minutes and money strayed beside the margin held back for them;
- whether permuted rows, and 1 or 4 shards that see their own customers alone, give the same draw.

Exit code 1 if KS p <= 0.001, mean z^2 outside 0.9-1.1 or more than four of its standard errors
from 1, |z| > 5.5, a row was off, a masked action was drawn or a draw differed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2, kstest

import contactopt as co
from contactopt.config import PoolConfig
from contactopt.plan.draw import build_tree, draw, seed_of

CHANNELS = ("call_agent", "sms", "whatsapp", "email")
HOURS = (13, 15, 17, 19)
POOLS = {"call_agent": PoolConfig(unit="minutes"), "whatsapp": PoolConfig(unit="money")}
UNIT = 1 << 36
_BLOCKS = 40


def scores(n: int, seed: int) -> pd.DataFrame:
    """Make scores of customers who differ in value, uncertainty, minutes, and what is allowed."""
    rng = np.random.default_rng(20_260_602 + seed)
    rows = [(f"C-{k:04d}", c, h) for k in range(n) for c in CHANNELS for h in HOURS]
    frame = pd.DataFrame(rows, columns=["customer_id", "channel", "slot_local_hour"])
    frame["action_id"] = frame["channel"] + "@" + frame["slot_local_hour"].astype(str)
    frame["allowed"] = rng.random(len(frame)) < 0.7
    frame["reasons"] = np.where(frame["allowed"], "", "example.blocked")
    per = len(CHANNELS) * len(HOURS)
    money = np.repeat(rng.lognormal(1.5, 1.0, n), per)
    frame["value"] = money * rng.normal(0.4, 0.5, len(frame))
    frame["spread"] = money * 0.4
    frame["cost"] = 0.0
    minutes = np.repeat(rng.uniform(3.0, 12.0, n), per)
    price = np.repeat(rng.choice([0.02, 0.05, 0.11], n), per)
    channel = frame["channel"]
    frame["usage"] = np.where(
        channel == "call_agent", minutes, np.where(channel == "whatsapp", price, 1.0)
    )
    day = pd.Timestamp("2026-06-02", tz="UTC")
    frame["slot_start"] = day + pd.to_timedelta(frame["slot_local_hour"], unit="h")
    frame["start_before"] = frame["slot_start"] + pd.Timedelta(minutes=55)
    frame["time_zone"] = "UTC"
    return frame


def capacity(n: int) -> pd.DataFrame:
    """Limit agent minutes and message money by day, texts and mails by day and by hour."""
    day = "2026-06-02"
    rows = [("call_agent", day, None, 1.2 * n), ("whatsapp", day, None, 0.012 * n)]
    rows += [("sms", day, None, n // 5), ("email", day, None, n // 4)]
    rows += [("sms", day, h, n // 16) for h in HOURS]
    rows += [("email", day, h, n // 10) for h in HOURS[:2]]
    return pd.DataFrame(rows, columns=["pool", "date", "hour", "units"])


def ranked(n: int, seed: int, *, shuffled: bool = False) -> co.ContactPlan:
    """Rank; explore much, so that many cells have counts worth testing."""
    frame = scores(n, seed)
    if shuffled:
        frame = frame.sample(frac=1.0, random_state=1)
    batch = co.ScoredBatch.from_frame(frame, as_of="2026-06-02T12:00Z", currency="USD")
    policy = co.ContactPolicy(exploration_share=0.5, tau_learn=0.2, floor=0.002)
    return co.rank(batch, policy=policy, capacity=capacity(n), pools=POOLS, batch_id="check")


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
            small = int(np.argmin(e))
            e[small] += rest[0]
            o[small] += rest[1]
        if len(e) > 1:
            found.append(chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1))
    return np.array(found)


def draw_all(plan: co.ContactPlan, seeds: int) -> dict:
    """Draw under every seed; return counts by block of seeds, and what rows did."""
    whole, rows = plan.allocation.probabilities, plan.rows
    tree = build_tree(plan.batch, plan.cells, rows, whole, plan.allocation.expected_use)
    n, m = plan.batch.allowed.shape
    per = seeds // _BLOCKS
    counts = np.zeros((_BLOCKS, n, m + 1), dtype=np.int64)
    low, high = _whole_numbers(plan)
    off, excess = 0, np.full(len(rows.table), -np.inf)
    beyond = np.zeros(len(rows.table), dtype=np.int64)
    for s in range(per * _BLOCKS):
        arm = draw(whole, tree, seed_of(s, plan.batch_id))
        counts[s // per, np.arange(n), arm] += 1
        who = np.flatnonzero(arm < m)
        cell, used = plan.cells.cell[who, arm[who]], plan.batch.usage[who, arm[who]]
        size = rows.table.cover.shape[1] + 1
        contacts = rows.table.cover @ np.bincount(cell, minlength=size)[:-1]
        units = rows.table.cover @ np.bincount(cell, weights=used, minlength=size)[:-1]
        off += int(((contacts < low) | (contacts > high))[rows.counting].sum())
        excess = np.maximum(excess, units - plan.allocation.expected_use)
        beyond += units > rows.table.units * (1 + 1e-9)
    return {"counts": counts, "off": off, "excess": excess, "beyond": beyond, "tree": tree}


def _whole_numbers(plan: co.ContactPlan) -> tuple[np.ndarray, np.ndarray]:
    """Return the whole numbers below and above each row's expected contacts, exactly."""
    whole, m = plan.allocation.probabilities, plan.batch.allowed.shape[1]
    inside = np.column_stack([plan.rows.table.cover, np.zeros((len(plan.rows.table), 2), bool)])
    expected = [int(whole[:, :m][own[plan.cells.cell]].sum()) for own in inside]
    return np.array([x // UNIT for x in expected]), np.array([-(-x // UNIT) for x in expected])


def z_squares(counts: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Return mean z^2 with its standard error, from all seeds and from blocks of seeds."""
    blocks, seeds = len(counts), counts.sum(axis=(0, 2))[0]
    many = (p * seeds >= 100) & (p < 1)
    share = p[many]

    def z(seen: np.ndarray, size: float) -> np.ndarray:
        return (seen[many] - size * share) / np.sqrt(size * share * (1 - share))

    total = z(counts.sum(axis=0), seeds)
    each = np.array([z(own, seeds / blocks) for own in counts])
    products = each @ each.T
    pairs = products[np.triu_indices(blocks, 1)]
    by_block = (each**2).mean(axis=1)
    return {
        "cells": int(many.sum()),
        "mean_z2": float((total**2).mean()),
        "standard_error": float(np.sqrt(2.0 * np.mean(pairs**2)) / many.sum()),
        "mean_z2_of_blocks": float(by_block.mean()),
        "standard_error_of_blocks": float(by_block.std(ddof=1) / np.sqrt(blocks)),
        "largest_z": float(np.abs(total).max()),
    }


def same_draws(plan: co.ContactPlan, tree, n: int, seed: int, tries: int = 50) -> dict[str, bool]:
    """Tell whether permuted rows and 4 shards give the draws of sorted rows and 1 shard."""
    whole = plan.allocation.probabilities
    other = ranked(n, seed, shuffled=True)
    moved = build_tree(
        other.batch, other.cells, other.rows, other.allocation.probabilities,
        other.allocation.expected_use,
    )  # fmt: skip
    permuted = shards = threads = True
    for s in range(tries):
        one = draw(whole, tree, s)
        permuted &= np.array_equal(one, draw(other.allocation.probabilities, moved, s))
        shards &= np.array_equal(one, draw(whole, tree, s, n_shards=4))
        threads &= np.array_equal(one, draw(whole, tree, s, n_threads=2))
    return {"permuted_rows": permuted, "four_shards": shards, "two_threads": threads}


def main() -> int:
    """Draw, compare, print, judge."""
    parser = argparse.ArgumentParser(description="check the draw")
    parser.add_argument("--seeds", type=int, default=40_000)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the scores")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    began = time.process_time()
    plan = ranked(given.customers, given.seed)
    seen = draw_all(plan, given.seeds)
    counts, whole = seen["counts"], plan.allocation.probabilities
    p, n, m = whole / UNIT, *plan.batch.allowed.shape
    seeds = int(counts[:, 0].sum())
    chi = chi_square_p(counts.sum(axis=0), p, seeds)
    found = {
        "customers": n, "actions": m, "rows": len(plan.rows.table), "seeds": seeds,
        "customers_tested": len(chi), "ks_p": float(kstest(chi, "uniform").pvalue),
        **z_squares(counts, p),
        "masked_drawn": int(counts.sum(axis=0)[whole == 0].sum()),
        "counting_rows": int(plan.rows.counting.sum()), "counting_rows_off": seen["off"],
        "same": same_draws(plan, seen["tree"], given.customers, given.seed),
        "weighted_rows": [
            {
                "row": plan.rows.table.label[k], "unit": plan.rows.table.unit[k],
                "units": plan.rows.table.units[k], "margin": plan.rows.margin[k],
                "expected": plan.allocation.expected_use[k],
                "most_above_expectation": seen["excess"][k],
                "share_of_draws_beyond_units": seen["beyond"][k] / seeds,
            }
            for k in np.flatnonzero(~plan.rows.counting)
        ],
        "cpu_seconds": time.process_time() - began,
    }  # fmt: skip
    off_by = abs(found["mean_z2"] - 1.0) / found["standard_error"]
    print(f"customers {n}, actions {m} and wait, rows {found['rows']}, seeds {seeds:,}")
    print(
        f"chi-square p-values of {len(chi)} customers, KS against uniform: p = {found['ks_p']:.4f}"
    )
    print(
        f"{found['cells']} cells with expected count >= 100: mean z^2 {found['mean_z2']:.3f}, "
        f"standard error {found['standard_error']:.3f}; over {_BLOCKS} blocks of seeds "
        f"{found['mean_z2_of_blocks']:.4f} ({found['standard_error_of_blocks']:.4f}); "
        f"largest |z| {found['largest_z']:.2f}"
    )
    print(
        f"{found['counting_rows']} counting rows off floor and ceiling: "
        f"{found['counting_rows_off']} times; masked actions drawn: {found['masked_drawn']}"
    )
    for row in found["weighted_rows"]:
        print(
            f"{row['row']}: {row['units']:.2f} {row['unit']}, margin {row['margin']:.2f}; at most"
            f" {row['most_above_expectation']:.2f} above its expectation, beyond its units in "
            f"{row['share_of_draws_beyond_units']:.2%} of the draws"
        )
    print("same draw:", ", ".join(f"{k} {v}" for k, v in found["same"].items()))
    good = (
        found["ks_p"] > 0.001
        and 0.9 <= found["mean_z2"] <= 1.1
        and off_by <= 4
        and found["largest_z"] <= 5.5
        and found["counting_rows_off"] == 0
        and found["masked_drawn"] == 0
        and all(found["same"].values())
    )
    print(f"{'ok' if good else 'FAILED'} ({found['cpu_seconds']:.0f} s of CPU)")
    if given.out:
        given.out.write_text(json.dumps(found, indent=1, default=float) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
