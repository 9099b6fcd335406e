"""The pyfunc: one row per customer in, the plan out, for tens to thousands of customers.

Imported only where MLflow already is: by its model server, or while a strategy is logged.
"""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from contactopt.errors import ConfigError
from contactopt.tracking.loading import BUNDLE_FOLDER
from contactopt.tracking.requests import plan_as_text, read_parameters, read_portfolio

__all__ = ["SIGNATURE", "StrategyModel"]

_PARAMETERS = ("as_of", "capacity", "random_state")

#: Inputs are left out on purpose: when MLflow checks them and one is at fault, its message prints
#: the customers' rows. ``requests.read_portfolio`` checks them instead.
SIGNATURE = ModelSignature(
    inputs=None,
    outputs=Schema([ColSpec("string", "decision_id"), ColSpec("string", "customer_id")]),
    params=ParamSchema([ParamSpec(name, "string", "") for name in _PARAMETERS]),
)


class StrategyModel(PythonModel):
    """MLflow's view of a strategy.

    ``predict`` takes a frame with ``customer_id`` and ``tables`` (JSON object: name of a contract
    table to the list of that customer's rows, instants as ISO 8601 text with offset) and the
    parameters ``as_of`` (ISO 8601 with offset, required), ``capacity`` (JSON list of capacity
    rows) and ``random_state`` (whole number as text). The tables are taken as complete to
    ``as_of``. The answer is the plan, instants as ISO 8601 text; no row for a customer who waits.
    """

    def load_context(self, context: Any) -> None:
        """Read the bundle, hashes first."""
        from contactopt.strategy import ContactStrategy

        _refuse_unknown_parameters()
        self.strategy = ContactStrategy.load(context.artifacts[BUNDLE_FOLDER])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Plan for the customers of a request.

        Raises
        ------
        ContactoptError
            Faulty rows or parameters; the message holds ids at most. (Not an MlflowException on
            purpose: the model server would print the whole request into those.)
        """
        request = read_parameters(params)
        portfolio = read_portfolio(
            model_input, request, extra_channels=tuple(self.strategy.config.channels)
        )
        plan = self.strategy.rank(
            portfolio,
            as_of=request.as_of,
            capacity=request.capacity,
            random_state=request.random_state,
        )
        return plan_as_text(plan.to_frame())


class _UnknownParameterFilter(logging.Filter):
    """Turn MLflow's log line about a parameter it drops into a refusal.

    A misspelt ``capacity`` would otherwise be ignored and everybody planned without limits; by
    the time ``predict`` is called MLflow has dropped it, so this line is the only trace.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Raise for our own set of parameters; let every other record pass."""
        text = record.getMessage()
        _, found, supported = text.partition("Supported params are: ")
        ours = all(f"'{name}'" in supported for name in _PARAMETERS) and supported.count("'") == 6
        if found and ours:
            raise ConfigError(
                "the request has an unknown parameter",
                hint=f"parameters are {', '.join(_PARAMETERS)}",
            )
        return True


def _refuse_unknown_parameters() -> None:
    log = logging.getLogger("mlflow.models.utils")
    if not any(isinstance(f, _UnknownParameterFilter) for f in log.filters):
        log.addFilter(_UnknownParameterFilter())
