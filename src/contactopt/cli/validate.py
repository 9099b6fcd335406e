"""``contactopt validate``: what is wrong with a portfolio, and what its tables allow."""

from __future__ import annotations

import typer

from contactopt.cli.inputs import instant_of, read_config, read_portfolio
from contactopt.cli.options import (
    AsOptionalOf,
    Json,
    MaxQuarantinedShare,
    PortfolioFolder,
    StrategyFile,
)
from contactopt.cli.output import shows_progress, tell

__all__ = ["validate"]


def validate(
    portfolio: PortfolioFolder,
    strategy: StrategyFile = None,
    as_of: AsOptionalOf = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    as_json: Json = False,
) -> None:
    """Check every table of a portfolio.

    Keys, links, words, zones and money; with an instant the age of the tables, with a strategy
    its pools and currencies.

    \b
    For example:
        contactopt validate portfolio
        contactopt validate portfolio --strategy strategy.yaml --as-of latest
    """
    config = read_config(strategy)
    data = read_portfolio(
        portfolio,
        config,
        max_quarantined_share=max_quarantined_share,
        progress=shows_progress(as_json=as_json),
    )
    instant = None if as_of is None else instant_of(as_of, data, config)
    report = data.validate(config, instant)
    tell(report.to_dict(), repr(report), as_json=as_json)
    if not report.ok:
        raise typer.Exit(report.problems[0].exit_code)
