"""Write a tuning into MLflow while it runs: a parent run, and a nested run per trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from contactopt.tracking.runs import DEFAULT_EXPERIMENT, write_run
from contactopt.tracking.store import open_store

if TYPE_CHECKING:
    from contactopt.tuning import TrialRecord

__all__ = ["tuning_run"]

_ENDS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


@contextmanager
def tuning_run(
    name: str = "tune",
    *,
    tracking_uri: str | None = None,
    experiment: str | None = None,
) -> Iterator[Callable[[TrialRecord], None]]:
    """Open a run for a tuning and give the callback that writes its trials.

    Each trial becomes a nested run with its settings as parameters and its loss and seconds as
    metrics; the parent holds the least loss of each part and, at the end, its settings. A trial
    that was pruned is marked KILLED.

    Parameters
    ----------
    name : str
        Name of the parent run.
    tracking_uri : str, optional
        The store; default ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``.
    experiment : str, optional

    Yields
    ------
    callable
        For `contactopt.tune`'s ``callbacks``.

    Raises
    ------
    TrackingError
        The store is unreachable or refuses.

    Examples
    --------
    ::

        with tuning_run("tune", tracking_uri="sqlite:///mlflow.db") as on_trial:
            result = co.tune(strategy, portfolio, as_of="latest", callbacks=[on_trial])
    """
    with open_store(tracking_uri) as store:
        run = store.client.create_run(
            store.experiment_id(experiment or DEFAULT_EXPERIMENT), run_name=name
        )
        best: dict[str, TrialRecord] = {}

        def on_trial(record: TrialRecord) -> None:
            child = store.client.create_run(
                run.info.experiment_id,
                run_name=f"{record.part} {record.number}",
                tags={"mlflow.parentRunId": run.info.run_id, "contactopt.study": record.study},
            )
            params = {key: str(value) for key, value in record.parameters.items()}
            metrics = {"seconds": record.seconds}
            if record.value is not None and math.isfinite(record.value):
                metrics["loss"] = record.value
            write_run(store, child, {"part": record.part, **params}, metrics)
            store.client.set_terminated(child.info.run_id, _ENDS[record.state])
            if record.state == "complete" and _better(record, best.get(record.part)):
                best[record.part] = record

        try:
            yield on_trial
            write_run(store, run, *_summary(best))
        except BaseException:
            store.client.set_terminated(run.info.run_id, "FAILED")
            raise
        store.client.set_terminated(run.info.run_id)


def _better(record: TrialRecord, known: TrialRecord | None) -> bool:
    if record.value is None:
        return False
    return known is None or known.value is None or record.value < known.value


def _summary(best: dict[str, Any]) -> tuple[dict[str, str], dict[str, float]]:
    """Parameters and metrics of the parent: the best trial of each part in this sitting."""
    params = {
        f"{part}.{key}": str(value)
        for part, record in best.items()
        for key, value in record.parameters.items()
    }
    return params, {f"{part}.best_loss": record.value for part, record in best.items()}
