"""Versions and their aliases: who is champion, who challenges, who was champion before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contactopt.errors import TrackingError
from contactopt.tracking.store import Store, open_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["CHALLENGER", "CHAMPION", "DIGEST_TAG", "LoggedVersion", "promote", "rollback"]

CHAMPION = "champion"
CHALLENGER = "challenger"
#: model version tag: content hash of the bundle, compared again when it is loaded
DIGEST_TAG = "contactopt.content_hash"
#: registered model tag: JSON list of the versions that were champion, oldest first
_HISTORY_TAG = "contactopt.former_champions"
_HISTORY_LENGTH = 50


@dataclass(frozen=True)
class LoggedVersion:
    """A strategy in MLflow.

    Parameters
    ----------
    name : str or None
        Registered name; None if the strategy was logged without one.
    version : str or None
        Version under that name.
    run_id : str
        The parent run.
    uri : str
        What ``load_strategy`` takes.
    alias : str or None
        ``champion``, ``challenger`` or None.
    content_hash : str
        Of the bundle; the ``policy_version`` of every plan it makes.
    """

    name: str | None
    version: str | None
    run_id: str
    uri: str
    alias: str | None
    content_hash: str


def promote(name: str, version: str | int, *, tracking_uri: str | None = None) -> LoggedVersion:
    """Make a version the champion; the champion so far is remembered for ``rollback``.

    Parameters
    ----------
    name : str
        Registered name.
    version : str or int
        Version number, or an alias such as ``challenger``.
    tracking_uri : str, optional
        The store; default as in ``log_strategy``.

    Raises
    ------
    TrackingError
        Unknown name, version or alias; unreachable store.
    """
    with open_store(tracking_uri) as store:
        wanted = str(version)
        chosen = (
            version_of(store, name, wanted) if wanted.isdigit() else aliased(store, name, wanted)
        )
        number = str(chosen.version)  # some stores give whole numbers, some text
        aliases = _aliases(store, name)
        before = aliases.get(CHAMPION)
        if before is not None and before != number:
            _remember(store, name, [*_history(store, name), before])
        store.client.set_registered_model_alias(name, CHAMPION, number)
        if aliases.get(CHALLENGER) == number:
            store.client.delete_registered_model_alias(name, CHALLENGER)
        return described(chosen, CHAMPION)


def rollback(name: str, *, tracking_uri: str | None = None) -> LoggedVersion:
    """Give the champion's alias back to the version that held it before.

    The version that is withdrawn keeps no alias; rolling back again walks further back.

    Raises
    ------
    TrackingError
        Unknown name, nobody to go back to, or unreachable store.
    """
    with open_store(tracking_uri) as store:
        now = _aliases(store, name).get(CHAMPION)
        existing = {str(v.version) for v in _versions(store, name)}
        former = [v for v in _history(store, name) if v in existing and v != now]
        if not former:
            raise TrackingError(
                f"{name!r} has no earlier champion to go back to",
                hint=f"name a version yourself: contactopt promote {name} VERSION",
            )
        store.client.set_registered_model_alias(name, CHAMPION, former[-1])
        _remember(store, name, former[:-1])
        return described(version_of(store, name, former[-1]), CHAMPION)


def described(found: ModelVersion, alias: str | None) -> LoggedVersion:
    """Describe a model version of the registry."""
    return LoggedVersion(
        name=found.name,
        version=str(found.version),
        run_id=found.run_id or "",
        uri=f"models:/{found.name}/{found.version}",
        alias=alias,
        content_hash=found.tags.get(DIGEST_TAG, ""),
    )


def version_of(store: Store, name: str, version: str) -> ModelVersion:
    """Find a version by its number."""
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        known = [str(v.version) for v in _versions(store, name)]
        raise TrackingError(
            f"{name!r} has no version {version}",
            hint=f"the newest are {', '.join(known[-10:]) or 'none yet'}",
        ) from None


def aliased(store: Store, name: str, alias: str) -> ModelVersion:
    """Find a version by an alias."""
    aliases = _aliases(store, name)
    if alias not in aliases:
        known = ", ".join(sorted(aliases)) or "none yet"
        raise TrackingError(f"{name!r} has no alias {alias!r}", hint=f"its aliases are: {known}")
    return version_of(store, name, aliases[alias])


def is_first_version(store: Store, name: str) -> bool:
    """Tell whether nothing is registered under this name yet."""
    return not store.client.search_model_versions(_named(name), max_results=1)


def _versions(store: Store, name: str) -> list[ModelVersion]:
    _registered(store, name)
    return sorted(store.client.search_model_versions(_named(name)), key=lambda v: int(v.version))


def _aliases(store: Store, name: str) -> dict[str, str]:
    return {alias: str(v) for alias, v in _registered(store, name).aliases.items()}


def _registered(store: Store, name: str):
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        known = [m.name for m in store.client.search_registered_models(max_results=20)]
        raise TrackingError(
            f"no strategy is registered as {name!r}",
            hint=f"registered here: {', '.join(sorted(known)) or 'none yet'}",
        ) from None


def _history(store: Store, name: str) -> list[str]:
    return json.loads(_registered(store, name).tags.get(_HISTORY_TAG, "[]"))


def _remember(store: Store, name: str, versions: list[str]) -> None:
    text = json.dumps(versions[-_HISTORY_LENGTH:])
    store.client.set_registered_model_tag(name, _HISTORY_TAG, text)


def _named(name: str) -> str:
    if "'" in name:
        raise TrackingError(f"{name!r} cannot be a registered name", hint="leave out quotes")
    return f"name='{name}'"
