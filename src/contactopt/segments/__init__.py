"""Segments: who is alike. Stage rules, behaviour, a payment tree, and profiles of any of them."""

from contactopt.segments.behaviour import BehaviourSegments
from contactopt.segments.customers import (
    behaviour_columns,
    customer_columns,
    customer_facts,
    segment_portfolio,
)
from contactopt.segments.matching import SegmentMatch, match_segments
from contactopt.segments.payment_tree import PaymentTreeSegments
from contactopt.segments.profile import SegmentProfile, profile
from contactopt.segments.stages import StageSegments, stage_of

__all__ = [
    "BehaviourSegments",
    "PaymentTreeSegments",
    "SegmentMatch",
    "SegmentProfile",
    "StageSegments",
    "behaviour_columns",
    "customer_columns",
    "customer_facts",
    "match_segments",
    "profile",
    "segment_portfolio",
    "stage_of",
]
