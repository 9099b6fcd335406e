"""What a model may know of a customer at an instant: one block of columns per file."""

from contactopt.features._base import Column, FeatureBlock
from contactopt.features.audit import audit_leakage
from contactopt.features.biased_labels import refuse_biased_labels
from contactopt.features.column_audit import audit_columns
from contactopt.features.moments import Moments
from contactopt.features.pipeline import BLOCKS, FeaturePipeline
from contactopt.features.training import training_instants, training_pairs
from contactopt.features.training_rows import training_rows

__all__ = [
    "BLOCKS",
    "Column",
    "FeatureBlock",
    "FeaturePipeline",
    "Moments",
    "audit_columns",
    "audit_leakage",
    "refuse_biased_labels",
    "training_instants",
    "training_pairs",
    "training_rows",
]
