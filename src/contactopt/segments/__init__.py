"""Segments: who is alike. Rules on stage and balance, and profiles of any grouping."""

from contactopt.segments.customers import customer_columns, customer_facts, segment_portfolio
from contactopt.segments.profile import SegmentProfile, profile
from contactopt.segments.stages import StageSegments

__all__ = [
    "SegmentProfile",
    "StageSegments",
    "customer_columns",
    "customer_facts",
    "profile",
    "segment_portfolio",
]
