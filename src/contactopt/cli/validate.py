"""``contactopt validate``: what is wrong with a portfolio, and what its tables allow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactopt.cli.inputs import instant_of, read_config, read_portfolio
from contactopt.cli.options import (
    AsOptionalOf,
    Json,
    MaxQuarantinedShare,
    PortfolioFolder,
    StrategyFile,
)
from contactopt.cli.output import say, shows_progress, tell
from contactopt.errors import ContractError

if TYPE_CHECKING:
    from contactopt.config import StrategyConfig
    from contactopt.contracts import ValidationReport

__all__ = ["validate"]


def validate(
    portfolio: PortfolioFolder,
    strategy: StrategyFile = None,
    as_of: AsOptionalOf = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write faulty values there, one CSV file per table."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML page.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every table of a portfolio, and say what it allows.

    Keys, links, words, zones and money; with an instant the age of the tables, with a strategy
    its pools and currencies. A portfolio that is refused is reported all the same, with exit code
    1. The quarantine files hold customers' values, the report does not.

    \b
    For example:
        contactopt validate portfolio
        contactopt validate portfolio --strategy strategy.yaml --as-of latest
        contactopt validate portfolio --quarantine faulty --html report.html
    """
    config = read_config(strategy)
    refused: ContractError | None = None
    try:
        data = read_portfolio(
            portfolio,
            config,
            max_quarantined_share=max_quarantined_share,
            progress=shows_progress(as_json=as_json),
        )
    except ContractError as error:
        refused = error
        report = _refused(error, config, as_of)
    else:
        instant = None if as_of is None else instant_of(as_of, data, config)
        report = data.validate(config, instant)
    if quarantine is not None:
        written = report.write_quarantine(quarantine)
        say(f"wrote {len(written)} file(s) to {quarantine}")
    if html is not None:
        report.to_html(html)
        say(f"wrote {html}")
    tell(report.to_dict(), repr(report), as_json=as_json)
    if refused is not None:
        if as_json:
            raise refused
        raise typer.Exit(refused.exit_code)
    if not report.ok:
        raise typer.Exit(report.problems[0].exit_code)


def _refused(
    error: ContractError, config: StrategyConfig | None, as_of: str | None
) -> ValidationReport:
    from contactopt.contracts import ValidationReport
    from contactopt.contracts.checks import as_instant

    # the newest instant of a refused portfolio is what the ladder takes anyway
    instant = None if as_of in (None, "latest") else as_instant(as_of)
    return ValidationReport.of_refusal(error, config, instant)
