"""Keys and links across tables: duplicates, broken references, and whose row it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contactopt.contracts.faults import FaultLog
from contactopt.contracts.tables import TABLES, TableSpec

__all__ = [
    "Joined",
    "check_keys",
    "check_links",
    "check_shared_owner",
    "join",
    "key_names",
    "positions",
]

Codes = npt.NDArray[np.int64]


def positions(values: pd.Series, index: pd.Index) -> Codes:
    """Return the position of each value in a unique index; -1 if null or not there."""
    if len(index) == 0 or len(values) == 0:
        return np.full(len(values), -1, np.int64)
    # Arrow's hashing makes no Python object of an id
    options = pc.SetLookupOptions(_texts(index), skip_nulls=True)
    found = pc.call_function("index_in", [_texts(values)], options)
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _texts(values: pd.Series | pd.Index) -> pa.Array:
    text = pa.array(values, type=pa.large_string(), from_pandas=True)
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


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
    if frame.empty or (len(key) == 1 and frame[key[0]].nunique() == frame[key[0]].count()):
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


@dataclass(frozen=True, slots=True)
class Joined:
    """Every link of every table, looked up once.

    Parameters
    ----------
    index : dict of str to pandas.Index
        Distinct keys of each parent table; those of customers are sorted.
    first : dict of str to int array
        Row of the parent at which each distinct key stands first.
    codes : dict of (table, column) to int array
        Position of each row's link in the parent's index; -1 where null or broken.
    """

    index: dict[str, pd.Index]
    first: dict[str, Codes]
    codes: dict[tuple[str, str], Codes]

    def owners(self) -> dict[str, Codes]:
        """Return, per table and row, the position of its customer; -1 if it cannot be told."""
        found: dict[str, Codes] = {}
        for name, spec in TABLES.items():
            own = self.codes[name, spec.owner]
            found[name] = (
                own if spec.owner == "customer_id" else self.through(name, spec.owner, found)
            )
        return found

    def through(self, table: str, column: str, owner: Mapping[str, Codes]) -> Codes:
        """Return the customer of each row by way of one of its links; -1 if that leads nowhere."""
        parent = next(li.parent for li in TABLES[table].links if li.column == column)
        by_key = np.append(owner[parent][self.first[parent]], -1)
        return by_key[self.codes[table, column]]


def join(typed: Mapping[str, pd.DataFrame]) -> Joined:
    """Look up every link of every table."""
    index: dict[str, pd.Index] = {}
    first: dict[str, Codes] = {}
    for parent in {link.parent for spec in TABLES.values() for link in spec.links}:
        keys = typed[parent][TABLES[parent].key[0]]
        rows = np.flatnonzero(np.asarray(keys.notna() & ~keys.duplicated()))
        if parent == "customers":
            rows = rows[np.argsort(keys.iloc[rows].to_numpy(object), kind="stable")]
        index[parent], first[parent] = pd.Index(keys.iloc[rows]), rows
    codes = {
        (spec.name, link.column): positions(typed[spec.name][link.column], index[link.parent])
        for spec in TABLES.values()
        for link in spec.links
    }
    own = typed["customers"]["customer_id"]
    codes["customers", "customer_id"] = positions(own, index["customers"])
    return Joined(index, first, codes)


def check_links(typed: Mapping[str, pd.DataFrame], joined: Joined, log: FaultLog) -> None:
    """Tell references to rows that do not exist.

    References to or from tables that could not be read as a whole are not judged.
    """
    unread = {fault.table for fault in log.structural}
    for spec in TABLES.values():
        for link in spec.links:
            if link.parent in unread or spec.name in unread:
                continue
            broken = joined.codes[spec.name, link.column] < 0
            given = np.asarray(typed[spec.name][link.column].notna())
            log.rows(spec.name, link.column, f"not in {link.parent}", broken & given)


def check_shared_owner(
    typed: Mapping[str, pd.DataFrame],
    joined: Joined,
    found: Mapping[str, Codes],
    log: FaultLog,
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
            other = joined.through(name, link.column, found)
            differs = (other >= 0) & (owner >= 0) & (other != owner)
            if link.parent == "debts" and known and differs.any():
                rows = np.flatnonzero(differs)
                pairs = zip(
                    frame["debt_id"].iloc[rows], frame["customer_id"].iloc[rows], strict=True
                )
                differs[rows] = [pair not in known for pair in pairs]
            log.rows(name, link.column, f"in {link.parent} of another customer", differs)
