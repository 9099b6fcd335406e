"""Who has an address: built once per portfolio, so that one event does not read all points."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.portfolio import Portfolio

__all__ = ["AddressIndex"]

Ints = npt.NDArray[np.int64]
_BUILT: WeakKeyDictionary[Portfolio, AddressIndex] = WeakKeyDictionary()


class AddressIndex:
    """Rows of contact points by address and by customer.

    Parameters
    ----------
    points : DataFrame
        Contact points of a portfolio, sorted by customer.

    Examples
    --------
    >>> frame = {"customer_id": ["1", "2", "3"], "address_key": ["a", "a", None]}
    >>> AddressIndex(pd.DataFrame(frame)).owners_of(["a", "b"]).tolist()
    ['1', '2']
    """

    def __init__(self, points: pd.DataFrame) -> None:
        self._points = points
        keyed = np.flatnonzero(points["address_key"].notna().to_numpy())
        hashes = _hashes(points["address_key"].iloc[keyed])
        order = np.argsort(hashes, kind="stable")
        self._row: Ints = keyed[order]
        self._hash = hashes[order]
        code, self._customers = pd.factorize(points["customer_id"])
        self._owner: Ints = code.astype(np.int64)

    @staticmethod
    def of(portfolio: Portfolio) -> AddressIndex:
        """Return the index of a portfolio, built at the first call for its contact points."""
        points, known = portfolio.tables["contact_points"], _BUILT.get(portfolio)
        if known is None or known._points is not points:
            known = _BUILT[portfolio] = AddressIndex(points)
        return known

    def owners_of(self, addresses: Iterable[str]) -> npt.NDArray[np.object_]:
        """Return the customers who have one of the addresses, in the order of the table."""
        return self._names(self._owners_at(pd.Series(list(addresses), dtype="str")))

    def connected_to(self, addresses: Iterable[str], leave_out: str) -> pd.DataFrame:
        """Return all points of customers who hang together through addresses.

        Parameters
        ----------
        addresses : iterable of str
            Where to start.
        leave_out : str
            A customer whose points connect nobody and are not returned.
        """
        found: set[int] = set()
        new = pd.Series(list(addresses), dtype="str")
        while len(new):
            owners = self._owners_at(new)
            owners = owners[self._names(owners) != leave_out]
            fresh = np.array([c for c in owners.tolist() if c not in found], dtype=np.int64)
            found.update(fresh.tolist())
            new = self._points["address_key"].iloc[self._rows_of(fresh)].dropna().drop_duplicates()
        return self._points.iloc[self._rows_of(np.array(sorted(found), dtype=np.int64))]

    def _owners_at(self, addresses: pd.Series) -> Ints:
        wanted = _hashes(addresses)
        rows = self._row[_ranges(*(np.searchsorted(self._hash, wanted, s) for s in _SIDES))]
        # two addresses may have one hash
        same = self._points["address_key"].iloc[rows].isin(addresses).to_numpy()
        return np.unique(self._owner[rows[same]])

    def _rows_of(self, customers: Ints) -> Ints:
        return _ranges(*(np.searchsorted(self._owner, customers, s) for s in _SIDES))

    def _names(self, customers: Ints) -> npt.NDArray[np.object_]:
        return np.asarray(self._customers.take(customers), dtype=object)


_SIDES = ("left", "right")


def _hashes(words: pd.Series) -> npt.NDArray[np.uint64]:
    return pd.util.hash_array(words.to_numpy(dtype=object), categorize=False)


def _ranges(start: Ints, stop: Ints) -> Ints:
    """Return the numbers of several ranges one after the other."""
    found = [np.arange(a, b) for a, b in zip(start.tolist(), stop.tolist(), strict=True)]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])
