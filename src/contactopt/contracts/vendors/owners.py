"""Whose row it is: customers by id, address or link; debts where a customer has but one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.links import positions
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.mapping import MATCH_KEYS, Match
from contactopt.contracts.vendors.values import ids_of, literal, objects

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio

__all__ = ["Owners", "customers_of", "debt_owners", "open_debts_of"]

Texts = npt.NDArray[np.object_]
_FAR = pd.Timestamp("2262-01-01", tz="UTC")


@dataclass(frozen=True, slots=True)
class Owners:
    """Customers of rows; a row stands once for every customer who may be meant.

    Parameters
    ----------
    row : int array, shape (m,)
        Position of the vendor's row, ascending.
    customer : object array, shape (m,)
        None where nobody is known.
    point : object array, shape (m,)
        Contact point by whose address the customer was found, else None.
    shared : bool array, shape (m,)
        Several customers have this address, and all of them are taken.
    check : str
        What is wrong with a value that leads to nobody.
    """

    row: npt.NDArray[np.int64]
    customer: Texts
    point: Texts
    shared: npt.NDArray[np.bool_]
    check: str


def customers_of(raw: pd.Series, match: Match, portfolio: Portfolio, instants: pd.Series) -> Owners:
    """Tell the customers of rows.

    Parameters
    ----------
    raw : pandas.Series, shape (n,)
        Their column that says who it is.
    match : Match
    portfolio : Portfolio
        Customers in quarantine are known as well, by id.
    instants : pandas.Series of datetime64[us, UTC], shape (n,)
        When it happened: among owners of an address those count who had it then, if any did.

    Returns
    -------
    Owners
    """
    if match.by == "address_key":
        return _by_address(literal(raw), match, portfolio, instants)
    n = len(raw)
    text, _ = ids_of(_hashed(raw, match.hash))
    if match.by == "customer_id":
        known = np.union1d(portfolio.customer_ids, portfolio.quarantined_customers)
        there = positions(text, pd.Index(known, dtype="str")) >= 0
        customer = objects(text.where(there))
    else:
        parent = portfolio.tables[MATCH_KEYS[match.by]]
        lead = pd.Series(parent["customer_id"].to_numpy(object), index=parent[match.by])
        lead = lead[~lead.index.duplicated()]
        customer = objects(text.map(lead))
    point = np.full(n, None, object)
    if match.by == "contact_point_id":
        point = objects(text)
        point[pd.isna(customer)] = None
    return Owners(
        row=np.arange(n),
        customer=customer,
        point=point,
        shared=np.zeros(n, bool),
        check=f"not in {MATCH_KEYS[match.by]}",
    )


def _hashed(raw: pd.Series, method: str) -> pd.Series:
    if not method:
        return raw
    text = literal(raw)
    codes, distinct = pd.factorize(text)
    keys = [_digest(t, method) if t else None for t in distinct]
    return pd.Series(np.array([*keys, None], object)[codes], dtype="str")


def _digest(text: str, method: str) -> str:
    return hashlib.new(method, text.encode(), usedforsecurity=False).hexdigest()


# ---- addresses -----------------------------------------------------------------------------------


def _forms(text: str, match: Match) -> list[str]:
    """Return the spellings of an address to look for, the one that is written first."""
    written = [text]
    if match.strip:
        bare = text.lower() if "@" in text else re.sub(r"[\s\-.()/+]", "", text.lower())
        written += [text.lower(), re.sub(r"\s", "", text), bare]
    spelt = dict.fromkeys(w for w in written if w)
    if not match.hash:
        return [s.lower() for s in spelt]
    return [_digest(s, match.hash) for s in spelt]


def _by_address(text: pd.Series, match: Match, portfolio: Portfolio, instants: pd.Series) -> Owners:
    n = len(text)
    points = portfolio.tables["contact_points"]
    points = points[points["address_key"].notna()]
    key = points["address_key"].str.strip().str.lower()
    known = pd.Index(key.unique())
    codes, distinct = pd.factorize(text)
    found = [next((f for f in _forms(t, match) if f in known), None) for t in distinct]
    rows = pd.DataFrame({"row": np.arange(n), "key": np.array(found, object)[codes]})
    rows["at"] = instants.array
    pairs = rows.dropna(subset="key").merge(
        pd.DataFrame(
            {
                "key": key.to_numpy(object),
                "customer": points["customer_id"].to_numpy(object),
                "point": points["contact_point_id"].to_numpy(object),
                "from": points["valid_from"].array,
                "to": points["valid_to"].fillna(_FAR).array,
            }
        ),
        on="key",
    )
    then = (pairs["from"] <= pairs["at"]) & (pairs["at"] < pairs["to"])
    then |= pairs["at"].isna()
    some = then.groupby(pairs["row"]).transform("any")
    pairs = pairs[then | ~some].sort_values(["row", "customer", "point"])
    pairs = pairs.drop_duplicates(["row", "customer"])
    alone = np.setdiff1d(np.arange(n), pairs["row"].to_numpy())
    row = np.append(pairs["row"].to_numpy(np.int64), alone)
    order = np.argsort(row, kind="stable")
    nobody = np.full(len(alone), None, object)
    shared = np.asarray(pairs["row"].duplicated(keep=False))
    return Owners(
        row=row[order],
        customer=np.append(pairs["customer"].to_numpy(object), nobody)[order],
        point=np.append(pairs["point"].to_numpy(object), nobody)[order],
        shared=np.append(shared, np.zeros(len(alone), bool))[order],
        check="not the address of anybody",
    )


# ---- debts ---------------------------------------------------------------------------------------


def debt_owners(portfolio: Portfolio) -> pd.Series:
    """Return the customer of every debt."""
    debts = portfolio.tables["debts"]
    return pd.Series(debts["customer_id"].to_numpy(object), index=debts[TABLES["debts"].key[0]])


def open_debts_of(
    customer: Texts, instants: pd.Series, portfolio: Portfolio
) -> tuple[Texts, npt.NDArray[np.int64]]:
    """Return the one debt that each customer had open at an instant, and how many were open.

    Open: from `opened_at` until `closed_at` or `recalled_at`. The debt is None unless there is
    exactly one.
    """
    debts = portfolio.tables["debts"]
    rows = pd.DataFrame({"row": np.arange(len(customer)), "who": customer})
    rows["at"] = instants.array
    closed, recalled = debts["closed_at"].fillna(_FAR), debts["recalled_at"].fillna(_FAR)
    pairs = rows.dropna().merge(
        pd.DataFrame(
            {
                "who": debts["customer_id"].to_numpy(object),
                "debt": debts["debt_id"].to_numpy(object),
                "from": debts["opened_at"].array,
                "to": closed.where(closed < recalled, recalled).array,
            }
        ),
        on="who",
    )
    pairs = pairs[(pairs["from"] <= pairs["at"]) & (pairs["at"] < pairs["to"])]
    count = np.bincount(pairs["row"].to_numpy(np.int64), minlength=len(customer))
    debt = np.full(len(customer), None, object)
    only = pairs[count[pairs["row"].to_numpy(np.int64)] == 1]
    debt[only["row"].to_numpy(np.int64)] = only["debt"].to_numpy(object)
    return debt, count
