"""The contextual bandit: Bayesian linear layers on mergeable statistics, exact probabilities."""

from contactopt.policy.bandit.bayesian_linear import BayesianLinear
from contactopt.policy.bandit.estimator import BanditPolicy
from contactopt.policy.bandit.statistics import LinearStatistics
from contactopt.policy.bandit.strengths import Strengths

__all__ = ["BanditPolicy", "BayesianLinear", "LinearStatistics", "Strengths"]
