"""What every test shares: one thread per library, no telemetry, a ready-made MLflow database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# before any library reads them: idle OpenMP threads that spin make two workers crawl
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
# a store set in the developer's shell must never receive what tests log
for _name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
    os.environ.pop(_name, None)

import pytest  # noqa: E402  (after the environment is set)


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised, empty MLflow database: making one takes seconds, copying it none."""
    from contactopt.tracking.store import open_store

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with open_store(f"sqlite:///{path}"):
        pass
    return path


@pytest.fixture
def tracking_uri(mlflow_template: Path, tmp_path: Path) -> str:
    """A store of its own for one test."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    shutil.copyfile(mlflow_template, path)
    return f"sqlite:///{path}"
