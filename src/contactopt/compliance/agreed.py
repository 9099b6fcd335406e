"""Contacts a customer agreed to: inside their window, rules that except them do not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contactopt.compliance.arms import Arms
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
    channels : uint64 array, shape (k,)
        Agreed channels as bits.
    """

    row: Ints
    begin: Ints
    end: Ints
    channels: npt.NDArray[np.uint64]

    def covers(self, rows: Ints, start: Ints, arms: Arms) -> Bools:
        """Return whether starts, shape (len(rows), width), are agreed contacts; rows sorted."""
        out = np.zeros(start.shape, dtype=bool)
        at = np.searchsorted(rows, self.row)
        here = np.flatnonzero((at < len(rows)) & (rows[np.minimum(at, len(rows) - 1)] == self.row))
        at = at[here]
        s = start[at]
        channel = arms.channels(rows[at]).astype(np.uint64)
        agreed = (self.channels[here, None] >> channel) & np.uint64(1) > 0
        hit = (s >= self.begin[here, None]) & (s < self.end[here, None]) & agreed
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
    return Agreed(row, facts.spare_from[fact], facts.spare_to[fact], facts.spare_channels[fact])
