"""The allocation against scipy's linear programme, its certificates, and exploration in money."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import policy_oracle
from scored import capacity, make_batch

from contactopt.errors import ConfigError, ContractError
from contactopt.plan import rank
from contactopt.policy import ContactPolicy, LogBarrier, Softmax

UNIT = 1 << 36
PLAIN = ContactPolicy(exploration=None, holdout_share=0.0)


def lp_optimum(plan) -> float:
    mask = plan.batch.allowed & (plan.cells.cell >= 0)
    inside = np.column_stack(
        [plan.rows.table.cover, np.zeros((len(plan.rows.table), 2), dtype=bool)]
    )
    covers = [c[plan.cells.cell] for c in inside]
    return policy_oracle.plain_optimum(
        plan.batch.value, mask, plan.batch.usage, covers, plan.rows.limit
    )


@pytest.mark.parametrize("minutes", [False, True])
@pytest.mark.parametrize("n", [1, 7, 60, 400])
def test_plain_plan_is_the_linear_programmes_within_its_certificate(n, minutes):  # 001-01, 003-03
    batch = make_batch(n, seed=n, minutes=minutes)
    table = capacity(n)
    if minutes:
        table.loc[table["pool"] == "call_agent", "units"] *= 7.5
    plan = rank(batch, capacity=table, policy=PLAIN)
    best = lp_optimum(plan)
    found = plan.allocation
    assert found.greedy.bound >= best * (1 - 1e-6)
    assert found.value <= best * (1 + 1e-9)
    assert found.value == pytest.approx(best, rel=1e-3 if n < 50 else 1e-4)
    assert best - found.value <= found.loss + 1e-6 * best
    assert found.tau == 0.0
    assert any("no exploration" in note for note in found.notes)


def test_gap_is_certified_below_the_bar_on_a_larger_batch():
    plan = rank(make_batch(20_000), capacity=capacity(20_000), policy=PLAIN)
    assert plan.allocation.greedy.gap <= 5e-5
    assert plan.allocation.loss / plan.allocation.greedy.bound <= 5e-5


def check_exact(plan) -> None:
    p = plan.allocation.probabilities
    m = len(plan.batch.actions)
    assert (p.sum(axis=1) == UNIT).all()
    assert (p >= 0).all()
    eligible = plan.eligible(np.arange(len(p)))
    assert (p[:, :m][~eligible] == 0).all()
    if plan.policy.explores:
        assert (p[:, :m][eligible] > 0).all()
    assert (p[plan.control, m] == UNIT).all()
    assert (p[np.arange(len(p)), plan.drawn] > 0).all()
    for k, cover in enumerate(plan.rows.table.cover):
        inside = np.append(cover, [False, False])[plan.cells.cell]
        units = plan.rows.table.units[k]
        if plan.rows.counting[k]:
            per = plan.rows.per_contact[k]
            whole = round(plan.rows.limit[k] / per)
            assert int(p[:, :m][inside].astype(object).sum()) <= whole * UNIT
            assert plan.used[k] <= units * (1 + 1e-12)
        else:
            assert plan.allocation.expected_use[k] <= plan.rows.limit[k] * (1 + 1e-9)


# 004-15
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(0, 60),
    share=st.floats(0.0, 1.0),
    minutes=st.booleans(),
    units=st.floats(0, 30),
    shift=st.sampled_from([0.0, -2.0, -1e4, 50.0]),
)
def test_any_batch_gives_exact_probabilities_inside_every_row(
    seed, n, share, minutes, units, shift
):
    batch = make_batch(n, seed=seed, allowed_share=share, minutes=minutes, shift=shift)
    table = capacity(max(n, 1))
    table.loc[table["pool"] == "call_agent", "units"] = units
    plan = rank(batch, capacity=table, random_state=seed)
    check_exact(plan)
    frame = plan.to_frame()
    assert not frame["customer_id"].duplicated().any()
    assert len(frame) == int((plan.drawn < len(batch.actions)).sum())


@pytest.mark.parametrize("exploration", [LogBarrier(), Softmax()], ids=lambda e: e.name)
@pytest.mark.parametrize("share", [0.03, 0.05, 0.2])
def test_loss_fills_the_budget_where_it_binds_and_never_exceeds_it(exploration, share):
    batch, table = make_batch(3000, seed=5), capacity(3000)
    policy = ContactPolicy(exploration=exploration, exploration_share=share, tau_learn=1.0)
    plan = rank(batch, capacity=table, policy=policy)
    found = plan.allocation
    assert found.budget == pytest.approx(share * found.greedy.value)
    assert found.loss <= found.budget
    assert found.loss >= 0.9 * found.budget or found.tau == policy.tau_learn
    assert (found.tau < policy.tau_learn) or exploration.name == "softmax"
    assert found.passes <= 120
    check_exact(plan)


def test_tau_learn_caps_exploration_and_money_may_pay_more():
    batch, table = make_batch(2000, seed=6), capacity(2000)
    low = rank(batch, capacity=table, policy=ContactPolicy(tau_learn=1e-4))
    assert low.allocation.tau == 1e-4
    assert low.allocation.loss < 0.9 * low.allocation.budget
    paid = ContactPolicy(exploration_share=0.0, exploration_money=900.0, tau_learn=1.0)
    plan = rank(batch, capacity=table, policy=paid)
    assert plan.allocation.budget == 900.0
    assert 810.0 <= plan.allocation.loss <= 900.0


def test_settings_that_contradict_are_refused_with_the_share_that_works():
    batch, table = make_batch(1000, seed=7), capacity(1000)
    policy = ContactPolicy(exploration_share=0.001, floor=0.01, holdout_share=0.0)
    with pytest.raises(ConfigError, match="smallest exploration_share that works") as caught:
        rank(batch, capacity=table, policy=policy)
    share = float(str(caught.value).split("works is ")[1].split(" ")[0])
    assert 0.001 < share < 1.0
    policy.set_params(exploration_share=share)
    check_exact(rank(batch, capacity=table, policy=policy))


def test_nothing_worth_doing_waits_and_says_so_with_interior_probabilities():  # 001-05
    batch = make_batch(500, shift=-1e3)
    plan = rank(batch, capacity=capacity(500))
    assert plan.allocation.greedy.value == pytest.approx(0.0, abs=1e-6)
    assert (plan.drawn == len(batch.actions)).mean() > 0.99
    assert any("floor lowered" in note for note in plan.allocation.notes)
    check_exact(plan)


def test_small_values_beside_costs_lower_the_floor_instead_of_refusing():
    batch = make_batch(500, shift=-6.0, seed=8)
    plan = rank(batch, capacity=capacity(500))
    found = plan.allocation
    assert found.greedy.value > 0
    assert found.loss <= found.budget or any("floor lowered" in note for note in found.notes)
    check_exact(plan)


def test_one_and_two_threads_agree_bit_for_bit():
    batch, table = make_batch(9000, seed=9), capacity(9000)
    one = rank(batch, capacity=table, n_threads=1)
    two = rank(batch, capacity=table, n_threads=2)
    np.testing.assert_array_equal(one.allocation.probabilities, two.allocation.probabilities)
    np.testing.assert_array_equal(one.drawn, two.drawn)
    np.testing.assert_array_equal(one.allocation.row_prices, two.allocation.row_prices)


def test_prices_are_marginal_values_of_the_plain_programme():  # 000-22, 004-11
    n = 400
    batch = make_batch(n, seed=11)
    table = capacity(n, per_hour=False)
    plan = rank(batch, capacity=table, policy=PLAIN)
    frame = plan.shadow_prices.set_index("row")
    label = "sms 2026-06-02"
    more = table.copy()
    more.loc[(more["pool"] == "sms") & (more["date"] == "2026-06-02"), "units"] += 4
    gained = lp_optimum(rank(batch, capacity=more, policy=PLAIN)) - lp_optimum(plan)
    price = frame.loc[label, "price"]
    assert price > 0
    assert gained == pytest.approx(4 * price, rel=0.1)
    assert frame.loc[label, "price_at_90"] >= price * (1 - 1e-3)
    assert frame.loc[label, "price_at_110"] <= price * (1 + 1e-3)


@pytest.mark.parametrize("name", ["value", "spread", "usage"])
def test_missing_scores_of_allowed_pairs_are_refused_with_five_ids(name):
    batch = make_batch(20)
    array = np.array(getattr(batch, name), dtype=float)
    i, a = np.argwhere(batch.allowed)[0]
    array[i, a] = np.nan
    with pytest.raises(ContractError, match=f"{name} of 1 allowed"):
        rank(replace(batch, **{name: array}))
    array[i, a] = np.inf
    blocked = np.array(getattr(batch, name), dtype=float)
    blocked[~batch.allowed] = np.nan  # nobody asks for these
    rank(replace(batch, **{name: blocked}))


def test_unsorted_customers_are_refused():
    batch = make_batch(3)
    with pytest.raises(ContractError, match="not sorted"):
        rank(replace(batch, customer_ids=batch.customer_ids[::-1].copy()))


def test_pools_of_constant_minutes_are_counted_exactly():
    batch = make_batch(600, seed=12)
    usage = np.where(batch.pool == 0, 6.0, 1.0)
    table = pd.DataFrame({"pool": ["call_agent"], "date": ["2026-06-02"], "units": [100.0]})
    plan = rank(replace(batch, usage=usage), capacity=table)
    assert plan.rows.counting[0]
    assert plan.rows.limit[0] == 96.0  # sixteen calls of six minutes
    assert plan.used[0] == 96.0
