"""Numbers with intervals: arrays in, estimates out; knows no table."""

from contactopt.metrics.calibration import (
    calibration_error_of_perfect_model,
    expected_calibration_error,
    reliability_table,
)
from contactopt.metrics.captured import captured_at_capacity, gain_curve, lift_at_capacity
from contactopt.metrics.difference import paired_difference
from contactopt.metrics.drift import (
    FittedBins,
    StabilityIndex,
    population_stability_index,
    stability_of_counts,
)
from contactopt.metrics.interval import Estimate
from contactopt.metrics.losses import brier, log_loss
from contactopt.metrics.ranking import auc
from contactopt.metrics.share import share_estimate
from contactopt.metrics.slices import score_quantiles, slice_metrics
from contactopt.metrics.uplift import auuc, qini, qini_curve, uplift_curve

__all__ = [
    "Estimate",
    "FittedBins",
    "StabilityIndex",
    "auc",
    "auuc",
    "brier",
    "calibration_error_of_perfect_model",
    "captured_at_capacity",
    "expected_calibration_error",
    "gain_curve",
    "lift_at_capacity",
    "log_loss",
    "paired_difference",
    "population_stability_index",
    "qini",
    "qini_curve",
    "reliability_table",
    "score_quantiles",
    "share_estimate",
    "slice_metrics",
    "stability_of_counts",
    "uplift_curve",
]
