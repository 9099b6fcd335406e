"""The touch log: every contact, when it was known, and what its outcome was at any instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import (
    Ids,
    Ints,
    coded,
    codes_of,
    instants,
    known_at,
    numbers,
    own_debts,
    text,
    word_codes,
    words,
)
from contactopt.journal.event_index import EventIndex
from contactopt.journal.event_log import EventLog
from contactopt.journal.kernels import (
    LADDER,
    NEVER,
    dead_points,
    machine_only,
    outcome_timeline,
    values_at,
)

__all__ = ["OUTCOME_CODE", "TouchLog", "touch_debt_frame", "touch_event_frame", "touch_frame"]

OUTCOME_CODE = {word: code for code, word in enumerate(v.OUTCOMES)}
_RANK = np.array([LADDER.index(o) if o in LADDER else -1 for o in v.OUTCOMES], dtype=np.int64)
_BEATEN = np.array([o in v.NO_CONTACT_OUTCOMES for o in v.OUTCOMES])
#: which word of a digital event beats which: see `kernels.outcome_timeline`
_FORCE = np.array(
    [2 if o in v.HOLDING_OUTCOMES else int(o in v.DEAD_POINT_OUTCOMES) for o in v.OUTCOMES]
)
_LADDER = np.array([OUTCOME_CODE[o] for o in LADDER], dtype=np.int64)


def _roles() -> npt.NDArray[np.int64]:
    """Return what each outcome says about the address: see `kernels.dead_points`."""
    role = np.zeros(len(v.OUTCOMES), dtype=np.int64)
    for o in ("invalid", "bounced"):
        role[OUTCOME_CODE[o]] = 1
    role[OUTCOME_CODE["wrong_number"]] = 2
    for o in ("delivered", "opened", "third_party"):
        role[OUTCOME_CODE[o]] = 3
    answered = ("clicked", "replied", "visited", "paid_online", "opted_out", "complained")
    for o in (*answered, *v.RIGHT_PARTY_OUTCOMES):
        role[OUTCOME_CODE[o]] = 4
    return role


_ROLE = _roles()


@dataclass(frozen=True, eq=False)
class TouchLog(EventLog):
    """Touches by customer; arrays are in the order of ``index``.

    Parameters
    ----------
    index : EventIndex
        By customer; ``time`` is ``started_at``.
    frame : DataFrame
        The source table; ``index.rows`` leads into it.
    channel, direction, handled_by : Categorical
    debt, point : int64 arrays
        Codes, -1 where none is named.
    line_starts, line_known, line_outcome : int64 arrays
        Outcome changes per touch (`kernels.outcome_timeline`).
    events : EventIndex
        Digital events by touch position.
    event, machine : arrays
        Outcome code and machine flag of each digital event, in the order of ``events``.
    event_ids : Series
        Touch id of every row of the touch_events table.
    named_touch, named_debt : int64 arrays
        Debts named by touches (position, debt code), sorted and distinct.
    by_point : EventIndex
        The same touches by contact point; ``rows`` are positions of ``index``.
    own_known : int64 array
        When the outcome on the touch's own row is known; never, where that says `unknown`.
    """

    channel: pd.Categorical
    direction: pd.Categorical
    handled_by: pd.Categorical
    debt: Ints
    point: Ints
    line_starts: Ints
    line_known: Ints
    line_outcome: Ints
    events: EventIndex
    event: Ints
    machine: npt.NDArray[np.bool_]
    named_touch: Ints
    named_debt: Ints
    by_point: EventIndex
    own_known: Ints

    @classmethod
    def build(
        cls,
        tables: Any,
        customers: Ids,
        debts: Ids,
        debt_customer: Ints,
        points: Ids,
        delay_hours: Any,
    ) -> TouchLog:
        """Read touches, touch_debts and touch_events; ``delay_hours(table)`` gives the delay."""
        frame = tables["touches"]
        started = instants(frame, "started_at")
        known = known_at(frame, started, delay_hours("touches"))
        ids = text(frame, "touch_id")
        owner = codes_of(frame, "customer_id", customers, "touches")
        index = EventIndex.build(owner, len(customers), time=started, known=known, ids=ids)
        rows = index.rows
        position = np.full(len(frame) + 1, -1, dtype=np.int64)  # the last one: no such touch
        position[rows] = np.arange(len(rows))
        events, event, machine = _digital_events(
            tables["touch_events"], ids, position, len(rows), delay_hours("touch_events")
        )
        outcome = words(frame, "outcome", v.OUTCOMES).codes[rows].astype(np.int64)
        own = np.where(outcome < 0, OUTCOME_CODE["unknown"], outcome)
        own_known = _outcome_known(frame, started, known, delay_hours("touches"))[rows]
        line = outcome_timeline(
            own, own_known, events.starts, events.known, event, machine, _RANK, _BEATEN,
            _LADDER, OUTCOME_CODE["unknown"], _FORCE,
        )  # fmt: skip
        debt = codes_of(frame, "debt_id", debts, "touches", elsewhere=True)
        debt = own_debts(debt, owner, debt_customer)[rows]
        point = codes_of(frame, "contact_point_id", points, "touches", elsewhere=True)[rows]
        named = _named_debts(tables["touch_debts"], ids, position, debts, debt)
        theirs = debt_customer[named[1]] == index.owner[named[0]]
        named_touch, named_debt = named[0][theirs], named[1][theirs]
        return cls(
            index=index,
            frame=frame,
            channel=words(frame, "channel", v.CHANNELS)[rows],
            direction=words(frame, "direction", v.DIRECTIONS)[rows],
            handled_by=words(frame, "handled_by", v.HANDLED_BY)[rows],
            debt=debt,
            point=point,
            line_starts=line[0],
            line_known=line[1],
            line_outcome=line[2],
            events=events,
            event=event,
            machine=machine,
            named_touch=named_touch,
            named_debt=named_debt,
            by_point=EventIndex.build(
                point,
                len(points),
                time=index.time,
                known=index.known,
                ids=np.arange(len(rows)),
            ),
            own_known=np.where(own == OUTCOME_CODE["unknown"], NEVER, own_known),
        )

    def outcomes(self, positions: Ints, at_us: Ints) -> tuple[Ints, Ints]:
        """Return outcome code and the instant it became known, per (touch, instant) pair.

        Where nothing is known the code is that of `unknown` and the instant `NO_INSTANT`.
        """
        line = values_at(self.line_starts, self.line_known, positions, at_us)
        if len(self.line_known) == 0:
            return np.full(len(line), OUTCOME_CODE["unknown"]), np.full(len(line), NO_INSTANT)
        code = np.where(line < 0, OUTCOME_CODE["unknown"], self.line_outcome[line])
        since = np.where(code == OUTCOME_CODE["unknown"], NO_INSTANT, self.line_known[line])
        return code, since

    def dead_points(self, points: Ints, at_us: Ints) -> npt.NDArray[np.bool_]:
        """Return, per (contact point, instant), whether the point is known to be dead."""
        by = self.by_point
        return dead_points(
            by.starts, by.known, by.rows, by.time, self.line_starts, self.line_known,
            self.line_outcome, _ROLE, points, at_us,
        )  # fmt: skip


def _outcome_known(frame: pd.DataFrame, started: Ints, known: Ints, delay_hours: float) -> Ints:
    """When a touch's own outcome is known: outcome_at, else responded_at, else its end.

    Rows without ``recorded_at`` arrive with the table's delay, and so do their outcomes.
    """
    when = _when_settled(frame, started)
    unrecorded = instants(frame, "recorded_at") == NO_INSTANT
    return np.maximum(known, when + np.where(unrecorded, round(delay_hours * 3.6e9), 0))


def _when_settled(frame: pd.DataFrame, started: Ints) -> Ints:
    """Return when a touch's own outcome came about, recorded then or later."""
    seconds = np.nan_to_num(numbers(frame, "duration_s"))
    when = started + np.round(seconds * 1e6).astype(np.int64)
    for column in ("responded_at", "outcome_at"):
        given = instants(frame, column)
        when = np.where(given == NO_INSTANT, when, given)
    return when


