"""Events of owners (customers, debts, points) in the order in which they became known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal.kernels import NEVER, expand_ranges, grouped, known_ends

__all__ = ["EventIndex"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EventIndex:
    """A CSR of events by owner, sorted by (owner, known, id); independent of the rows' order.

    Parameters
    ----------
    starts : int64 array, shape (n_owners + 1,)
        Events of owner ``c`` stand at positions ``starts[c]`` to ``starts[c + 1]``.
    known : int64 array, shape (n_events,)
        Instant from which the event is known, microseconds UTC.
    time : int64 array, shape (n_events,)
        Event time; never later than ``known``.
    until : int64 array, shape (n_events,)
        Instant from which the event no longer counts (a reversal), `NEVER` where it stands.
    rows : int64 array, shape (n_events,)
        Row of the source table.

    Examples
    --------
    >>> index = EventIndex.build([0, 1, 0], 2, time=[5, 1, 3], known=[5, 9, 4], ids=["a", "b", "c"])
    >>> index.rows.tolist(), index.starts.tolist()
    ([2, 0, 1], [0, 2, 3])
    >>> index.ends([0, 0, 1], [4, 5, 8]).tolist()
    [1, 2, 2]
    """

    starts: Ints
    known: Ints
    time: Ints
    until: Ints
    rows: Ints

    @classmethod
    def build(
        cls, owner: Any, n_owners: int, *, time: Any, known: Any, ids: Any, until: Any = None
    ) -> EventIndex:
        """Sort events; rows whose owner is -1 are left out.

        Parameters
        ----------
        owner : int array, shape (n_rows,)
        n_owners : int
        time, known, until : int64 arrays, shape (n_rows,)
        ids : sequence, shape (n_rows,)
            Breaks ties of events that became known in the same microsecond.
        """
        owner = np.asarray(owner, dtype=np.int64)
        known = np.asarray(known, dtype=np.int64)
        starts, rows = grouped(owner, known, n_owners)
        rows = _break_ties(rows, owner, known, ids)
        gone = np.full(len(rows), NEVER) if until is None else np.asarray(until, np.int64)[rows]
        return cls(
            starts=starts,
            known=known[rows],
            time=np.asarray(time, dtype=np.int64)[rows],
            until=gone,
            rows=rows,
        )

    def __len__(self) -> int:
        return len(self.known)

    @property
    def n_owners(self) -> int:
        """Number of owners."""
        return len(self.starts) - 1

    @property
    def owner(self) -> Ints:
        """Owner of each event, shape (n_events,)."""
        return np.repeat(np.arange(self.n_owners), np.diff(self.starts))

    def ends(self, owners: Any, instants: Any) -> Ints:
        """Return where the known events of each (owner, instant) pair end, shape (n_pairs,)."""
        owners = np.asarray(owners, dtype=np.int64)
        instants = np.broadcast_to(np.asarray(instants, dtype=np.int64), owners.shape)
        return known_ends(self.starts, self.known, owners, np.ascontiguousarray(instants))

    def at(self, as_of_us: int) -> Ints:
        """Return the positions of all events known at one instant, in index order."""
        owners = np.arange(self.n_owners)
        return self.pairs(owners, np.full(len(owners), as_of_us, dtype=np.int64))[0]

    def pairs(self, owners: Any, instants: Any) -> tuple[Ints, Ints]:
        """Return the positions known at each pair, and the pair each belongs to."""
        owners = np.asarray(owners, dtype=np.int64)
        return expand_ranges(self.starts[owners], self.ends(owners, instants))


def _break_ties(rows: Ints, owner: Ints, known: Ints, ids: Any) -> Ints:
    """Order rows of the same owner and known-at by id; only those are looked at as text."""
    if len(rows) < 2:
        return rows
    same = (owner[rows][1:] == owner[rows][:-1]) & (known[rows][1:] == known[rows][:-1])
    if not same.any():
        return rows
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    group = np.cumsum(np.insert(~same, 0, True))[tied]
    names = pd.Series(ids).iloc[rows[tied]]
    order = np.lexsort((pd.factorize(names, sort=True)[0], group))
    rows = rows.copy()
    rows[tied] = rows[tied][order]
    return rows
