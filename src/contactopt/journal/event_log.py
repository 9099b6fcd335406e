"""What the logs of touches, payments and promises have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.journal.event_index import EventIndex

__all__ = ["EventLog"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EventLog:
    """A table of events on the time axis of its index by customer.

    Parameters
    ----------
    index : EventIndex
        By customer.
    frame : DataFrame
        The source table.
    """

    index: EventIndex
    frame: pd.DataFrame

    @property
    def starts(self) -> Ints:
        """CSR starts per customer."""
        return self.index.starts

    @property
    def time(self) -> Ints:
        """Instant of each event."""
        return self.index.time

    @property
    def known(self) -> Ints:
        """Instant from which each event is known."""
        return self.index.known

    def __len__(self) -> int:
        return len(self.index)
