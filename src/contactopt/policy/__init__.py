"""What would be best: exploration (one class per file), the policy's settings, control group."""

from contactopt.policy.contact_policy import ContactPolicy
from contactopt.policy.control_group import control_group
from contactopt.policy.exploration import Exploration
from contactopt.policy.log_barrier import LogBarrier
from contactopt.policy.pools import assign_pools
from contactopt.policy.softmax import Softmax
from contactopt.policy.value import ActionValues, action_values, discount_factor
from contactopt.policy.weights import exploration_weights

__all__ = [
    "ActionValues",
    "ContactPolicy",
    "Exploration",
    "LogBarrier",
    "Softmax",
    "action_values",
    "assign_pools",
    "control_group",
    "discount_factor",
    "exploration_weights",
]
