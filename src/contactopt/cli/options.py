"""Arguments and options that several verbs share, each spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsOf",
    "AsOptionalOf",
    "BatchId",
    "Json",
    "MaxQuarantinedShare",
    "Model",
    "Name",
    "OptionalModel",
    "PortfolioFolder",
    "RandomState",
    "StrategyFile",
    "TrackingUri",
]

PortfolioFolder = Annotated[
    Path, typer.Argument(metavar="PORTFOLIO", help="Folder with the contract's tables.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Registered name.")]
_MODEL = typer.Option(
    "--model", metavar="URI", help="models:/NAME@champion, models:/NAME/2 or a saved folder."
)
Model = Annotated[str, _MODEL]
OptionalModel = Annotated[str | None, _MODEL]
BatchId = Annotated[
    str | None, typer.Option(help="Name of the batch; default: a hash of everything in it.")
]
StrategyFile = Annotated[
    Path | None, typer.Option("--strategy", metavar="FILE", help="Strategy file (YAML).")
]
_AS_OF_HELP = (
    "Instant of the decision, ISO 8601 with zone (2026-06-02T12:00Z), or the word 'latest': the "
    "newest known instant of touches, payments and debt snapshots."
)
AsOf = Annotated[str, typer.Option("--as-of", metavar="INSTANT", help=_AS_OF_HELP)]
AsOptionalOf = Annotated[str | None, typer.Option("--as-of", metavar="INSTANT", help=_AS_OF_HELP)]
RandomState = Annotated[
    int | None,
    typer.Option("--random-state", min=0, help="Seed; default from the strategy file."),
]
MaxQuarantinedShare = Annotated[
    float | None,
    typer.Option(
        "--max-quarantined-share",
        min=0.0,
        max=1.0,
        help="Go on without faulty rows up to this share; default from the strategy file (0).",
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        help="MLflow store; default: strategy file, MLFLOW_TRACKING_URI, sqlite:///mlflow.db.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
