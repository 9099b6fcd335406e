"""A strategy goes into MLflow and comes back as the same bundle, or not at all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_strategy import FakeStrategy

from contactopt.errors import BundleError, TrackingError
from contactopt.tracking import LoggedVersion, load_strategy, log_strategy, promote, rollback
from contactopt.tracking.store import open_store


def bundle_folder(tracking_uri: str) -> Path:
    store = Path(tracking_uri.removeprefix("sqlite:///")).parent
    (found,) = store.glob("mlruns/*/models/*/artifacts/artifacts/strategy")
    return found


def test_first_version_is_champion_later_ones_challenge(tracking_uri: str) -> None:
    first = log_strategy(FakeStrategy(0.1), registered_name="s", tracking_uri=tracking_uri)
    second = log_strategy(FakeStrategy(0.2), registered_name="s", tracking_uri=tracking_uri)
    assert (first.name, first.version, first.alias) == ("s", "1", "champion")
    assert (second.version, second.alias, second.uri) == ("2", "challenger", "models:/s/2")
    for uri, level in (
        ("models:/s@champion", 0.1),
        ("models:/s@challenger", 0.2),
        ("models:/s/2", 0.2),
    ):
        assert load_strategy(uri, tracking_uri=tracking_uri).level == level


def test_unregistered_strategy_and_saved_folder_load(tracking_uri: str, tmp_path: Path) -> None:
    logged = log_strategy(FakeStrategy(0.3), tracking_uri=tracking_uri)
    assert (logged.name, logged.version, logged.alias) == (None, None, None)
    assert load_strategy(logged.uri, tracking_uri=tracking_uri).level == 0.3
    digest = FakeStrategy(0.3).save(tmp_path / "saved")
    assert digest == logged.content_hash
    assert load_strategy(tmp_path / "saved").level == 0.3
    assert load_strategy(str(tmp_path / "saved")).level == 0.3


def test_runs_hold_what_fit_recorded(tracking_uri: str) -> None:
    logged = log_strategy(
        FakeStrategy(), evaluation={"lift": 1.25}, registered_name="s", tracking_uri=tracking_uri
    )
    with open_store(tracking_uri) as store:
        parent = store.client.get_run(logged.run_id)
        runs = store.client.search_runs([parent.info.experiment_id])
        version = store.client.get_model_version("s", "1")
    children = {
        r.info.run_name: r for r in runs if r.data.tags.get("mlflow.parentRunId") == logged.run_id
    }
    assert {r.info.status for r in runs} == {"FINISHED"}
    assert parent.data.params["portfolio_hash"] == "p1"
    assert parent.data.params["config.objective.currency"] == "USD"
    assert parent.data.metrics == {"rows": 120.0, "seconds": 1.5, "evaluation.lift": 1.25}
    assert sorted(children) == ["payment", "reach"]
    assert children["payment"].data.params == {"leaves": "7"}
    assert children["payment"].data.metrics == {"auc": 0.75, "rows": 100.0}
    assert children["reach"].data.metrics == {"seconds": 0.5}  # a number that is none is left out
    assert version.run_id == logged.run_id
    assert version.tags["contactopt.content_hash"] == logged.content_hash
    assert version.tags["contactopt.rules_version"] == "r1"


def test_no_path_of_the_author_is_written(tracking_uri: str) -> None:
    log_strategy(FakeStrategy(), registered_name="s", tracking_uri=tracking_uri)
    model = bundle_folder(tracking_uri).parents[1]
    text = (model / "MLmodel").read_text()
    assert str(Path.cwd()) not in text
    assert str(Path(__file__).parents[2]) not in text
    assert "contactopt==" in (model / "requirements.txt").read_text()


def test_truncated_bundle_is_refused_before_it_is_parsed(tracking_uri: str) -> None:
    log_strategy(FakeStrategy(), registered_name="s", tracking_uri=tracking_uri)
    part = bundle_folder(tracking_uri) / "model.json"
    part.write_bytes(part.read_bytes()[:-3])
    with pytest.raises(BundleError, match=r"model\.json in the bundle has"):
        load_strategy("models:/s@champion", tracking_uri=tracking_uri)


def test_exchanged_bundle_is_refused_by_its_digest(tracking_uri: str) -> None:
    log_strategy(FakeStrategy(0.1), registered_name="s", tracking_uri=tracking_uri)
    FakeStrategy(0.9).save(bundle_folder(tracking_uri))  # whole and sealed, but another one
    with pytest.raises(BundleError, match="not the one that was registered"):
        load_strategy("models:/s@champion", tracking_uri=tracking_uri)


def test_promote_and_roll_back_walk_the_history(tracking_uri: str) -> None:  # 002-21
    for level in (0.1, 0.2, 0.3):
        log_strategy(FakeStrategy(level), registered_name="s", tracking_uri=tracking_uri)

    def champion() -> float:
        return load_strategy("models:/s@champion", tracking_uri=tracking_uri).level

    promoted = promote("s", "challenger", tracking_uri=tracking_uri)
    assert (promoted.version, promoted.alias, champion()) == ("3", "champion", 0.3)
    with pytest.raises(TrackingError, match="no alias 'challenger'"):
        load_strategy("models:/s@challenger", tracking_uri=tracking_uri)
    assert promote("s", 2, tracking_uri=tracking_uri).version == "2"
    assert promote("s", 2, tracking_uri=tracking_uri).version == "2"  # changes nothing
    assert (rollback("s", tracking_uri=tracking_uri).version, champion()) == ("3", 0.3)
    assert (rollback("s", tracking_uri=tracking_uri).version, champion()) == ("1", 0.1)
    with pytest.raises(TrackingError, match="no earlier champion") as caught:
        rollback("s", tracking_uri=tracking_uri)
    assert "contactopt promote s" in str(caught.value)
    assert champion() == 0.1


def test_unknown_name_alias_and_version_name_what_there_is(tracking_uri: str) -> None:
    log_strategy(FakeStrategy(), registered_name="s", tracking_uri=tracking_uri)
    for uri, message, hint in (
        ("models:/t@champion", "no strategy is registered as 't'", "registered here: s"),
        ("models:/s@nope", "'s' has no alias 'nope'", "its aliases are: champion"),
        ("models:/s/7", "'s' has no version 7", "the newest are 1"),
        ("runs:/abc/model", "no address of a strategy", "models:/NAME@champion"),
    ):
        with pytest.raises(TrackingError, match=message) as caught:
            load_strategy(uri, tracking_uri=tracking_uri)
        assert hint in str(caught.value)
        assert caught.value.exit_code == 3


def test_unfitted_strategy_is_refused(tracking_uri: str) -> None:
    with pytest.raises(TrackingError, match="only a fitted strategy"):
        log_strategy(SimpleNamespace(config=None), tracking_uri=tracking_uri)  # type: ignore[arg-type]  # duck


def test_failed_log_leaves_a_failed_run_and_no_version(tracking_uri: str) -> None:
    strategy = FakeStrategy()
    strategy.fit_record_["parts"] = {"payment": 3}
    with pytest.raises(AttributeError):
        log_strategy(strategy, registered_name="s", tracking_uri=tracking_uri)
    with open_store(tracking_uri) as store:
        runs = store.client.search_runs([store.experiment_id("contactopt")])
        assert {r.info.run_name: r.info.status for r in runs}["s"] == "FAILED"
        assert store.client.search_registered_models() == []


def test_logged_version_is_a_record() -> None:
    version = LoggedVersion("s", "1", "r", "models:/s/1", "champion", "h")
    assert version.uri == "models:/s/1"
