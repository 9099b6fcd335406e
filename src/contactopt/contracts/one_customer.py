"""One customer's rows with new events added: what an inbound event needs, and no more.

Only the new rows are read and checked; the others were when the portfolio was loaded. Nothing
that is given is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from contactopt.contracts.load import Loaded
from contactopt.contracts.local_days import customer_zones, place_days
from contactopt.contracts.native_frames import to_pandas
from contactopt.contracts.portfolio import Portfolio
from contactopt.contracts.read_tables import RawTables, read_one
from contactopt.contracts.tables import TABLES
from contactopt.errors import ContractError, sample_ids

__all__ = ["customer_after"]

#: links by which an event without customer_id leads to its customer
_BY = {"debt_id": "debts", "touch_id": "touches"}
_INDEXES: WeakKeyDictionary[Portfolio, dict[str, pd.Index]] = WeakKeyDictionary()


def customer_after(
    portfolio: Portfolio,
    events: Mapping[str, Any],
    *,
    customer_id: object = None,
    extra_channels: Iterable[str] = (),
) -> Portfolio:
    """Return the portfolio of one customer with new rows.

    Parameters
    ----------
    portfolio : Portfolio
        It is not changed.
    events : mapping of str to frame or list of dict
        Contract table to new rows of one customer. A row with a key that is there replaces it.
    customer_id : object, optional
        Default: whom the rows name, by customer, debt or touch.
    extra_channels : iterable of str
        Channels that the strategy adds by `like`.

    Returns
    -------
    Portfolio
        Of one customer.

    Raises
    ------
    ContractError
        If a row is faulty, the rows concern no customer or several, or name a debt, touch or
        contact point that the customer does not have.
    """
    read = _read(events, tuple(sorted(extra_channels)))
    who = _customer(portfolio, read, customer_id)
    at = int(np.searchsorted(portfolio.customer_ids, who))
    if at >= portfolio.n_customers or portfolio.customer_ids[at] != who:
        raise ContractError(
            f"customer {who} is not in the portfolio",
            hint="a new customer comes with a new load; `.quarantine` says who was set aside",
        )
    one = portfolio.only(at)
    tables = dict(one.tables)
    zones = {d: customer_zones(tables["customers"], due=d) for d in (False, True)}
    for (name, column), plain in read.plain_dates.items():
        frame, due = read.typed[name], TABLES[name].columns[column].kind == "due_day"
        zone = np.repeat(zones[due], len(frame))
        frame[column] = place_days(frame[column], plain, zone, due=due)
    for name, frame in read.typed.items():
        tables[name] = _merged(name, tables[name], frame)
    _check_links(tables, read.typed, who)
    loaded = Loaded(
        tables=tables,
        owner={n: np.zeros(len(f), dtype=np.int64) for n, f in tables.items()},
        customer_ids=one.customer_ids,
        faults=(),
        quarantine=one.quarantine,
        quarantined_customers=one.quarantined_customers,
        quarantined_share=one.quarantined_share,
        dropped_columns=one.dropped_columns,
    )
    return Portfolio(loaded, complete_to=one.complete_to, capacity=one.capacity)


def _read(events: Mapping[str, Any], extra_channels: tuple[str, ...]) -> RawTables:
    frames = {
        str(name): pd.DataFrame(rows) if isinstance(rows, list) else to_pandas(rows, str(name))
        for name, rows in events.items()
    }
    found = RawTables({}, frames)
    for name, frame in frames.items():
        if name not in TABLES:
            found.log.table(name, "unknown table")
        else:
            read_one(TABLES[name], frame.reset_index(drop=True), found, extra_channels)
    ids = {n: f[TABLES[n].key[0]] for n, f in found.typed.items()}
    faults = found.log.summary(ids)
    if faults:
        told = "; ".join(f"{f.table}.{f.column}: {f.check}" for f in faults)
        raise ContractError(
            f"the event does not meet the contract: {told}",
            hint="nothing was judged: hold the customer's contacts until the row is mended",
        )
    return found


def _customer(portfolio: Portfolio, read: RawTables, given: object) -> str:
    named = set() if given is None else {str(given)}
    for frame in read.typed.values():
        if "customer_id" in frame:
            named |= set(frame["customer_id"].dropna().astype(str))
            continue
        for column, parent in _BY.items():
            if column in frame and frame[column].notna().any():
                named |= _owners(portfolio, parent, frame[column].dropna(), read)
                break
    if len(named) != 1:
        raise ContractError(
            "the events concern no customer that is known"
            if not named
            else f"the events concern {len(named)} customers: {sample_ids(sorted(named))}",
            hint="give the rows of one customer at a time, or name customer_id",
        )
    return named.pop()


def _owners(portfolio: Portfolio, parent: str, ids: pd.Series, read: RawTables) -> set[str]:
    """Whose debts or touches these are; new ones of the same call count as well."""
    key = TABLES[parent].key[0]
    own = read.typed.get(parent)
    found: set[str] = set()
    if own is not None:
        found |= set(own.loc[own[key].isin(ids), "customer_id"].astype(str))
    indexes = _INDEXES.setdefault(portfolio, {})
    if parent not in indexes:  # once per portfolio
        indexes[parent] = pd.Index(portfolio.tables[parent][key].to_numpy(dtype=object))
    at = indexes[parent].get_indexer(pd.Index(ids.to_numpy(dtype=object)))
    owner = portfolio.tables[parent]["customer_id"]
    return found | {str(owner.iloc[k]) for k in at if k >= 0}


def _merged(name: str, old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    key = list(TABLES[name].key)
    extra = [c for c in new.columns if c not in old.columns]
    new = new.drop(columns=extra).reindex(columns=old.columns)
    both = new if old.empty else pd.concat([old, new], ignore_index=True)
    return both.drop_duplicates(key, keep="last").sort_values(key, ignore_index=True)


def _check_links(
    tables: Mapping[str, pd.DataFrame], new: Mapping[str, pd.DataFrame], who: str
) -> None:
    for name, frame in new.items():
        for link in TABLES[name].links:
            known = tables[link.parent][TABLES[link.parent].key[0]]
            lost = frame[link.column].notna() & ~frame[link.column].isin(known)
            if lost.any():
                raise ContractError(
                    f"{name}.{link.column}: {int(lost.sum())} event(s) of customer {who} name "
                    "what the customer does not have",
                    hint="load the row that is named first, or in the same call",
                )
