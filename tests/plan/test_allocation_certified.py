"""The allocation is the linear programme at any size and minimum; blocks, samples, warm start."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from oracles import policy_oracle
from scored import capacity, make_batch

from contactopt.config import PoolConfig
from contactopt.errors import CapacityError, ContractError
from contactopt.plan import WarmStart, rank
from contactopt.plan.prices import blocks, budget, plain
from contactopt.plan.prices.capacity_rows import map_cells
from contactopt.plan.prices.capacity_table import capacity_table
from contactopt.plan.prices.dual import Solver
from contactopt.plan.prices.problem import build_problem
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import SOFTMAX

PLAIN = ContactPolicy(exploration=None, holdout_share=0.0)
KNOWN = {"call_agent", "sms", "email", "letter"}


def table_with_minima(n: int, rng: np.random.Generator, *, minutes: bool) -> pd.DataFrame:
    table = capacity(n)
    if minutes:
        table.loc[table["pool"] == "call_agent", "units"] *= 7.5
    whole_day = table["hour"].isna() & (table["date"] == "2026-06-02")
    share = rng.choice([0.0, 0.3, 0.9], len(table))
    return table.assign(min_units=np.where(whole_day, share * table["units"], 0.0))


def programme(batch, table) -> tuple[float | None, bool]:
    """Return the oracle's optimum under the limits that the library keeps; None if there is none.

    The second says whether even minima that are 0.3 % lower cannot be met.
    """
    cells = map_cells(batch, capacity_table(table, KNOWN), {})
    problem = build_problem(batch, cells)
    rows = problem.rows
    inside = np.column_stack([rows.table.cover, np.zeros((len(rows.table), 2), dtype=bool)])
    mask = batch.allowed & (cells.cell >= 0)
    too_much = np.zeros_like(mask)
    for own, limit, units in zip(inside, rows.limit, rows.table.units, strict=True):
        too_much |= own[cells.cell] & ((batch.usage > units) | (limit <= 0))
    mask &= ~too_much
    # limits leave a margin for the largest use of a row, which may just have been closed
    rows = build_problem(replace(batch, allowed=mask), cells).rows
    covers = [own[cells.cell] for own in inside]
    problem = (batch.value, mask, batch.usage, covers, rows.target)
    lower = np.maximum(rows.low * (1 - 3e-3) - 3e-3, 0.0)
    best = policy_oracle.plain_optimum(*problem, rows.low)
    return best, best is None and policy_oracle.plain_optimum(*problem, lower) is None


@settings(max_examples=30, deadline=None)
@example(seed=1064, n=78, minutes=False, shift=-2.0)  # steps crawl at the two smallest tau
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 120),
    minutes=st.booleans(),
    shift=st.sampled_from([0.0, -2.0, 5.0]),
)
def test_plain_plan_is_the_optimum_with_minimum_units_or_is_refused(seed, n, minutes, shift):
    rng = np.random.default_rng(seed)
    batch = make_batch(n, seed=seed, minutes=minutes, shift=shift)
    table = table_with_minima(n, rng, minutes=minutes)
    try:
        best, hopeless = programme(batch, table)
    except CapacityError:  # one row alone cannot be met
        best, hopeless = None, True
    if best is None:
        assume(hopeless)
        with pytest.raises(CapacityError, match="minimum"):
            rank(batch, capacity=table, policy=PLAIN)
        return
    try:
        plan = rank(batch, capacity=table, policy=PLAIN)
    except CapacityError:
        # closing what is larger than a row may make a minimum impossible
        assume(not minutes)
        raise
    found = plan.allocation
    scale = max(abs(best), float(np.abs(batch.value).mean()))
    assert found.greedy.bound >= best - 1e-6 * scale
    assert found.value <= best + 1e-5 * scale
    assert found.value >= best - 2e-5 * scale
    assert (found.expected_use <= plan.rows.limit * (1 + 1e-9)).all()
    assert (found.expected_use >= plan.rows.table.min_units * (1 - 2e-3) - 1e-3).all()


@pytest.mark.parametrize("n", [30, 500, 3000])
def test_small_batches_have_the_same_certified_gap_as_large_ones(n):
    plan = rank(make_batch(n, seed=n), capacity=capacity(n), policy=PLAIN)
    found = plan.allocation
    assert found.loss <= 5e-5 * found.greedy.bound
    assert found.passes <= 120


def test_minima_that_only_contradict_together_are_refused_by_name():
    batch = make_batch(60, seed=1)
    sms = [a.channel == "sms" for a in batch.actions]
    letter = [a.channel == "letter" for a in batch.actions]
    allowed = np.zeros_like(batch.allowed)
    allowed[:20, sms] = allowed[:20, letter] = True  # the same twenty customers
    rows = [("sms", "2026-06-02", 30.0, 15.0), ("letter", "2026-06-02", 30.0, 15.0)]
    table = pd.DataFrame(rows, columns=["pool", "date", "units", "min_units"])
    with pytest.raises(CapacityError, match="cannot be met together"):
        rank(replace(batch, allowed=allowed), capacity=table, policy=PLAIN)


def test_a_pool_without_rows_is_unlimited_and_no_table_at_all_is_too():
    batch = make_batch(200, seed=2)
    free = rank(batch, policy=PLAIN)
    best = np.where(batch.allowed, batch.value, -np.inf).max(axis=1)
    assert free.allocation.value == pytest.approx(np.maximum(best, 0).sum(), rel=1e-6)
    assert len(free.rows.table) == 0


def problem_of(n: int, seed: int = 0, *, minutes: bool = True):
    batch = make_batch(n, seed=seed, minutes=minutes)
    cells = map_cells(batch, capacity_table(capacity(n), KNOWN), {})
    return build_problem(batch, cells)


# ---- passes over active pairs --------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), tau=st.sampled_from([1e-2, 1e-3, 1e-5]))
def test_idle_pairs_change_nothing_wherever_prices_move(seed, tau):
    problem = problem_of(150, seed % 7)
    whole, narrow = Solver(problem), Solver(problem, narrow=True)
    rng = np.random.default_rng(seed)
    prices = rng.gamma(1.0, 2.0, whole.n_prices)
    for scale in (0.0, 0.01, 0.1, 1.0, 10.0):
        there = prices * rng.lognormal(0.0, scale, len(prices))
        a, b = whole.evaluate(SOFTMAX, tau, there), narrow.evaluate(SOFTMAX, tau, there)
        for name in ("value", "bound", "dual"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(a.gradient, b.gradient, rtol=1e-9, atol=1e-7)
        np.testing.assert_allclose(a.hessian, b.hessian, rtol=1e-6, atol=1e-6)
    assert narrow.passes < whole.passes + 6


# ---- blocks, threads, samples --------------------------------------------------------------------


@pytest.mark.parametrize("explores", [False, True])
def test_blocks_may_run_on_any_thread(monkeypatch, explores):
    monkeypatch.setattr(blocks, "_PAIRS", 900)
    policy = ContactPolicy() if explores else PLAIN
    batch, table = make_batch(700, seed=9, minutes=True), capacity(700)
    one = rank(batch, capacity=table, policy=policy, n_threads=1)
    three = rank(batch, capacity=table, policy=policy, n_threads=3)
    np.testing.assert_array_equal(one.allocation.probabilities, three.allocation.probabilities)
    np.testing.assert_array_equal(one.allocation.row_prices, three.allocation.row_prices)
    np.testing.assert_array_equal(one.drawn, three.drawn)
    assert one.allocation.value == three.allocation.value
    monkeypatch.undo()
    whole = rank(batch, capacity=table, policy=policy, n_threads=1)
    assert whole.allocation.value == pytest.approx(one.allocation.value, rel=1e-9)


def test_samples_lead_large_batches_to_the_same_plan(monkeypatch):
    batch, table = make_batch(4000, seed=3), capacity(4000)
    policy = ContactPolicy(tau_learn=1.0, exploration_share=0.08)
    direct = rank(batch, capacity=table, policy=policy).allocation
    monkeypatch.setattr(plain, "_SAMPLES", (300, 1000))
    monkeypatch.setattr(budget, "_SAMPLE", 1000)
    sampled = rank(batch, capacity=table, policy=policy).allocation
    assert sampled.greedy.gap <= 5e-5
    assert sampled.loss <= sampled.budget
    assert sampled.loss >= 0.9 * sampled.budget
    assert sampled.tau == pytest.approx(direct.tau, rel=0.03)
    assert sampled.value == pytest.approx(direct.value, rel=2e-3)


# ---- warm start ----------------------------------------------------------------------------------


def plans(share: float = 0.05):
    policy = ContactPolicy(tau_learn=1.0, exploration_share=share)
    batch, table = make_batch(3000, seed=4, minutes=True), capacity(3000)
    noise = np.random.default_rng(0).lognormal(0, 0.1, batch.value.shape)
    yesterday = rank(replace(batch, value=batch.value * noise), capacity=table, policy=policy)

    def today(start=None):
        return rank(batch, capacity=table, policy=policy, warm_start=start)

    return yesterday, today


def test_yesterdays_prices_save_passes_and_lead_to_the_same_plan():
    yesterday, today = plans()
    cold, warm = today().allocation, today(yesterday).allocation
    assert warm.passes <= 20
    assert warm.passes < cold.passes
    assert warm.value == pytest.approx(cold.value, rel=1e-3)
    assert warm.tau == pytest.approx(cold.tau, rel=0.03)
    assert 0.9 * warm.budget <= warm.loss <= warm.budget
    assert np.abs(warm.probabilities - cold.probabilities).max() / 2**36 < 0.02
    assert cold.start is None
    assert warm.start == WarmStart.of(yesterday)


def test_a_warm_start_is_logged_and_gives_the_same_bits_again(tmp_path):
    yesterday, today = plans()
    first = today(yesterday)
    row = first.batches().iloc[0]
    told = json.loads(row["search"])
    again = today(WarmStart.from_state(told["start"]))
    assert again.content_hash == first.content_hash
    assert again.batch_id == first.batch_id != today().batch_id
    assert WarmStart.from_log(row.to_dict()) == WarmStart.of(first)
    with pytest.raises(ContractError, match="no prices to start from"):
        WarmStart.from_log({"batch_id": "old"})


def test_useless_prices_cost_passes_but_not_the_plan():
    yesterday, today = plans()
    start = WarmStart.of(yesterday)
    rows = tuple((*r[:3], 1e4 * (k % 2), 1e4 * (k % 3)) for k, r in enumerate(start.rows))
    found = today(replace(start, rows=rows, tau=1e-9)).allocation
    cold = today().allocation
    assert found.value == pytest.approx(cold.value, rel=1e-3)
    assert found.greedy.gap <= 5e-5
    none = today(WarmStart((), tau=0.0, smoothing=1e-4)).allocation
    assert none.value == pytest.approx(cold.value, rel=1e-3)


def test_rows_of_the_next_day_are_matched_by_pool_hour_and_day_from_the_batch():
    batch, table = make_batch(500, seed=5), capacity(500)
    plan = rank(batch, capacity=table)
    start = WarmStart.of(plan)
    days = {(pool, day) for pool, day, *_ in start.rows}
    assert days == {("sms", 0), ("call_agent", 0)}
    hours = {hour for pool, _, hour, *_ in start.rows if pool == "call_agent"}
    assert -1 in hours
    assert max(hours) <= 23


def test_money_with_a_pace_is_kept_and_priced():  # 003-07
    batch = make_batch(800, seed=6)
    price = np.random.default_rng(0).choice([0.02, 0.05, 0.11], 800)
    sms = np.array([a.channel == "sms" for a in batch.actions])
    batch = replace(batch, usage=np.where(sms[None, :], price[:, None], 1.0))
    frame = pd.DataFrame(
        {"pool": ["sms"], "date": ["2026-06-01"], "until_date": ["2026-06-11"], "units": [20.0]}
    )
    plan = rank(batch, capacity=frame, pools={"sms": PoolConfig(unit="money")})
    k = plan.rows.table.label.index("sms 2026-06-02")
    assert plan.rows.table.units[k] == 2.0  # ten days remain
    assert plan.allocation.row_prices[k] > 0
    assert plan.used[k] <= 2.0
    prices = plan.shadow_prices.set_index("row").loc["sms 2026-06-02"]
    assert prices["price_at_110"] <= prices["price"] * (1 + 1e-3) <= prices["price_at_90"] * 1.01
