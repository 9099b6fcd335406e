"""From the capacity table to rows and cells: which (customer, action) draws on which row.

A pair falls on (pool, pool-local date, pool-local hour) of its slot_start. Pairs that the same
rows cover form one *cell*; rows cover cells. A pair of a pool without rows lies in the last cell,
which no row covers; a pair of a pool with rows of which none covers it is closed, and so is one
whose row has no unit left: closed pairs are masked, never priced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch
from contactopt.errors import ConfigError
from contactopt.plan.prices.blocks import block_size, in_blocks
from contactopt.plan.prices.pair_kernels import cell_pass, span_pass

__all__ = ["CLOSED", "CapacityRows", "CellMap", "check_nested", "map_cells"]

#: cell of a pair that no row lets through
CLOSED = -1
#: offsets of civil time are multiples of a quarter of an hour
_QUARTER = 900_000_000


@dataclass(frozen=True)
class CapacityRows:
    """K capacity rows over C cells.

    Parameters
    ----------
    label : tuple of str
        Pool, date and hour of each row.
    pool, unit : tuple of str
    units, min_units : float array, shape (K,)
        For this batch: a budget with ``until_date`` counts with its even share per day.
    cover : bool array, shape (K, C)
    """

    label: tuple[str, ...]
    pool: tuple[str, ...]
    unit: tuple[str, ...]
    units: npt.NDArray[np.float64]
    min_units: npt.NDArray[np.float64]
    cover: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class CellMap:
    """Rows of a batch, and the cell of every pair: (n, m) int16, C = free, `CLOSED` = closed."""

    rows: CapacityRows
    cell: npt.NDArray[np.int16]


def check_nested(cover: npt.NDArray[np.bool_], label: tuple[str, ...]) -> None:
    """Refuse rows that cross: no lottery keeps crossing counts exactly.

    Raises
    ------
    ConfigError
        If two rows share a cell and neither holds the other.
    """
    for a in range(len(cover)):
        for b in range(a):
            both = (cover[a] & cover[b]).any()
            if both and (cover[a] & ~cover[b]).any() and (cover[b] & ~cover[a]).any():
                raise ConfigError(
                    f"capacity rows {label[b]!r} and {label[a]!r} cross",
                    hint="two counting rows must be disjoint or one inside the other "
                    "(hour in day, day in pool)",
                )


def map_cells(
    batch: ScoredBatch, table: pd.DataFrame, pools: Mapping[str, Any], *, n_threads: int = 1
) -> CellMap:
    """Find the rows in force and the cell of every pair.

    Parameters
    ----------
    batch : ScoredBatch
    table : DataFrame
        As `capacity_table` returns it.
    pools : mapping of str to PoolConfig
        Time zone and unit of the strategy's pools; a channel is a pool of contacts in UTC.
    n_threads : int

    Returns
    -------
    CellMap
        Without rows for a batch whose pools have none, or for an empty batch.
    """
    n, m = batch.allowed.shape
    if table.empty or n == 0 or m == 0:
        return CellMap(_no_rows(), np.zeros((n, m), dtype=np.int16))
    size = block_size(m)

    def starts(a: int, b: int) -> npt.NDArray[np.int64]:
        return np.ascontiguousarray(batch.slot_start[a:b], dtype=np.int64)

    base, n_bins = _bins(batch, starts, size, n_threads)
    instants = pd.to_datetime((base + np.arange(n_bins)) * _QUARTER, unit="us", utc=True)
    sets, keys = _cover_sets(batch, table, pools, instants)
    rows, lookup = _rows_and_lookup(sets, keys, table, pools, n_bins, len(batch.pools))
    cell = np.empty((n, m), dtype=np.int16)

    def look_up(_: int, a: int, b: int) -> None:
        pool = np.ascontiguousarray(batch.pool[a:b], dtype=np.int64)
        cell_pass(pool, starts(a, b), NO_INSTANT, base, _QUARTER, lookup, cell[a:b])

    in_blocks(n, size, look_up, n_threads)
    return CellMap(rows, cell)


def _no_rows() -> CapacityRows:
    none = np.zeros(0)
    return CapacityRows((), (), (), none, none, np.zeros((0, 0), dtype=bool))


def _bins(batch: ScoredBatch, starts, size: int, n_threads: int) -> tuple[int, int]:
    """Return the first quarter of an hour of the batch and how many there are."""
    n = len(batch.customer_ids)
    span = np.empty((-(-n // size), 2), dtype=np.int64)
    span[:] = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    in_blocks(n, size, lambda c, a, b: span_pass(starts(a, b), NO_INSTANT, span[c]), n_threads)
    low, high = span[:, 0].min(), span[:, 1].max()
    if high < low:  # no action has an hour
        return int(batch.as_of.value // 1000 // _QUARTER), 1
    if (high - low) // _QUARTER > 4 * 24 * 366:
        raise ConfigError(
            "slot_start of the batch spans more than a year",
            hint="slot_start is the slot's first instant inside the 24 hours after as_of",
        )
    return int(low // _QUARTER), int(high // _QUARTER - low // _QUARTER + 1)


def _cover_sets(batch, table, pools, instants) -> tuple[dict, dict]:
    """Return (pool, bin) -> keys of the rows that cover it, and key -> (units, min_units)."""
    sets: dict[tuple[int, int], tuple] = {}
    keys: dict[tuple[str, str, int], tuple[float, float]] = {}
    as_of = pd.Timestamp(batch.as_of)
    for index, pool in enumerate(batch.pools):
        own = table[table["pool"] == pool]
        if own.empty:
            continue
        zone = pools[pool].time_zone if pool in pools else "UTC"
        local = instants.tz_convert(zone)
        today = as_of.tz_convert(zone).date().isoformat()
        days = [d.isoformat() for d in local.date]
        paced = _paced(own, sorted({*days, today}), today)
        keys |= {(pool, *k): v for k, v in paced.items()}
        for b, (day, hour) in enumerate([*zip(days, local.hour, strict=True), (today, None)]):
            wanted = [(day, -1)] if hour is None else [(day, -1), (day, int(hour))]
            sets[index, b] = tuple((pool, *k) for k in wanted if k in paced)
    return sets, keys


def _paced(own: pd.DataFrame, days: list[str], today: str) -> dict[tuple[str, int], tuple]:
    """Return (day, hour) -> (units, min_units); of several rows for one day the tightest.

    A budget up to a day is spent at an even pace: its units over the days that remain, the
    batch's own day included.
    """
    paced: dict[tuple[str, int], tuple[float, float]] = {}
    for row in own.to_dict(orient="records"):
        until = row["until_date"] or row["date"]
        first = max(row["date"], min(today, until)) if row["until_date"] else row["date"]
        remaining = (date.fromisoformat(until) - date.fromisoformat(first)).days + 1
        share = (row["units"] / remaining, row["min_units"] / remaining)
        for day in days:
            if first <= day <= until:
                units, low = paced.get((day, row["hour"]), (np.inf, 0.0))
                paced[day, row["hour"]] = (min(units, share[0]), max(low, share[1]))
    return paced


def _rows_and_lookup(sets, keys, table, pools, n_bins, n_pools):
    """Give rows and cells their numbers; return rows and the (pool, bin) -> cell table."""
    limited = {index for index, _ in sets}
    closed = {k for k, (units, _) in keys.items() if units <= 0}
    used = sorted({k for ks in sets.values() for k in ks} - closed)
    cells = sorted({ks for ks in sets.values() if ks and not set(ks) & closed})
    number = {ks: c for c, ks in enumerate(cells)}
    lookup = np.full((n_pools, n_bins + 1), len(cells), dtype=np.int16)
    for index in limited:
        for b in range(n_bins + 1):
            lookup[index, b] = number.get(sets[index, b], CLOSED)
    cover = np.array([[k in ks for ks in cells] for k in used], dtype=bool).reshape(
        len(used), len(cells)
    )
    some = cover.any(axis=1)
    used = [used[k] for k in np.flatnonzero(some)]
    rows = CapacityRows(
        label=tuple(f"{p} {d}" + (f" {h:02d}h" if h >= 0 else "") for p, d, h in used),
        pool=tuple(p for p, _, _ in used),
        unit=tuple(pools[p].unit if p in pools else "contacts" for p, _, _ in used),
        units=np.array([keys[k][0] for k in used], dtype=float),
        min_units=np.array([keys[k][1] for k in used], dtype=float),
        cover=cover[some],
    )
    check_nested(rows.cover, rows.label)
    return rows, lookup
