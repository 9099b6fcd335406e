"""``contactopt tune``: settings of the models, chosen on later time, as a strategy file."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactopt.cli.inputs import instant_of, read_portfolio
from contactopt.cli.options import AsOf, Json, MaxQuarantinedShare, PortfolioFolder, TrackingUri
from contactopt.cli.output import shows_progress, table, tell
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    from contactopt.tuning import TuningResult

__all__ = ["tune"]


def tune(
    portfolio: PortfolioFolder,
    strategy: Annotated[
        Path,
        typer.Option("--strategy", "--config", metavar="FILE", help="Strategy file (YAML)."),
    ],
    as_of: AsOf,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Strategy file to write: the one given, comments lost, with what was found.",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Trials to run now, per model.")
    ] = 30,
    parts: Annotated[
        str, typer.Option("--parts", help="Models to tune, by comma: payment, amount.")
    ] = "payment",
    timeout: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="SECONDS", help="Start no further trial after so long."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="SQLite file that keeps the trials; continued if there."),
    ] = None,
    study: Annotated[str, typer.Option(help="Name of the study in the storage.")] = "contactopt",
    random_state: Annotated[
        int, typer.Option("--random-state", min=0, help="Seed; a new one proposes other trials.")
    ] = 0,
    max_rows: Annotated[
        int, typer.Option("--max-rows", min=100, help="Training rows used, a sample above.")
    ] = 50_000,
    experiment: Annotated[
        str | None,
        typer.Option(help="Log the trials as nested runs of this MLflow experiment."),
    ] = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Tune the models' settings on later time and other customers.

    The first trial is the settings in place, so that nothing worse is ever written. Trials are
    the same for the same seed, also when a storage lets several sittings share the work.

    \b
    For example:
        contactopt tune W/portfolio --config W/strategy.yaml --as-of latest --out tuned.yaml
        contactopt tune P --config s.yaml --as-of latest --trials 50 --storage trials.db
        contactopt tune P --config s.yaml --as-of latest --parts payment,amount --experiment t
    """
    from contactopt.config import StrategyConfig
    from contactopt.tuning import tune as search

    config = StrategyConfig.from_yaml(strategy)
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"no folder {out.parent} for --out", hint="make it first")
    if out is not None and out.exists() and out.samefile(strategy):
        raise ConfigError(
            "--out is the strategy file itself: its comments would be lost",
            hint="write another file and compare",
        )
    progress = shows_progress(as_json=as_json)
    data = read_portfolio(
        portfolio, config, max_quarantined_share=max_quarantined_share, progress=progress
    )
    with ExitStack() as stack:
        callbacks = []
        uri = tracking_uri or config.tracking.tracking_uri
        if experiment is not None or tracking_uri is not None:
            from contactopt.tracking import tuning_run

            name = experiment or config.tracking.experiment
            run = tuning_run(study, tracking_uri=uri, experiment=name)
            callbacks.append(stack.enter_context(run))
        found = search(
            config,
            data,
            as_of=instant_of(as_of, data, config),
            n_trials=trials,
            timeout=timeout,
            random_state=random_state,
            storage=storage,
            study_name=study,
            callbacks=callbacks,
            progress=progress,
            parts=[p.strip() for p in parts.split(",") if p.strip()],
            max_rows=max_rows,
        )
    if out is not None:
        _write(found, strategy, out)
    tell(_result(found, out), _text(found, out), as_json=as_json)


def _write(found: TuningResult, strategy: Path, out: Path) -> None:
    """Write the user's own keys and the settings found, whole or not at all."""
    import yaml

    from contactopt.config import StrategyConfig

    mapping: dict[str, Any] = yaml.safe_load(strategy.read_text("utf-8")) or {}
    models = dict(mapping.get("models") or {})
    for part, settings in found.best_parameters.items():
        if settings:
            models[part] = {**(models.get(part) or {}), **settings}
    if models:
        mapping["models"] = models
    StrategyConfig.from_mapping(mapping, source=out.name)
    text = (
        f"# {strategy.name} with settings found by `contactopt tune` as of "
        f"{found.as_of:%Y-%m-%dT%H:%MZ}\n" + yaml.safe_dump(mapping, sort_keys=False, width=100)
    )
    fresh = out.with_name(f".{out.name}.writing")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _result(found: TuningResult, out: Path | None) -> dict[str, Any]:
    return {
        "study": found.study_name,
        "as_of": found.as_of,
        "rows": found.rows,
        "parts": {
            name: {
                "loss": part.loss,
                "best_value": part.best_value,
                "baseline_value": part.baseline_value,
                "parameters": part.parameters,
                "trials": [
                    {"number": t.number, "state": t.state, "value": t.value, **t.parameters}
                    for t in part.trials
                ],
            }
            for name, part in found.parts.items()
        },
        "models": found.to_mapping().get("models", {}),
        "file": out,
    }


def _text(found: TuningResult, out: Path | None) -> str:
    lines: list[tuple[str, object]] = [("rows", f"{found.rows:,}")]
    for name, part in found.parts.items():
        lines.append((name, f"{part.loss} {part.best_value:.5f}, before {part.baseline_value:.5f}"))
        lines.append(("  trials", f"{len(part.trials):,}"))
        if not part.parameters:
            lines.append(("  settings", "those in place are the best found"))
        lines += [(f"  {key}", f"{value:.4g}") for key, value in part.parameters.items()]
    if out is not None:
        lines.append(("wrote", out))
    return table(lines)
