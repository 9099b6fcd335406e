"""Small random logs for the bandit's tests, a policy that learned one, and equality of states."""

from __future__ import annotations

import numpy as np

from contactopt import BanditPolicy


def log(seed: int = 0, n: int = 600, d: int = 4, m: int = 3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    action = rng.integers(0, m, n)
    truth = X @ rng.normal(size=(d, m))
    return X, action, truth[np.arange(n), action] + rng.normal(size=n)


def learned(seed: int = 0, **given) -> BanditPolicy:
    return BanditPolicy(n_actions=3, **given).fit(*log(seed))


def same_state(one, two) -> bool:
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same_state(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same_state, one, two))
    return np.array_equal(one, two)
