"""Keys and links across tables: duplicates, broken references, and whose row it is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.faults import FaultLog
from contactopt.contracts.tables import TABLES, Link, TableSpec

__all__ = ["check_keys", "check_links", "check_shared_owner", "key_names", "owners", "positions"]

Codes = npt.NDArray[np.int64]


def positions(values: pd.Series, index: pd.Index) -> Codes:
    """Return the position of each value in a unique index; -1 if null or not there."""
    if len(index) == 0 or len(values) == 0:
        return np.full(len(values), -1, np.int64)
    found = index.get_indexer(pd.Index(values)).astype(np.int64)
    found[np.asarray(values.isna())] = -1
    return found


def key_names(spec: TableSpec, frame: pd.DataFrame) -> pd.Series:
    """Return the text that names each row: its key, parts joined by ` | `."""
    name = frame[spec.key[0]].astype("str")
    for column in spec.key[1:]:
        name = name + " | " + frame[column].astype("str").fillna("-")
    return name


def check_keys(spec: TableSpec, frame: pd.DataFrame, log: FaultLog) -> None:
    """Tell rows that share their key.

    Of copies alike in every column the first is no fault; where copies differ nobody knows which
    is right, and all of them are faulty.
    """
    key = list(spec.key)
    if frame.empty:
        return
    same_key = np.asarray(frame.duplicated(key, keep=False)) & np.asarray(
        frame[spec.key[0]].notna()
    )
    if not same_key.any():
        return
    some = frame[same_key]
    copy = np.asarray(some.duplicated(keep="first"))
    n_alike = some.groupby(list(some.columns), dropna=False, sort=False)[key[0]].transform("size")
    n_key = some.groupby(key, dropna=False, sort=False)[key[0]].transform("size")
    differ = np.asarray(n_alike != n_key)
    log.rows(spec.name, key[0], "duplicate", np.flatnonzero(same_key)[copy | differ])


def check_links(typed: Mapping[str, pd.DataFrame], log: FaultLog) -> None:
    """Tell references to rows that do not exist.

    References to or from tables that could not be read as a whole are not judged.
    """
    unread = {fault.table for fault in log.structural}
    parents = {link.parent for spec in TABLES.values() for link in spec.links} - unread
    ids = {name: pd.Index(typed[name][TABLES[name].key[0]].dropna().unique()) for name in parents}
    for spec in TABLES.values():
        for link in spec.links:
            if link.parent in unread or spec.name in unread:
                continue
            values = typed[spec.name][link.column]
            broken = positions(values, ids[link.parent]) < 0
            log.rows(
                spec.name,
                link.column,
                f"not in {link.parent}",
                broken & np.asarray(values.notna()),
            )


def owners(typed: Mapping[str, pd.DataFrame], customers: pd.Index) -> dict[str, Codes]:
    """Return, per table and row, the position of its customer in ``customers``; -1 if untold."""
    found: dict[str, Codes] = {}
    for name, spec in TABLES.items():
        frame = typed[name]
        if spec.owner == "customer_id":
            found[name] = positions(frame["customer_id"], customers)
            continue
        parent = "debts" if spec.owner == "debt_id" else "touches"
        found[name] = through(frame[spec.owner], typed[parent], Link(spec.owner, parent), found)
    return found


def through(
    values: pd.Series, parent: pd.DataFrame, link: Link, found: Mapping[str, Codes]
) -> Codes:
    """Return the customer of each row by way of a link; -1 if that leads nowhere."""
    keys = parent[link.parent_key]
    first = np.asarray(keys.notna() & ~keys.duplicated())
    rows = positions(values, pd.Index(keys[first]))
    owner = found[link.parent][first]
    return np.where(rows >= 0, owner[np.maximum(rows, 0)] if len(owner) else -1, -1)


def check_shared_owner(
    typed: Mapping[str, pd.DataFrame], found: Mapping[str, Codes], log: FaultLog
) -> None:
    """Tell holds and consents that name a debt or contact point of somebody else.

    Whom such a row protects is not clear, so it fails closed. A party to the debt may be held.
    """
    parties = typed["debt_parties"]
    known = set(zip(parties["debt_id"], parties["customer_id"], strict=True))
    for name in ("holds", "consents"):
        frame, owner = typed[name], found[name]
        for link in TABLES[name].links:
            if link.parent == "customers" or frame.empty:
                continue
            other = through(frame[link.column], typed[link.parent], link, found)
            differs = (other >= 0) & (owner >= 0) & (other != owner)
            if link.parent == "debts" and known and differs.any():
                rows = np.flatnonzero(differs)
                pairs = zip(
                    frame["debt_id"].iloc[rows], frame["customer_id"].iloc[rows], strict=True
                )
                differs[rows] = [pair not in known for pair in pairs]
            log.rows(name, link.column, f"in {link.parent} of another customer", differs)
