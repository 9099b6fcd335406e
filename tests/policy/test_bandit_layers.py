"""Layers and their statistics: the dense posterior, merging, forgetting, order, strengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import bandit_oracle

from contactopt.errors import ConfigError, ContractError
from contactopt.policy import BayesianLinear, LinearStatistics
from contactopt.policy.bandit import Strengths, statistics
from contactopt.policy.bandit.bayesian_linear import checked_features
from contactopt.policy.bandit.posterior_kernels import solve_layers


def table(seed: int = 0, n: int = 400, d: int = 3, m: int = 4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * [10.0**k for k in range(d)] + 3.0
    arm = rng.choice(m, n, p=np.arange(1, m + 1) / (m * (m + 1) / 2))
    y = 100 + 5 * arm + X @ (rng.normal(size=(m, d)) / np.std(X, axis=0)).T[:, 0]
    return X, arm, y + rng.normal(size=n)


def filled(X, arm, y, m=4, forgetting=1.0, **rest):
    made = LinearStatistics(m, X.shape[1], forgetting=forgetting)
    made.add(X, arm, y, **rest)
    return made


def same(one: LinearStatistics, two: LinearStatistics) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.total(), two.total(), strict=True))


STRENGTHS = Strengths(0.3, 0.02, 0.05, 0.1, 0.01, np.array([0.5, 0.7, 0.9, 1.1]))


@pytest.mark.parametrize("given_features", [False, True])
def test_posterior_equals_the_dense_solve(given_features):
    X, arm, y = table()
    arm[arm == 0] = 1  # arm 0 is cold
    weight = np.random.default_rng(1).uniform(0.2, 3.0, len(X))
    features = (
        np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 2.0], [0.0, 5.0]]) if given_features else None
    )
    layers = BayesianLinear(action_features=features, max_iterations=0)
    found = layers.fit(filled(X, arm, y, weight=weight), STRENGTHS).predict(X[:20])
    scaled = checked_features(features, 4)
    wanted = bandit_oracle.predicted(
        X[:20], *bandit_oracle.posterior(X, arm, y, weight, 4, STRENGTHS, scaled)
    )
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-8)
    own = layers.predict(X[:20], arm[:20])
    np.testing.assert_allclose(own[0], found[0][np.arange(20), arm[:20]], rtol=1e-12)
    np.testing.assert_allclose(own[1], found[1][np.arange(20), arm[:20]], rtol=1e-9)
    constant, slopes = layers.coefficients_
    np.testing.assert_allclose(constant + X[:20] @ slopes.T, found[0], rtol=1e-9)


def test_many_features_go_by_lapack_to_the_same_answer(monkeypatch):
    from contactopt.policy.bandit import layers

    X, arm, y = table(d=5)
    small = BayesianLinear().fit(filled(X, arm, y)).predict(X[:9])
    monkeypatch.setattr(layers, "_SMALL", 2)
    large = BayesianLinear().fit(filled(X, arm, y)).predict(X[:9])
    np.testing.assert_allclose(large, small, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), forgetting=st.sampled_from([1.0, 0.9]))
def test_shards_merge_in_any_order_to_the_same_bits(seed, forgetting):
    rng = np.random.default_rng(seed)
    X, arm, y = table(seed, n=60)
    day = rng.integers(0, 5, 60)
    part = rng.integers(0, 4, 60)
    shards = [
        filled(
            X[part == k], arm[part == k], y[part == k], day=day[part == k], forgetting=forgetting
        )
        for k in range(4)
    ]
    totals = []
    for order in (range(4), rng.permutation(4)):
        made = LinearStatistics(4, 3, forgetting=forgetting)
        for k in order:
            made.merge(shards[k])
        totals.append(made)
    assert same(*totals)
    whole = filled(X, arm, y, day=day, forgetting=forgetting)
    wanted = whole.total()[0]
    # a sum in which rows cancel is as exact as its terms
    np.testing.assert_allclose(totals[0].total()[0], wanted, rtol=1e-12, atol=1e-14 * wanted.max())
    assert np.allclose(totals[0].rows(), whole.rows())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_of_rows_changes_no_bit(seed):
    X, arm, y = table(seed, n=50)
    order = np.random.default_rng(seed).permutation(50)
    weight = np.random.default_rng(seed + 1).uniform(0.5, 2.0, 50)
    assert same(
        filled(X, arm, y, weight=weight),
        filled(X[order], arm[order], y[order], weight=weight[order]),
    )


def test_forgetting_is_a_fit_with_weights_of_age():
    X, arm, y = table(n=300)
    day = np.random.default_rng(2).integers(10, 20, 300)
    kept = filled(X, arm, y, forgetting=0.8, day=day)
    weighed = filled(X, arm, y, weight=0.8 ** (day.max() - day))
    np.testing.assert_allclose(kept.total()[0], weighed.total()[0], rtol=1e-12)
    # the past is gone: what is left is a fit on the last day alone
    gone = filled(X, arm, y, forgetting=1e-300, day=day)
    last = day == day.max()
    only = filled(X[last], arm[last], y[last])
    np.testing.assert_allclose(gone.total()[0], only.total()[0], rtol=1e-12)
    np.testing.assert_allclose(gone.rows(), only.rows())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("forgetting", [1.0, 0.7])
def test_days_may_come_late_and_in_pieces(order, forgetting):
    X, arm, y = table(n=90)
    day = np.arange(90) % 3
    at_once = filled(X, arm, y, day=day, forgetting=forgetting)
    pieces = LinearStatistics(4, 3, forgetting=forgetting)
    for one in order:
        rows = day == one
        pieces.total()
        pieces.add(X[rows], arm[rows], y[rows], day=one)
    assert same(at_once, pieces)
    assert pieces.days == [0, 1, 2]
    dates = np.array(["2026-01-01", "2026-01-02", "2026-01-03"], dtype="datetime64[D]")
    dated = filled(X, arm, y, day=dates[day], forgetting=forgetting)
    np.testing.assert_allclose(dated.total()[0], pieces.total()[0], rtol=1e-12)


@pytest.mark.parametrize("forgetting", [1.0, 0.9])
def test_memory_is_bounded_by_folding_old_days(monkeypatch, forgetting):
    X, arm, y = table(n=200)
    day = np.arange(200) // 10
    free = filled(X, arm, y, day=day, forgetting=forgetting)
    monkeypatch.setattr(statistics, "_KEPT_NUMBERS", 5 * 2 * 4 * 25)
    folded = LinearStatistics(4, 3, forgetting=forgetting)
    for one in np.random.default_rng(0).permutation(20):
        rows = day == one
        folded.add(X[rows], arm[rows], y[rows], day=int(one))
    assert len(folded.days) == 5
    np.testing.assert_allclose(folded.total()[0], free.total()[0], rtol=1e-12)
    again = LinearStatistics.from_state(folded.to_state())
    assert same(again, folded)
    half = [
        filled(X[k::2], arm[k::2], y[k::2], day=day[k::2], forgetting=forgetting) for k in (0, 1)
    ]
    merged = half[0].merge(half[1])
    assert len(merged.days) <= 5
    np.testing.assert_allclose(merged.total()[0], free.total()[0], rtol=1e-12)
    merged.merge(folded)
    np.testing.assert_allclose(merged.total()[0], 2 * free.total()[0], rtol=1e-12)


def test_strengths_and_noise_are_found():
    rng = np.random.default_rng(0)
    n, d, m = 40_000, 10, 30
    X, arm = rng.normal(size=(n, d)), rng.integers(0, m, n)
    shared, own = rng.normal(0, 0.5, d), rng.normal(0, 0.2, (m, d))
    level = rng.normal(0, 0.3, m)
    y = level[arm] + (X * (shared + own[arm])).sum(axis=1) + rng.normal(0, 2.0, n)
    layers = BayesianLinear().fit(filled(X, arm, y, m=m))
    unit = y.std()
    assert np.sqrt(layers.strengths_.level) * unit == pytest.approx(0.3, rel=0.3)
    assert np.sqrt(layers.strengths_.slope) * unit == pytest.approx(0.2, rel=0.15)
    assert np.sqrt(layers.strengths_.shared_slope) * unit == pytest.approx(0.5, rel=0.5)
    np.testing.assert_allclose(layers.noise_, 2.0, rtol=0.1)
    mean, sd = layers.predict(X[:500])
    truth = level + X[:500] @ (shared + own).T
    z = (mean - truth) / sd
    assert 0.8 < np.mean(z**2) < 1.25  # the posterior is calibrated


def test_a_cold_arm_starts_from_arms_like_it():
    rng = np.random.default_rng(1)
    features = np.repeat(np.eye(2), 5, axis=0)  # two channels of five arms
    arm = rng.integers(0, 10, 5000)
    X = rng.normal(size=(5000, 2))
    y = 3.0 * features[arm, 0] + rng.normal(0, 0.5, 5000) + rng.normal(0, 0.1, 10)[arm]
    seen = (arm != 0) & (arm != 9)
    layers = BayesianLinear(action_features=features).fit(filled(X[seen], arm[seen], y[seen], m=10))
    mean, sd = layers.predict(np.zeros((1, 2)))
    assert mean[0, 0] == pytest.approx(3.0, abs=0.3)
    assert mean[0, 9] == pytest.approx(0.0, abs=0.3)
    assert sd[0, 0] > 3 * sd[0, 1]
    plain = (
        BayesianLinear().fit(filled(X[seen], arm[seen], y[seen], m=10)).predict(np.zeros((1, 2)))
    )
    assert plain[0][0, 0] == pytest.approx(1.5, abs=0.4)


def test_nothing_learned_nothing_known():
    mean, sd = BayesianLinear().fit(LinearStatistics(3, 2)).predict(np.ones((2, 2)))
    assert (mean == 0).all() and (sd > 0).all()
    empty = LinearStatistics(3, 2)
    empty.add(np.zeros((0, 2)), np.zeros(0, int), np.zeros(0))
    assert empty.latest_day is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": [np.nan, 1.0]}, "NaN"),
        ({"X": [[np.inf], [1.0]]}, "infinity"),
        ({"arm": [0, 2]}, "0 to 1"),
        ({"arm": [-1, 0]}, "0 to 1"),
        ({"weight": [0.0, 1.0]}, "positive"),
        ({"X": [[1.0, 2.0], [1.0, 2.0]]}, "shape"),
        ({"day": [1.5, 2.0]}, "whole"),
    ],
)
def test_bad_rows_change_nothing(change, words):
    made = LinearStatistics(2, 1)
    made.add(np.ones((1, 1)), np.zeros(1, int), np.ones(1))
    before = made.total()[0]
    rows = {"X": [[1.0], [2.0]], "arm": [0, 1], "y": [1.0, 2.0]} | change
    with pytest.raises(ContractError, match=words):
        made.add(**{k: np.asarray(v) for k, v in rows.items()})
    assert np.array_equal(made.total()[0], before)


def test_bad_settings():
    with pytest.raises(ConfigError, match="outside"):
        LinearStatistics(2, 1, forgetting=0.0)
    with pytest.raises(ConfigError, match="at least one arm"):
        LinearStatistics(0, 1)
    with pytest.raises(ConfigError, match="differ"):
        LinearStatistics(2, 1).merge(LinearStatistics(2, 2))
    with pytest.raises(ConfigError, match="one row for each of 2"):
        BayesianLinear(action_features=np.ones((3, 1))).fit(LinearStatistics(2, 1))


@pytest.mark.parametrize(("m", "D"), [(1, 1), (3, 2), (4, 5), (5, 4), (9, 33)])
def test_arms_side_by_side_are_solved_as_each_alone(m, D):
    rng = np.random.default_rng(m)
    rows = rng.normal(size=(m, 3 * D, D + 1))
    moments = np.einsum("ani,anj->aij", rows, rows)
    noise, prior = rng.uniform(0.5, 2.0, m), rng.uniform(0.1, 3.0, D)
    root, pulled, covered = np.empty((m, D, D)), np.empty((m, D)), np.empty((D, D))
    solve_layers(np.tril(moments), noise, prior, root, pulled, covered)
    precision = moments[:, :D, :D] / noise[:, None, None] + np.diag(1.0 / prior)
    covariance = np.linalg.inv(precision)
    cross = moments[:, D, :D] / noise[:, None]
    np.testing.assert_allclose(root.transpose(0, 2, 1) @ root, covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pulled, np.einsum("aij,aj->ai", covariance, cross), rtol=1e-9)
    np.testing.assert_allclose(covered, covariance.sum(axis=0), rtol=1e-9, atol=1e-12)
    assert (np.triu(root, 1) == 0).all()
    for a in range(m):  # neighbours change no bit
        one, mean = np.empty((1, D, D)), np.empty((1, D))
        part = slice(a, a + 1)
        solve_layers(moments[part], noise[part], prior, one, mean, covered)
        assert np.array_equal(one[0], root[a]) and np.array_equal(mean[0], pulled[a])


def test_many_equal_rows_in_any_order_give_the_same_bits():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (5000, 2)) * [0.1, 1e9]
    arm, y = rng.integers(0, 4, 5000), rng.integers(0, 3, 5000) / 3.0
    order = rng.permutation(5000)
    assert same(filled(X, arm, y), filled(X[order], arm[order], y[order]))
