"""LogBarrier and Softmax against their slow twins, and what must hold for every input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import policy_oracle

from contactopt.policy import LogBarrier, Softmax, exploration_weights

BOTH = pytest.mark.parametrize("exploration", [LogBarrier(), Softmax()], ids=lambda e: e.name)


def scores(seed: int, n: int = 30, m: int = 7):
    rng = np.random.default_rng(seed)
    value = rng.normal(0, 1, (n, m)) * rng.lognormal(0, 2, (n, 1))
    return value, np.abs(value) * rng.random((n, m)), rng.random((n, m)) < 0.6


@BOTH
@pytest.mark.parametrize("tau", [1e-4, 0.01, 0.5])
def test_equals_the_slow_twin(exploration, tau):
    value, spread, mask = scores(1)
    found = exploration.probabilities(value, spread, mask, tau=tau, floor=1e-4)
    wanted = policy_oracle.probabilities(exploration.name, value, spread, mask, tau, 1e-4)
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=2e-9)


@BOTH
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tau=st.floats(1e-9, 1.0),
    floor=st.floats(0.0, 0.01),
    scale=st.floats(1e-6, 1e9),
)
def test_masked_zero_rows_one_floor_kept(exploration, seed, tau, floor, scale):
    value, spread, mask = scores(seed, n=8, m=5)
    p = exploration.probabilities(value * scale, spread * scale, mask, tau=tau, floor=floor)
    units = p * 2.0**36
    assert (units == np.round(units)).all()
    assert (units.sum(axis=1) == 2.0**36).all()
    assert (p[:, :-1][~mask] == 0).all()
    assert (p[:, :-1][mask] > 0).all()
    assert (p[:, :-1][mask] >= floor - 2.0**-36).all()
    assert (p[:, -1] >= floor - 2.0**-36).all()


def test_probabilities_fall_with_the_gap_and_grow_even_with_tau():
    value, spread = np.array([[3.0, 2.0, -1.0]]), np.ones((1, 3))
    mask = np.ones((1, 3), dtype=bool)
    last = 1.0
    for tau in (0.001, 0.01, 0.1, 1.0):
        p = LogBarrier().probabilities(value, spread, mask, tau=tau)[0]
        assert p[0] > p[1] > p[3] > p[2]  # wait is worth 0
        assert p[0] < last
        last = p[0]


def test_barrier_keeps_waiting_usable_where_softmax_does_not():
    value, spread = np.array([[1000.0, 990.0]]), np.array([[20.0, 20.0]])
    mask = np.ones((1, 2), dtype=bool)
    barrier = LogBarrier().probabilities(value, spread, mask, tau=0.05)[0, -1]
    softmax = Softmax().probabilities(value, spread, mask, tau=0.05)[0, -1]
    assert barrier > 5e-4
    assert softmax <= 2.0**-36


def test_empty_nobody_eligible_and_no_actions():
    none = np.zeros((0, 3))
    assert LogBarrier().probabilities(none, none, none.astype(bool), tau=0.1).shape == (0, 4)
    one = np.zeros((2, 3))
    p = LogBarrier().probabilities(one, one, one.astype(bool), tau=0.1)
    np.testing.assert_array_equal(p, [[0, 0, 0, 1.0]] * 2)
    bare = np.zeros((2, 0))
    p = LogBarrier().probabilities(bare, bare, bare.astype(bool), tau=0.1)
    np.testing.assert_array_equal(p, [[1.0]] * 2)


def test_blocked_values_may_be_anything_eligible_ones_may_not():
    value, sd = np.array([[np.nan, 1.0]]), np.ones((1, 2))
    p = LogBarrier().probabilities(value, sd, np.array([[False, True]]), tau=0.1)
    assert p[0, 0] == 0
    with pytest.raises(ValueError, match="finite"):
        LogBarrier().probabilities(value, sd, np.array([[True, True]]), tau=0.1)
    with pytest.raises(ValueError, match="positive"):
        LogBarrier().probabilities(np.ones((1, 2)), sd, np.array([[True, True]]), tau=0.0)


def test_weights_are_mean_sd_or_one_percent_of_the_range():
    starts = np.array([0, 2, 2, 4])
    value, spread = np.array([3.0, -7.0, 100.0, 50.0]), np.array([1.0, 3.0, 0.0, 0.0])
    np.testing.assert_allclose(exploration_weights(value, spread, starts), [2.0, 1e-9, 1.0])
