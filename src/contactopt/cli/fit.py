"""``contactopt fit``: learn from a portfolio, then register or save the strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from contactopt.cli.inputs import instant_of, read_portfolio, read_strategy
from contactopt.cli.keeping import keep
from contactopt.cli.options import (
    AsOf,
    Json,
    MaxQuarantinedShare,
    PortfolioFolder,
    TrackingUri,
)
from contactopt.cli.output import check_folder, shows_progress, table, tell
from contactopt.errors import ConfigError

__all__ = ["fit"]


def fit(
    portfolio: PortfolioFolder,
    strategy: Annotated[
        Path, typer.Option("--strategy", metavar="FILE", help="Strategy file (YAML).")
    ],
    as_of: AsOf,
    register: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Log to MLflow and register under this name."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the bundle in this folder.")
    ] = None,
    previous: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Strategy in force (models:/NAME@champion or a folder): segments keep its names, "
            "safety its incumbent.",
        ),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="MLflow experiment; default from the strategy file.")
    ] = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Fit a strategy, register or save it.

    Nothing known after the instant is used. The first version registered under a name becomes
    champion, later ones challenger.

    \b
    For example:
        contactopt fit W/portfolio --strategy W/strategy.yaml --as-of latest --register s
        contactopt fit portfolio --strategy strategy.yaml --as-of 2026-05-01T00:00Z --save bundle
        contactopt fit W --strategy s.yaml --as-of latest --previous models:/s@champion --register s
    """
    from contactopt.strategy import ContactStrategy

    fitted = ContactStrategy.from_yaml(strategy)
    name = register or fitted.config.tracking.registered_name
    if name is None and save is None:
        raise ConfigError(
            "the fitted strategy would be lost", hint="give --register NAME or --save DIR"
        )
    if save is not None:
        check_folder(save)
    progress = shows_progress(as_json=as_json)
    data = read_portfolio(
        portfolio, fitted.config, max_quarantined_share=max_quarantined_share, progress=progress
    )
    fitted.fit(
        data,
        as_of=instant_of(as_of, data, fitted.config),
        progress=progress,
        previous=None if previous is None else read_strategy(previous, tracking_uri),
    )
    kept, said = keep(
        fitted, save=save, register=name, tracking_uri=tracking_uri, experiment=experiment
    )
    tell(
        {"fit": _plain_record(fitted.fit_record_), **kept},
        table([*_metric_lines(fitted.fit_record_), *said]),
        as_json=as_json,
    )


def _metric_lines(record: dict[str, Any]) -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = [("as of", record.get("as_of", ""))]
    for part, content in record.get("parts", {}).items():
        figures = [f"{content['rows']:,} rows"] if content.get("rows") is not None else []
        figures += [
            f"{name} {value:,.0f}" if float(value).is_integer() else f"{name} {value:.4g}"
            for name, value in content.get("metrics", {}).items()
            if isinstance(value, int | float) and name != "rows"
        ]
        lines.append((part, ", ".join(figures) or "ready"))
    return lines


def _plain_record(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out numbers that JSON cannot hold."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(k): plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        return None if isinstance(value, float) and not abs(value) < float("inf") else value

    return plain(record)
