"""Tables in the strategy's own terms: one currency, and the contract's channel words."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.journal.journal import Journal, TableSource

__all__ = ["open_journal", "tables_in_terms"]

#: money columns of each table, in the currency of the row's debt
_MONEY = {
    "debts": ("principal",),
    "debt_snapshots": ("balance", "past_due", "instalment"),
    "promises": ("amount",),
    "payments": ("amount",),
    "arrangements": ("instalment",),
}
#: tables in which a channel's own name carries no right of its own; a consent or a hold does
_WITH_CHANNEL = ("touches", "notices", "decisions")


def open_journal(portfolio: TableSource, config: StrategyConfig) -> Journal:
    """Open the journal of a portfolio as a strategy reads it.

    Parameters
    ----------
    portfolio : Portfolio
    config : StrategyConfig

    Returns
    -------
    Journal
        Money in the strategy's currency, contacts through channels added with ``like`` under
        their root word (so that rules and caps of that word count them), delays and grace as
        configured. Consents and holds keep the channel they name.

    Raises
    ------
    ConfigError
        If a currency in use has no exchange rate.
    """
    return Journal(
        tables_in_terms(portfolio.tables, config),
        data_delay=config.data_delay,
        promise_grace_days=config.orchestration.promise_grace_days,
    )


def tables_in_terms(
    tables: Mapping[str, pd.DataFrame], config: StrategyConfig
) -> dict[str, pd.DataFrame]:
    """Return the tables with money converted and added channels renamed; others are untouched."""
    return _in_currency(_with_root_channels(dict(tables), config), config)


def _with_root_channels(
    tables: dict[str, pd.DataFrame], config: StrategyConfig
) -> dict[str, pd.DataFrame]:
    roots = {c: config.channel_root(c) for c in config.channels if config.channel_root(c) != c}
    for name in _WITH_CHANNEL if roots else ():
        frame = tables[name]
        if len(frame):
            tables[name] = frame.assign(channel=frame["channel"].replace(roots))
    return tables


def _in_currency(
    tables: dict[str, pd.DataFrame], config: StrategyConfig
) -> dict[str, pd.DataFrame]:
    debts = tables["debts"]
    rates = {c: config.rate_of(str(c)) for c in debts["currency"].dropna().unique()}
    if all(rate == 1.0 for rate in rates.values()):
        return tables
    rate_of_debt = debts["currency"].map(rates).set_axis(debts["debt_id"])
    for name, columns in _MONEY.items():
        frame = tables[name]
        if not len(frame):
            continue
        rate = frame["debt_id"].map(rate_of_debt).to_numpy(dtype="float64")
        tables[name] = frame.assign(**{c: frame[c] * rate for c in columns})
    return tables
