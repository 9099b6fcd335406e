"""Prices of large batches with many tight rows: where a sample's prices lie far off the batch's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scored import make_batch

from contactopt.plan import WarmStart, rank
from contactopt.plan.prices.capacity_rows import map_cells
from contactopt.plan.prices.capacity_table import capacity_table
from contactopt.plan.prices.dual import Solver
from contactopt.plan.prices.plain import solve_plain
from contactopt.plan.prices.problem import build_problem
from contactopt.policy import ContactPolicy
from contactopt.policy.kernels import SOFTMAX

PLAIN = ContactPolicy(exploration=None, holdout_share=0.0)
CHANNELS = ("call_agent", "sms", "email", "whatsapp", "push")
HOURS = tuple(range(13, 22))
MINUTES_PER_CALL = 7.5


def tight_rows(n: int, seed: int) -> pd.DataFrame:
    """Return one row per channel and day, one per channel and hour: 50 rows of very uneven size."""
    rng = np.random.default_rng(seed)
    rows = []
    for channel in CHANNELS:
        day = rng.uniform(0.01, 0.12) * n
        day *= MINUTES_PER_CALL if channel == "call_agent" else 1.0
        share = rng.uniform(0.4, 1.4, len(HOURS)) / len(HOURS)
        rows += [
            (channel, None, day),
            *((channel, h, day * s) for h, s in zip(HOURS, share, strict=True)),
        ]
    frame = pd.DataFrame(rows, columns=["pool", "hour", "units"])
    return frame.assign(date="2026-06-02", hour=frame["hour"].astype("Int64"))


@pytest.fixture(scope="module")
def case():
    n = 40_000
    batch = make_batch(n, hours=HOURS, channels=CHANNELS, seed=3, minutes=True, letter=False)
    return batch, tight_rows(n, 3)


@pytest.fixture(scope="module")
def plan(case):
    batch, table = case
    return rank(batch, capacity=table, policy=PLAIN)


@pytest.fixture(scope="module")
def problem(case):
    batch, table = case
    return build_problem(batch, map_cells(batch, capacity_table(table, {*CHANNELS}), {}))


def test_the_gap_is_certified_where_little_smoothing_crawls(plan):
    found = plan.allocation
    assert len(plan.rows.table) == 30  # those a start may fall into
    assert found.greedy.residual <= 1e-6
    assert found.loss <= 5e-5 * found.greedy.bound
    assert found.rounding.shrink.min() > 1 - 1e-5  # the integers did not have to give way
    assert found.passes <= 20


def test_prices_of_the_same_batch_are_where_the_search_ends(case, plan):
    batch, table = case
    again = rank(batch, capacity=table, policy=PLAIN, warm_start=WarmStart.of(plan)).allocation
    assert again.passes <= 5
    assert again.value == pytest.approx(plan.allocation.value, rel=5e-5)


def test_prices_far_off_lead_to_the_same_bound(plan, problem):
    best = plan.allocation.greedy
    rng = np.random.default_rng(0)
    away = best.prices * rng.lognormal(0.0, 1.0, len(best.prices))
    found = solve_plain(problem, start=away, smoothing=1e-5)
    assert found.residual <= 1e-3
    assert found.bound == pytest.approx(best.bound, rel=5e-5)


def test_a_line_search_finds_the_least_value_where_full_steps_overshoot(plan, problem):
    solver = Solver(problem)
    far = plan.allocation.greedy.prices * 3.0
    found = solver.solve(SOFTMAX, 1e-2, far, tolerance=1e-6, max_passes=60)
    assert found.residual <= 1e-6
    assert found.dual == pytest.approx(plan.allocation.greedy.bound, rel=1e-3)
