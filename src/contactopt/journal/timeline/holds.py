"""Holds in force for one customer: rows of holds, outcomes that act like one, states of debts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.timeline.rows import OneCustomer
from contactopt.journal.timeline.words import stated

__all__ = ["OUTCOME_HOLDS", "STATUS_HOLDS", "holds_in_force"]

#: outcome that acts like a hold -> hold kinds that mean the same, and whose end ends it
OUTCOME_HOLDS = {
    "asked_to_stop": ("cease_communication", "do_not_contact"),
    "dispute": ("dispute",),
    "hardship": ("hardship",),
    "vulnerable": ("vulnerable",),
    "deceased": ("deceased",),
    "represented": ("attorney", "representative"),
    "bankrupt": ("bankruptcy",),
}
#: debt status that says the same as a hold
STATUS_HOLDS = {"disputed": "dispute", "bankrupt": "bankruptcy", "legal": "legal"}


def holds_in_force(one: OneCustomer) -> tuple[tuple[dict[str, Any], ...], dict[str, Any] | None]:
    """Return the holds in force, sorted by kind and beginning, and the callback agreed."""
    rows = one.own(one.view.holds)
    ends = rows["ends_us"].to_numpy(dtype=np.int64)
    rows = rows[(ends == NO_INSTANT) | (ends > one.view.as_of_us)]
    told = [_of_row(one, r) for r in rows.to_dict("records")]
    callback = [h for h in told if h["kind"] == "callback_agreed"]
    begun = [h for h in told if h["since"] <= one.view.as_of]
    found = begun + _of_outcomes(one) + _of_statuses(one)
    order = sorted(found, key=lambda h: (h["kind"], h["since"], h["debt_id"] or ""))
    return tuple(order), _callback(one, callback)


def _instant(us: Any) -> pd.Timestamp | None:
    return None if us == NO_INSTANT else pd.Timestamp(np.datetime64(int(us), "us"), tz="UTC")


def _hold(kind: str, since: Any, source: str, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("debt_id", "channel", "contact_point_id", "until", "detail", "id"))
    return {"kind": kind, "since": since, "source": source, **empty, **more}


def _of_row(one: OneCustomer, row: dict[str, Any]) -> dict[str, Any]:
    point = row["contact_point"]
    return _hold(
        str(row["kind"]),
        _instant(row["starts_us"]),
        "hold",
        debt_id=one.debt_names([row["debt"]])[0],
        channel=stated(row["channel"]),
        contact_point_id=str(one.journal.point_ids[point]) if point >= 0 else None,
        until=_instant(row["ends_us"]),
        detail=row["detail"],
        id=str(row["hold_id"]),
    )


def _of_outcomes(one: OneCustomer) -> list[dict[str, Any]]:
    """Return outcomes that act like a hold; an ended hold of that meaning ends them.

    What was said holds until the end of the latest hold row of the same meaning, for the same
    debt or all, that outlasts the moment at which it was said; for ever where there is none.
    """
    rows = one.own(one.view.holds)
    rows = rows[(rows["channel"].isna() & (rows["contact_point"] < 0)).to_numpy(dtype=bool)]
    found = []
    said = one.touches[one.touches["outcome"].isin(list(OUTCOME_HOLDS))]
    for index, t in zip(said.index, said.to_dict("records"), strict=True):
        word, since = str(t["outcome"]), int(t["outcome_known_us"])
        named = one.debts_of_touches([index])[0] if word == "dispute" else None
        for debt_id in [None] if named is None else named.split("|"):
            end = _end_of(one, rows, OUTCOME_HOLDS[word], debt_id, since)
            if end == NO_INSTANT or end > one.view.as_of_us:
                kind, until = OUTCOME_HOLDS[word][-1 if word == "represented" else 0], _instant(end)
                found.append(
                    _hold(
                        kind, _instant(since), "outcome",
                        debt_id=debt_id, until=until, id=str(t["touch_id"]),
                    )
                )  # fmt: skip
    return found


def _end_of(
    one: OneCustomer, rows: pd.DataFrame, kinds: tuple[str, ...], debt_id: str | None, since: int
) -> int:
    end = NO_INSTANT
    for r in rows[rows["kind"].isin(kinds)].to_dict("records"):
        if r["debt"] >= 0 and one.debt_names([r["debt"]])[0] != debt_id:
            continue
        if r["ends_us"] == NO_INSTANT:
            return NO_INSTANT
        if r["ends_us"] > since:
            end = max(end, int(r["ends_us"]))
    return end


def _of_statuses(one: OneCustomer) -> list[dict[str, Any]]:
    said = one.debts[one.debts["status"].isin(list(STATUS_HOLDS)) & one.debts["closed_at"].isna()]
    return [
        _hold(STATUS_HOLDS[str(s)], at, "debt status", debt_id=str(d))
        for s, at, d in said[["status", "observed_at", "debt_id"]].itertuples(index=False)
    ]


def _callback(one: OneCustomer, agreed: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the callback agreed by a hold, else the one asked for in the latest conversation."""
    if agreed:
        hold = max(agreed, key=lambda h: h["since"])
        detail = hold["detail"] if isinstance(hold["detail"], dict) else {}
        return {
            "source": "hold",
            "from": stated(detail.get("from")) or hold["since"],
            "to": stated(detail.get("to")) or hold["until"],
            "channel": hold["channel"],
        }
    t = one.touches[one.touches["outcome"].isin(v.RIGHT_PARTY_OUTCOMES)]
    if len(t) == 0:
        return None
    last = t.sort_values(["started_us", "touch_id"]).iloc[-1]
    if last["outcome"] != "callback":
        return None
    return {
        "source": "outcome",
        "from": None,
        "to": None,
        "channel": str(last["channel"]),
        "asked_at": _instant(last["started_us"]),
    }
