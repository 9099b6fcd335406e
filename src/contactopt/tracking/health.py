"""Whether an MLflow store can be used, without making one."""

from __future__ import annotations

import os
from pathlib import Path

from contactopt.errors import TrackingError
from contactopt.tracking.store import open_store, resolve_uri, shown_uri

__all__ = ["store_health"]

_SQLITE = "sqlite:///"


def store_health(tracking_uri: str | None = None) -> tuple[str, str, str]:
    """Return the state of a store (`ok`, `warn`, `fail`), what was found, and the way on.

    A SQLite file that does not exist is not made: that is a warning.

    Raises
    ------
    TrackingError
        If the address is none.
    """
    uri = resolve_uri(tracking_uri)
    shown = shown_uri(uri)
    file = Path(uri[len(_SQLITE) :]) if uri.startswith(_SQLITE) and ":memory:" not in uri else None
    if file is not None and not file.is_file():
        return "warn", f"none yet at {shown}", "`contactopt init` or `contactopt fit` makes it"
    if file is not None and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        return "fail", f"{shown} cannot be written", "give this user the right to write it"
    try:
        with open_store(uri) as store:
            experiments = len(store.client.search_experiments(max_results=100))
            models = len(store.client.search_registered_models(max_results=100))
    except TrackingError as error:
        way_on = error.hint or ""
        if "schema" in error.message:
            way_on = f"back the store up, then: mlflow db upgrade {shown}"
        return "fail", error.message, way_on
    return "ok", f"{shown}: {experiments} experiment(s), {models} registered model(s)", ""
