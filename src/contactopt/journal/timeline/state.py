"""What the next contact with a customer must know: one step, one promise, one offer at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from contactopt.config.sections import OfferConfig
from contactopt.contracts import vocabulary as v
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.columns import instants, text
from contactopt.journal.debts import ENDED
from contactopt.journal.local_time import local_day, local_day_end
from contactopt.journal.outcome_events import REACHED_OUTCOMES
from contactopt.journal.timeline.holds import holds_in_force
from contactopt.journal.timeline.rows import OneCustomer
from contactopt.journal.timeline.words import stated

__all__ = ["TimelineState", "state_of"]

Facts = tuple[dict[str, Any], ...]

#: after these nothing that the contact carried has reached the customer
_NOT_RECEIVED = (*v.NO_CONTACT_OUTCOMES, *v.WRONG_PARTY_OUTCOMES)


@dataclass(frozen=True, slots=True)
class TimelineState:
    """Where the conversation stands; every fact is a dict of plain values, instants are UTC.

    Parameters
    ----------
    customer_id, as_of, time_zone
        Whose state, when, and the zone of their clock.
    language, preferred_channel, jurisdiction : str or None
    last_step : dict or None
        Latest contact in either direction: at, channel, direction, outcome, by, offer_id.
    last_right_party, last_inbound, last_reaction : dict or None
        Latest contact with the customer in person; latest contact by the customer; latest sign of
        a human (a click, an answer, a contact: machine opens are none).
    promises : tuple of dict
        Open promises, the next due first: debt_id, amount, paid, currency, due (local day), due_at,
        grace_until.
    broken_promise : dict or None
        The latest promise that was broken or kept in part only.
    offers : tuple of dict
        Offers in flight, newest first: offer_id, debt_ids (None: all), channel, made_at, until
        (None: not known), conflicts_with (other offers in flight for the same debt).
    holds : tuple of dict
        Holds in force: kind, debt_id, channel, contact_point_id, since, until, detail, and source
        (`hold`, `outcome` of a contact, or `debt status`). A dispute is one of them.
    arrangements : tuple of dict
        Payment arrangements that run, with what is due and what came.
    callback : dict or None
        Callback that was agreed (from, to, channel) or asked for.
    representative : dict or None
        Who speaks for the customer: source, since, customer_id where a party of the debt is meant.
    channels_refused, channels_consented : tuple of str
    points_dead : tuple of str
    points_refused : tuple of str
        ``channel @ contact point`` that were revoked.
    debts : tuple of dict
        Balance, past due, days past due, stage and status of each debt, in its own currency.
    open_plans : tuple of dict
        Contacts that earlier batches planned and that may still happen.
    """

    customer_id: str
    as_of: pd.Timestamp
    time_zone: str
    language: str | None
    preferred_channel: str | None
    jurisdiction: str | None
    last_step: dict[str, Any] | None
    last_right_party: dict[str, Any] | None
    last_inbound: dict[str, Any] | None
    last_reaction: dict[str, Any] | None
    promises: Facts
    broken_promise: dict[str, Any] | None
    offers: Facts
    holds: Facts
    arrangements: Facts
    callback: dict[str, Any] | None
    representative: dict[str, Any] | None
    channels_refused: tuple[str, ...]
    channels_consented: tuple[str, ...]
    points_dead: tuple[str, ...]
    points_refused: tuple[str, ...]
    debts: Facts
    open_plans: Facts

    @property
    def dispute(self) -> dict[str, Any] | None:
        """The dispute in force that began last, None without one."""
        found = [h for h in self.holds if h["kind"] == "dispute"]
        return max(found, key=lambda h: h["since"]) if found else None

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON-ready values, instants as ISO text."""
        return {f.name: _json(getattr(self, f.name)) for f in fields(self)}


def state_of(one: OneCustomer, offers: Mapping[str, OfferConfig]) -> TimelineState:
    """Return a customer's state at the instant of their view."""
    row = one.view.customers.iloc[one.code]
    t = one.touches.sort_values(["started_us", "touch_id"])
    holds, callback = holds_in_force(one)
    refused, consented, points = _consents(one)
    own_points = one.own(one.view.points)
    return TimelineState(
        customer_id=str(row["customer_id"]),
        as_of=one.view.as_of,
        time_zone=one.zone,
        language=_given(row, "language"),
        preferred_channel=_given(row, "preferred_channel"),
        jurisdiction=_given(row, "jurisdiction"),
        last_step=_last(one, t),
        last_right_party=_last(one, t[t["outcome"].isin(v.RIGHT_PARTY_OUTCOMES)]),
        last_inbound=_last(one, t[(t["direction"] == "inbound").to_numpy(dtype=bool)]),
        last_reaction=_last(one, t[t["outcome"].isin(REACHED_OUTCOMES)]),
        promises=_open_promises(one),
        broken_promise=_broken(one),
        offers=_offers(one, t, offers),
        holds=holds,
        arrangements=_arrangements(one),
        callback=callback,
        representative=_representative(one, holds),
        channels_refused=refused,
        channels_consented=consented,
        points_dead=tuple(
            sorted(own_points["contact_point_id"][own_points["dead"].to_numpy(dtype=bool)])
        ),
        points_refused=points,
        debts=_debts(one),
        open_plans=_open_plans(one),
    )


