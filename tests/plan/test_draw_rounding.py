"""The draw: equal to its slow twin, rows never exceeded, probabilities exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import draw_oracle
from scipy.stats import chi2, kstest
from scored import capacity, make_batch

from contactopt.errors import ConfigError
from contactopt.plan import DrawTree, draw, rank
from contactopt.plan.draw import build_tree, seed_of
from contactopt.plan.prices.capacity_rows import check_nested
from contactopt.policy import ContactPolicy

UNIT = 1 << 36


def some_tree(rng, n: int, m: int, buckets: int):
    """Return random probabilities and a random two-level tree over at most m cells."""
    weight = rng.gamma(0.3, size=(n, m + 1)) * (rng.random((n, m + 1)) < 0.7)
    weight[:, -1] += 1e-3
    p = np.floor(weight / weight.sum(axis=1, keepdims=True) * UNIT).astype(np.int64)
    p[np.arange(n), p.argmax(axis=1)] += UNIT - p.sum(axis=1)
    n_cells = int(rng.integers(1, m + 1))
    rows = int(rng.integers(0, 3))
    root = n_cells + 1 + rows
    above = np.full(root + 1, root, dtype=np.int64)
    above[root] = -1
    if rows:
        above[:n_cells] = n_cells + 1 + rng.integers(0, rows, n_cells)
    return p, DrawTree(
        cell=rng.integers(0, n_cells + 1, (n, m)).astype(np.int16),
        free=n_cells,
        above=above,
        order=rng.permutation(n).astype(np.int64),
        edges=np.linspace(0, n, buckets + 1).astype(np.int64),
        key=rng.integers(0, 2**63, n).astype(np.uint64),
    )


def node_counts(p, tree, arm=None):
    """Return the flow through each node: expected (times UNIT) or drawn."""
    node = np.column_stack([tree.cell, np.full(len(p), tree.free)])
    total = np.zeros(len(tree.above), dtype=object)
    for i in range(len(p)):
        if arm is None:
            for j, x in enumerate(p[i]):
                total[node[i, j]] += int(x)
        else:
            total[node[i, arm[i]]] += 1
    for v in range(len(tree.above) - 1):
        total[tree.above[v]] += total[v]
    return total


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    p, tree = some_tree(rng, n=int(rng.integers(1, 40)), m=5, buckets=int(rng.integers(1, 5)))
    number = int(rng.integers(0, 2**62))
    np.testing.assert_array_equal(draw(p, tree, number), draw_oracle.draw(p, tree, number))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 60), m=st.integers(1, 8))
def test_every_node_is_at_floor_or_ceiling_and_nobody_gets_what_is_masked(seed, n, m):
    rng = np.random.default_rng(seed)
    p, tree = some_tree(rng, n, m, buckets=3)
    arm = draw(p, tree, seed)
    assert (p[np.arange(n), arm] > 0).all()
    for expected, got in zip(node_counts(p, tree), node_counts(p, tree, arm), strict=True):
        assert expected // UNIT <= got <= -(-expected // UNIT)


def test_certain_customers_get_their_action_for_every_seed():
    p = np.array([[UNIT, 0, 0], [0, 0, UNIT], [0, UNIT, 0]])
    cell = np.zeros((3, 2), dtype=np.int16)
    tree = DrawTree(cell, 1, np.array([2, 2, -1]), np.arange(3), np.array([0, 3]),
                    np.arange(3).astype(np.uint64))  # fmt: skip
    for seed in range(20):
        np.testing.assert_array_equal(draw(p, tree, seed), [0, 2, 1])


def drawn_counts(plan, seeds: int):
    tree = build_tree(
        plan.batch, plan.cells, plan.rows, plan.allocation.probabilities,
        plan.allocation.expected_use,
    )  # fmt: skip
    n, m = plan.batch.allowed.shape
    counts = np.zeros((n, m + 1), dtype=np.int64)
    for s in range(seeds):
        arm = draw(plan.allocation.probabilities, tree, seed_of(s, plan.batch_id))
        counts[np.arange(n), arm] += 1
    return counts


def chi_square_p(counts, p, seeds: int) -> np.ndarray:
    """Return one p-value per customer, cells with expected count < 10 pooled."""
    found = []
    for seen, share in zip(counts, p, strict=True):
        expected = share * seeds
        big = expected >= 10
        e = np.append(expected[big], expected[~big].sum())
        o = np.append(seen[big], seen[~big].sum())
        if e[-1] < 10:  # a pool that is itself small joins the smallest big cell
            k = int(np.argmin(e[:-1]))
            e[k], o[k] = e[k] + e[-1], o[k] + o[-1]
            e, o = e[:-1], o[:-1]
        if len(e) > 1:
            found.append(chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1))
    return np.array(found)


def test_logged_probabilities_are_those_of_the_draw():
    seeds = 1500
    batch = make_batch(120, seed=4)
    policy = ContactPolicy(exploration_share=0.6, tau_learn=0.3, floor=0.005)
    plan = rank(batch, capacity=capacity(120), policy=policy)
    p = plan.allocation.probabilities / UNIT
    counts = drawn_counts(plan, seeds)
    assert kstest(chi_square_p(counts, p, seeds), "uniform").pvalue > 0.001
    expected = p * seeds
    big = (expected >= 100) & (p < 1)
    z = (counts - expected)[big] / np.sqrt(expected * (1 - p))[big]
    assert np.abs(z).max() < 5.5
    assert 0.85 < (z**2).mean() < 1.15


def test_any_order_of_customers_gives_the_same_draw():
    plan = rank(make_batch(150, seed=2), capacity=capacity(150))
    p = plan.allocation.probabilities
    tree = build_tree(plan.batch, plan.cells, plan.rows, p, plan.allocation.expected_use)
    shuffle = np.random.default_rng(0).permutation(150)
    place = np.argsort(shuffle)
    moved = replace(
        tree, cell=np.ascontiguousarray(tree.cell[shuffle]), key=tree.key[shuffle],
        order=place[tree.order],
    )  # fmt: skip
    again = draw(np.ascontiguousarray(p[shuffle]), moved, seed_of(0, plan.batch_id))
    np.testing.assert_array_equal(again, plan.drawn[shuffle])


def test_minutes_stay_within_their_units():
    batch = make_batch(3000, minutes=True, seed=1)
    table = capacity(3000, per_hour=False)
    table.loc[table["pool"] == "call_agent", "units"] = 1500.0
    plan = rank(batch, capacity=table)
    k = plan.rows.table.label.index("call_agent 2026-06-02")
    assert not plan.rows.counting[k]
    assert plan.allocation.row_prices[k] > 0
    p = plan.allocation.probabilities
    tree = build_tree(plan.batch, plan.cells, plan.rows, p, plan.allocation.expected_use)
    inside = plan.cells.rows.cover[k]
    use = []
    for s in range(50):
        arm = draw(p, tree, s)
        row = np.flatnonzero(arm < len(batch.actions))
        cell = plan.cells.cell[row, arm[row]]
        use.append(batch.usage[row, arm[row]][np.append(inside, False)[cell]].sum())
    assert max(use) <= 1500.0
    assert np.mean(use) == pytest.approx(plan.allocation.expected_use[k], abs=4.0)


def test_crossing_rows_are_refused():
    cover = np.array([[True, True, False], [False, True, True]])
    with pytest.raises(ConfigError, match="cross"):
        check_nested(cover, ("a", "b"))
    check_nested(np.array([[True, True, False], [False, True, False]]), ("a", "b"))
