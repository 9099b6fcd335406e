"""MLflow lives here and only here: log, register, promote, roll back, load, serve.

A strategy is logged as one bundle of text and JSON inside one models-from-code model. MLflow's
telemetry is switched off unless the user has said otherwise, before MLflow is first imported.
"""

from contactopt.tracking.loading import load_strategy
from contactopt.tracking.registry import LoggedVersion, promote, rollback
from contactopt.tracking.runs import log_strategy
from contactopt.tracking.tuning_runs import tuning_run

__all__ = ["LoggedVersion", "load_strategy", "log_strategy", "promote", "rollback", "tuning_run"]
