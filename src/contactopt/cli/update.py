"""``contactopt update``: learn from what came of the plans, register or save the new version."""

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
    Model,
    PortfolioFolder,
    TrackingUri,
)
from contactopt.cli.output import shows_progress, table, tell
from contactopt.errors import ConfigError

__all__ = ["lift_sentence", "update"]


def update(
    portfolio: PortfolioFolder,
    model: Model,
    as_of: AsOf,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="DIR", help="Folder that `rank --out` wrote to: the decisions."
        ),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Log to MLflow and register under this name."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the bundle in this folder.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="MLflow experiment; default from the strategy file.")
    ] = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
) -> None:
    """Learn from what came of the plans since the fit.

    Reach and harm learn from all touches, the effects from the decisions of the log and the money
    of their windows. Everything is counted anew from tables and log: running it twice changes
    nothing, late rows find their decision. A version registered under a name that has a champion
    becomes its challenger.

    \b
    For example:
        contactopt update W --model models:/s@champion --log plan --as-of latest --register s
        contactopt update portfolio --model bundle --log plan --as-of 2026-06-03T12:00Z --save next
    """
    if register is None and save is None:
        raise ConfigError(
            "the updated strategy would be lost", hint="give --register NAME or --save DIR"
        )
    strategy = read_strategy(model, tracking_uri)
    progress = shows_progress(as_json=as_json)
    data = read_portfolio(
        portfolio, strategy.config, max_quarantined_share=max_quarantined_share, progress=progress
    )
    strategy.update(
        data, as_of=instant_of(as_of, data, strategy.config), log=log, progress=progress
    )
    kept, said = keep(
        strategy, save=save, register=register, tracking_uri=tracking_uri, experiment=experiment
    )
    tell(
        {"update": strategy.update_record_, **kept},
        table([*_lines(strategy.update_record_), *said]),
        as_json=as_json,
    )


def _lines(record: dict[str, Any]) -> list[tuple[str, object]]:
    residual, delay = record["residual"], record["delay"]
    came = [
        f"{record[state]:,} {state.replace('_', ' ')}"
        for state in ("wait", "executed", "not_executed", "off_plan", "open")
        if record[state]
    ]
    lines: list[tuple[str, object]] = [
        ("as of", record["as_of"]),
        ("decisions", f"{record['decisions']:,} in {record['batches']:,} batch(es) since the fit"),
        ("", ", ".join(came) or "none"),
        ("windows", f"{record['mature']:,} closed; delays from {delay['rows']:,} decisions"),
        (
            "corrections",
            f"from {residual['rows']:,} draws; the gain of the models counts "
            f"{residual['slope']:.2f} times",
        ),
        ("control group", lift_sentence(residual.get("control") or {})),
    ]
    for name, what in (
        ("batches_of_other_models", "batch(es) scored by models of another fit left out"),
        ("customers_unknown", "decision(s) of customers who are not in the tables"),
        ("touches_of_unknown_decisions", "touch(es) name a decision that is in no log"),
    ):
        if record[name]:
            lines.append(("note", f"{record[name]:,} {what}"))
    return lines


def lift_sentence(told: dict[str, Any]) -> str:
    """Tell what contacts added over the control group, by the money of so many payers."""
    if not told.get("customers"):
        return "none, or too few contacted customers beside it"
    if "realised" not in told:
        return f"{told['customers']:,} control customers: too few to tell"
    added, promised, error = (100 * told[name] for name in ("realised", "promised", "error"))
    return (
        f"{told['customers']:,} control and {told['contacted']:,} contacted customers since their "
        f"first decision: contacts added the money of {added:.1f} payers in 100 "
        f"({added - 1.96 * error:.1f} to {added + 1.96 * error:.1f}); "
        f"the models as fitted had promised {promised:.1f}"
    )
