"""Outcomes of touches as events: each holds from when it is known until another replaces it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contactopt.contracts import vocabulary as v
from contactopt.journal.columns import Ints
from contactopt.journal.event_index import EventIndex
from contactopt.journal.kernels import NEVER
from contactopt.journal.touches import TouchLog

__all__ = ["REACHED_OUTCOMES", "OutcomeEvents"]

#: the customer was there: a right-party contact, or a human reaction to a message
REACHED_OUTCOMES = (
    *v.RIGHT_PARTY_OUTCOMES,
    *v.ENGAGED_OUTCOMES,
    "complained",
    "opted_out",
    "represented",
    "bankrupt",
)


@dataclass(frozen=True, eq=False)
class OutcomeEvents:
    """Changes of touches' effective outcomes, ready for the same folds as any other event.

    Parameters
    ----------
    index : EventIndex
        By customer. ``time`` is the touch's start, ``known`` when the outcome is known, ``until``
        when a later change of the same touch is; ``rows`` are positions in the touch log.
    outcome : int64 array
        Code of the outcome; `unknown` never occurs.
    """

    index: EventIndex
    outcome: Ints

    @classmethod
    def build(cls, log: TouchLog) -> OutcomeEvents:
        """Make one event per change of a touch's outcome timeline."""
        touch = np.repeat(np.arange(len(log)), np.diff(log.line_starts))
        after = np.append(log.line_known[1:], NEVER)[: len(touch)]
        last = log.line_starts[1:][touch] - 1 == np.arange(len(touch))
        # a change may precede the touch row itself: nothing is known before the row is
        known = np.maximum(log.line_known, log.known[touch])
        until = np.where(last, NEVER, np.maximum(after, log.known[touch]))
        index = EventIndex.build(
            log.index.owner[touch],
            log.index.n_owners,
            time=log.time[touch],
            known=known,
            ids=np.arange(len(touch)),
            until=until,
        )
        outcome = log.line_outcome[index.rows]
        return cls(
            index=EventIndex(index.starts, index.known, index.time, index.until, touch[index.rows]),
            outcome=outcome,
        )
