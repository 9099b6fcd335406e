"""Tables cut physically at an instant: what a warehouse would have held then.

This is the slow, plain way to know nothing later. It shares no code with the journal's index and
serves to audit what is computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

__all__ = ["cut_tables"]

#: event time of each table; tables that are not named here do not change over time
_EVENT = {
    "debt_snapshots": "observed_at",
    "debt_parties": "valid_from",
    "contact_points": "valid_from",
    "consents": "changed_at",
    "holds": "starts_at",
    "notices": "sent_at",
    "touches": "started_at",
    "touch_events": "occurred_at",
    "promises": "made_at",
    "payments": "paid_at",
    "arrangements": "starts_at",
    "decisions": "decided_at",
}
#: cells of kept rows that may become known later than the row; a hold's or a contact point's stated
#: end stands in its row from the start, and can only forbid
_LATER = {
    "debt_parties": ("valid_to",),
    "arrangements": ("ended_at",),
    "promises": ("cancelled_at",),
    "payments": ("reversed_at",),
}
_DEBT_DATES = (
    "opened_at",
    "delinquent_since",
    "charged_off_at",
    "placed_at",
    "recalled_at",
    "closed_at",
    "last_paid_at",
)


def cut_tables(
    tables: Mapping[str, pd.DataFrame],
    as_of: Any,
    *,
    data_delay: Mapping[str, float] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables without rows and cells that became known after an instant.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Loaded contract tables.
    as_of : Timestamp with a zone
    data_delay : mapping of str to float, optional
        Hours per table, for rows without ``recorded_at``.

    Returns
    -------
    dict of DataFrame
        Same tables and columns, fewer rows; customers and empty tables as they are.

    Examples
    --------
    >>> paid = pd.to_datetime(["2026-01-01T00:00Z", "2026-02-01T00:00Z"])
    >>> tables = {"payments": pd.DataFrame({"payment_id": ["a", "b"], "paid_at": paid})}
    >>> cut_tables(tables, pd.Timestamp("2026-01-15T00:00Z"))["payments"]["payment_id"].tolist()
    ['a']
    """
    now = pd.Timestamp(as_of)
    delay = {t: pd.Timedelta(hours=h) for t, h in (data_delay or {}).items()}
    none = pd.Timedelta(0)
    out = dict(tables.items())
    for name, event in _EVENT.items():
        if name not in tables or len(tables[name]) == 0:
            continue
        frame = tables[name]
        keep = _known(frame, event, delay.get(name, none)) <= now
        frame = frame[keep].copy()
        for column in _LATER.get(name, ()):
            if column in frame:
                later = _known(frame, column, delay.get(name, none)) > now
                frame[column] = frame[column].mask(later)
        out[name] = frame
    _cut_outcomes(out, tables, now, delay.get("touches", none))
    _keep_named_points(out, tables)
    _cut_debts(out, now, delay.get("debts", none))
    return out


def _known(frame: pd.DataFrame, event: str, delay: pd.Timedelta) -> pd.Series:
    at = frame[event]
    late = at + delay
    if "recorded_at" not in frame or frame["recorded_at"].isna().all():
        return late
    recorded = frame["recorded_at"]
    return late.where(recorded.isna(), at.where(at >= recorded, recorded)).where(at.notna())


def _cut_outcomes(
    out: dict[str, pd.DataFrame],
    tables: Mapping[str, pd.DataFrame],
    now: pd.Timestamp,
    delay: pd.Timedelta,
) -> None:
    """Hide outcomes that were not known yet, and children of touches that were not."""
    touches = out.get("touches")
    if touches is None or len(tables["touches"]) == 0:
        return
    when = touches["started_at"]
    if "duration_s" in touches:
        seconds = touches["duration_s"].fillna(0.0)
        when = when + pd.to_timedelta((seconds * 1e6).round(), unit="us").dt.as_unit("us")
    for column in ("responded_at", "outcome_at"):
        if column in touches:
            when = touches[column].where(touches[column].notna(), when)
    if "recorded_at" in touches:
        when = when.where(touches["recorded_at"].notna(), when + delay)
    else:
        when = when + delay
    hidden = when > now
    touches["outcome"] = touches["outcome"].mask(hidden, "unknown")
    for column in ("outcome_at", "responded_at"):
        if column in touches:
            touches[column] = touches[column].mask(touches[column] > now)
    for child in ("touch_events", "touch_debts"):
        if child in out and len(out[child]):
            out[child] = out[child][out[child]["touch_id"].isin(touches["touch_id"])]


def _keep_named_points(out: dict[str, pd.DataFrame], tables: Mapping[str, pd.DataFrame]) -> None:
    """Keep contact points that kept rows name, although they are not valid yet."""
    points = tables.get("contact_points")
    if points is None or len(points) == 0:
        return
    kept = out["contact_points"]
    named = pd.Series(False, index=points.index)
    for name in ("touches", "consents", "holds"):
        frame = out.get(name)
        if frame is not None and "contact_point_id" in frame:
            named |= points["contact_point_id"].isin(frame["contact_point_id"].dropna())
    more = points[named & ~points["contact_point_id"].isin(kept["contact_point_id"])].copy()
    if len(more) and "valid_to" in more:
        more["valid_to"] = more["valid_to"].mask(more["valid_to"].notna())
    out["contact_points"] = pd.concat([kept, more]) if len(more) else kept


def _cut_debts(out: dict[str, pd.DataFrame], now: pd.Timestamp, delay: pd.Timedelta) -> None:
    """Hide dates to come, and debts that neither their own row nor any kept row tells of."""
    debts = out.get("debts")
    if debts is None or len(debts) == 0:
        return
    told = _known(debts, "opened_at", delay) <= now
    for name, frame in out.items():
        if name != "debts" and "debt_id" in frame and len(frame):
            told |= debts["debt_id"].isin(frame["debt_id"].dropna())
    late = ~(_known(debts, "opened_at", delay) <= now)
    debts = debts.copy()
    for column in _DEBT_DATES:
        if column in debts:
            debts[column] = debts[column].mask(debts[column] > now)
    debts["opened_at"] = debts["opened_at"].mask(late)
    out["debts"] = debts[told]
