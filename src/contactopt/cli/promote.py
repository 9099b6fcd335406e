"""``contactopt promote``: make a version the champion."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from contactopt.cli.options import Json, Name, TrackingUri
from contactopt.cli.output import tell

__all__ = ["promote"]


def promote(
    name: Name,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Version number, or an alias: challenger.")
    ],
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Make a version the champion.

    The champion so far is remembered for rollback.

    \b
    For example:
        contactopt promote s 2
        contactopt promote s challenger --tracking-uri http://mlflow.example:5000
    """
    from contactopt.tracking import promote as promote_version

    found = promote_version(name, version, tracking_uri=tracking_uri)
    tell(asdict(found), f"{name} version {found.version} is the champion", as_json=as_json)
