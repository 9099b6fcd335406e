"""Numbers with intervals: arrays in, estimates out; knows no table."""

from contactopt.metrics.calibration import (
    calibration_error_of_perfect_model,
    expected_calibration_error,
    reliability_table,
)
from contactopt.metrics.interval import Estimate
from contactopt.metrics.losses import brier, log_loss
from contactopt.metrics.ranking import auc

__all__ = [
    "Estimate",
    "auc",
    "brier",
    "calibration_error_of_perfect_model",
    "expected_calibration_error",
    "log_loss",
    "reliability_table",
]
