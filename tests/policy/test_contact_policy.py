"""Settings: state, versions, ranges; the control group."""

from __future__ import annotations

import json

import pytest
from sklearn.base import clone

from contactopt.errors import ConfigError
from contactopt.policy import ContactPolicy, LogBarrier, Softmax, control_group


@pytest.mark.parametrize("exploration", [LogBarrier(), Softmax(), None])
def test_state_is_json_and_comes_back_equal(exploration):
    policy = ContactPolicy(exploration=exploration, exploration_share=0.03, holdout_share=0.01)
    state = json.loads(json.dumps(policy.to_state()))
    again = ContactPolicy.from_state(state)
    assert again.get_params() == policy.get_params()
    assert clone(policy).version == policy.version == again.version
    assert ContactPolicy().version != policy.version


@pytest.mark.parametrize(
    "wrong",
    [{"exploration_share": 1.5}, {"floor": -1e-9}, {"floor": 0.02}, {"tau_learn": 0.0},
     {"holdout_share": float("nan")}, {"exploration_money": -1.0}, {"exploration": "greedy"}],
)  # fmt: skip
def test_ranges_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ContactPolicy(**wrong).check()


def test_unknown_exploration_names_the_known():
    with pytest.raises(ConfigError, match="log_barrier, softmax"):
        ContactPolicy.from_state({"exploration": "thompson"})


def test_control_group_is_nested_constant_and_of_the_asked_size():
    ids = [f"C-{k}" for k in range(20_000)]
    small, large = control_group(ids, 0.01), control_group(ids, 0.03)
    assert (small <= large).all()
    assert abs(small.mean() - 0.01) < 0.0025
    assert abs(large.mean() - 0.03) < 0.004
    # of the customer alone: neither the batch nor the order matters
    some = control_group(ids[::-7], 0.03)
    assert (some == large[::-7]).all()
    assert control_group(ids, 1.0).all()
    assert not control_group(ids, 0.0).any()
    assert len(control_group([], 0.5)) == 0
