"""Customers who share a phone or address: one of them per batch, by a seeded rotation.

The choice is made before the allocation, from ids and seed only, so that no mask depends on a
draw. Groups are connected through shared addresses: nobody outside the group is touched.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.local_time import local_day, to_us

__all__ = ["shared_point_rotation"]


def shared_point_rotation(portfolio: Any, as_of: Any, random_state: int = 0) -> pd.DataFrame:
    """Return the customers who sit this batch out because a neighbour shares a contact point.

    Parameters
    ----------
    portfolio : Portfolio
        The whole one, not a block: groups may span blocks.
    as_of : Timestamp, str with a zone, or int microseconds
        Points that are valid at it and on record by then count; its UTC date turns the rotation.
    random_state : int
        Seed of the rotation's order.

    Returns
    -------
    DataFrame
        One column ``customer_id``, sorted; empty where nobody shares a point.
    """
    at_us = to_us(as_of)
    points = _valid(portfolio.tables["contact_points"], at_us)
    shared = points.drop_duplicates(["customer_id", "address_key"])
    shared = shared[shared.duplicated("address_key", keep=False)]
    if shared.empty:
        return pd.DataFrame({"customer_id": pd.Series([], dtype="str")})
    owner, customers = pd.factorize(shared["customer_id"].astype(object), sort=True)
    address, addresses = pd.factorize(shared["address_key"].astype(object), sort=True)
    n, k = len(customers), len(addresses)
    graph = coo_matrix((np.ones(len(owner)), (owner, n + address)), shape=(n + k, n + k))
    group = connected_components(graph, directed=False)[1][:n]
    order = np.lexsort((_hashes(customers, random_state), group))
    start = np.searchsorted(group[order], group[order], side="left")
    rank = np.arange(n) - start
    size = np.bincount(group)[group[order]]
    turn = int(local_day(at_us, "UTC")) % size
    waits = np.sort(np.asarray(customers, dtype=object)[order[rank != turn]])
    return pd.DataFrame({"customer_id": pd.Series(waits, dtype="str")})


def _valid(points: pd.DataFrame, at_us: int) -> pd.DataFrame:
    points = points[points["address_key"].notna()]
    start, end, told = (_us(points, name) for name in ("valid_from", "valid_to", "recorded_at"))
    holds = (start <= at_us) & ((end == NO_INSTANT) | (end > at_us)) & (told <= at_us)
    return points.loc[holds, ["customer_id", "address_key"]]


def _us(frame: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    if name not in frame or frame[name].isna().all():
        return np.full(len(frame), NO_INSTANT, dtype=np.int64)
    return frame[name].to_numpy(dtype="datetime64[us]").astype(np.int64)


def _hashes(ids: Any, random_state: int) -> npt.NDArray[np.uint64]:
    """Return a number per id that depends on the id and the seed alone."""
    salt = f"shared_point:{random_state}:"
    digests = [hashlib.blake2b((salt + str(i)).encode(), digest_size=8).digest() for i in ids]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)
