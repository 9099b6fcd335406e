"""`tune`: settings of the payment and the amount model, chosen on later time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm import tqdm

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, check_config, check_staleness
from contactopt.contracts.checks import as_instant
from contactopt.errors import ConfigError
from contactopt.tuning.result import PartResult, TrialRecord, TuningResult
from contactopt.tuning.tasks import PARTS, Task, rows_of

if TYPE_CHECKING:
    from contactopt.strategy import ContactStrategy

__all__ = ["tune"]


def tune(
    strategy: ContactStrategy | StrategyConfig,
    portfolio: Portfolio,
    *,
    as_of: str | pd.Timestamp,
    n_trials: int = 30,
    timeout: float | None = None,
    random_state: int = 0,
    storage: str | Path | None = None,
    study_name: str = "contactopt",
    callbacks: Sequence[Callable[[TrialRecord], object]] = (),
    progress: bool = True,
    parts: Sequence[str] = ("payment",),
    max_rows: int = 50_000,
) -> TuningResult:
    """Search LightGBM's settings of a strategy's models with Optuna (Akiba et al., KDD 2019).

    The loss is out of time: each of three folds fits on earlier rows of some customers and is
    scored on later rows of the others, with one horizon between them. The payment model is judged
    by its log-loss, the amount model by the Gamma deviance of what payers paid. The first trial is
    the settings in place; a trial that is worse than the median after a fold is pruned. What is
    found has been selected on these rows: its loss is a little flattered, the next window tells.

    Parameters
    ----------
    strategy : ContactStrategy or StrategyConfig
        Need not be fitted, and is not changed.
    portfolio : Portfolio
    as_of : Timestamp or str with a zone
        Nothing that became known later is used.
    n_trials : int
        Trials to run now, per part; those already in the storage are not counted.
    timeout : float, optional
        Seconds after which no further trial is started.
    random_state : int
        Same seed, data and settings, same trials, also if they are run in several sittings. A new
        seed continues a stored study with other proposals.
    storage : path or str, optional
        SQLite file (made if it is not there) or address; trials are kept there and continued.
        Without it they are kept in memory only.
    study_name : str
        Each part is a study of its own in the storage, for example ``contactopt.payment``.
    callbacks : sequence of callable
        Called with a `TrialRecord` after every trial, for example `tracking.tuning_run`'s.
    progress : bool
        Show a bar on stderr.
    parts : sequence of {"payment", "amount"}
    max_rows : int
        Training rows used, a sample by hash above.

    Returns
    -------
    TuningResult

    Raises
    ------
    ConfigError
        Unknown part, a storage that cannot be used, a study made on other data.
    ContractError
        The history is too short or the payers are too few to tune on.
    StalenessError
        As in `ContactStrategy.fit`.
    """
    from contactopt.journal.terms import open_journal
    from contactopt.tuning.studies import open_study, quiet_optuna, run_trials, storage_address

    config = strategy if isinstance(strategy, StrategyConfig) else strategy.config
    wrong = [p for p in parts if p not in PARTS]
    if wrong or not parts or n_trials < 1:
        raise ConfigError(
            f"nothing known to tune: parts {list(parts)}, {n_trials} trials",
            hint=f"parts are {', '.join(PARTS)}; at least one trial",
        )
    address = storage_address(storage)
    instant = as_instant(as_of)
    check_config(portfolio, config)
    check_staleness(portfolio, config, instant)
    rows = rows_of(
        open_journal(portfolio, config),
        config,
        instant,
        max_rows=min(max_rows, config.models.max_training_rows),
        seed=config.random_state,
    )
    tasks = [Task(part, rows, config) for part in dict.fromkeys(parts)]
    deadline = None if timeout is None else time.monotonic() + timeout
    made_for = _fingerprint(portfolio, config, instant, len(rows.customers))
    found = {}
    with (
        quiet_optuna(),
        tqdm(total=n_trials * len(tasks), desc="tune", disable=not progress) as bar,
    ):

        def on_trial(record: TrialRecord) -> None:
            bar.set_postfix_str(f"{record.part} {record.best_value or float('nan'):.5f}")
            bar.update()
            for callback in callbacks:
                callback(record)

        for task in tasks:
            study = open_study(f"{study_name}.{task.part}", address, made_for)
            run_trials(
                study,
                task,
                n_trials=n_trials,
                deadline=deadline,
                random_state=random_state,
                on_trial=on_trial,
            )
            found[task.part] = _part_result(study, task)
    return TuningResult(study_name, found, instant, len(rows.customers))


def _part_result(study: Any, task: Task) -> PartResult:
    from contactopt.tuning.studies import best_of, records_of

    records = records_of(study, task.part)
    chosen = best_of(records)
    if chosen is None:
        raise ConfigError(
            f"no trial of the {task.part} model was completed in time",
            hint="give a longer timeout; with a storage the trials already made are kept",
        )
    best, first = chosen
    assert best.value is not None and first.value is not None
    return PartResult(
        task.part, task.loss_name, dict(best.parameters), best.value, first.value, records
    )


def _fingerprint(
    portfolio: Portfolio, config: StrategyConfig, as_of: pd.Timestamp, n_rows: int
) -> str:
    """Tell apart what changes the rows or the loss: data, instant, and the settings that matter."""
    mapping = config.to_mapping()
    told = {name: mapping[name] for name in ("objective", "models", "data_delay", "random_state")}
    told["models"] = {k: v for k, v in told["models"].items() if k != "num_threads"}
    text = json.dumps(
        [portfolio.content_hash, as_of.isoformat(), n_rows, told], sort_keys=True, default=str
    )
    return hashlib.sha256(text.encode()).hexdigest()
