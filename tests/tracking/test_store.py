"""The store is found, made once, and says plainly when it cannot be used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contactopt.errors import TrackingError
from contactopt.tracking.store import open_store, resolve_uri


def test_default_store_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert resolve_uri() == f"sqlite:///{tmp_path}/other.db"
    assert resolve_uri("https://host/path") == "https://host/path"


def test_artifacts_lie_beside_the_database_wherever_we_stand(
    tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(tracking_uri) as store:
        experiment = store.client.get_experiment(store.experiment_id("my work"))
        assert store.experiment_id("my work") == experiment.experiment_id
    assert experiment.artifact_location == (tmp_path / "store" / "mlruns" / "my_work").as_uri()


def test_two_processes_share_a_new_store(tmp_path: Path) -> None:
    """Started together on a database that is not there yet, both find it whole."""
    code = (
        "import sys; from contactopt.tracking.store import open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    store.client.create_run(store.experiment_id('e'))\n"
    )
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, uri], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for job in jobs:
        _, errors = job.communicate(timeout=180)
        assert job.returncode == 0, errors.decode()
    with open_store(uri) as store:
        assert len(store.client.search_runs([store.experiment_id("e")])) == 2
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["mlflow.db"]


def test_unreachable_server_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        uri = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(TrackingError, match="cannot be reached") as caught, open_store(uri):
            pass
    assert time.monotonic() - begin < 30  # MLflow alone would retry for minutes
    assert caught.value.exit_code == 3
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["./mlruns", "file:./mlruns"])
def test_file_store_is_refused_with_the_way_on(uri: str) -> None:
    with pytest.raises(TrackingError, match="file store") as caught:
        resolve_uri(uri)
    assert "sqlite:///mlflow.db" in str(caught.value)


def test_a_file_that_is_no_database_stays_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but somebody's notes\n" * 9)
    with (
        pytest.raises(TrackingError, match="not an SQLite database"),
        open_store(f"sqlite:///{path}"),
    ):
        pass
    assert path.read_text().startswith("not a database")


def test_a_place_that_cannot_hold_a_store_is_a_tracking_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    uri = f"sqlite:///{tmp_path}/file/mlflow.db"
    with pytest.raises(TrackingError, match="cannot be reached"), open_store(uri):
        pass


def test_nothing_of_the_process_is_changed(tracking_uri: str, monkeypatch) -> None:
    before = dict(os.environ)
    with open_store(tracking_uri):
        pass
    assert dict(os.environ) == before
