"""Holds, consents and notices: what forbids, allows or must precede a contact."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError
from contactopt.journal.columns import (
    Ids,
    Ints,
    codes_of,
    instants,
    known_at,
    own_debts,
    text,
    words,
)
from contactopt.journal.local_time import HOUR_US

__all__ = ["consent_frame", "hold_frame", "notice_frame", "party_frame"]

#: a hold that is on record and begins this soon after the instant bears on a day's plan
AHEAD_US = 48 * HOUR_US


def _at(rows: Ints, values: Any) -> Any:
    return values.take(rows).reset_index(drop=True) if hasattr(values, "take") else values[rows]


def _channels_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the contract's channels and the strategy's own: a consent to one opens no other."""
    named = set(text(frame, "channel").dropna().unique())
    return (*v.CHANNELS, *sorted(map(str, named - set(v.CHANNELS))))


def hold_frame(
    frame: pd.DataFrame,
    customers: Ids,
    debts: Ids,
    debt_customer: Ints,
    points: Ids,
    at_us: int,
    delay_hours: float,
) -> pd.DataFrame:
    """Return the holds known at an instant, ended ones too, sorted by (customer, id).

    A hold is known from max(starts_at, recorded_at). One that is recorded by the instant and
    begins within 48 hours of it is told as well: the day that is planned must respect it. An
    agreed callback is told from when it is recorded: until then nothing else may come. A hold
    that names somebody else's debt (of which the customer is a party) is told for all debts.
    """
    starts = instants(frame, "starts_at")
    recorded = instants(frame, "recorded_at")
    known = known_at(frame, starts, delay_hours)
    soon = starts <= at_us + AHEAD_US
    soon |= np.asarray(text(frame, "kind") == "callback_agreed", dtype=bool)
    announced = (recorded != NO_INSTANT) & (recorded <= at_us) & soon
    customer = codes_of(frame, "customer_id", customers, "holds")
    rows = _sorted_rows((known <= at_us) | announced, customer, text(frame, "hold_id"))
    return pd.DataFrame(
        {
            "hold_id": _at(rows, text(frame, "hold_id")),
            "customer": customer[rows],
            "kind": words(frame, "kind", v.HOLD_KINDS)[rows],
            "debt": own_debts(
                codes_of(frame, "debt_id", debts, "holds", elsewhere=True), customer, debt_customer
            )[rows],
            "channel": words(frame, "channel", _channels_of(frame))[rows],
            "contact_point": codes_of(frame, "contact_point_id", points, "holds")[rows],
            "starts_us": starts[rows],
            "ends_us": instants(frame, "ends_at")[rows],
            "detail": _details(text(frame, "detail").take(rows)),
        }
    )


def _details(column: pd.Series) -> pd.Series:
    """Parse JSON details; a hold that cannot be read must not be taken for none."""
    parsed = {}
    for raw in column.dropna().unique():
        try:
            parsed[raw] = json.loads(raw)
        except ValueError:
            raise ContractError(
                "holds.detail is not JSON in at least one row",
                hint="write an object such as {}, or leave it empty",
            ) from None
    return pd.Series([parsed.get(raw) for raw in column], dtype=object)


def consent_frame(
    frame: pd.DataFrame, customers: Ids, points: Ids, at_us: int, delay_hours: float
) -> pd.DataFrame:
    """Return the latest known consent per customer, channel and contact point (or none).

    Of two changes in the same microsecond the revocation wins.
    """
    changed = instants(frame, "changed_at")
    customer = codes_of(frame, "customer_id", customers, "consents")
    channel = words(frame, "channel", _channels_of(frame))
    point = codes_of(frame, "contact_point_id", points, "consents")
    status = words(frame, "status", v.CONSENT_STATUSES)
    rows = np.flatnonzero((known_at(frame, changed, delay_hours) <= at_us) & (customer >= 0))
    keys = (status.codes, changed, point, channel.codes, customer)
    rows = rows[np.lexsort([k[rows] for k in keys])]
    same = np.ones(max(len(rows) - 1, 0), dtype=bool)
    for key in keys[2:]:
        same &= key[rows][1:] == key[rows][:-1]
    rows = rows[np.append(~same, True)] if len(rows) else rows
    return pd.DataFrame(
        {
            "customer": customer[rows],
            "channel": channel[rows],
            "contact_point": point[rows],
            "status": status[rows],
            "changed_us": changed[rows],
        }
    )


def notice_frame(
    frame: pd.DataFrame, customers: Ids, debts: Ids, at_us: int, delay_hours: float
) -> pd.DataFrame:
    """Return the legal notices known at an instant, sorted by (customer, id)."""
    sent = instants(frame, "sent_at")
    customer = codes_of(frame, "customer_id", customers, "notices")
    known = known_at(frame, sent, delay_hours) <= at_us
    rows = _sorted_rows(known, customer, text(frame, "notice_id"))
    return pd.DataFrame(
        {
            "notice_id": _at(rows, text(frame, "notice_id")),
            "customer": customer[rows],
            "debt": codes_of(frame, "debt_id", debts, "notices", elsewhere=True)[rows],
            "kind": words(frame, "kind", v.NOTICE_KINDS)[rows],
            "sent_us": sent[rows],
            "channel": words(frame, "channel", _channels_of(frame))[rows],
        }
    )


def party_frame(
    frame: pd.DataFrame, customers: Ids, debts: Ids, at_us: int, delay_hours: float
) -> pd.DataFrame:
    """Return the further obligors of debts whose role holds at an instant.

    The party may be a customer of another block (code -1): what it says of the debt holds.
    """
    start = instants(frame, "valid_from")
    end = instants(frame, "valid_to")
    customer = codes_of(frame, "customer_id", customers, "debt_parties", elsewhere=True)
    debt = codes_of(frame, "debt_id", debts, "debt_parties")
    holds = (known_at(frame, start, delay_hours) <= at_us) & ((end == NO_INSTANT) | (end > at_us))
    role = words(frame, "role", v.PARTY_ROLES)
    rows = np.flatnonzero(holds & (debt >= 0))
    rows = rows[np.lexsort((role.codes[rows], debt[rows], customer[rows]))]
    return pd.DataFrame({"customer": customer[rows], "debt": debt[rows], "role": role[rows]})


def _sorted_rows(keep: Any, customer: Ints, ids: pd.Series) -> Ints:
    rows = np.flatnonzero(keep & (customer >= 0))
    return rows[np.lexsort((pd.factorize(ids.iloc[rows], sort=True)[0], customer[rows]))]