def _digital_events(
    frame: pd.DataFrame, touch_ids: pd.Series, position: Ints, n_touches: int, delay_hours: float
) -> tuple[EventIndex, Ints, npt.NDArray[np.bool_]]:
    occurred = instants(frame, "occurred_at")
    touch = position[word_codes(text(frame, "touch_id"), touch_ids)]
    event = words(frame, "event", v.OUTCOMES).codes.astype(np.int64)
    owner = np.where(event < 0, -1, touch)
    machine = numbers(frame, "machine") > 0
    rank = np.empty(len(frame), dtype=np.int64)
    rank[np.lexsort((machine, event, occurred))] = np.arange(len(frame))
    index = EventIndex.build(
        owner, n_touches, time=occurred, known=known_at(frame, occurred, delay_hours), ids=rank
    )
    return index, event[index.rows], machine[index.rows]


def _named_debts(
    frame: pd.DataFrame, touch_ids: pd.Series, position: Ints, debts: Ids, own_debt: Ints
) -> tuple[Ints, Ints]:
    """Return the distinct (touch position, debt code) pairs that touches name."""
    touch = position[word_codes(text(frame, "touch_id"), touch_ids)]
    debt = codes_of(frame, "debt_id", debts, "touch_debts", elsewhere=True)
    single = np.flatnonzero(own_debt >= 0)
    touch = np.concatenate([touch, single])
    debt = np.concatenate([debt, own_debt[single]])
    keep = (touch >= 0) & (debt >= 0)
    if not keep.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    both = np.sort(touch[keep] * len(debts) + debt[keep])
    both = both[np.append(True, both[1:] != both[:-1])]
    return both // len(debts), both % len(debts)


