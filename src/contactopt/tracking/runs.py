"""Write a fitted strategy into MLflow: a parent run, a run per part, one model, one version."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contactopt.bundle import content_hash
from contactopt.errors import TrackingError
from contactopt.tracking.loading import BUNDLE_FOLDER
from contactopt.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    DIGEST_TAG,
    LoggedVersion,
    described,
    is_first_version,
)
from contactopt.tracking.store import Store, open_store

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

    from contactopt.strategy import ContactStrategy

__all__ = ["DEFAULT_EXPERIMENT", "log_strategy", "write_run"]

DEFAULT_EXPERIMENT = "contactopt"
#: the model card among the files of a bundle
MODEL_CARD = "MODEL_CARD.md"
#: limits of MLflow's stores for one call, and for one parameter's value
_PARAMS_PER_CALL, _METRICS_PER_CALL, _VALUE_LENGTH = 100, 1000, 6000
#: what scoring needs, pinned as installed; given explicitly because MLflow's inference is slow
_REQUIREMENTS = (
    ("mlflow", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "lightgbm", "numba")
)  # fmt: skip


def log_strategy(
    strategy: ContactStrategy,
    *,
    evaluation: Any = None,
    registered_name: str | None = None,
    tracking_uri: str | None = None,
    experiment: str | None = None,
) -> LoggedVersion:
    """Log a fitted strategy and, given a name, register it.

    One parent run holds the settings, rules version, content hashes and the model; each part of
    the strategy has a nested run with its parameters and metrics. The first version registered
    under a name becomes ``champion``, every later one ``challenger``.

    Parameters
    ----------
    strategy : ContactStrategy
        Fitted; what it left in ``fit_record_`` is written down.
    evaluation : mapping or object with ``metrics``, optional
        Numbers by name, written as metrics of the parent run; what has ``to_markdown()`` (a
        `ModelReport`) is kept as its artifact MODEL_REPORT.md beside MODEL_CARD.md.
    registered_name : str, optional
        Name in the registry; default from the strategy file's ``tracking``. None: not registered.
    tracking_uri : str, optional
        The store; default from the strategy file's ``tracking``, else ``MLFLOW_TRACKING_URI``,
        else ``sqlite:///mlflow.db`` in the working directory, created safely when it is new.
    experiment : str, optional
        Default from the strategy file's ``tracking``.

    Returns
    -------
    LoggedVersion

    Raises
    ------
    TrackingError
        The strategy is not fitted, or the store is unreachable or refuses.
    """
    record = getattr(strategy, "fit_record_", None)
    if record is None:
        raise TrackingError(
            "only a fitted strategy can be logged", hint="call strategy.fit(portfolio, as_of=...)"
        )
    names = getattr(strategy.config, "tracking", None)
    registered_name = registered_name or getattr(names, "registered_name", None)
    experiment = str(experiment or getattr(names, "experiment", None) or DEFAULT_EXPERIMENT)
    with (
        open_store(tracking_uri or getattr(names, "tracking_uri", None)) as store,
        tempfile.TemporaryDirectory(prefix="contactopt-") as work,
    ):
        bundle = Path(work, BUNDLE_FOLDER)
        strategy.save(bundle)
        digest = content_hash(bundle)
        run = store.client.create_run(
            store.experiment_id(experiment),
            run_name=registered_name or "strategy",
            tags={DIGEST_TAG: digest},
        )
        try:
            _write_parent(store, run, strategy, record, evaluation)
            _write_texts(store, run, bundle, evaluation)
            for part, content in record.get("parts", {}).items():
                _write_part(store, run, part, content)
            learned = getattr(strategy, "update_record_", None)
            if learned:
                _write_part(store, run, "update", learned)
            model = _write_model(store, run, bundle, digest)
        except BaseException:
            store.client.set_terminated(run.info.run_id, "FAILED")
            raise
        store.client.set_terminated(run.info.run_id)
        if registered_name is None:
            uri = f"models:/{model.model_id}"
            return LoggedVersion(None, None, run.info.run_id, uri, None, digest)
        return _register(store, run, registered_name, model, digest, record)


def _write_parent(
    store: Store, run: Run, strategy: Any, record: Mapping[str, Any], evaluation: Any
):
    rest = {key: value for key, value in record.items() if key != "parts"}
    params, metrics = _split(_flat(rest))
    if hasattr(strategy.config, "to_mapping"):
        settings = _flat(strategy.config.to_mapping(), "config")
        params |= {key: str(value) for key, value in settings if value is not None}
    found = getattr(evaluation, "metrics", evaluation) or {}
    metrics |= _split(_flat(found, "evaluation"))[1]
    write_run(store, run, params, metrics)


def _write_texts(store: Store, run: Run, bundle: Path, evaluation: Any) -> None:
    """Keep the model card, and the evaluation where it can be read, among the run's artifacts."""
    card = bundle / MODEL_CARD
    if card.is_file():
        store.client.log_artifact(run.info.run_id, str(card))
    if hasattr(evaluation, "to_markdown"):
        store.client.log_text(run.info.run_id, evaluation.to_markdown(), "MODEL_REPORT.md")


