"""The doctor sees what is wrong with a machine, and says the way on."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from importlib import metadata
from pathlib import Path
from unittest import mock

import pytest

from contactopt.onboarding import diagnose
from contactopt.onboarding.doctor import Finding
from contactopt.tracking.store import open_store


def found(**more) -> dict[str, Finding]:
    return {f.check: f for f in diagnose(**more)}


def test_a_store_that_works(tmp_path: Path) -> None:
    uri = f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    with open_store(uri):
        pass
    store = found(tracking_uri=uri, folder=tmp_path)["MLflow store"]
    assert (store.state, store.way_on) == ("ok", "")
    assert "0 registered model(s)" in store.detail


def test_a_store_of_an_older_schema_fails_with_the_way_on(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"):
        pass
    # MLflow looks at a database once per process
    path = Path(shutil.copy(tmp_path / "mlflow.db", tmp_path / "older.db"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    uri = f"sqlite:///{path.as_posix()}"
    store = found(tracking_uri=uri)["MLflow store"]
    assert store.state == "fail"
    assert "mlflow db upgrade" in store.way_on


def test_no_database_and_no_server(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("not a database, whatever its name says" * 40)
    assert found(tracking_uri=f"sqlite:///{path.as_posix()}")["MLflow store"].state == "fail"
    gone = found(tracking_uri="http://someone:secret@127.0.0.1:9")["MLflow store"]
    assert gone.state == "fail"
    assert "secret" not in gone.detail + gone.way_on
    assert found(tracking_uri="file:./mlruns")["MLflow store"].state == "fail"


def test_versions_out_of_range_and_missing() -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "holidays":
            raise metadata.PackageNotFoundError(name)
        return {"pandas": "1.5.3"}.get(name, real(name))

    with mock.patch("contactopt.onboarding.doctor.metadata.version", version):
        told = found()
    assert told["pandas"].state == "fail"
    assert told["pandas"].detail.startswith("1.5.3 (needs ")
    assert told["pandas"].way_on.startswith('pip install "pandas')
    assert told["numpy"].state == "ok"


def test_calendars_of_a_later_year_are_a_warning() -> None:
    year = int(metadata.version("tzdata")[:4])
    assert found(year=year)["time zones"].state == "ok"
    late = found(year=year + 1)["time zones"]
    assert (late.state, "pip install" in late.way_on) == ("warn", True)


@pytest.mark.parametrize(("value", "state"), [("1", "ok"), ("9999", "warn"), ("many", "warn")])
def test_threads(monkeypatch: pytest.MonkeyPatch, value: str, state: str) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert found()["threads"].state == state


def test_little_memory_and_no_disk() -> None:
    doctor = "contactopt.onboarding.doctor"
    with (
        mock.patch(f"{doctor}._memory_bytes", return_value=2 * 1024**3),
        mock.patch(f"{doctor}.shutil.disk_usage") as usage,
    ):
        usage.return_value.free = 1024
        told = found()
    assert (told["memory"].state, told["disk"].state) == ("warn", "fail")
