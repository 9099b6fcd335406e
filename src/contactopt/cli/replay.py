"""``contactopt replay``: a logged batch done again and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contactopt.cli.inputs import read_portfolio
from contactopt.cli.options import Json, MaxQuarantinedShare, TrackingUri
from contactopt.cli.output import shows_progress, tell
from contactopt.errors import ConfigError

__all__ = ["replay"]


def replay(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="Folder that `contactopt rank --out` wrote.")
    ],
    batch: Annotated[str | None, typer.Option(help="Which batch; the newest one without.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="The model that made the batch: models:/NAME/2 or a saved folder. Needs "
            "--portfolio.",
        ),
    ] = None,
    portfolio: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The tables of that day, or the same tables grown since."),
    ] = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Do a logged batch again and compare it with the log.

    From the log alone: values, probabilities and the draw. With --model and --portfolio: reasons,
    values, probabilities and the draw from the tables, bit for bit. Exit code 1 if anything
    differs.

    \b
    For example:
        contactopt replay plan
        contactopt replay plan --model models:/s/1 --portfolio W/portfolio --json
    """
    from contactopt.plan import read_decisions

    if (model is None) != (portfolio is None):
        raise ConfigError(
            "--model and --portfolio go together",
            hint="give both to start from tables, or none to start from the log alone",
        )
    log = read_decisions(plan)
    if model is None or portfolio is None:
        report = log.replay(batch)
    else:
        from contactopt.tracking import load_strategy

        strategy = load_strategy(model, tracking_uri=tracking_uri)
        data = read_portfolio(
            portfolio,
            strategy.config,
            max_quarantined_share=max_quarantined_share,
            progress=shows_progress(as_json=as_json),
        )
        report = strategy.replay(log, batch, data)
    tell(report.to_dict(), repr(report), as_json=as_json)
    if not report.ok:
        raise typer.Exit(1)
