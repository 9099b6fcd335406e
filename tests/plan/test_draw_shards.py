"""The draw in shards, on threads, and its order of customers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import capacity, make_batch
from test_draw_rounding import some_tree

from contactopt.config import PoolConfig
from contactopt.plan import draw, rank
from contactopt.plan.draw import build_tree
from contactopt.plan.draw_shards import merge_shards, round_shard, shard
from contactopt.policy import ContactPolicy

UNIT = 1 << 36


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 80),
    m=st.integers(1, 8),
    buckets=st.integers(1, 70),
    shards=st.integers(1, 80),
)
def test_shards_and_threads_change_nothing(seed, n, m, buckets, shards):
    rng = np.random.default_rng(seed)
    p, tree = some_tree(rng, n, m, buckets) if n else (np.zeros((0, m + 1), np.int64), None)
    if tree is None:
        assert draw(p, some_tree(rng, 1, m, 1)[1], seed).shape == (0,)
        return
    one = draw(p, tree, seed)
    np.testing.assert_array_equal(draw(p, tree, seed, n_shards=shards), one)
    np.testing.assert_array_equal(draw(p, tree, seed, n_threads=3), one)


def test_a_shard_sees_its_own_customers_alone_and_merges_in_any_order():
    plan = rank(make_batch(300, seed=2), capacity=capacity(300))
    p = plan.allocation.probabilities
    tree = build_tree(plan.batch, plan.cells, plan.rows, p, plan.allocation.expected_use)
    parts = [shard(p, tree, k, 4) for k in range(4)]
    everybody = np.sort(np.concatenate([part.customers for part in parts]))
    np.testing.assert_array_equal(everybody, np.arange(300))
    for part in parts:
        np.testing.assert_array_equal(part.probabilities, p[part.customers])
    rounded = [round_shard(part, 5) for part in parts]
    # little crosses over: fewer open edges per bucket than nodes
    assert max(len(r.left) for r in rounded) <= 16 * 2 * len(tree.above)
    arm = merge_shards(rounded[::-1], tree, 5)
    np.testing.assert_array_equal(arm, draw(p, tree, 5))


def two_pools(n: int):
    """Return a plan that explores much, with minutes and money, both binding."""
    batch = make_batch(n, seed=1, minutes=True)
    price = np.random.default_rng(2).choice([0.02, 0.05, 0.11], n)
    sms = np.array([a.channel == "sms" for a in batch.actions])
    usage = np.where(sms[None, :], price[:, None], batch.usage)
    days = ("2026-06-02", "2026-06-03")
    rows = [("call_agent", d, None, 0.8 * n) for d in days]
    rows += [("call_agent", d, h, 0.1 * n) for d in days for h in range(24)]
    rows += [("sms", d, None, 0.006 * n) for d in days]
    table = pd.DataFrame(rows, columns=["pool", "date", "hour", "units"])
    policy = ContactPolicy(exploration_share=0.3, tau_learn=0.1)
    pools = {"call_agent": PoolConfig(unit="minutes"), "sms": PoolConfig(unit="money")}
    return rank(replace(batch, usage=usage), capacity=table, policy=policy, pools=pools)


def strayed(plan, seeds: int, **how) -> np.ndarray:
    """Return units used less expected, shape (seeds, rows)."""
    p, found = plan.allocation.probabilities, []
    tree = build_tree(plan.batch, plan.cells, plan.rows, p, plan.allocation.expected_use, **how)
    cover, m = plan.rows.table.cover, p.shape[1] - 1
    for s in range(seeds):
        arm = draw(p, tree, s)
        who = np.flatnonzero(arm < m)
        cell = plan.cells.cell[who, arm[who]]
        used = np.bincount(
            cell, weights=plan.batch.usage[who, arm[who]], minlength=cover.shape[1] + 1
        )
        found.append(cover @ used[:-1] - plan.allocation.expected_use)
    return np.array(found)


def test_minutes_and_money_both_stay_within_their_units():
    plan = two_pools(3000)
    weighted = ~plan.rows.counting
    assert weighted.sum() >= 4
    new, old = strayed(plan, 60), strayed(plan, 60, order=1)
    beyond = new + plan.allocation.expected_use > plan.rows.table.units * (1 + 1e-9)
    assert not beyond[:, weighted].any()
    # by one row's use alone the other pool strays several times as far
    spread = new.std(axis=0)[weighted] / plan.rows.table.units[weighted]
    before = old.std(axis=0)[weighted] / plan.rows.table.units[weighted]
    assert (before / np.maximum(spread, 1e-12)).max() > 2.0


def test_the_order_of_the_first_logs_is_kept_for_their_replay():
    plan = two_pools(200)
    p, m = plan.allocation.probabilities, len(plan.batch.actions)
    tree = build_tree(plan.batch, plan.cells, plan.rows, p, plan.allocation.expected_use, order=1)
    weighted = np.flatnonzero(~plan.rows.counting & (plan.rows.limit > 0))
    share = (plan.allocation.expected_use / plan.rows.limit)[weighted]
    inside = np.append(plan.rows.table.cover[weighted[share.argmax()]], [False, False])
    part = np.where(inside[plan.cells.cell], p[:, :m] / UNIT, 0.0)
    use = (part * plan.batch.usage).sum(axis=1) / np.maximum(part.sum(axis=1), 1e-300)
    assert (np.diff(use[tree.order]) >= 0).all()


def test_equal_uses_are_equal_whatever_the_rounding_of_their_sums():
    batch = make_batch(400, seed=3, minutes=True)
    agent = np.array([a.channel == "call_agent" for a in batch.actions])
    usage = np.where(agent[None, :], np.where(np.arange(400) % 2, 7.1, 3.3)[:, None], 1.0)
    table = capacity(400)
    table.loc[table["pool"] == "call_agent", "units"] *= 5.0
    plan = rank(replace(batch, usage=usage), capacity=table)
    tree = build_tree(
        plan.batch, plan.cells, plan.rows, plan.allocation.probabilities,
        plan.allocation.expected_use,
    )  # fmt: skip
    calls = plan.allocation.probabilities[:, :-1][:, agent]
    some = np.asarray((calls > 0).any(axis=1))[tree.order]
    minutes = np.where(np.arange(400) % 2, 7.1, 3.3)[tree.order][some]
    assert (np.diff(minutes) >= 0).all()
    for same in (3.3, 7.1):  # among equals the id hash decides
        key = tree.key[tree.order][some][minutes == same]
        assert (np.diff(key.astype(float)) >= 0).all()


@pytest.mark.parametrize("n", [0, 1])
def test_empty_and_single_batches_are_drawn(n):
    plan = rank(make_batch(n), capacity=capacity(1))
    assert plan.drawn.shape == (n,)
