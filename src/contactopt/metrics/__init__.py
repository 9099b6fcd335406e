"""Numbers with intervals: arrays in, estimates out; knows no table."""

from contactopt.metrics.calibration import ece, ece_of_perfect_model, reliability_table
from contactopt.metrics.interval import Estimate
from contactopt.metrics.losses import brier, log_loss
from contactopt.metrics.ranking import auc

__all__ = [
    "Estimate",
    "auc",
    "brier",
    "ece",
    "ece_of_perfect_model",
    "log_loss",
    "reliability_table",
]
