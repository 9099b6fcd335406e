"""What a model may know of a customer at an instant: one block of columns per file."""

from contactopt.features._base import Column, FeatureBlock
from contactopt.features.audit import audit_leakage
from contactopt.features.moments import Moments
from contactopt.features.pipeline import BLOCKS, FeaturePipeline
from contactopt.features.training import training_instants, training_pairs

__all__ = [
    "BLOCKS",
    "Column",
    "FeatureBlock",
    "FeaturePipeline",
    "Moments",
    "audit_leakage",
    "training_instants",
    "training_pairs",
]
