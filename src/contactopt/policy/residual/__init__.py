"""What the models' scores still miss, learned from decisions since they were fitted."""

from contactopt.policy.residual.contrast import ControlContrast
from contactopt.policy.residual.layer import Correction, ResidualLayer
from contactopt.policy.residual.nest import ArmNest
from contactopt.policy.residual.statistics import DayStatistics

__all__ = ["ArmNest", "ControlContrast", "Correction", "DayStatistics", "ResidualLayer"]
