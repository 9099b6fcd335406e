"""``contactopt timeline``: the whole conversation with one customer."""

from __future__ import annotations

from typing import Annotated

import typer

from contactopt.cli.inputs import instant_of, read_config, read_portfolio
from contactopt.cli.options import AsOf, Json, MaxQuarantinedShare, PortfolioFolder, StrategyFile
from contactopt.cli.output import shows_progress, tell

__all__ = ["timeline"]


def timeline(
    portfolio: PortfolioFolder,
    customer: Annotated[str, typer.Option("--customer", metavar="ID", help="Customer id.")],
    as_of: AsOf,
    strategy: StrategyFile = None,
    max_quarantined_share: MaxQuarantinedShare = None,
    as_json: Json = False,
) -> None:
    """Tell the whole conversation with one customer, as known at an instant.

    Contacts of all channels, promises, payments, holds, plans, and what the next contact must
    know. With --strategy, its delays, days of grace and offers are used.

    \b
    For example:
        contactopt timeline portfolio --customer C-17 --as-of latest
        contactopt timeline portfolio --customer C-17 --as-of 2026-06-02T12:00Z --json
    """
    config = read_config(strategy)
    data = read_portfolio(
        portfolio,
        config,
        max_quarantined_share=max_quarantined_share,
        progress=shows_progress(as_json=as_json),
    )
    told = data.timeline(customer, instant_of(as_of, data, config), config)
    tell(told.to_dict(), repr(told), as_json=as_json)
