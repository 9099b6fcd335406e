"""What we will do: capacity rows, prices, integer probabilities, the draw, plan and log."""

from contactopt.plan.contact_plan import ContactPlan
from contactopt.plan.draw import DrawTree, draw
from contactopt.plan.log_reader import read_decisions
from contactopt.plan.ranking import rank
from contactopt.plan.rechecking import read_plan, recheck
from contactopt.plan.why import Why

__all__ = [
    "ContactPlan",
    "DrawTree",
    "Why",
    "draw",
    "rank",
    "read_decisions",
    "read_plan",
    "recheck",
]
