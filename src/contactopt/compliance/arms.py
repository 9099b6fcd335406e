"""Which arms a block's rows are judged for: all, or for every row the one that is planned."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contactopt.compliance.block import Block

__all__ = ["Arms"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Arms:
    """Columns of the arrays by row: the action space, or one action for each row.

    Parameters
    ----------
    block : Block
    action : int64 array, shape (n_rows,), optional
        The only action of each row; all actions without.
    """

    def __init__(self, block: Block, action: Ints | None = None) -> None:
        self._one = action is not None
        every = np.arange(block.m) if action is None else action
        #: action by row and column, shape (1, m), or (n_rows, 1) where every row has its own
        self.action: Ints = every[:, None] if self._one else every[None, :]
        #: channel by row and column, of the same shape
        self.channel: Ints = block.channel_of[self.action]

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.action.shape[1]

    def channels(self, rows: Ints) -> Ints:
        """Return the channels of some rows' columns; one row where all are alike."""
        return self.channel[rows] if self._one else self.channel

    def by_channel(self, values: npt.NDArray[Any], rows: Ints) -> Any:
        """Return values by channel, shape (..., k, channels), at the columns of k rows."""
        if self._one:
            return values[..., np.arange(len(rows)), self.channel[rows, 0]][..., None]
        return values[..., self.channel[0]]

    def by_action(self, values: npt.NDArray[Any], rows: Ints) -> Any:
        """Return values by action, shape (..., k, m) or (..., 1, m), at the columns of k rows."""
        if not self._one:
            return values
        at = np.zeros(len(rows), dtype=np.int64)
        at = at if values.shape[-2] == 1 else np.arange(len(rows))
        return values[..., at, self.action[rows, 0]][..., None]

    def of_channels(self, rows: Ints, channels: Any) -> list[tuple[Ints, Ints]]:
        """Return (positions in ``rows``, columns) whose channel is one of some."""
        if not self._one:
            return [(np.arange(len(rows)), np.flatnonzero(np.isin(self.channel[0], channels)))]
        mine = np.flatnonzero(np.isin(self.channel[rows, 0], channels))
        return [(mine, np.zeros(1, dtype=np.int64))]
