"""The file MLflow stores as the model's code; the work is done by the installed library."""

from mlflow.models import set_model

from contactopt.tracking.serving import StrategyModel

set_model(StrategyModel())
