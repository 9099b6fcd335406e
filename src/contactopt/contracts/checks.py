"""Is this portfolio fit for this strategy at this instant: ages, currencies, pools, first data."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from contactopt.contracts.instants import written_instant
from contactopt.contracts.needs import StrategyNeeds
from contactopt.errors import ConfigError, ContractError, StalenessError

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio

__all__ = ["as_instant", "check_as_of", "check_config", "check_staleness", "table_ages"]

#: tables judged by their newest row, with their limit in hours (None: the strategy's)
_BY_ROWS: dict[str, float | None] = {
    "touches": None,
    "payments": None,
    "debt_snapshots": 45 * 24.0,
}
_DEFAULT_LIMIT_HOURS = 96.0
_WARNING_HOURS = 36.0
#: what was read of a table, with the table it was read of
_NEWEST: WeakKeyDictionary[
    Portfolio, dict[tuple[str, float], tuple[pd.DataFrame, pd.Timestamp]]
] = WeakKeyDictionary()
_CURRENCIES: WeakKeyDictionary[Portfolio, tuple[pd.DataFrame, list[str]]] = WeakKeyDictionary()


def as_instant(value: str | pd.Timestamp) -> pd.Timestamp:
    """Read the instant of a decision.

    Raises
    ------
    ConfigError
        If it cannot be read or has no time zone.
    """
    when = written_instant(value)
    if when is None:
        raise ConfigError(
            "as_of is no instant with a time zone", hint="write it as 2026-06-02T12:00Z"
        )
    if when.tzinfo is None:
        raise ConfigError(
            "as_of has no time zone", hint=f"write {when.isoformat()}Z if you mean UTC"
        )
    return when.tz_convert("UTC").as_unit("us")


def _newest(
    portfolio: Portfolio, name: str, delay: Mapping[str, float], when: pd.Timestamp
) -> pd.Timestamp:
    """Return when the newest row known at an instant became known, NaT without one."""
    frame, key = portfolio.tables[name], (name, delay.get(name, 0.0))
    kept = _NEWEST.setdefault(portfolio, {})
    if key not in kept or kept[key][0] is not frame:  # once per portfolio
        kept[key] = (frame, portfolio.known_at(name, delay).max())
    newest = kept[key][1]
    if newest is pd.NaT or newest <= when:
        return newest
    known = portfolio.known_at(name, delay)
    return known[known <= when].max()


def table_ages(
    portfolio: Portfolio, config: StrategyNeeds | None, as_of: str | pd.Timestamp
) -> pd.DataFrame:
    """Return how old each table is at an instant.

    The age of touches, payments and debt_snapshots is that of the newest row known at ``as_of``;
    where the portfolio says to which instant a table is complete, that counts instead. Any other
    table is judged by that statement only. A table without rows is not stale.

    Returns
    -------
    pandas.DataFrame
        Columns table, newest (UTC), age_hours, limit_hours, state (`ok`, `warning`, `stale`,
        `empty`), one row per table that is judged or empty.
    """
    when = as_instant(as_of)
    limit = _DEFAULT_LIMIT_HOURS if config is None else float(config.max_staleness_hours)
    delay: Mapping[str, float] = {} if config is None else config.data_delay
    rows = []
    for name in [*_BY_ROWS, *(t for t in portfolio.complete_to if t not in _BY_ROWS)]:
        most = limit if (own := _BY_ROWS.get(name)) is None else own
        newest = portfolio.complete_to.get(name)
        if newest is None:
            newest = _newest(portfolio, name, delay, when)
            seen = portfolio.newest_of_the_whole(name, when)
            newest = newest if seen is pd.NaT or newest >= seen else seen
        if newest is pd.NaT:
            rows.append((name, pd.NaT, np.nan, most, "empty"))
            continue
        age = max((when - newest).total_seconds() / 3600, 0.0)
        old = "warning" if name != "debt_snapshots" and age > _WARNING_HOURS else "ok"
        rows.append((name, newest, age, most, "stale" if age > most else old))
    ages = pd.DataFrame(rows, columns=["table", "newest", "age_hours", "limit_hours", "state"])
    ages["newest"] = pd.to_datetime(ages["newest"], utc=True).dt.as_unit("us")
    return ages


def check_staleness(
    portfolio: Portfolio, config: StrategyNeeds | None, as_of: str | pd.Timestamp
) -> None:
    """Refuse tables that are too old to decide on.

    Raises
    ------
    StalenessError
        Naming every table that is too old, and its age.
    """
    ages = table_ages(portfolio, config, as_of)
    stale = ages[ages["state"] == "stale"]
    if stale.empty:
        return
    told = [
        f"{r.table} is {r.age_hours:.0f} hours old (newest {r.newest:%Y-%m-%dT%H:%MZ}, "
        f"limit {r.limit_hours:.0f})"
        for r in stale.itertuples()
    ]
    raise StalenessError(
        "stale: " + "; ".join(told),
        hint="load newer rows; if a table is complete and nothing happened, say so by complete_to "
        "in portfolio.json; or raise max_staleness_hours in the strategy",
    )


def check_as_of(portfolio: Portfolio, as_of: str | pd.Timestamp) -> None:
    """Refuse an instant before anything is known.

    Raises
    ------
    ContractError
        If there are debts, snapshots, touches or payments, and all of them lie after ``as_of``.
    """
    when = as_instant(as_of)
    first = []
    for name in ("debts", "debt_snapshots", "touches", "payments"):
        if len(known := portfolio.known_at(name)):
            first.append(known.min())
            if first[-1] <= when:  # of large tables the first one mostly tells
                return
    if first:
        raise ContractError(
            f"as_of {when:%Y-%m-%dT%H:%MZ} lies before any data "
            f"(the first is of {min(first):%Y-%m-%dT%H:%MZ})",
            hint="give a later as_of, or `--as-of latest` for the newest instant of the data",
        )


def check_config(portfolio: Portfolio, config: StrategyNeeds) -> None:
    """Refuse a strategy that lacks what the data need.

    Raises
    ------
    ConfigError
        If a debt's currency has no exchange rate, or the capacity table names a pool that the
        strategy does not know (a pool, or one of its channels); all of them at once.
    """
    faults, hints = [], []
    missing = [c for c in _currencies(portfolio) if _no_rate(config, c)]
    if missing:
        faults.append(f"no exchange rate for {', '.join(missing)}")
        rates = ", ".join(f"{c}: <rate>" for c in missing)
        hints.append(
            f"add `exchange_rates: {{{rates}}}` to the strategy's objective: the value of one unit "
            "in the strategy's currency"
        )
    known = [*config.pools, *config.channels]
    named = [] if portfolio.capacity is None else sorted(portfolio.capacity["pool"].unique())
    unknown = [p for p in named if p not in known]
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        faults.append(f"capacity names unknown pool(s) {', '.join(unknown[:5])}{meant}")
        hints.append("name a pool or channel of the strategy")
    if faults:
        raise ConfigError("; ".join(faults), hint="; ".join(hints))


def _currencies(portfolio: Portfolio) -> list[str]:
    debts = portfolio.tables["debts"]
    kept = _CURRENCIES.get(portfolio)
    if kept is None or kept[0] is not debts:  # once per portfolio
        kept = _CURRENCIES[portfolio] = (debts, sorted(debts["currency"].unique()))
    return kept[1]


def _no_rate(config: StrategyNeeds, currency: str) -> bool:
    try:
        config.rate_of(currency)
    except ConfigError:
        return True
    return False