# ---- frames of a view ------------------------------------------------------------------------


def touch_frame(log: TouchLog, at_us: int) -> pd.DataFrame:
    """Return the touches known at an instant, one row each, by (customer, known-at, id)."""
    where = log.index.at(at_us)
    rows = log.index.rows[where]
    now = np.full(len(where), at_us, dtype=np.int64)
    outcome, outcome_known = log.outcomes(where, now)
    counts = np.bincount(log.named_touch, minlength=len(log)) if len(log) else np.empty(0, int)

    def words_of(name: str) -> pd.Series:
        return text(log.frame, name).take(rows).reset_index(drop=True)

    return pd.DataFrame(
        {
            "touch_id": words_of("touch_id"),
            "customer": log.index.owner[where],
            "debt": log.debt[where],
            "channel": log.channel[where],
            "direction": log.direction[where],
            "started_us": log.index.time[where],
            "known_us": log.index.known[where],
            "outcome": coded(outcome, v.OUTCOMES),
            "outcome_known_us": outcome_known,
            "settled_us": _settled(log, where, at_us),
            "contact_point": log.point[where],
            "handled_by": log.handled_by[where],
            "vendor": words_of("vendor"),
            "collector": words_of("collector"),
            "template_id": words_of("template_id"),
            "offer_id": words_of("offer_id"),
            "decision_id": words_of("decision_id"),
            "duration_s": _duration_known(log, where, at_us),
            "cost": numbers(log.frame, "cost")[rows],
            "machine_only": machine_only(
                log.events.starts, log.events.known, log.machine, where, now
            ),
            "n_debts": counts[where],
        }
    )


def _settled(log: TouchLog, where: Ints, at_us: int) -> Ints:
    """Return when the touches' own outcomes came about; their start where that is not known."""
    few = log.frame.reindex(columns=["duration_s", "responded_at", "outcome_at"])
    few = few.iloc[log.index.rows[where]].reset_index(drop=True)
    started = log.index.time[where]
    return np.where(log.own_known[where] <= at_us, _when_settled(few, started), started)


def _duration_known(log: TouchLog, where: Ints, at_us: int) -> npt.NDArray[np.float64]:
    """Return how long touches lasted, NaN for those that still last."""
    seconds = numbers(log.frame, "duration_s")[log.index.rows[where]]
    over = log.index.time[where] + np.nan_to_num(seconds) * 1e6 <= at_us
    return np.where(over, seconds, np.nan)


def touch_debt_frame(log: TouchLog, at_us: int) -> pd.DataFrame:
    """Return which debts the known touches name: row of the touch frame, debt code."""
    where = log.index.at(at_us)
    row = np.full(len(log), -1, dtype=np.int64)
    row[where] = np.arange(len(where))
    touch = row[log.named_touch]
    keep = touch >= 0
    return pd.DataFrame({"touch": touch[keep], "debt": log.named_debt[keep]})


def touch_event_frame(log: TouchLog, at_us: int) -> pd.DataFrame:
    """Return the digital events known at an instant of touches known by then."""
    where = log.index.at(at_us)
    row = np.full(len(log), -1, dtype=np.int64)
    row[where] = np.arange(len(where))
    events = log.events.at(at_us)
    touch = row[log.events.owner[events]]
    keep = touch >= 0
    events = events[keep]
    return pd.DataFrame(
        {
            "touch": touch[keep],
            "event": coded(log.event[events], v.OUTCOMES),
            "machine": log.machine[events],
            "occurred_us": log.events.time[events],
            "known_us": log.events.known[events],
        }
    )
