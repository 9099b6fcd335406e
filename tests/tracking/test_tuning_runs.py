"""A tuning in MLflow: a parent run, a nested run per trial, the best settings on the parent."""

from __future__ import annotations

import pytest

from contactopt.errors import TrackingError
from contactopt.tracking import tuning_run
from contactopt.tracking.store import open_store
from contactopt.tuning import TrialRecord


def record(number, state, value, **parameters):
    return TrialRecord(
        "s.payment", "payment", number, state, value, parameters, 1.5, best_value=value
    )


def runs_of(uri, experiment):
    with open_store(uri) as store:
        found = store.client.search_runs([store.experiment_id(experiment)])
        return {run.info.run_name: run for run in found}


def test_trials_are_nested_runs_and_the_parent_has_the_best(tracking_uri):
    with tuning_run("tune", tracking_uri=tracking_uri, experiment="trials") as on_trial:
        on_trial(record(0, "complete", 0.5))
        on_trial(record(1, "complete", 0.4, num_leaves=9))
        on_trial(record(2, "pruned", 0.9, num_leaves=60))
    runs = runs_of(tracking_uri, "trials")
    parent = runs.pop("tune")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"payment.best_loss": 0.4}
    assert parent.data.params == {"payment.num_leaves": "9"}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert runs["payment 1"].data.params == {"part": "payment", "num_leaves": "9"}
    assert runs["payment 1"].data.metrics == {"loss": 0.4, "seconds": 1.5}
    assert runs["payment 2"].info.status == "KILLED"
    assert runs["payment 0"].info.status == "FINISHED"


def test_a_tuning_that_breaks_leaves_a_failed_run(tracking_uri):
    with (
        pytest.raises(RuntimeError),
        tuning_run("tune", tracking_uri=tracking_uri, experiment="broken") as on_trial,
    ):
        on_trial(record(0, "failed", None))
        raise RuntimeError("stopped")
    runs = runs_of(tracking_uri, "broken")
    assert runs["tune"].info.status == "FAILED"
    assert runs["payment 0"].info.status == "FAILED"
    assert runs["payment 0"].data.metrics == {"seconds": 1.5}


def test_an_unreachable_store_is_told_before_any_trial():
    with pytest.raises(TrackingError), tuning_run(tracking_uri="http://127.0.0.1:9"):
        raise AssertionError("must not start")
