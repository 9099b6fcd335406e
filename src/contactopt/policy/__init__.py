"""What would be best: exploration (one class per file), the policy's settings, control group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.policy.contact_policy import ContactPolicy
from contactopt.policy.control_group import control_group
from contactopt.policy.exploration import Exploration
from contactopt.policy.log_barrier import LogBarrier
from contactopt.policy.pools import assign_pools
from contactopt.policy.softmax import Softmax
from contactopt.policy.value import ActionValues, action_values, discount_factor
from contactopt.policy.weights import exploration_weights

if TYPE_CHECKING:
    from contactopt.policy.bandit import BanditPolicy, BayesianLinear, LinearStatistics

__all__ = [
    "ActionValues",
    "BanditPolicy",
    "BayesianLinear",
    "ContactPolicy",
    "Exploration",
    "LinearStatistics",
    "LogBarrier",
    "Softmax",
    "action_values",
    "assign_pools",
    "control_group",
    "discount_factor",
    "exploration_weights",
]


def __getattr__(name: str) -> Any:
    """Load the bandit on first use: it needs scikit-learn, which ranking does not."""
    if name not in ("BanditPolicy", "BayesianLinear", "LinearStatistics"):
        raise AttributeError(f"module 'contactopt.policy' has no attribute {name!r}")
    from contactopt.policy import bandit

    return getattr(bandit, name)
