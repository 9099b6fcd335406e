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
from contactopt.metrics.off_policy import dr_value, ips_value, snips_value, value_difference
from contactopt.metrics.off_policy_support import PolicySupport, policy_support
from contactopt.metrics.ranking import auc
from contactopt.metrics.share import share_estimate
from contactopt.metrics.slices import score_quantiles, slice_metrics
from contactopt.metrics.uplift import auuc, qini, qini_curve, uplift_curve

__all__ = [
    "Estimate",
    "FittedBins",
    "PolicySupport",
    "StabilityIndex",
    "auc",
    "auuc",
    "brier",
    "calibration_error_of_perfect_model",
    "captured_at_capacity",
    "dr_value",
    "expected_calibration_error",
    "gain_curve",
    "ips_value",
    "lift_at_capacity",
    "log_loss",
    "paired_difference",
    "policy_support",
    "population_stability_index",
    "qini",
    "qini_curve",
    "reliability_table",
    "score_quantiles",
    "share_estimate",
    "slice_metrics",
    "snips_value",
    "stability_of_counts",
    "uplift_curve",
    "value_difference",
]