def _write_part(store: Store, parent: Run, part: str, content: Mapping[str, Any]) -> None:
    run = store.client.create_run(
        parent.info.experiment_id,
        run_name=part,
        tags={"mlflow.parentRunId": parent.info.run_id},
    )
    params = {key: str(value) for key, value in _flat(content.get("params", {}))}
    more, metrics = _split(_flat({k: v for k, v in content.items() if k != "params"}))
    # `metrics: {auc: ...}` of the record is named plainly `auc`
    metrics = {key.removeprefix("metrics."): value for key, value in metrics.items()}
    write_run(store, run, params | more, metrics)
    store.client.set_terminated(run.info.run_id)


def write_run(
    store: Store, run: Run, params: Mapping[str, str], metrics: Mapping[str, float]
) -> None:
    """Parameters and metrics in as few calls as the store allows; one by one is slow."""
    from mlflow.entities import Metric, Param

    written = run.info.start_time
    values = [Metric(_key(key), value, written, 0) for key, value in metrics.items()]
    settings = [
        Param(_key(key), value) for key, value in params.items() if len(value) <= _VALUE_LENGTH
    ]
    for start in range(0, max(len(settings), 1), _PARAMS_PER_CALL):
        store.client.log_batch(
            run.info.run_id,
            params=settings[start : start + _PARAMS_PER_CALL],
            metrics=values[:_METRICS_PER_CALL] if start == 0 else (),
        )


def _write_model(store: Store, run: Run, bundle: Path, digest: str) -> LoggedModel:
    """Log the bundle as a models-from-code model.

    It is built in a temporary folder with neutral names, because MLflow writes the paths it was
    given into the model's description.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import save_model

    from contactopt.tracking.serving import SIGNATURE

    client = store.client
    model = client.create_logged_model(
        run.info.experiment_id,
        name=BUNDLE_FOLDER,
        source_run_id=run.info.run_id,
        tags={DIGEST_TAG: digest},
        model_type="contact strategy",
    )
    code, folder = bundle.with_name("model.py"), bundle.with_name("model")
    shutil.copyfile(Path(__file__).with_name("model_from_code.py"), code)
    save_model(
        folder,
        python_model=str(code),
        artifacts={BUNDLE_FOLDER: str(bundle)},
        pip_requirements=_pinned_requirements(),
        signature=SIGNATURE,
        mlflow_model=Model(
            artifact_path=model.artifact_location,
            run_id=run.info.run_id,
            model_uuid=model.model_id,
            model_id=model.model_id,
        ),
    )
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    return model


def _register(
    store: Store, run: Run, name: str, model: LoggedModel, digest: str, record: Mapping[str, Any]
) -> LoggedVersion:
    from mlflow.exceptions import MlflowException

    first = is_first_version(store, name)
    try:
        store.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {DIGEST_TAG: digest}
    if record.get("rules_version"):
        tags["contactopt.rules_version"] = str(record["rules_version"])
    found = store.client.create_model_version(
        name,
        # a `models:/m-...` address would be looked up in MLflow's global store, not in this one
        source=model.artifact_location,
        run_id=run.info.run_id,
        tags=tags,
        model_id=model.model_id,
    )
    alias = CHAMPION if first else CHALLENGER
    store.client.set_registered_model_alias(name, alias, found.version)
    return described(found, alias)


def _pinned_requirements() -> list[str]:
    pinned = []
    for package in ("contactopt", *_REQUIREMENTS):
        try:
            pinned.append(f"{package}=={version(package)}")
        except PackageNotFoundError:  # a source tree that was never installed
            pinned.append(package)
    return pinned


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as dotted names; lists become JSON text."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(content, (list, tuple)):
        yield prefix, json.dumps(content, default=str)
    elif content is not None:
        yield prefix, content


def _split(pairs: Iterator[tuple[str, Any]]) -> tuple[dict[str, str], dict[str, float]]:
    """Text and truth values are parameters, finite numbers are metrics."""
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    for key, value in pairs:
        if isinstance(value, Real) and not isinstance(value, bool):
            if math.isfinite(value):
                metrics[key] = float(value)
        else:
            params[key] = str(value)
    return params, metrics


def _key(name: str) -> str:
    """Spell a name with the characters MLflow allows."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)[:250]
