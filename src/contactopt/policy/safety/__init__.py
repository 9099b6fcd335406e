"""Safe, and able to leave safety: who leads is decided before the batch, from earlier decisions."""

from contactopt.policy.safety.constant import constant_scores
from contactopt.policy.safety.evidence import CANDIDATES, SafetyEvidence
from contactopt.policy.safety.incumbent import Incumbent, clone_incumbent
from contactopt.policy.safety.lead import decide_lead, proving_share
from contactopt.policy.safety.terms import SafetyTerms
from contactopt.policy.safety.verdict import SHARE_UNIT, Advantage, Inflation, SafetyVerdict

__all__ = [
    "CANDIDATES",
    "SHARE_UNIT",
    "Advantage",
    "Incumbent",
    "Inflation",
    "SafetyEvidence",
    "SafetyTerms",
    "SafetyVerdict",
    "clone_incumbent",
    "constant_scores",
    "decide_lead",
    "proving_share",
]
