"""Load a strategy from MLflow: only data is read, and only if its hashes hold."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from contactopt.bundle import content_hash
from contactopt.errors import BundleError, TrackingError
from contactopt.tracking.registry import DIGEST_TAG, aliased, version_of
from contactopt.tracking.store import Store, open_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from contactopt.strategy import ContactStrategy

__all__ = ["BUNDLE_FOLDER", "load_strategy"]

#: folder of the bundle among the artifacts of the MLflow model
BUNDLE_FOLDER = "strategy"
_REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<version>\d+))\Z")
_LOGGED = re.compile(r"models:/(?P<model_id>m-[^/@]+)\Z")


def load_strategy(uri: str | Path, *, tracking_uri: str | None = None) -> ContactStrategy:
    """Load a fitted strategy with this library's own code.

    Nothing in the store is executed, unlike with ``mlflow.pyfunc.load_model``: the bundle is
    text and JSON, compared with its manifest and with the registered digest before it is parsed.

    Parameters
    ----------
    uri : str or Path
        ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, the ``models:/m-...`` of a strategy
        logged without a name, or a folder written by ``strategy.save``.
    tracking_uri : str, optional
        The store; default as in ``log_strategy``.

    Returns
    -------
    ContactStrategy
        Fitted; its ``policy_version`` is the content hash of the bundle.

    Raises
    ------
    TrackingError
        Unreachable store, unknown name, version or alias, no address of a strategy.
    BundleError
        The bundle was truncated, altered, exchanged, or is of a newer format.
    """
    from contactopt.strategy import ContactStrategy

    if isinstance(uri, Path) or ("models:/" not in uri and os.path.isdir(uri)):  # noqa: PTH112
        return ContactStrategy.load(uri)
    with tempfile.TemporaryDirectory(prefix="contactopt-") as work:
        return ContactStrategy.load(fetch_bundle(str(uri), Path(work), tracking_uri))


def fetch_bundle(uri: str, work: Path, tracking_uri: str | None) -> Path:
    """Download the bundle behind a ``models:/`` address and check its digest."""
    registered, logged = _REGISTERED.match(uri), _LOGGED.match(uri)
    if registered is None and logged is None:
        raise TrackingError(
            f"{uri!r} is no address of a strategy",
            hint="use models:/NAME@champion, models:/NAME/VERSION or a saved folder",
        )
    with open_store(tracking_uri) as store:
        if logged is not None:
            model = store.client.get_logged_model(logged["model_id"])
            source, digest = model.artifact_location, model.tags.get(DIGEST_TAG)
        else:
            assert registered is not None
            found = _registered_version(store, **registered.groupdict())
            digest = found.tags.get(DIGEST_TAG)
            source = store.client.get_model_version_download_uri(found.name, found.version)
        folder = _download(store, source, work) / "artifacts" / BUNDLE_FOLDER
    if digest is None or not folder.is_dir():
        raise TrackingError(
            f"{uri!r} was not logged by contactopt", hint="log it with contactopt.log_strategy"
        )
    if content_hash(folder) != digest:
        raise BundleError(
            f"the bundle behind {uri!r} is not the one that was registered",
            hint="load another version, or log the strategy again",
        )
    return folder


def _registered_version(
    store: Store, name: str, alias: str | None, version: str | None
) -> ModelVersion:
    return version_of(store, name, version) if version else aliased(store, name, alias or "")


def _download(store: Store, source: str, work: Path) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=source, dst_path=str(work), tracking_uri=store.uri))
