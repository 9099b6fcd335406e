"""One Optuna study per model: opened or continued, its trials run one after the other."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contactopt.errors import ConfigError
from contactopt.tuning.result import TrialRecord
from contactopt.tuning.tasks import SPACE, Task

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

__all__ = ["open_study", "records_of", "run_trials", "storage_address"]

#: what a study was made for, kept in it: trials on other data cannot be compared
_MADE_FOR = "contactopt.made_for"
_SECONDS, _STARTUP = "seconds", 8
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def storage_address(storage: str | Path | None) -> str | None:
    """Address of the storage: an SQLite file for a path, an address as it is, None for memory.

    Examples
    --------
    >>> storage_address(None), storage_address("sqlite:///t.db")
    (None, 'sqlite:///t.db')
    """
    if storage is None or "://" in str(storage):
        return None if storage is None else str(storage)
    path = Path(storage).absolute()
    if not path.parent.is_dir():
        raise ConfigError(f"no folder {path.parent} for the storage", hint="make it first")
    return f"sqlite:///{path.as_posix()}"


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from writing a line per trial; progress is shown by our own bar."""
    with warnings.catch_warnings():
        # Optuna asks tqdm for a notebook's bar and warns where there are no widgets; ours is text
        warnings.filterwarnings("ignore", message="IProgress not found")
        import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def open_study(name: str, address: str | None, made_for: str) -> Study:
    """Create a study, or continue the one of that name.

    Raises
    ------
    ConfigError
        If the storage cannot be used, or the study was made on other data or settings.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        study = optuna.create_study(
            study_name=name,
            storage=address,
            direction="minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
        )
        known = study.user_attrs.get(_MADE_FOR)
        if known is None:
            study.set_user_attr(_MADE_FOR, made_for)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise ConfigError(
            f"the storage cannot be used ({type(error).__name__})",
            hint="give a path for a new SQLite file, or an address that Optuna knows",
        ) from None
    if known is not None and known != made_for:
        raise ConfigError(
            f"study {name!r} in this storage was made on another portfolio, instant or strategy",
            hint="give another study name: losses on different rows cannot be compared",
        )
    return study


def run_trials(
    study: Study,
    task: Task,
    *,
    n_trials: int,
    deadline: float | None,
    random_state: int,
    on_trial: Callable[[TrialRecord], object],
) -> None:
    """Run further trials until there are ``n_trials`` more or the deadline has passed.

    The first trial is the settings in place, left to themselves: what is found is never worse on
    these rows. The sampler of each trial is seeded from ``random_state`` and the trial's number,
    so that a continued study proposes what an uninterrupted one would have, and never the same
    again.
    """
    import optuna

    for _ in range(n_trials):
        if deadline is not None and time.monotonic() > deadline:
            break
        known = study.get_trials(deepcopy=False)
        number = len(known)
        first = not any(_in_place(t) for t in known)
        study.sampler = optuna.samplers.TPESampler(
            seed=_seed(random_state, task.part, number), n_startup_trials=_STARTUP
        )
        trial = study.ask()
        settings = {} if first else {name: _suggest(trial, name) for name in SPACE}
        began = time.perf_counter()
        try:
            value = _run(trial, task, settings)
        except BaseException:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        trial.set_user_attr(_SECONDS, time.perf_counter() - began)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, value)
        on_trial(_record(study, task.part, study.trials[trial.number]))


def _in_place(trial: FrozenTrial) -> bool:
    """Whether a trial showed what the settings in place are worth."""
    return trial.state.name == "COMPLETE" and not trial.params


def _run(trial: Trial, task: Task, settings: dict[str, int | float]) -> float | None:
    """Mean loss over the folds; None as soon as the trial is clearly worse than the others."""
    total = 0.0
    for fold in range(len(task.folds)):
        total += task.loss(fold, settings)
        trial.report(total / (fold + 1), fold)
        if fold + 1 < len(task.folds) and trial.should_prune():
            return None
    return total / len(task.folds)


def _suggest(trial: Trial, name: str) -> int | float:
    kind, low, high, log = SPACE[name]
    if kind is int:
        return trial.suggest_int(name, int(low), int(high), log=log)
    return trial.suggest_float(name, low, high, log=log)


def _seed(random_state: int, part: str, number: int) -> int:
    text = f"{random_state}/{part}/{number}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


def records_of(study: Study, part: str) -> tuple[TrialRecord, ...]:
    """Return the ended trials of a study, by number."""
    ended = [t for t in study.trials if t.state.name in _STATES]
    return tuple(_record(study, part, t) for t in ended)


def _record(study: Study, part: str, trial: FrozenTrial) -> TrialRecord:
    last = trial.last_step
    seen = None if last is None else trial.intermediate_values[last]
    done: list[Any] = [
        t.value for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"
    ]
    return TrialRecord(
        study=study.study_name,
        part=part,
        number=trial.number,
        state=_STATES[trial.state.name],
        value=seen if trial.value is None else trial.value,
        parameters=dict(trial.params),
        seconds=float(trial.user_attrs.get(_SECONDS, 0.0)),
        best_value=min(done, default=None),
    )


def best_of(records: Sequence[TrialRecord]) -> tuple[TrialRecord, TrialRecord] | None:
    """Return the best complete trial, and the one with the settings in place."""
    done = [t for t in records if t.state == "complete" and t.value is not None]
    in_place = [t for t in done if not t.parameters]
    if not in_place:
        return None
    return min(done, key=lambda t: (t.value, t.number)), in_place[0]
