"""``contactopt doctor``: whether this machine is ready."""

from __future__ import annotations

from typing import Annotated

import typer

from contactopt.cli.options import Json, TrackingUri
from contactopt.cli.output import tell

__all__ = ["doctor"]


def doctor(
    tracking_uri: TrackingUri = None,
    year: Annotated[
        int | None,
        typer.Option(
            min=1990, max=2200, help="Year of your decisions; default: that of the tz database."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check versions, calendars, threads, caches, disk, memory and the MLflow store.

    One line each: ok, warn or fail, and the way on. Exit code 1 if anything fails. Nothing is
    sent or fetched; a store that does not exist is not made.

    \b
    For example:
        contactopt doctor
        contactopt doctor --year 2026 --tracking-uri sqlite:///my-shop/mlflow.db
        contactopt doctor --json
    """
    from contactopt.onboarding.doctor import diagnose

    found = diagnose(year=year, tracking_uri=tracking_uri)
    wide = max(len(f.check) for f in found)
    lines = []
    for f in found:
        lines.append(f"{f.state:<5} {f.check:<{wide}}  {f.detail}")
        if f.way_on:
            lines.append(f"{'':<5} {'':<{wide}}  -> {f.way_on}")
    failed = sum(f.state == "fail" for f in found)
    warned = sum(f.state == "warn" for f in found)
    lines.append(f"{len(found)} checks: {failed} failed, {warned} to look at")
    result = {"ok": failed == 0, "checks": [f._asdict() for f in found]}
    tell(result, "\n".join(lines), as_json=as_json)
    if failed:
        raise typer.Exit(1)
