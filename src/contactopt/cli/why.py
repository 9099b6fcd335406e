"""``contactopt why``: one decision of a log, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactopt.cli.options import Json
from contactopt.cli.output import tell

if TYPE_CHECKING:
    from contactopt.plan import DecisionLog

__all__ = ["why"]


def why(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="Folder that `contactopt rank --out` wrote.")
    ],
    decision: Annotated[
        str, typer.Argument(metavar="ID", help="Decision id, or the id of a customer.")
    ],
    batch: Annotated[
        str | None,
        typer.Option(help="For a customer: which batch; the newest one with them without."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell why a customer got this decision, from the log alone.

    What was drawn and how likely, how every action's value comes about, and of every blocked
    action the rules that deny it, in the words of that day, with the first lawful instant. Needs
    no strategy and no tables, and works for years.

    \b
    For example:
        contactopt why plan C-17
        contactopt why plan C-17 --batch nightly-2026-06-02
        contactopt why plan 33218eb198273dd13f7fc7160186397d --json
    """
    from contactopt.plan import read_decisions

    log = read_decisions(plan)
    found = log.why(_decision(log, decision, batch))
    tell(found.to_dict(), repr(found), as_json=as_json)


def _decision(log: DecisionLog, given: str, batch: str | None) -> str:
    """Return the id of a decision, given itself or its customer."""
    from contactopt.errors import ConfigError

    if batch is None:
        try:
            return log.actions(given)["decision_id"].iloc[0]
        except ConfigError:
            pass
    try:
        return log.decision_of(given, batch)
    except ConfigError as error:
        if batch is not None:
            raise
        raise ConfigError(
            f"{given!r} is neither a decision nor a customer of this log", hint=error.hint
        ) from None
