"""Every way in which one customer is protected: what is told, and which actions it forbids."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from outside.one_case_each import (
    AS_OF,
    CHANNELS,
    Forbidden,
    Rows,
    ago,
    everything,
    hold,
    only,
    snapshot,
    touch,
)

Edit = Callable[[str, Rows], Any]
ACTING = ("asked_to_stop", "dispute", "hardship", "vulnerable", "deceased", "represented")
HOLDS = (
    *("cease_communication", "attorney", "dispute", "bankruptcy", "deceased", "hardship"),
    *("vulnerable", "military", "legal", "inconvenient_time", "do_not_contact", "callback_agreed"),
    *("breathing_space", "representative", "preference"),
)
PLACES = {
    "GT": ("America/Guatemala", "first_party"),
    "US-TX": ("America/Chicago", "third_party"),
    "CO": ("America/Bogota", "first_party"),
}
SPEECH_AND_TEXT = only(*(c for c in CHANNELS if c not in ("letter", "email")))
MOBILE = only("call_agent", "call_bot", "sms", "rcs", "whatsapp")


def today(channel: str, hour: int, start: pd.Timestamp) -> bool:
    """Before midnight in Mexico, or at no hour."""
    return pd.isna(start) or start < pd.Timestamp("2026-06-03T06:00Z")


def add(table: str, **row: Any) -> Edit:
    return lambda c, rows: rows.setdefault(table, []).append(
        {k: v.format(c=c) if isinstance(v, str) else v for k, v in row.items()}
    )


def change(table: str, **columns: Any) -> Edit:
    def edit(c: str, rows: Rows) -> None:
        for row in rows[table]:
            row.update(columns)

    return edit


def both(*edits: Edit) -> Edit:
    return lambda c, rows: [edit(c, rows) for edit in edits]


def consent(status: str, days: float, channel: str = "sms", **more: Any) -> Edit:
    return add(
        "consents", customer_id="{c}", channel=channel, changed_at=ago(days), status=status, **more
    )


def point(**columns: Any) -> Edit:
    """Change the mobile number."""
    return lambda c, rows: rows["contact_points"][0].update(columns)


def promise(due: Any, **more: Any) -> Edit:
    row = {"promise_id": "{c}-p", "debt_id": "{c}-d1", "made_at": ago(4), "due_at": due}
    return add("promises", **{**row, "amount": 300.0, **more})


def cases() -> Iterator[tuple[str, Edit, Forbidden]]:
    yield from _holds()
    yield from _outcomes()
    yield from _consents_and_points()
    yield from _debts_and_promises()
    yield from _pressure()


def _holds() -> Iterator[tuple[str, Edit, Forbidden]]:
    for kind in HOLDS:
        yield f"hold {kind}", lambda c, r, k=kind: r["holds"].append(hold(c, k)), everything
    late = hold("{c}", "cease_communication", recorded_at=ago(hours=0.02))
    yield "cease recorded a minute ago", add("holds", **late), everything
    until = hold("{c}", "hardship", ends_at=AS_OF + pd.Timedelta(days=3))
    yield "hold that ends in three days", add("holds", **until), everything
    by_debt = hold("{c}", "dispute", debt_id="{c}-d1")
    yield "hold of the only debt", add("holds", **by_debt), everything
    by_channel = hold("{c}", "do_not_contact", channel="sms")
    yield "hold of a channel", add("holds", **by_channel), only("sms", "rcs")
    by_point = hold("{c}", "do_not_contact", contact_point_id="{c}-mobile")
    yield "hold of a point", add("holds", **by_point), MOBILE
    yield "written only", add("holds", **hold("{c}", "written_only")), SPEECH_AND_TEXT
    for kind in ("workplace_prohibited", "employer_refused"):
        edit = both(add("holds", **hold("{c}", kind)), change("contact_points", place="work"))
        yield f"{kind}, every point at work", edit, only(*(c for c in CHANNELS if c != "visit"))
    refused = json.dumps({"refused": ["sms", "email"]})
    stated = lambda c, r: r["holds"].append(hold(c, "preference", detail=refused))  # noqa: E731
    yield "preference with refusals", stated, only("sms", "rcs", "email")
    hours = json.dumps({"days": ["MON", "TUE", "WED"], "start": "10:00", "end": "12:00"})
    morning = lambda c, r: r["holds"].append(hold(c, "inconvenient_time", detail=hours))  # noqa: E731
    yield "inconvenient hours", morning, lambda ch, hour, start: hour in (10, 11)
    soon = AS_OF + pd.Timedelta(hours=4)
    begins = hold("{c}", "breathing_space", starts_at=soon, recorded_at=ago(1))
    yield "hold that begins today", add("holds", **begins), lambda ch, h, s: s >= soon
    window = {"from": "2026-06-02T20:00:00Z", "to": "2026-06-02T22:00:00Z"}
    agreed = lambda c, r: r["holds"].append(  # noqa: E731
        hold(c, "callback_agreed", detail=json.dumps(window), channel="call_agent")
    )
    begin, end = map(pd.Timestamp, window.values())
    yield (
        "agreed call",
        agreed,
        lambda ch, h, s: pd.isna(s) or s < begin or (ch != "call_agent" and s < end),
    )


def _outcomes() -> Iterator[tuple[str, Edit, Forbidden]]:
    ways = itertools.product((*ACTING, "bankrupt"), ("outbound", "inbound"), (10, 400))
    for outcome, direction, days in ways:
        row = touch("{c}", outcome, direction=direction, started_at=ago(days))
        yield f"{outcome} {direction} {days} days ago", add("touches", **row), everything
    for debt_id in ("{c}-d1", None):
        row = touch("{c}", "dispute", debt_id=debt_id)
        yield f"dispute of {debt_id}", add("touches", **row), everything
    for outcome in (*ACTING, "bankrupt"):
        row = touch("{c}", outcome, channel="portal", direction="inbound", outcome_at=ago(9))
        yield f"{outcome} told on the portal", add("touches", **row), everything
    for channel, reach in (("sms", only("sms", "rcs")), ("rcs", only("rcs")), ("email", None)):
        for direction in ("outbound", "inbound"):
            row = touch("{c}", "opted_out", channel=channel, direction=direction)
            yield (
                f"opted out of {channel} {direction}",
                add("touches", **row),
                reach or only(channel),
            )
    yield (
        "opted out on the portal",
        add("touches", **touch("{c}", "opted_out", channel="portal", direction="inbound")),
        everything,
    )
    event = {"touch_id": "{c}-t", "occurred_at": ago(9), "event": "opted_out"}
    delivered = touch("{c}", "delivered", channel="sms")
    yield (
        "opt-out as an event",
        both(add("touches", **delivered), add("touch_events", **event)),
        only("sms", "rcs"),
    )
    earlier = touch("{c}", "opted_out", channel="sms", started_at=ago(10))
    yield (
        "opt-out after the grant, other grant older",
        both(consent("granted", 11), add("touches", **earlier)),
        only("sms", "rcs"),
    )
    ended = hold("{c}", "hardship", starts_at=ago(60), ends_at=ago(20))
    yield (
        "hold ended before the outcome",
        both(add("holds", **ended), add("touches", **touch("{c}", "hardship"))),
        everything,
    )


def _consents_and_points() -> Iterator[tuple[str, Edit, Forbidden]]:
    yield "revoked", consent("revoked", 2), only("sms", "rcs")
    at = {"contact_point_id": "{c}-mobile"}
    yield "revoked for the point", consent("revoked", 2, **at), only("sms", "rcs")
    yield (
        "revoked, point granted later",
        both(consent("revoked", 5), consent("granted", 2, **at)),
        only("sms", "rcs"),
    )
    yield (
        "point revoked, channel granted later",
        both(consent("revoked", 5, **at), consent("granted", 2)),
        only("sms", "rcs"),
    )
    yield (
        "revocation and grant at one instant",
        both(consent("revoked", 3), consent("granted", 3, **at)),
        only("sms", "rcs"),
    )
    yield "agent calls revoked", consent("revoked", 2, "call_agent"), only("call_agent", "call_bot")
    for outcome in ("invalid", "wrong_number"):
        row = touch("{c}", outcome, contact_point_id="{c}-mobile")
        yield f"number {outcome}", add("touches", **row), MOBILE
    row = touch("{c}", "bounced", channel="email", contact_point_id="{c}-email")
    yield "mail bounced", add("touches", **row), only("email")
    yield "number of a third party", point(holder="third_party"), MOBILE
    yield "number not valid yet", point(valid_from=AS_OF + pd.Timedelta(days=2)), MOBILE
    yield "number expired", point(valid_to=ago(1)), MOBILE
    yield (
        "no contact point at all",
        lambda c, r: r["contact_points"].clear(),
        only(*(c for c in CHANNELS if c != "visit")),
    )


def _debts_and_promises() -> Iterator[tuple[str, Edit, Forbidden]]:
    for status in ("disputed", "bankrupt", "legal", "cured", "settled", "sold", "closed"):
        yield f"status {status}", change("debt_snapshots", status=status), everything
    yield "current", change("debt_snapshots", days_past_due=0, past_due=0.0), everything
    yield "zero days, money due", change("debt_snapshots", days_past_due=0), everything
    yield "closed", change("debts", closed_at=ago(2)), everything
    yield "recalled", change("debts", recalled_at="2026-06-01"), everything
    yield "recalled today", change("debts", recalled_at="2026-06-02"), everything
    yield "no snapshot", lambda c, r: r["debt_snapshots"].clear(), everything
    yield "no debt", lambda c, r: [r["debts"].clear(), r["debt_snapshots"].clear()], everything
    paid = {"payment_id": "{c}-y", "debt_id": "{c}-d1", "paid_at": ago(0.2), "amount": 900.0}
    yield "paid since the snapshot", add("payments", **paid), everything
    later = lambda c, r: r["debt_snapshots"].append(  # noqa: E731
        snapshot(f"{c}-d1", observed_at=ago(0.3), status="cured", days_past_due=0, past_due=0.0)
    )
    yield "cured since", later, everything
    for due in ("2026-06-20", "2026-06-02", "2026-06-01", "2026-05-31"):  # grace: three days
        yield f"promise due {due}", promise(due), everything
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata"):
        edit = both(change("customers", time_zone=zone), promise("2026-05-31"))
        yield f"promise in {zone}", edit, everything
    half = {"payment_id": "{c}-y", "debt_id": "{c}-d1", "paid_at": ago(1), "amount": 10.0}
    yield "promise partly paid", both(promise("2026-06-10"), add("payments", **half)), everything
    yield (
        "promise cancelled later",
        promise("2026-06-20", cancelled_at=AS_OF + pd.Timedelta(hours=1)),
        everything,
    )


def _pressure() -> Iterator[tuple[str, Edit, Forbidden]]:
    """Attempts under `cautious`: one a day, three in seven days; they bind only where it does."""
    just = touch("{c}", "unknown", channel="sms", started_at=ago(hours=0.2))
    yield "GT only: touched minutes ago", add("touches", **just), today
    hidden = touch(
        "{c}", "no_answer", started_at=ago(hours=0.2), outcome_at=AS_OF + pd.Timedelta(hours=1)
    )
    yield "GT only: outcome known later", add("touches", **hidden), today
    three = [
        add("touches", **{**touch("{c}", "no_answer", started_at=ago(k)), "touch_id": f"{{c}}-{k}"})
        for k in (1, 2, 3)
    ]
    yield "GT only: three this week", both(*three), everything
    talked = touch("{c}", "no_commitment", started_at=ago(2))
    yield "GT only: talked two days ago", add("touches", **talked), everything
    opened = {
        **{"decision_id": "{c}-x", "decided_at": ago(hours=2), "customer_id": "{c}"},
        **{"channel": "sms", "propensity": 0.5, "slot_start": AS_OF + pd.Timedelta(hours=3)},
        **{"slot_local_hour": 11, "batch_id": "earlier"},
    }
    yield "GT only: open plan of an earlier batch", add("decisions", **opened), today
    for status in ("pending", "sent"):
        row = {**opened, "dispatch_status": status}
        yield f"GT only: earlier batch, {status}", add("decisions", **row), today
    bare = {k: v for k, v in opened.items() if k != "slot_start"}
    yield "GT only: open plan with a local hour", add("decisions", **bare), today


CASES = list(cases())


def names(place: str) -> dict[str, tuple[Edit, Forbidden]]:
    own = [case for case in CASES if place == "GT" or not case[0].startswith("GT only")]
    return {f"{place}:{i:03d}:{name}": (edit, bad) for i, (name, edit, bad) in enumerate(own)}
