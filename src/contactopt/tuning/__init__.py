"""Optuna lives here and only here: settings of the models chosen on later time."""

from contactopt.tuning.result import TrialRecord, TuningResult
from contactopt.tuning.search import tune

__all__ = ["TrialRecord", "TuningResult", "tune"]
