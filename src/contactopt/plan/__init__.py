"""What we will do: capacity rows, prices, integer probabilities, the draw, plan and log."""

from contactopt.plan.contact_plan import ContactPlan
from contactopt.plan.dispatch import read_dispatch
from contactopt.plan.draw import DrawTree, draw
from contactopt.plan.log.reader import DecisionLog, read_decisions
from contactopt.plan.log.replay_report import ReplayReport
from contactopt.plan.log.written_plan import WrittenPlan, read_plan
from contactopt.plan.prices.warm_start import WarmStart
from contactopt.plan.ranking import rank
from contactopt.plan.rechecking import recheck
from contactopt.plan.why import Why

__all__ = [
    "ContactPlan",
    "DecisionLog",
    "DrawTree",
    "ReplayReport",
    "WarmStart",
    "Why",
    "WrittenPlan",
    "draw",
    "rank",
    "read_decisions",
    "read_dispatch",
    "read_plan",
    "recheck",
]
