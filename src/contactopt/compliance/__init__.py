"""May we: rules as data, one evaluator per kind, a verdict with reasons for every action."""

from contactopt.compliance.compare import RulesDiff, diff, law_of
from contactopt.compliance.evaluate import evaluate
from contactopt.compliance.explaining import CustomerExplanation, explain_customer
from contactopt.compliance.rule import Rule
from contactopt.compliance.rulebook import RuleBook
from contactopt.compliance.shared_contacts import SharedContacts, shared_contacts_of
from contactopt.compliance.shared_points import shared_point_rotation
from contactopt.compliance.vectors import VectorReport, check_vectors, read_vectors
from contactopt.compliance.verdict import Verdict, explain

__all__ = [
    "CustomerExplanation",
    "Rule",
    "RuleBook",
    "RulesDiff",
    "SharedContacts",
    "VectorReport",
    "Verdict",
    "check_vectors",
    "diff",
    "evaluate",
    "explain",
    "explain_customer",
    "law_of",
    "read_vectors",
    "shared_contacts_of",
    "shared_point_rotation",
]
