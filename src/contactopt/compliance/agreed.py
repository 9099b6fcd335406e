"""Contacts a customer agreed to: inside their window, rules that except them do not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import Block
from contactopt.compliance.fact_table import FactIndex, Facts

__all__ = ["Agreed", "agreed_contacts"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Agreed:
    """Agreed windows by row, sorted by row.

    Parameters
    ----------
    row : int64 array, shape (k,)
    begin, end : int64 arrays
        Half-open.
    action : bool array, shape (k, m)
        Actions by the agreed channel.
    """

    row: Ints
    begin: Ints
    end: Ints
    action: Bools

    def covers(self, rows: Ints, start: Ints) -> Bools:
        """Return whether starts, shape (len(rows), m), are agreed contacts; rows are sorted."""
        out = np.zeros(start.shape, dtype=bool)
        at = np.searchsorted(rows, self.row)
        here = np.flatnonzero((at < len(rows)) & (rows[np.minimum(at, len(rows) - 1)] == self.row))
        at = at[here]
        s = start[at]
        hit = (s >= self.begin[here, None]) & (s < self.end[here, None]) & self.action[here]
        np.logical_or.at(out, at, hit)
        return out


def agreed_contacts(block: Block, index: FactIndex, facts: Facts) -> Agreed | None:
    """Return the agreed windows that touch the plan's; None where there are none."""
    own = facts.name == index.of("hold:callback_agreed")
    own &= (facts.spare_to > facts.spare_from) & (facts.point < 0)
    own &= (facts.spare_from < block.window.end_us) & (facts.spare_to > block.window.begin_us)
    at = np.flatnonzero(own)
    if len(at) == 0:
        return None
    one, whole = at[facts.row[at] >= 0], at[facts.row[at] < 0]
    source, rows = block.rows_of(facts.customer[whole])
    fact = np.concatenate([one, whole[source]])
    row = np.concatenate([facts.row[one], rows])
    order = np.argsort(row, kind="stable")
    fact, row = fact[order], row[order]
    bits = facts.spare_channels[fact][:, None] >> block.channel_of.astype(np.uint64)
    return Agreed(row, facts.spare_from[fact], facts.spare_to[fact], (bits & np.uint64(1)) > 0)
