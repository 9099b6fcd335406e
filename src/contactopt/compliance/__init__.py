"""May we: rules as data, one evaluator per kind, a verdict with reasons for every action."""

from contactopt.compliance.evaluate import evaluate
from contactopt.compliance.rule import Rule
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_points import shared_point_rotation
from contactopt.compliance.verdict import Verdict, explain

__all__ = ["Rule", "RuleBook", "Verdict", "evaluate", "explain", "shared_point_rotation"]