def _given(row: pd.Series, name: str) -> str | None:
    return stated(row[name]) if name in row.index else None


def _instant(us: Any) -> pd.Timestamp | None:
    return None if us == NO_INSTANT else pd.Timestamp(np.datetime64(int(us), "us"), tz="UTC")


def _number(x: Any) -> float | None:
    return None if pd.isna(x) else float(x)


def _json(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: _json(x) for k, x in value.items()}
    if isinstance(value, list | tuple):
        return [_json(x) for x in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None  # JSON knows no NaN; a hold's detail may have held one
    return value


# ---- contacts --------------------------------------------------------------------------------


def _last(one: OneCustomer, touches: pd.DataFrame) -> dict[str, Any] | None:
    if len(touches) == 0:
        return None
    t = touches.iloc[-1]
    debts = one.debts_of_touches([touches.index[-1]])[0]
    return {
        "at": _instant(t["started_us"]),
        "channel": str(t["channel"]),
        "direction": str(t["direction"]),
        "outcome": str(t["outcome"]),
        "by": stated(t["handled_by"]),
        "vendor": stated(t["vendor"]),
        "offer_id": stated(t["offer_id"]),
        "debt_ids": None if debts is None else debts.split("|"),
        "touch_id": str(t["touch_id"]),
    }


def _offers(one: OneCustomer, touches: pd.DataFrame, known: Mapping[str, OfferConfig]) -> Facts:
    """Return offers that reached the customer and still stand, the latest of each offer and debts.

    An offer stands until its last local day is over (``valid_days`` of the strategy), it is
    refused, its debts end, or an arrangement begins on them.
    """
    made = touches[
        touches["offer_id"].notna()
        & (touches["direction"] == "outbound")
        & ~touches["outcome"].isin((*_NOT_RECEIVED, "refused"))
    ]
    found: dict[tuple[str, Any], dict[str, Any]] = {}
    for index, t in made.iterrows():
        offer_id, debts = str(t["offer_id"]), one.debts_of_touches([index])[0]
        until = None
        if offer_id in known:
            last_day = local_day([t["started_us"]], one.zone) + known[offer_id].valid_days
            until = _instant(local_day_end(last_day, one.zone)[0])
        found[offer_id, debts] = {
            "offer_id": offer_id,
            "debt_ids": None if debts is None else debts.split("|"),
            "channel": str(t["channel"]),
            "made_at": _instant(t["started_us"]),
            "until": until,
            "touch_id": str(t["touch_id"]),
        }
    running = [o for o in found.values() if _stands(one, o)]
    for offer in running:
        offer["conflicts_with"] = sorted(
            {o["offer_id"] for o in running if o["offer_id"] != offer["offer_id"]
             and (not o["debt_ids"] or not offer["debt_ids"]
                  or set(o["debt_ids"]) & set(offer["debt_ids"]))}
        )  # fmt: skip
    return tuple(sorted(running, key=lambda o: (o["made_at"], o["offer_id"]), reverse=True))


def _stands(one: OneCustomer, offer: dict[str, Any]) -> bool:
    if offer["until"] is not None and offer["until"] < one.view.as_of:
        return False
    about = offer["debt_ids"]
    live = {d["debt_id"] for d in _debts(one) if not d["ended"]}
    if len(one.debts) and not (live & set(about) if about else live):
        return False
    a = one.own(one.view.arrangements)
    after = a["starts_us"].to_numpy(dtype=np.int64) >= offer["made_at"].value // 1000
    named = one.debt_names(a["debt"])
    return not any(late and (not about or d in about) for late, d in zip(after, named, strict=True))


def _open_plans(one: OneCustomer) -> Facts:
    d = one.own(one.view.decisions)
    d = d[d["open"].to_numpy(dtype=bool)]
    return tuple(
        {
            "decision_id": str(r["decision_id"]),
            "batch_id": stated(r["batch_id"]),
            "channel": str(r["channel"]),
            "slot_start": _instant(r["slot_start_us"]),
            "template_id": stated(r["template_id"]),
            "offer_id": stated(r["offer_id"]),
            "debt_id": one.debt_names([r["debt"]])[0],
            "dispatch_status": stated(r["dispatch_status"]),
        }
        for r in d.to_dict("records")
    )


# ---- money -----------------------------------------------------------------------------------


def _promise(one: OneCustomer, p: Mapping[Any, Any]) -> dict[str, Any]:
    grace = one.journal.promises.grace_days
    day = local_day([p["due_us"]], one.zone)
    debt_id = one.debt_names([p["debt"]])[0]
    due = None if p["due_us"] == NO_INSTANT else str(day.astype("datetime64[D]")[0])
    until = None if due is None else str((day + grace).astype("datetime64[D]")[0])
    return {
        "promise_id": str(p["promise_id"]),
        "debt_id": debt_id,
        "amount": _number(p["amount"]),
        "paid": float(p["paid"]),
        "currency": one.currencies([debt_id])[0],
        "made_at": _instant(p["made_us"]),
        "due": due,
        "due_at": _instant(p["due_us"]),
        "grace_until": until,
        "state": str(p["state"]),
    }


def _open_promises(one: OneCustomer) -> Facts:
    p = one.own(one.view.promises)
    p = p[(p["state"] == "open").to_numpy(dtype=bool)].sort_values(["due_us", "promise_id"])
    return tuple(_promise(one, r) for r in p.to_dict("records"))


def _broken(one: OneCustomer) -> dict[str, Any] | None:
    p = one.own(one.view.promises)
    p = p[p["state"].isin(("broken", "partial"))].sort_values(["due_us", "promise_id"])
    return _promise(one, p.to_dict("records")[-1]) if len(p) else None


def _arrangements(one: OneCustomer) -> Facts:
    a = one.own(one.view.arrangements)
    a = a[a["state"].isin(("active", "behind"))]
    ids = one.debt_names(a["debt"])
    return tuple(
        {
            "arrangement_id": str(r["arrangement_id"]),
            "debt_id": d,
            "since": _instant(r["starts_us"]),
            "frequency": stated(r["frequency"]),
            "instalment": _number(r["instalment"]),
            "n_instalments": _number(r["n_instalments"]),
            "amount_due": _number(r["amount_due"]),
            "paid": _number(r["paid"]),
            "currency": one.currencies([d])[0],
            "state": str(r["state"]),
        }
        for r, d in zip(a.to_dict("records"), ids, strict=True)
    )


def _debts(one: OneCustomer) -> Facts:
    ended = one.debts["status"].isin(ENDED) | one.debts["closed_at"].notna()
    ended |= one.debts["recalled_at"].notna()
    return tuple(
        {
            "debt_id": str(r["debt_id"]),
            "product": stated(r["product"]),
            "creditor": stated(r["creditor"]),
            "currency": stated(r["currency"]),
            "balance": _number(r["balance"]),
            "past_due": _number(r["past_due_now"]),
            "days_past_due": _number(r["days_past_due"]),
            "stage": stated(r["stage"]),
            "status": stated(r["status"]),
            "observed_at": None if pd.isna(r["observed_at"]) else r["observed_at"],
            "paid_since_snapshot": bool(r["paid_since_snapshot"]),
            "ended": bool(over),
        }
        for r, over in zip(one.debts.to_dict("records"), ended, strict=True)
    )


# ---- permissions -----------------------------------------------------------------------------


def _consents(one: OneCustomer) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return channels refused, channels consented to, and refusals of single contact points.

    An opt-out refuses its channel until a later row grants it.
    """
    c = one.own(one.view.consents)
    whole = c[(c["contact_point"] < 0).to_numpy(dtype=bool)]
    at = dict(zip(whole["channel"].astype(str), whole["changed_us"], strict=True))
    status = dict(zip(whole["channel"].astype(str), whole["status"].astype(str), strict=True))
    for channel, when in _opt_outs(one):
        if status.get(channel) != "granted" or when >= at[channel]:
            status[channel] = "revoked"
    points = [
        f"{channel} @ {one.journal.point_ids[point]}"
        for channel, point, said in c[["channel", "contact_point", "status"]].itertuples(
            index=False
        )
        if point >= 0 and said == "revoked"
    ]
    refused = tuple(sorted(k for k, s in status.items() if s == "revoked"))
    return refused, tuple(sorted(set(status) - set(refused))), tuple(sorted(points))


def _opt_outs(one: OneCustomer) -> list[tuple[str, int]]:
    t, e = one.touches, one.view.touch_events
    out = t[(t["outcome"] == "opted_out").to_numpy(dtype=bool)]
    e = e[(e["event"] == "opted_out").to_numpy(dtype=bool) & e["touch"].isin(t.index)]
    later = t["channel"].astype(str).loc[e["touch"]]
    return [
        *zip(out["channel"].astype(str), out["outcome_known_us"], strict=True),
        *zip(later, e["occurred_us"], strict=True),
    ]


def _representative(one: OneCustomer, holds: Facts) -> dict[str, Any] | None:
    named = [h for h in holds if h["kind"] in ("attorney", "representative")]
    if named:
        latest = max(named, key=lambda h: h["since"])
        who = latest["detail"] if isinstance(latest["detail"], dict) else {}
        return {**who, **{name: latest[name] for name in ("source", "kind", "since")}}
    parties, _, _ = one.party_rows()
    parties = parties[(text(parties, "role") == "representative").to_numpy(dtype=bool)]
    end = instants(parties, "valid_to")
    who = text(parties, "customer_id")[(end == NO_INSTANT) | (end > one.view.as_of_us)]
    who = who[who != one.journal.customer_ids[one.code]]
    return {"source": "party of the debt", "customer_id": str(who.iloc[-1])} if len(who) else None
