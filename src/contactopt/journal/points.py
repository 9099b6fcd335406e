"""Contact points: which are valid, and which are known to be dead, at any instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import Ids, Ints, codes_of, instants, known_at, numbers, text, words
from contactopt.journal.event_index import EventIndex
from contactopt.journal.kernels import NEVER
from contactopt.journal.touches import TouchLog

__all__ = ["PointLog", "point_frame"]


@dataclass(frozen=True, eq=False)
class PointLog:
    """Contact points by code (position in the sorted point ids).

    Parameters
    ----------
    ids : Ids
    frame : DataFrame
        The table in the order of the codes.
    index : EventIndex
        By customer; ``time`` is ``valid_from``, ``until`` is ``valid_to``, ``rows`` are codes.
    kind : Categorical
    touches : TouchLog
    """

    ids: Ids
    frame: pd.DataFrame
    index: EventIndex
    kind: pd.Categorical
    touches: TouchLog

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def build(
        cls, frame: pd.DataFrame, ids: Ids, customers: Ids, touches: TouchLog, delay_hours: float
    ) -> PointLog:
        """Read contact_points (in code order)."""
        valid_from = instants(frame, "valid_from")
        valid_to = instants(frame, "valid_to")
        return cls(
            ids=ids,
            frame=frame,
            index=EventIndex.build(
                codes_of(frame, "customer_id", customers, "contact_points"),
                len(customers),
                time=valid_from,
                known=known_at(frame, valid_from, delay_hours),
                ids=np.arange(len(frame)),
                until=np.where(valid_to == NO_INSTANT, NEVER, valid_to),
            ),
            kind=words(frame, "kind", v.POINT_KINDS),
            touches=touches,
        )

    def dead(self, points: Ints, at_us: Ints) -> Any:
        """Return, per (point, instant), whether touches have shown the point to be dead.

        Dead means: an attempt came back `invalid`, `bounced` or `wrong_number`, and no later
        outcome shows that the point leads to the customer.
        """
        return self.touches.dead_points(points, at_us)


def point_frame(log: PointLog, at_us: int) -> pd.DataFrame:
    """Return the contact points known at an instant, by (customer, known-at, id)."""
    where = log.index.at(at_us)
    codes = log.index.rows[where]

    def text_of(name: str) -> pd.Series:
        return text(log.frame, name).take(codes).reset_index(drop=True)

    return pd.DataFrame(
        {
            "contact_point": codes,
            "contact_point_id": text_of("contact_point_id"),
            "customer": log.index.owner[where],
            "kind": log.kind[codes],
            "place": words(log.frame, "place", v.PLACES)[codes],
            "quality_share": numbers(log.frame, "quality_share")[codes],
            "time_zone": text_of("time_zone").to_numpy(dtype=object),
            "jurisdiction": text_of("jurisdiction").to_numpy(dtype=object),
            "holder": words(log.frame, "holder", v.HOLDERS)[codes],
            "address_key": text_of("address_key"),
            "valid": log.index.until[where] > at_us,
            "valid_from_us": log.index.time[where],
            "valid_to_us": np.where(
                log.index.until[where] == NEVER, NO_INSTANT, log.index.until[where]
            ),
            "dead": log.dead(codes, np.full(len(codes), at_us, dtype=np.int64)),
        }
    )
