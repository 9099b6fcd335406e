"""A vendor's rows beside those of a portfolio: which are new, which say something more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.links import positions
from contactopt.contracts.tables import TABLES
from contactopt.contracts.vendors.folding import fold_rows
from contactopt.contracts.vendors.vendor_file import VendorFile
from contactopt.errors import ContractError, sample_ids

if TYPE_CHECKING:
    from contactopt.contracts.portfolio import Portfolio

__all__ = ["Additions", "additions", "merged_portfolio", "with_additions"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Additions:
    """What a vendor's file does to one table.

    Parameters
    ----------
    added : pandas.DataFrame
        Rows with new keys.
    changed : pandas.DataFrame
        Rows whose key is there already, as they are from now on.
    cells : dict of str to bool array, shape (n_changed,)
        Which values of changed rows are new, by column.
    """

    added: pd.DataFrame
    changed: pd.DataFrame
    cells: dict[str, Mask]

    @property
    def nothing(self) -> bool:
        """Return whether the table stays as it is."""
        return self.added.empty and self.changed.empty


def additions(tables: Mapping[str, pd.DataFrame], file: VendorFile) -> dict[str, Additions]:
    """Compare the rows of a vendor's file with those of typed contract tables, by table.

    Raises
    ------
    ContractError
        If an id of the file stands in the portfolio for somebody else.
    """
    return {name: _of_table(name, tables[name], frame) for name, frame in file.tables.items()}


def _of_table(name: str, table: pd.DataFrame, incoming: pd.DataFrame) -> Additions:
    spec = TABLES[name]
    key = list(spec.key)
    columns = list(spec.columns)
    # looked up by Arrow, which makes no Python object of an id
    among = positions(table[key[0]], pd.Index(incoming[key[0]].unique())) >= 0
    before = table.loc[among, columns]
    _same_owner(name, before, incoming)
    both = pd.concat([before, incoming[columns]], ignore_index=True)
    settled = np.arange(len(both)) < len(before)
    folded, _ = fold_rows(both, name, settled)
    old = before.sort_values(key, ignore_index=True)
    there = folded[key].merge(old[key].assign(there=True), on=key, how="left")["there"]
    known = np.asarray(there.notna())
    now = folded[known].reset_index(drop=True)
    cells = {c: _differs(old[c], now[c]) for c in columns if c not in key}
    changed = np.any(list(cells.values()), axis=0) if cells else np.zeros(len(now), bool)
    return Additions(
        added=folded[~known].reset_index(drop=True),
        changed=now[changed].reset_index(drop=True),
        cells={c: mask[changed] for c, mask in cells.items() if mask.any()},
    )


def _differs(old: pd.Series, now: pd.Series) -> Mask:
    null = np.asarray(old.isna()), np.asarray(now.isna())
    equal = np.asarray((old == now).fillna(False), bool)
    return ~(equal | (null[0] & null[1]))


def _same_owner(name: str, before: pd.DataFrame, incoming: pd.DataFrame) -> None:
    owner = TABLES[name].owner
    key = list(TABLES[name].key)
    if len(key) > 1 or owner == key[0]:
        return
    pairs = before[[key[0], owner]].merge(incoming[[key[0], owner]], on=key[0])
    other = pairs[pairs[f"{owner}_x"] != pairs[f"{owner}_y"]]
    if len(other):
        ids = other[key[0]].unique()
        raise ContractError(
            f"{len(ids)} {key[0]}(s) of the file stand in the portfolio with another {owner}: "
            f"{sample_ids(ids)}",
            hint=f"map no {key[0]}, so that ids are made from `id_from` and from whose row it is",
        )


def merged_portfolio(
    portfolio: Portfolio, file: VendorFile, max_quarantined_share: float = 0.0
) -> Portfolio:
    """Return a new portfolio with the rows of a vendor's file; see `Portfolio.with_vendor_file`."""
    from contactopt.contracts.portfolio import Portfolio

    file.raise_for_faults(max_quarantined_share)
    file = without_customers(file, portfolio.quarantined_customers)
    changes = additions(portfolio.tables, file)
    if all(change.nothing for change in changes.values()):
        return portfolio
    tables = {
        n: with_additions(portfolio.tables[n], c, n) for n, c in changes.items() if not c.nothing
    }
    channels = portfolio.tables["touches"]["channel"].dropna().unique()
    more = tables.get("touches", portfolio.tables["touches"])["channel"].dropna().unique()
    made = Portfolio.from_frames(
        {**portfolio.tables, **tables},
        complete_to=portfolio.complete_to,
        max_quarantined_share=max_quarantined_share,
        # a channel that was accepted before is a channel of the strategy
        extra_channels=(set(channels) | set(more) | _other_channels(portfolio)) - set(v.CHANNELS),
    )
    return _with_history(made, portfolio)


def _other_channels(portfolio: Portfolio) -> set[str]:
    found: set[str] = set()
    for name, spec in TABLES.items():
        for column in ("channel", "preferred_channel"):
            if column in spec.columns and name != "touches":
                found |= set(portfolio.tables[name][column].dropna().unique())
    return found - {v.WAIT}


def _with_history(made: Portfolio, before: Portfolio) -> Portfolio:
    """Keep what was set aside when the portfolio was loaded, and its capacity."""
    now = made._loaded
    loaded = replace(
        now,
        faults=(*before.faults, *now.faults),
        quarantine=pd.concat([before.quarantine, now.quarantine], ignore_index=True),
        quarantined_customers=np.union1d(before.quarantined_customers, now.quarantined_customers),
        quarantined_share=max(before.quarantined_share, now.quarantined_share),
        dropped_columns={**now.dropped_columns, **before.dropped_columns},
    )
    return type(made)(loaded, complete_to=before.complete_to, capacity=before.capacity)


def with_additions(table: pd.DataFrame, change: Additions, name: str) -> pd.DataFrame:
    """Return a table with the changes in it; new rows stand at its end."""
    key = list(TABLES[name].key)
    stays = table
    if len(change.changed):
        gone = table[key].merge(change.changed[key].assign(gone=True), on=key, how="left")["gone"]
        stays = table[np.asarray(gone.isna())]
    return pd.concat([stays, change.changed, change.added], ignore_index=True)


def without_customers(file: VendorFile, customers: npt.NDArray[np.object_]) -> VendorFile:
    """Leave out rows of customers who are in quarantine: they are not planned anyway."""
    touches = file.tables.get("touches")
    if touches is None or not len(customers):
        return file
    out = touches["customer_id"].isin(customers)
    lost = touches.loc[out, "touch_id"]
    kept = {n: f[~f["touch_id"].isin(lost)] for n, f in file.tables.items()}
    return VendorFile({n: f.reset_index(drop=True) for n, f in kept.items()}, file.report)
