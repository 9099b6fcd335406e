"""Nobody is contacted who must not be: one customer per way to be protected, the whole line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from outside.one_case_each import (
    AS_OF,
    CHANNELS,
    Forbidden,
    Rows,
    ago,
    clean,
    debt,
    everything,
    hold,
    merged,
    only,
    snapshot,
    strategy,
    touch,
)

from contactopt import ContactStrategy, Portfolio
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES
from contactopt.errors import StalenessError
from contactopt.plan import ContactPlan

Edit = Callable[[str, Rows], Any]
ACTING = ("asked_to_stop", "dispute", "hardship", "vulnerable", "deceased", "represented")
HOLDS = (
    *("cease_communication", "attorney", "dispute", "bankruptcy", "deceased", "hardship"),
    *("vulnerable", "military", "legal", "inconvenient_time", "do_not_contact", "callback_agreed"),
    *("breathing_space", "representative", "preference"),
)
PLACES = {
    "MX": ("America/Mexico_City", "first_party"),
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
    yield "MX only: touched minutes ago", add("touches", **just), today
    hidden = touch(
        "{c}", "no_answer", started_at=ago(hours=0.2), outcome_at=AS_OF + pd.Timedelta(hours=1)
    )
    yield "MX only: outcome known later", add("touches", **hidden), today
    three = [
        add("touches", **{**touch("{c}", "no_answer", started_at=ago(k)), "touch_id": f"{{c}}-{k}"})
        for k in (1, 2, 3)
    ]
    yield "MX only: three this week", both(*three), everything
    talked = touch("{c}", "no_commitment", started_at=ago(2))
    yield "MX only: talked two days ago", add("touches", **talked), everything
    opened = {
        **{"decision_id": "{c}-x", "decided_at": ago(hours=2), "customer_id": "{c}"},
        **{"channel": "sms", "propensity": 0.5, "slot_start": AS_OF + pd.Timedelta(hours=3)},
        **{"slot_local_hour": 11, "batch_id": "earlier"},
    }
    yield "MX only: open plan of an earlier batch", add("decisions", **opened), today
    for status in ("pending", "sent"):
        row = {**opened, "dispatch_status": status}
        yield f"MX only: earlier batch, {status}", add("decisions", **row), today
    bare = {k: v for k, v in opened.items() if k != "slot_start"}
    yield "MX only: open plan with a local hour", add("decisions", **bare), today


CASES = list(cases())


def names(place: str) -> dict[str, tuple[Edit, Forbidden]]:
    own = [case for case in CASES if place == "MX" or not case[0].startswith("MX only")]
    return {f"{place}:{i:03d}:{name}": (edit, bad) for i, (name, edit, bad) in enumerate(own)}


def cold(config: StrategyConfig, as_of: pd.Timestamp = AS_OF) -> ContactStrategy:
    empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    return ContactStrategy(config=config).fit(Portfolio.from_frames(empty), as_of=as_of)


def load(tables: dict[str, pd.DataFrame], share: float = 0.0) -> Portfolio:
    return Portfolio.from_frames(tables, extra_channels=("rcs",), max_quarantined_share=share)


def table_of(plan: ContactPlan) -> pd.DataFrame:
    """Every considered action with its customer, channel, hour, start and probability."""
    batch = plan.batch
    hours = {a.action_id: (a.channel, a.slot_local_hour) for a in batch.actions}
    frames = []
    for row, customer in enumerate(map(str, batch.customer_ids)):
        frame = plan.why(customer).to_frame().assign(customer_id=customer)
        starts = dict(zip(batch.actions.action_ids, batch.slot_start[row], strict=True))
        frame = frame[frame["action_id"] != "wait"]
        frame["start"] = [
            pd.NaT if starts[a] < 0 else pd.Timestamp(starts[a], unit="us", tz="UTC")
            for a in frame["action_id"]
        ]
        frame["channel"] = [hours[a][0] for a in frame["action_id"]]
        frame["hour"] = [-1 if hours[a][1] is None else hours[a][1] for a in frame["action_id"]]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def strategy_fitted() -> ContactStrategy:
    return cold(StrategyConfig.from_mapping(strategy()))


@pytest.fixture(scope="module")
def ranked(strategy_fitted: ContactStrategy) -> tuple[ContactPlan, pd.DataFrame]:
    parts = []
    for place, (zone, ownership) in PLACES.items():
        for k in range(3):
            parts.append(
                clean(f"{place}:clean{k}", jurisdiction=place, zone=zone, ownership=ownership)
            )
        for c, (edit, _) in names(place).items():
            rows = clean(c, jurisdiction=place, zone=zone, ownership=ownership)
            edit(c, rows)
            parts.append(rows)
    portfolio = load(merged(parts))
    assert len(portfolio.quarantine) == 0, portfolio.quarantine
    plan = strategy_fitted.rank(portfolio, as_of=AS_OF, random_state=1, batch_id="b")
    return plan, table_of(plan)


@pytest.mark.parametrize("place", PLACES)
def test_who_is_not_protected_can_be_planned(ranked: Any, place: str) -> None:
    """Without this the tests below would hold of a plan that contacts nobody."""
    _, table = ranked
    own = table[table["customer_id"].str.startswith(f"{place}:clean") & (table["probability"] > 0)]
    assert own["customer_id"].nunique() == 3
    assert {"sms", "email", "call_agent"} <= set(own["channel"])


@pytest.mark.parametrize("customer", [c for place in PLACES for c in names(place)])
def test_protected_customer_is_never_planned(ranked: Any, customer: str) -> None:
    plan, table = ranked
    place = customer.split(":")[0]
    forbidden = names(place)[customer][1]
    own = table[table["customer_id"] == customer]
    bad = own[[forbidden(*k) for k in zip(own["channel"], own["hour"], own["start"], strict=True)]]
    assert len(bad)
    leaks = bad[bad["probability"] > 0]
    assert leaks.empty, leaks[["action_id", "probability", "start"]].to_string()
    assert (bad["reasons"] != "").all()
    drawn = plan.to_frame()
    drawn = drawn[drawn["customer_id"] == customer]
    assert not set(drawn["action_id"]) & set(bad["action_id"])


def test_protection_of_one_channel_or_debt_leaves_the_rest(ranked: Any) -> None:
    _, table = ranked
    open_to = table[table["probability"] > 0].groupby("customer_id")["channel"].agg(set)
    for c, (_, forbidden) in names("MX").items():
        if forbidden not in (everything, today) and not any(w in c for w in ("agreed", "point")):
            assert c in open_to.index, c


# ---- several debts, unknown places, clocks, other days -----------------------------------------


def rank_of(parts: list[Rows], as_of: pd.Timestamp = AS_OF, share: float = 0.0,
            **settings: Any) -> tuple[ContactPlan, pd.DataFrame]:  # fmt: skip
    strategist = cold(StrategyConfig.from_mapping(strategy(**settings)), as_of)
    plan = strategist.rank(load(merged(parts), share), as_of=as_of, random_state=1, batch_id="b")
    return plan, table_of(plan)


def test_the_held_debt_is_never_named() -> None:
    rows = clean("a")
    rows["debts"].append(debt("a", "a-d2", principal=9000.0))
    rows["debt_snapshots"].append(snapshot("a-d2", balance=9000.0, past_due=8000.0))
    rows["holds"].append(hold("a", "dispute", debt_id="a-d2"))
    plan, table = rank_of([rows])
    assert (table["probability"] > 0).any()
    drawn = plan.to_frame(k=5)
    assert len(drawn)
    assert set(drawn["debt_id"]) == {"a-d1"}
    assert not any("a-d2" in list(map(str, ids)) for ids in drawn["debt_ids"])


def test_no_pack_and_refuse() -> None:
    parts = [
        clean(p, jurisdiction=p, zone=z)
        for p, z in (("MX", "America/Mexico_City"), ("BR-SP", "America/Sao_Paulo"), ("GB", None))
    ]
    parts.append(clean("US-TX", jurisdiction="US-TX", zone="America/Chicago"))
    plan, table = rank_of(parts, fallback="refuse")
    eligible = set(table.loc[table["probability"] > 0, "customer_id"])
    assert eligible == {"US-TX"}
    assert set(plan.to_frame()["customer_id"]) <= {"US-TX"}
    refused = table[table["customer_id"] != "US-TX"]
    assert refused["reasons"].str.contains("house.no_pack").all()


@pytest.mark.parametrize("as_of", ["2026-06-02T05:00Z", "2026-06-02T18:00Z"])
def test_without_a_zone_every_candidate_zone_counts(as_of: str) -> None:
    instant = pd.Timestamp(as_of)
    wide = {
        "US-TX": ("America/Chicago", "America/Denver"),
        "US": ("America/New_York", "Pacific/Honolulu"),
    }
    parts = [
        clean(p, jurisdiction=p, zone=None, ownership="third_party", as_of=instant) for p in wide
    ]
    _, table = rank_of(parts, instant, slots=list(range(24)))
    voice = table[(table["probability"] > 0) & (table["channel"] == "call_agent")]
    assert len(voice[voice["customer_id"] == "US-TX"])
    for place, zones in wide.items():
        starts = voice.loc[voice["customer_id"] == place, "start"]
        for zone in zones:
            hours = starts.dt.tz_convert(zone).dt.hour if len(starts) else starts
            assert all(8 <= h < 21 for h in hours)


def test_clock_change_in_texas() -> None:
    instant = pd.Timestamp("2026-03-08T06:00Z")  # 0 h; at 2 h the clock goes to 3 h
    rows = clean(
        "a", jurisdiction="US-TX", zone="America/Chicago", ownership="third_party", as_of=instant
    )
    rows["debts"][0].update(delinquent_since="2026-01-20")
    _, table = rank_of([rows], instant, slots=list(range(24)))
    voice = table[(table["probability"] > 0) & (table["channel"] == "call_agent")]
    local = voice["start"].dt.tz_convert("America/Chicago")
    assert len(voice)
    assert (local.dt.hour == voice["hour"]).all()
    assert local.dt.hour.between(8, 20).all()
    assert (table.loc[table["hour"] == 2, "probability"] == 0).all()


@pytest.mark.parametrize(
    ("as_of", "place", "zone", "closed"),
    [
        ("2026-06-06T20:00Z", "MX", "America/Mexico_City", "2026-06-07"),  # Sunday
        ("2026-03-29T00:30Z", "ES", "Europe/Madrid", "2026-03-29"),  # clocks change
        ("2026-09-16T06:00Z", "MX", "America/Mexico_City", "2026-09-16"),  # independence
        ("2026-10-12T00:00Z", "ES", "Europe/Madrid", "2026-10-12"),
        ("2026-07-20T06:00Z", "CO", "America/Bogota", "2026-07-20"),
        ("2026-06-07T06:00Z", "CO", "America/Bogota", "2026-06-07"),  # Sunday
    ],
)
def test_sundays_and_holidays(as_of: str, place: str, zone: str, closed: str) -> None:
    instant = pd.Timestamp(as_of)
    rows = clean("a", jurisdiction=place, zone=zone, as_of=instant)
    rows["debts"][0].update(delinquent_since="2026-01-20")
    _, table = rank_of([rows], instant)
    timed = table[table["start"].notna()]
    own = timed[timed["start"].dt.tz_convert(zone).dt.date.astype(str) == closed]
    assert len(own)
    assert (own["probability"] == 0).all()
    assert (own["reasons"] != "").all()


# ---- faults and late data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        add("holds", **hold("{c}", "no_such_kind")),
        add("holds", **{**hold("{c}", "dispute"), "starts_at": None}),
        add("consents", customer_id="{c}", channel="pigeon", changed_at=ago(3), status="revoked"),
        add("consents", customer_id="{c}", channel="sms", changed_at=ago(3), status="perhaps"),
        point(kind="telegraph"),
        add("touches", **touch("{c}", "no_answer", channel="pigeon")),
        add("touches", **touch("{c}", "no_answer", started_at=None)),
        change("customers", time_zone="Mars/Olympus"),
    ],
)
def test_a_faulty_row_keeps_its_customer_out(edit: Edit) -> None:
    rows = clean("faulty")
    edit("faulty", rows)
    plan, table = rank_of([rows, *(clean(f"ok{k}") for k in range(20))], share=0.5)
    assert set(plan.to_frame()["customer_id"]) <= {f"ok{k}" for k in range(20)}
    assert "faulty" not in set(table.loc[table["probability"] > 0, "customer_id"])


def test_a_touch_with_an_unknown_outcome_word_still_counts() -> None:
    rows = clean("a")
    rows["touches"].append(touch("a", "gibberish", channel="sms", started_at=ago(hours=0.5)))
    _, table = rank_of([rows, *(clean(f"ok{k}") for k in range(9))], share=1.0)
    own = table[(table["customer_id"] == "a") & (table["start"] < pd.Timestamp("2026-06-03T06Z"))]
    assert len(own)
    assert (own["probability"] == 0).all()


@pytest.mark.parametrize(
    ("name", "days"), [("touches", 4.1), ("payments", 4.1), ("debt_snapshots", 45.1)]
)
def test_stale_tables_stop_the_run(
    strategy_fitted: ContactStrategy, name: str, days: float
) -> None:
    rows = clean("a")
    if name == "touches":
        rows["touches"].append(touch("a", "no_answer", started_at=ago(days)))
    elif name == "payments":
        rows["payments"].append(
            {"payment_id": "y", "debt_id": "a-d1", "paid_at": ago(days), "amount": 5.0}
        )
    else:
        rows["debt_snapshots"][0]["observed_at"] = ago(days)
    with pytest.raises(StalenessError, match=name):
        strategy_fitted.rank(load(merged([rows])), as_of=AS_OF)


# ---- what comes to be known later --------------------------------------------------------------


def _later_rows() -> Iterator[tuple[str, Edit]]:
    after, before = AS_OF + pd.Timedelta(minutes=1), ago(2)
    seen = {"recorded_at": after}
    t = touch("{c}", "asked_to_stop", started_at=before)
    yield "touch after", add("touches", **{**t, "started_at": after})
    yield "touch told later", add("touches", **t, **seen)
    yield "touch inbound told later", add("touches", **{**t, "direction": "inbound"}, **seen)
    yield "hold told later", add("holds", **hold("{c}", "cease_communication"), **seen)
    yield (
        "hold that begins later, told later",
        add("holds", **hold("{c}", "cease_communication", starts_at=after), **seen),
    )
    revoked = {"customer_id": "{c}", "channel": "sms", "status": "revoked"}
    yield "revoked later", add("consents", **revoked, changed_at=after)
    yield "revoked, told later", add("consents", **revoked, changed_at=before, **seen)
    paid = {"payment_id": "{c}-y", "debt_id": "{c}-d1", "amount": 900.0}
    yield "paid later", add("payments", **paid, paid_at=after)
    yield "paid, told later", add("payments", **paid, paid_at=ago(0.1), **seen)
    yield (
        "snapshot later",
        lambda c, r: r["debt_snapshots"].append(
            snapshot(f"{c}-d1", observed_at=after, status="cured")
        ),
    )
    yield (
        "snapshot told later",
        lambda c, r: r["debt_snapshots"].append(
            snapshot(f"{c}-d1", observed_at=ago(0.1), status="cured", **seen)
        ),
    )
    promised = {"promise_id": "{c}-p", "debt_id": "{c}-d1", "due_at": "2026-06-09", "amount": 9.0}
    yield "promise later", add("promises", **promised, made_at=after)
    yield "promise told later", add("promises", **promised, made_at=before, **seen)
    yield "closed later", change("debts", closed_at=after)
    yield "recalled later", change("debts", recalled_at="2026-06-05")
    yield (
        "new debt later",
        lambda c, r: [
            r["debts"].append(
                debt(c, f"{c}-d9", opened_at="2026-06-05", delinquent_since="2026-06-06")
            ),
            r["debt_snapshots"].append(snapshot(f"{c}-d9", observed_at=after)),
        ],
    )
    yield "point later", add(
        "contact_points", contact_point_id="{c}-z", customer_id="{c}", kind="mobile",
        place="home", holder="customer", quality_share=1.0, valid_from=after,
    )  # fmt: skip
    yield (
        "notice later",
        add(
            "notices", notice_id="{c}-n", customer_id="{c}", kind="validation", sent_at="2026-06-05"
        ),
    )
    yield "arrangement later", add(
        "arrangements", arrangement_id="{c}-a", debt_id="{c}-d1", starts_at="2026-06-05",
        frequency="monthly", instalment=50.0, n_instalments=3,
    )  # fmt: skip
    yield "decision later", add(
        "decisions", decision_id="{c}-x", decided_at=after, customer_id="{c}", channel="sms",
        propensity=0.5, slot_start=AS_OF + pd.Timedelta(hours=5),
    )  # fmt: skip
    yield (
        "party later",
        add(
            "debt_parties", debt_id="{c}-d1", customer_id="{c}2", role="guarantor", valid_from=after
        ),
    )


def _told_later_values() -> Iterator[tuple[str, Edit, Edit]]:
    """Pairs of one row without and with what only becomes known later."""
    after = AS_OF + pd.Timedelta(minutes=1)
    base = touch("{c}", "unknown", started_at=ago(3), channel="sms")
    told = {**base, "outcome": "opted_out", "outcome_at": after}
    yield "outcome", add("touches", **base), add("touches", **told)
    responded = {**base, "outcome": "replied", "responded_at": after}
    yield "response", add("touches", **base), add("touches", **responded)
    pay = {"payment_id": "{c}-y", "debt_id": "{c}-d1", "amount": 90.0, "paid_at": ago(5)}
    yield "reversal", add("payments", **pay), add("payments", **pay, reversed_at=after)
    sent = {**base, "outcome": "delivered"}
    event = {"touch_id": "{c}-t", "occurred_at": after, "event": "opted_out"}
    yield (
        "event",
        add("touches", **sent),
        both(add("touches", **sent), add("touch_events", **event)),
    )
    yield "cancelled", promise("2026-06-20"), promise("2026-06-20", cancelled_at=after)
    nothing: Edit = lambda c, r: None  # noqa: E731
    for name, edit in _later_rows():
        yield name, nothing, edit


LATER = list(_told_later_values())


@pytest.fixture(scope="module")
def known_then(strategy_fitted: ContactStrategy) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Decisions and probabilities without and with the later rows, all customers at once."""
    both_ways = []
    for which in (1, 2):
        parts = []
        for i, case in enumerate(LATER):
            c = f"c{i:02d}"
            rows, friend = clean(c), clean(f"{c}2")
            case[which](c, rows)
            parts += [rows, friend]
        portfolio = Portfolio.from_frames(
            merged(parts),
            extra_channels=("rcs",),
            complete_to=dict.fromkeys(("touches", "payments"), AS_OF),
        )
        plan = strategy_fitted.rank(portfolio, as_of=AS_OF, random_state=3, batch_id="b")
        actions = plan.decision_actions()
        both_ways.append((plan.decisions(), actions))
    (d1, a1), (d2, a2) = both_ways
    return {"decisions": (d1, d2), "actions": (a1, a2)}


@pytest.mark.parametrize("case", range(len(LATER)), ids=[case[0] for case in LATER])
def test_later_knowledge_changes_nothing(known_then: Any, case: int) -> None:
    before, after = known_then["decisions"]
    own = [f"c{case:02d}", f"c{case:02d}2"]
    one, two = (d[d["customer_id"].isin(own)].reset_index(drop=True) for d in (before, after))
    pd.testing.assert_frame_equal(one, two)
    ids = set(one["decision_id"])
    first, second = (
        a[a["decision_id"].isin(ids)].reset_index(drop=True) for a in known_then["actions"]
    )
    pd.testing.assert_frame_equal(first, second)
