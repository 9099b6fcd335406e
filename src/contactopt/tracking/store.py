"""One way into an MLflow store: resolve its address, initialise it once, translate its errors."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contactopt.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["DEFAULT_URI", "Store", "open_store", "resolve_uri", "shown_uri"]

# Set before MLflow is imported anywhere in this room: it reads them when it is imported.
# A bank's customer data stays where it is; a user who wants telemetry sets the variable first.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# stdout belongs to results: a server's client would print a link there for every run
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

DEFAULT_URI = "sqlite:///mlflow.db"
_SQLITE = "sqlite:///"
_CONNECT_SECONDS = 5.0
_LOCK_SECONDS = 180.0
#: MLflow's own noise, none of it about the user's work: (start of message, category)
_NOISE: tuple[tuple[str, type[Warning]], ...] = (
    # SQLAlchemy 2.1 about a loader strategy inside MLflow's tables
    (".*``noload`` loader strategy is deprecated", DeprecationWarning),
    # our signature leaves inputs to our own validator, so there is nothing to infer
    (".*input example was not provided", UserWarning),
    # MLflow about its own classes, when `mlflow.pyfunc` is first imported
    (".*Any type hint is inferred as AnyType", UserWarning),
)


@dataclass(frozen=True)
class Store:
    """An open MLflow store: its resolved address and a client for it."""

    uri: str
    client: MlflowClient

    def experiment_id(self, name: str) -> str:
        """Find or create an experiment, with an explicit place for its artifacts.

        MLflow would otherwise record a path below whatever the working directory happens to be.
        """
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return self.client.create_experiment(name, self._artifact_location(name))
            except MlflowException:  # another process was faster
                found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise TrackingError(
                f"experiment {name!r} was deleted in this store",
                hint="restore it in MLflow, or name another experiment",
            )
        return found.experiment_id

    def _artifact_location(self, experiment: str) -> str | None:
        path = _sqlite_path(self.uri)
        if path is None:
            return None
        folder = "".join(c if c.isalnum() or c in "-_" else "_" for c in experiment)
        return (path.parent / "mlruns" / folder).as_uri()


def resolve_uri(tracking_uri: str | None = None) -> str:
    """Address of the store: as given, else MLflow's own setting, else SQLite in this folder.

    Relative SQLite paths are made absolute, so that the store does not change when the working
    directory does.

    Raises
    ------
    TrackingError
        A plain file store, which MLflow no longer serves.

    Examples
    --------
    >>> resolve_uri("http://tracking.example:5000")
    'http://tracking.example:5000'
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    if "://" not in uri or uri.startswith("file:"):
        if uri.startswith("databricks"):
            return uri
        raise TrackingError(
            f"{uri!r} is a file store or no address, MLflow no longer serves file stores",
            hint="use sqlite:///mlflow.db or the address of a tracking server",
        )
    path = _sqlite_path(uri)
    return uri if path is None else f"{_SQLITE}{path.as_posix()}"


@contextmanager
def open_store(tracking_uri: str | None = None) -> Iterator[Store]:
    """Open a store, quietly; whatever MLflow raises inside becomes a ``TrackingError``.

    Raises
    ------
    TrackingError
        The store cannot be reached or refuses the request.
    """
    uri = resolve_uri(tracking_uri)
    _refuse_unreachable(uri)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    mlflow_log = logging.getLogger("mlflow")
    level = mlflow_log.level
    try:
        mlflow_log.setLevel(max(level, logging.ERROR))
        with warnings.catch_warnings():
            for message, category in _NOISE:
                warnings.filterwarnings("ignore", message, category)
            _initialise(uri)
            yield Store(uri, MlflowClient(tracking_uri=uri, registry_uri=uri))
    except MlflowException as error:
        raise TrackingError(
            f"MLflow store refused: {_first_line(error)}",
            hint=f"check the store at {shown_uri(uri)}",
        ) from error
    except (OSError, sqlite3.Error) as error:
        raise _unreachable(uri, error) from error
    finally:
        mlflow_log.setLevel(level)


def _initialise(uri: str) -> None:
    """Create the tables of a new SQLite store exactly once, whatever else starts beside us.

    Two processes that touch a fresh database together would destroy it for good. So the tables
    are made in a file of their own, under a lock, and moved into place when they are complete.
    """
    path = _sqlite_path(uri)
    if path is None or _has_tables(path):
        return
    from mlflow import MlflowClient

    path.parent.mkdir(parents=True, exist_ok=True)
    guard = path.with_name(f".{path.name}.lock")
    # SQLite's own lock: works on every system and ends with its process
    with closing(sqlite3.connect(guard, timeout=_LOCK_SECONDS, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:  # its holder made the tables and took the guard away
            if _has_tables(path):
                return
            raise
        if not _has_tables(path):
            fresh = path.with_name(f".{path.name}.new")
            fresh.unlink(missing_ok=True)
            address = f"{_SQLITE}{fresh.as_posix()}"
            MlflowClient(address, address).search_experiments(max_results=1)
            fresh.replace(path)
    with suppress(OSError):  # a system that keeps the file while others wait for it
        guard.unlink()


def _has_tables(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size == 0:
        return False
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            (found,) = database.execute(
                "SELECT count(*) FROM sqlite_master"
                " WHERE name IN ('alembic_version', 'experiments')"
            ).fetchone()
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"{path.name} is not an SQLite database",
            hint="name another file, or the address of a tracking server",
        ) from error
    return found == 2


def _sqlite_path(uri: str) -> Path | None:
    """Absolute path of an SQLite store; None for any other store and for one in memory."""
    if not uri.startswith(_SQLITE) or len(uri) == len(_SQLITE) or ":memory:" in uri:
        return None
    return Path(uri[len(_SQLITE) :]).absolute()


def _refuse_unreachable(uri: str) -> None:
    """Try the server's port once; MLflow itself would retry for minutes before it gives up."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or urllib.request.getproxies().get(parts.scheme):
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_SECONDS):
            return
    except (OSError, ValueError) as error:
        raise _unreachable(uri, error) from error


def _unreachable(uri: str, error: Exception) -> TrackingError:
    return TrackingError(
        f"MLflow store at {shown_uri(uri)} cannot be reached ({type(error).__name__})",
        hint="check the address and that the server runs, or use --tracking-uri sqlite:///mlflow.db",
    )


def shown_uri(uri: str) -> str:
    """Return the address as it may be shown: without a password."""
    parts = urlsplit(uri)
    return uri.replace(f"{parts.username}:{parts.password}@", "") if parts.password else uri


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
