"""What the bandit refuses, leaving everything as it was, and decisions that come twice."""

from __future__ import annotations

import numpy as np
import pytest
from bandit_logs import learned, log, same_state

from contactopt import BanditPolicy
from contactopt.errors import ConfigError, ContractError


def test_a_decision_is_learned_once():
    X, action, reward = log(n=50)
    ids = np.array([f"d{k}" for k in range(50)])
    policy = BanditPolicy(n_actions=3).update(
        X[:30], action[:30], reward[:30], decision_id=ids[:30]
    )
    policy.update(X, action, reward, decision_id=ids)
    whole = BanditPolicy(n_actions=3).update(X[:30], action[:30], reward[:30], decision_id=ids[:30])
    whole.update(X[30:], action[30:], reward[30:], decision_id=ids[30:])
    assert policy.n_rounds_ == 50
    assert same_state(policy.to_state(), whole.to_state())
    before = policy.to_state()
    with pytest.raises(ContractError, match="another action or reward: d0"):
        policy.update(X[:1], action[:1], reward[:1] + 1, decision_id=ids[:1])
    with pytest.raises(ContractError, match="1 rows repeat a decision: new"):
        policy.update(X[:2], action[:2], reward[:2], decision_id=["new", "new"])
    with pytest.raises(ContractError, match="both shards"):
        policy.merge(whole)
    assert same_state(policy.to_state(), before)


BAD = {
    "reward missing": ({"reward": [np.nan, 1.0]}, ContractError, "missing.*1 rows.*row 0"),
    "reward infinite": ({"reward": [1.0, -np.inf]}, ContractError, "row 1"),
    "reward text": ({"reward": ["a", "b"]}, ContractError, "numbers"),
    "feature missing": ({"X": [[np.nan, 1, 1, 1], [1, 1, 1, 1.0]]}, ContractError, "NaN"),
    "feature infinite": ({"X": [[np.inf, 1, 1, 1], [1, 1, 1, 1.0]]}, ValueError, "infinity|NaN"),
    "features other": ({"X": np.ones((2, 3))}, ValueError, "3 features"),
    "action too large": ({"action": [0, 3]}, ContractError, "outside 0 to 2"),
    "action negative": ({"action": [-2, 0]}, ContractError, "outside"),
    "action half": ({"action": [0.5, 1.0]}, ContractError, "whole numbers"),
    "action text": ({"action": ["call", "sms"]}, ContractError, "whole numbers"),
    "lengths": ({"action": [0]}, ContractError, "one value per row"),
    "propensity zero": ({"propensity": [0.0, 0.5]}, ContractError, "outside \\(0, 1\\]"),
    "propensity above": ({"propensity": [1.5, 0.5]}, ContractError, "outside \\(0, 1\\]"),
    "propensity missing": ({"propensity": [np.nan, 0.5]}, ContractError, "outside"),
    "not eligible": ({"mask": [[False, True, True]] * 2}, ContractError, "not eligible"),
    "wait, yet eligible": (
        {"action": [-1, 0], "mask": [[True] * 3] * 2}, ContractError, "some action was eligible"
    ),
    "wait, yet drawn": ({"action": [-1, 0], "propensity": [0.5, 1.0]}, ContractError, "below 1"),
    "mask shape": ({"mask": [[True] * 2] * 2}, ContractError, "mask has shape"),
    "mask values": ({"mask": [[0.5] * 3] * 2}, ContractError, "booleans"),
    "day": ({"day": [1.5, 2.5]}, ContractError, "whole number"),
    "days": ({"action": [-1, 0], "day": [1]}, ContractError, "one value per row"),
    "ids": ({"decision_id": ["a"]}, ContractError, "each of 2 rows"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cold"),
    # a cold policy takes any number of features
    [(n, c) for n in BAD for c in (False, True) if not (c and n == "features other")],
)
def test_bad_rounds_change_nothing(name, cold):
    change, kind, words = BAD[name]
    policy = BanditPolicy(n_actions=3) if cold else learned()
    before = policy.to_state()
    rounds = {"X": np.ones((2, 4)), "action": [0, 1], "reward": [1.0, 2.0]} | change
    with pytest.raises(kind, match=words):
        policy.update(**rounds)
    assert same_state(policy.to_state(), before)


@pytest.mark.parametrize(
    "setting",
    [
        {"tau": 0.0}, {"tau": np.nan}, {"floor": -0.1}, {"floor": 1.0}, {"optimism": -1.0},
        {"forgetting": 0.0}, {"n_actions": 0}, {"n_actions": 2.5}, {"exploration": "barrier"},
        {"action_features": np.ones((2, 1))}, {"num_threads": 0},
    ],
    ids=str,
)  # fmt: skip
def test_bad_settings(setting):
    with pytest.raises(ConfigError):
        BanditPolicy(**({"n_actions": 3} | setting)).fit(*log())


def test_proposals_refuse_what_they_cannot_read():
    policy = learned()
    stream = policy.to_state()["stream"]
    with pytest.raises(ContractError, match="NaN or infinity in 1 rows"):
        policy.action_probabilities(np.array([[np.nan, 0, 0, 0], [1, 1, 1, 1]]))
    with pytest.raises(ContractError, match="mask has shape"):
        policy.action_probabilities(np.ones((2, 4)), np.ones((2, 2), dtype=bool))
    with pytest.raises(ContractError, match="not those"):
        policy.draw(np.ones((1, 4)), probabilities=np.array([[0.5, 0.4, 0.05]]))
    assert policy.to_state()["stream"] == stream  # a refused draw uses up no luck
    with pytest.raises(ValueError, match="features"):
        policy.action_probabilities(np.ones((2, 5)))


def test_rows_that_wait_teach_nothing():
    X, action, reward = log(n=40)
    mask = np.ones((40, 3), dtype=bool)
    mask[:10] = False
    action = np.where(np.arange(40) < 10, -1, action)
    policy = BanditPolicy(n_actions=3).update(
        X, action, np.where(action < 0, np.nan, reward), np.ones(40), mask, day=np.arange(40)
    )
    assert policy.n_rounds_ == 30 and policy.statistics_.days == list(range(10, 40))
    empty = BanditPolicy(n_actions=3).update(X[:0], action[:0], reward[:0])
    assert not hasattr(empty, "statistics_")
    assert empty.action_probabilities(X[:1]).sum() == 1
