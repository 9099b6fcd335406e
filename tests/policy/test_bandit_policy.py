"""The public bandit: probabilities, draws, learning, state, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bandit_logs import learned, log, same_state
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import bandit_oracle
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import contactopt as co
from contactopt import BanditPolicy, LogBarrier, Softmax
from contactopt.errors import ConfigError, ContractError
from contactopt.policy.bandit import proposal

UNIT = 2.0**36


# -- probabilities ------------------------------------------------------------------------------


@pytest.mark.parametrize("exploration", [LogBarrier(), Softmax()], ids=lambda e: e.name)
@pytest.mark.parametrize("tau", [0.0005, 0.05])
def test_probabilities_equal_the_slow_twin(exploration, tau):
    policy = learned(exploration=exploration, tau=tau, optimism=0.7)
    X = log(1)[0][:60]
    mask = np.random.default_rng(2).random((60, 3)) < 0.7
    found = policy.action_probabilities(X, mask)
    # own uncertainty, given what the actions share
    layers = policy.layers_
    mean, _ = layers.predict(X)
    z = np.column_stack(
        [np.ones(60), (X - layers.scaling_.centre[1:-1]) * layers.scaling_.scale[1:-1]]
    )
    cov = layers.layers_.covariance()
    sd = layers.scaling_.unit * np.sqrt(np.einsum("nd,ade,ne->na", z, cov, z))
    unit = layers.scaling_.unit
    wanted = bandit_oracle.probabilities(
        exploration.name, (mean + 0.7 * sd) / unit, sd / unit, mask, tau, 0.0, 0.003
    )
    np.testing.assert_allclose(found, wanted, atol=2e-4 if tau < 0.001 else 1e-5)
    assert np.median(np.abs(found - wanted)) < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tau=st.floats(1e-8, 10.0),
    floor=st.none() | st.floats(0.0, 0.6),
    optimism=st.floats(0.0, 10.0),
    share=st.floats(0.0, 1.0),
)
def test_rows_are_exact_lotteries(seed, tau, floor, optimism, share):
    policy = learned(seed % 3, tau=tau, floor=floor, optimism=optimism)
    rng = np.random.default_rng(seed)
    X, mask = rng.normal(size=(9, 4)) * 10.0 ** rng.integers(-3, 6), rng.random((9, 3)) < share
    p = policy.action_probabilities(X, mask)
    units = p * UNIT
    assert (units == np.round(units)).all()
    assert (units.sum(axis=1) == np.where(mask.any(axis=1), UNIT, 0.0)).all()
    assert (p[~mask] == 0).all() and (p[mask] > 0).all()
    size = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    least = np.minimum(0.003 / size if floor is None else floor, 0.5 / size) - 2.0 / UNIT
    assert (p >= np.where(mask, least, 0.0)).all()
    action, propensity = policy.draw(X, mask)
    waits = ~mask.any(axis=1)
    assert (action[waits] == -1).all() and (propensity[waits] == 1.0).all()
    at = np.flatnonzero(~waits)
    assert (propensity[at] == p[at, action[at]]).all()


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(proposal, "_THREAD_WORK", 1)
    X, mask = log(5, n=3000)[0], np.random.default_rng(0).random((3000, 3)) < 0.7
    one = learned().action_probabilities(X, mask)
    for threads in (2, 3):
        assert np.array_equal(learned(num_threads=threads).action_probabilities(X, mask), one)


def test_rows_do_not_depend_on_their_neighbours():
    policy, X = learned(), log(5, n=3000)[0]
    whole = policy.action_probabilities(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(policy.action_probabilities(X[order]), whole[order])
    for size in (1, 2, 7, 31, 33, 100, 255, 257):
        assert np.array_equal(policy.action_probabilities(X[:size]), whole[:size])


def test_a_row_far_outside_is_a_lottery_and_disturbs_no_other():
    policy, X = learned(), log(5, n=70)[0]
    plain = policy.action_probabilities(X)
    X[::7] *= 1e200
    p = policy.action_probabilities(X)
    assert (p > 0).all() and (p.sum(axis=1) == 1).all()
    near = np.arange(70) % 7 > 0
    assert np.array_equal(p[near], plain[near])
    X[41, 2] = np.nan
    with pytest.raises(ContractError, match="in 1 rows"):
        policy.action_probabilities(X)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 40, 70])
def test_widths_equal_those_of_the_dense_covariance(d):
    X, action, reward = log(d, n=500, d=d)
    policy = BanditPolicy(n_actions=3, optimism=0.0, tau=0.5).fit(X, action, reward)
    found = policy.action_probabilities(X[:40])
    layers = policy.layers_
    z = layers.scaling_.rows(X[:40])
    sd = np.sqrt(np.einsum("nd,ade,ne->na", z, layers.layers_.covariance(), z))
    everyone = np.ones((40, 3), dtype=bool)
    wanted = bandit_oracle.probabilities(
        "log_barrier", z @ layers.layers_.mean.T, sd, everyone, 0.5, 0.0, 0.003
    )
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_scales_of_rewards_features_and_constants_do_not_matter():
    X, action, reward = log()
    plain = BanditPolicy(n_actions=3).fit(X, action, reward).action_probabilities(X)
    scale, shift = np.array([1e-3, 1.0, 40.0, 1e5]), np.array([5.0, -2.0, 1e3, 0.0])
    moved = np.column_stack([X * scale + shift, np.full(len(X), 7.0)])
    found = BanditPolicy(n_actions=3).fit(moved, action, 250 + 80 * reward)
    np.testing.assert_allclose(found.action_probabilities(moved), plain, atol=2e-4)


def test_cold_policy_is_uniform_over_what_is_eligible():
    policy = BanditPolicy(n_actions=4)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    p = policy.action_probabilities(np.zeros((3, 2)), mask)
    assert p.tolist() == [[0.5, 0.5, 0, 0], [0.25] * 4, [0] * 4]
    assert policy.draw(np.zeros((3, 2)), mask)[0][2] == -1
    assert policy.action_probabilities(np.zeros((0, 2))).shape == (0, 4)
    assert policy.draw(np.zeros((0, 2)), np.zeros((0, 4), dtype=bool))[0].shape == (0,)


def test_draws_follow_the_probabilities():
    policy = learned(tau=0.3)
    X = np.repeat(log(2)[0][:3], 40_000, axis=0)
    p = policy.action_probabilities(X)
    action, propensity = policy.draw(X, probabilities=p, random_state=1)
    counts = np.array([np.bincount(part, minlength=3) for part in action.reshape(3, -1)])
    expected = 40_000 * p[::40_000]
    assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected + 1)).all()
    again = policy.draw(X, random_state=1)
    assert np.array_equal(again[0], action) and np.array_equal(again[1], propensity)


# -- learning -----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 37, 1000])
def test_it_learns_what_pays(batch):
    rng = np.random.default_rng(3)
    theta = rng.normal(size=(3, 5)) / np.sqrt(3)
    n = 300 if batch == 1 else 6000
    policy, late = BanditPolicy(n_actions=5), []
    for first in range(0, n, batch):
        X = rng.normal(size=(min(batch, n - first), 3))
        truth = X @ theta
        action, propensity = policy.draw(X)
        at = np.arange(len(X))
        policy.update(X, action, truth[at, action] + rng.normal(size=len(X)), propensity)
        if first > n // 2:
            late.append((truth.max(axis=1) - truth[at, action]).mean())
    uniform = np.mean(np.max(rng.normal(size=(2000, 3)) @ theta, axis=1))
    assert np.mean(late) < (0.6 if batch == 1 else 0.1) * uniform
    assert policy.n_rounds_ == n


def test_rare_money_is_learned():
    rng = np.random.default_rng(0)
    policy, got = BanditPolicy(n_actions=4), []
    for _ in range(60):
        X = rng.normal(size=(1000, 3)) * [1.0, 100.0, 1e-3] + [0.0, 1e4, 0.0]
        chance = np.clip(0.02 * np.exp(0.7 * np.column_stack([X[:, 0], -X[:, 0]] * 2)), 0, 1)
        chance[:, 2:] *= 0.3
        action, propensity = policy.draw(X)
        p = chance[np.arange(1000), action]
        paid = (rng.random(1000) < p) * rng.uniform(50, 500, 1000)
        policy.update(X, action, paid, propensity)
        got.append(p.mean() / chance.max(axis=1).mean())
    assert np.mean(got[-20:]) > 0.9


def test_forgetting_follows_a_change_of_habits():
    rng = np.random.default_rng(1)
    X = np.zeros((4000, 1))
    action, day = rng.integers(0, 2, 4000), np.arange(4000) // 100
    better = np.where(day < 30, 0, 1)
    reward = (action == better) + rng.normal(0, 0.5, 4000)
    quick = BanditPolicy(forgetting=0.7).fit(X, action, reward, day=day)
    p = quick.action_probabilities([[0.0]])
    slow = BanditPolicy().fit(X, action, reward, day=day).action_probabilities([[0.0]])
    assert p[0, 1] > 0.9 and slow[0, 0] > 0.9


def test_shards_merge_to_what_one_process_learns():
    X, action, reward = log(n=900)
    part = np.arange(900) % 3
    shards = [
        BanditPolicy(n_actions=3).fit(X[part == k], action[part == k], reward[part == k])
        for k in range(3)
    ]
    one, two = BanditPolicy(n_actions=3), BanditPolicy(n_actions=3)
    for k in (0, 1, 2):
        one.merge(shards[k])
    for k in (2, 0, 1):
        two.merge(shards[k])
    whole = BanditPolicy(n_actions=3).fit(X, action, reward)
    assert np.array_equal(one.action_probabilities(X), two.action_probabilities(X))
    np.testing.assert_allclose(
        one.action_probabilities(X), whole.action_probabilities(X), atol=1e-5
    )
    assert one.n_rounds_ == 900 and shards[0].n_rounds_ == 300
    assert one.merge(BanditPolicy(n_actions=3)).n_rounds_ == 900


def test_order_of_rows_changes_nothing():
    X, action, reward = log()
    order = np.random.default_rng(0).permutation(len(X))
    one = BanditPolicy(n_actions=3).fit(X, action, reward)
    two = BanditPolicy(n_actions=3).fit(X[order], action[order], reward[order])
    assert np.array_equal(one.action_probabilities(X), two.action_probabilities(X))


def test_it_goes_on_from_its_state_bit_for_bit(tmp_path):
    from contactopt.bundle import load_bundle, save_bundle

    rng = np.random.default_rng(0)
    kept = BanditPolicy(n_actions=3, forgetting=0.95, random_state=5)
    saved = clone(kept)
    for day in range(6):
        X, noise = rng.normal(size=(200, 4)), rng.normal(size=200)
        ids = [f"{day}-{k}" for k in range(200)]
        for policy in (kept, saved):
            action, propensity = policy.draw(X)
            policy.update(X, action, X[:, 0] * action + noise, propensity, None, day, ids)
        save_bundle({"policy": saved.to_state()}, tmp_path / "bundle", kind="bandit")
        saved = BanditPolicy.from_state(load_bundle(tmp_path / "bundle", kind="bandit")["policy"])
        assert saved is not kept
    assert np.array_equal(kept.action_probabilities(X), saved.action_probabilities(X))
    assert same_state(kept.to_state(), saved.to_state())
    cold = BanditPolicy.from_state(BanditPolicy(n_actions=2).to_state())
    assert cold.action_probabilities([[1.0]]).tolist() == [[0.5, 0.5]]


def test_frames_with_categories_and_missing_values():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": np.where(rng.random(2000) < 0.2, np.nan, rng.lognormal(5, 1, 2000)),
            "book": pd.Categorical(rng.choice(["card", "loan"], 2000)),
            "age": rng.integers(20, 80, 2000),
        }
    )
    action = rng.integers(0, 2, 2000)
    reward = (action == (frame["book"] == "card")) + rng.normal(0, 0.3, 2000)
    policy = BanditPolicy().fit(frame, action, reward)
    best = policy.action_probabilities(frame).argmax(axis=1)
    assert (best == (frame["book"] == "card")).mean() > 0.98
    assert list(policy.feature_names_in_) == ["amount", "book", "age"]
    new = frame.head(3).assign(book=["card", "boat", None], age=[np.nan, 30, 40])
    p = policy.action_probabilities(new)
    assert (p.sum(axis=1) == 1).all()
    again = BanditPolicy.from_state(policy.to_state())
    assert np.array_equal(again.action_probabilities(new), p)
    with pytest.raises(ValueError, match="feature names"):
        policy.action_probabilities(frame[["age", "book", "amount"]])
    same = BanditPolicy().fit(frame, action, reward)
    assert same.merge(policy).n_rounds_ == 4000
    other = BanditPolicy().fit(frame.assign(book="card"), action, reward)
    with pytest.raises(ConfigError, match="columns"):
        other.merge(policy)


# -- scikit-learn -------------------------------------------------------------------------------


def test_it_is_an_estimator():
    policy = BanditPolicy(n_actions=3, tau=0.01, exploration=Softmax(), action_features=None)
    twin = clone(policy)
    assert twin.get_params() == policy.get_params() and twin is not policy
    assert policy.set_params(tau=0.02).tau == 0.02
    assert "tau=0.02" in repr(policy)
    with pytest.raises(NotFittedError):
        check_is_fitted(policy)
    with pytest.raises(NotFittedError):
        BanditPolicy().action_probabilities(np.ones((1, 1)))
    with pytest.raises(NotFittedError):
        policy.expected_reward(np.ones((1, 1)))
    assert not vars(policy).keys() - policy.get_params().keys()  # the constructor only assigns
    policy.fit(*log())
    check_is_fitted(policy)
    assert policy.n_features_in_ == 4 and policy.n_actions_ == 3
    assert not hasattr(clone(policy), "statistics_")
    again = policy.action_probabilities(log()[0])
    assert np.array_equal(policy.fit(*log()).action_probabilities(log()[0]), again)
    assert co.BanditPolicy is BanditPolicy


@pytest.mark.parametrize("change", [{"forgetting": 0.5}, {"n_actions": 4}])
def test_what_statistics_depend_on_is_not_changed_in_silence(change):
    policy = learned().set_params(**change)
    with pytest.raises(ConfigError, match="fit anew"):
        policy.update(*log())
    assert policy.fit(*log()).n_rounds_ == 600


def test_number_of_actions_is_seen_in_the_log():
    X, action, reward = log()
    assert BanditPolicy().fit(X, action, reward).n_actions_ == 3
    wide = np.ones((len(X), 5), dtype=bool)
    assert BanditPolicy().fit(X, action, reward, mask=wide).n_actions_ == 5
    with pytest.raises(ContractError, match="no action"):
        BanditPolicy().update(X[:0], [], [])


@pytest.mark.parametrize(("m", "d"), [(2, 1), (200, 3), (5, 120)])
def test_many_actions_or_features(m, d):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, d))
    level = np.linspace(0, 1, m)
    policy = BanditPolicy(n_actions=m)
    for first in range(0, 1500, 500):
        part = X[first : first + 500]
        action, propensity = policy.draw(part)
        reward = level[action] + 0.2 * part[:, 0] + rng.normal(0, 0.3, 500)
        policy.update(part, action, reward, propensity)
    p = policy.action_probabilities(X[:50])
    assert (p @ level).mean() > 0.75
