"""The conversation with one customer: complete, in order, nothing known later, and its state."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.random_tables import random_tables
from worlds import at, customers, debt, frame, touch

import contactopt as co
from contactopt.cli import main
from contactopt.compliance.data_tables import table
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES
from contactopt.errors import ContractError
from contactopt.journal import Journal
from contactopt.journal.timeline import KINDS, Timeline, timeline_of
from contactopt.journal.timeline_holds import OUTCOME_HOLDS

OFFERS = {"offers": [{"offer_id": "half", "kind": "settlement", "discount_share": 0.5},
                     {"offer_id": "three", "kind": "arrangement", "n_instalments": 3,
                      "valid_days": 5}]}  # fmt: skip
DELAYS = {"touches": 5.0, "payments": 30.0, "promises": 12.0, "consents": 7.0, "notices": 24.0}
CONFIG = StrategyConfig.from_mapping(
    {**OFFERS, "data_delay": DELAYS, "orchestration": {"promise_grace_days": 2}}
)
#: the kinds that tell a row itself; the others tell what followed from one
OF_TABLE = {
    "debt": "debts", "debt_state": "debt_snapshots", "snapshot": "debt_snapshots",
    "party": "debt_parties", "contact_point": "contact_points", "consent": "consents",
    "hold": "holds", "notice": "notices", "touch": "touches", "touch_event": "touch_events",
    "promise": "promises", "payment": "payments", "arrangement": "arrangements",
    "decision": "decisions",
}  # fmt: skip


def told(now: pd.Timestamp, config: StrategyConfig | None = None, **tables) -> Timeline:
    """The timeline of customer C with debt D."""
    config = config or StrategyConfig.from_mapping(OFFERS)
    given = {"customers": customers("C", jurisdiction="US-NY"), "debts": frame(debt())}
    journal = Journal(
        {**given, **tables},
        data_delay=config.data_delay,
        promise_grace_days=config.orchestration.promise_grace_days,
    )
    return timeline_of(journal, "C", now, config)


def kinds(of: Timeline, *wanted: str) -> list[str]:
    return [k for k in of.to_frame()["kind"] if not wanted or k in wanted]


# ---- completeness ----------------------------------------------------------------------------


def more_tables(tables: dict[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """Add the tables that the random ones lack."""
    rng = np.random.default_rng(seed)
    debts = tables["debts"]["debt_id"].to_numpy(dtype=object)
    who = tables["customers"]["customer_id"].to_numpy(dtype=object)
    n = 3 * len(who)
    day = pd.to_timedelta(rng.integers(0, 110, n), unit="D")
    when = pd.Series(pd.Timestamp("2026-01-01", tz="UTC").as_unit("us") + day)
    ids = [f"N{k:05d}" for k in range(n)]
    late = (when + pd.to_timedelta(rng.integers(0, 90, n), unit="h")).where(rng.random(n) < 0.5)
    end = (when + pd.Timedelta(days=9)).where(rng.random(n) < 0.3)
    pick = rng.integers(0, len(debts), n)
    tables["notices"] = pd.DataFrame(
        {"notice_id": ids, "customer_id": rng.choice(who, n), "kind": "validation",
         "sent_at": when, "recorded_at": late}
    )  # fmt: skip
    tables["arrangements"] = pd.DataFrame(
        {"arrangement_id": ids, "debt_id": debts[pick], "starts_at": when, "frequency": "weekly",
         "instalment": 10.0, "n_instalments": 4.0, "ended_at": end, "recorded_at": late}
    )  # fmt: skip
    tables["decisions"] = pd.DataFrame(
        {"decision_id": ids, "decided_at": when, "customer_id": rng.choice(who, n),
         "channel": rng.choice(["sms", "wait", "letter"], n), "propensity": 0.25,
         "offer_id": "half", "recorded_at": late}
    )  # fmt: skip
    tables["debt_parties"] = pd.DataFrame(
        {"debt_id": debts, "customer_id": rng.choice(who, len(debts)), "role": "guarantor",
         "valid_from": when[: len(debts)]}
    )  # fmt: skip
    return tables


def known(tables, name: str, delays) -> pd.Series:
    """When each row is known, the slow way, by the words of the contract."""
    frame, event = tables[name], TABLES[name].event_time
    out = []
    for row in frame.to_dict("records"):
        recorded = row.get("recorded_at")
        if recorded is None or pd.isna(recorded):
            out.append(row[event] + pd.Timedelta(hours=delays.get(name, 0.0)))
        else:
            out.append(max(row[event], recorded))
    return pd.Series(out, index=frame.index, dtype="datetime64[us, UTC]")


def expected_keys(tables, customer: str, now, delays) -> dict[str, list[str]]:
    """Key of every row of every event table that is the customer's and known by now."""
    owner = tables["debts"].set_index("debt_id")["customer_id"]
    touches = tables["touches"].set_index("touch_id")
    known_touch = known(tables, "touches", delays).set_axis(touches.index)
    first_snapshot = known(tables, "debt_snapshots", delays).groupby(
        tables["debt_snapshots"]["debt_id"]
    ).min()  # fmt: skip
    out = {}
    for name, spec in TABLES.items():
        if spec.event_time is None:
            continue
        frame = tables[name]
        since = known(tables, name, delays)
        if spec.owner == "customer_id":
            mine = frame["customer_id"] == customer
        elif spec.owner == "debt_id":
            mine = frame["debt_id"].map(owner) == customer
        else:
            mine = frame["touch_id"].map(touches["customer_id"]) == customer
        if name == "touch_events":  # known with its touch, not before
            since = since.where(since >= frame["touch_id"].map(known_touch),
                                frame["touch_id"].map(known_touch))  # fmt: skip
        if name == "debts":  # a snapshot tells of a debt, too
            first = frame["debt_id"].map(first_snapshot)
            since = since.where(~(first < since), first)
        if name == "debt_parties":
            mine |= frame["customer_id"] == customer
        rows = frame[mine & (since <= now)]
        parts = [
            rows[c].map(lambda x: "-" if pd.isna(x) else
                        x.tz_localize(None).isoformat("T", "microseconds") + "Z"
                        if isinstance(x, pd.Timestamp) else str(x))
            for c in spec.key
        ]  # fmt: skip
        out[name] = sorted(" | ".join(k) for k in zip(*parts, strict=True))
    return out


def check_complete(tables, customer: str, found: pd.DataFrame, now, delays) -> int:
    rows = found[found["kind"].isin(list(OF_TABLE))]
    assert (rows["kind"].map(OF_TABLE) == rows["source"]).all()
    expected = expected_keys(tables, customer, now, delays)
    for name, keys in expected.items():
        assert sorted(rows.loc[rows["source"] == name, "source_id"]) == keys, name
    return len(rows)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120))
def test_every_known_row_is_one_line_and_nothing_is_known_later(seed: int, day: int) -> None:
    # 000-23
    tables = more_tables(random_tables(4, random_state=seed), seed)
    now = pd.Timestamp("2026-01-01T13:17Z") + pd.Timedelta(days=day)
    for customer in tables["customers"]["customer_id"][:2]:
        journal = Journal(tables, data_delay=DELAYS, promise_grace_days=2)
        timeline = timeline_of(journal, customer, now, CONFIG)
        found = timeline.to_frame()
        check_complete(tables, customer, found, now, DELAYS)
        assert not (found["known_at"] > now).any() and not (found["at_utc"] > now).any()
        assert not (found["at_utc"] > found["known_at"]).any()
        # order: time, kind, id
        order = [
            (t.value if t is not pd.NaT else -(2**63), KINDS.index(k), i)
            for t, k, i in found[["at_utc", "kind", "source_id"]].itertuples(index=False)
        ]
        assert order == sorted(order)
        json.dumps(timeline.to_dict(), allow_nan=False)


def test_rows_that_arrive_later_change_nothing_told_before() -> None:  # 000-23
    tables = more_tables(random_tables(3, random_state=5), 5)
    now = pd.Timestamp("2026-03-01T10:00Z")
    past = {n: f[known(tables, n, {}) <= now] if TABLES[n].event_time and len(f) else f
            for n, f in tables.items() if n not in ("debts", "contact_points", "touch_debts")}  # fmt: skip
    past |= {n: tables[n] for n in ("debts", "contact_points", "touch_debts")}
    for name, later in (("payments", "reversed_at"), ("promises", "cancelled_at"),
                        ("arrangements", "ended_at")):  # fmt: skip
        past[name] = past[name].assign(**{later: past[name][later].mask(past[name][later] > now)})
    past["touch_events"] = past["touch_events"][
        past["touch_events"]["touch_id"].isin(past["touches"]["touch_id"])
    ]
    config = StrategyConfig()
    for customer in tables["customers"]["customer_id"]:
        whole = timeline_of(Journal(tables, promise_grace_days=3), customer, now, config)
        cut = timeline_of(Journal(past, promise_grace_days=3), customer, now, config)
        pd.testing.assert_frame_equal(whole.to_frame(), cut.to_frame())
        assert whole.state.to_dict() == cut.state.to_dict()


# ---- words and order -------------------------------------------------------------------------


def test_late_rows_appear_only_once_they_are_known() -> None:
    payments = frame(
        {"payment_id": "Y", "debt_id": "D", "paid_at": at("03-02"), "amount": 40.0,
         "recorded_at": at("03-05 06:00")}
    )  # fmt: skip
    touches = frame(touch("T", at("03-03 15:00"), "promise", outcome_at=at("03-04 09:00")))
    before = told(at("03-03 20:00"), payments=payments, touches=touches)
    assert "payment" not in kinds(before)
    line = before.to_frame().set_index("kind").loc["touch"]
    assert line["what"] == "agent call: outcome not known"
    assert before.state.last_step and before.state.last_step["outcome"] == "unknown"
    after = told(at("03-06"), payments=payments, touches=touches)
    rows = after.to_frame().set_index("kind")
    assert rows.loc["payment", "at_utc"] == at("03-02")
    assert rows.loc["payment", "known_at"] == at("03-05 06:00")
    assert rows.loc["payment", ["amount", "currency"]].tolist() == [40.0, "USD"]
    assert rows.loc["touch", "what"] == "agent call: promise"
    assert rows.loc["touch", "at_local"].isoformat() == "2026-03-03T10:00:00-05:00"


def test_a_promise_made_to_the_bot_and_broken() -> None:  # 000-05
    tables = {
        "touches": frame(
            touch("T", at("03-01 15:00"), "promise", channel="call_bot", handled_by="bot",
                  vendor="voice", debt_id="D")
        ),
        "promises": frame(
            {"promise_id": "R", "debt_id": "D", "made_at": at("03-01 15:02"),
             "due_at": at("03-05 04:59:59.999999"), "amount": 80.0, "touch_id": "T"}
        ),
        "payments": frame(
            {"payment_id": "Y", "debt_id": "D", "paid_at": at("03-04"), "amount": 30.0}
        ),
    }  # fmt: skip
    config = StrategyConfig.from_mapping({"orchestration": {"promise_grace_days": 2}})
    open_ = told(at("03-05 12:00"), config, **tables)
    (promise,) = open_.state.promises
    assert (promise["due"], promise["grace_until"]) == ("2026-03-04", "2026-03-06")
    assert (promise["amount"], promise["paid"], promise["currency"]) == (80.0, 30.0, "USD")
    assert open_.state.last_step == open_.state.last_right_party
    assert (open_.state.last_step or {})["channel"] == "call_bot"
    assert "Promise" in open_.brief() and "80.00 USD on D by 2026-03-04" in open_.brief()
    told_kinds = ("promise", "payment", "promise_due", "promise_partial", "promise_broken")
    assert kinds(open_, *told_kinds) == ["promise", "payment", "promise_due"]
    over = told(at("03-08"), config, **tables)
    assert kinds(over, *told_kinds) == ["promise", "payment", "promise_due", "promise_partial"]
    assert over.state.promises == () and over.state.broken_promise is not None
    unpaid = told(at("03-08"), config, **{k: f for k, f in tables.items() if k != "payments"})
    assert kinds(unpaid, *told_kinds) == ["promise", "promise_due", "promise_broken"]


def test_a_reversed_payment_breaks_the_promise_it_had_kept() -> None:  # 003-11
    tables = {
        "promises": frame(
            {"promise_id": "R", "debt_id": "D", "made_at": at("03-01"),
             "due_at": at("03-05 04:59:59.999999"), "amount": 80.0}
        ),
        "payments": frame(
            {"payment_id": "Y", "debt_id": "D", "paid_at": at("03-03"), "amount": 80.0,
             "reversed_at": at("03-10")}
        ),
    }  # fmt: skip
    states = ("promise_kept", "payment_reversed", "promise_broken")
    assert kinds(told(at("03-09"), **tables), *states) == ["promise_kept"]
    after = told(at("03-12"), **tables)
    assert kinds(after, *states) == list(states)
    assert after.to_frame().set_index("kind").loc["promise_broken", "known_at"] == at("03-10")
    assert (after.state.broken_promise or {})["paid"] == 0.0


@pytest.mark.parametrize("by", ["hold", "outcome"])
def test_a_dispute_holds_until_its_hold_has_ended(by: str) -> None:  # 000-05
    hold = {"hold_id": "H", "customer_id": "C", "kind": "dispute", "debt_id": "D",
            "starts_at": at("03-01"), "ends_at": None}  # fmt: skip
    tables = {"holds": frame(hold)}
    if by == "outcome":
        tables["touches"] = frame(touch("T", at("03-01"), "dispute", debt_id="D"))
        tables["holds"] = frame({**hold, "starts_at": at("03-09"), "ends_at": at("03-10")})
    running = told(at("03-05"), **tables)
    dispute = running.state.dispute
    assert dispute is not None and (dispute["debt_id"], dispute["source"]) == ("D", by)
    assert dispute["since"] == at("03-01") and "dispute on D" in running.brief()
    tables["holds"] = frame({**hold, "ends_at": at("03-10")})
    closed = told(at("03-12"), **tables)
    assert closed.state.dispute is None and closed.state.holds == ()
    assert kinds(closed, "hold", "hold_ended") == ["hold", "hold_ended"]


def test_outcomes_hold_and_end_as_compliance_says() -> None:
    flags = table("flags")["outcomes"]
    assert {k: tuple(how["ended_by_hold"]) for k, how in flags.items()} == OUTCOME_HOLDS
    assert {k for k, how in flags.items() if how["debts"] == "touch"} == {"dispute"}


def test_machine_opens_are_not_the_customer() -> None:
    sent = touch("T", at("03-01 15:00"), "delivered", channel="email")
    event = {"touch_id": "T", "occurred_at": at("03-01 15:01"), "event": "opened", "machine": True}
    found = told(at("03-02"), touches=frame(sent), touch_events=frame(event))
    line = found.to_frame().set_index("kind").loc["touch_event"]
    assert line["what"] == "e-mail opened by a machine, not by the customer"
    assert line["machine"] and line["by"] == "machine"
    assert found.state.last_reaction is None
    human = frame(event, {**event, "occurred_at": at("03-01 18:00"), "machine": False})
    found = told(at("03-02"), touches=frame(sent), touch_events=human)
    assert (found.state.last_reaction or {})["outcome"] == "opened"
    assert found.state.last_right_party is None


def test_offers_in_flight_and_their_end() -> None:  # 000-03
    def offered(offer: str, when: str, outcome: str = "delivered", **more) -> dict:
        name = f"{offer}{when}"
        return touch(name, at(when), outcome, channel="sms", offer_id=offer, **more)

    touches = [
        offered("half", "03-01 15:00", debt_id="D"),
        offered("three", "03-02 15:00"),
        offered("gone", "03-02 16:00", "bounced"),
        offered("no", "03-02 17:00", "refused"),
    ]
    state = told(at("03-03"), touches=frame(*touches)).state
    three, half = state.offers
    assert (three["offer_id"], three["debt_ids"], half["debt_ids"]) == ("three", None, ["D"])
    # 5 days after the local day of the offer, to the end of the day
    assert three["until"] == at("03-08 04:59:59.999999")
    assert half["until"] == at("03-16 03:59:59.999999")
    assert (three["conflicts_with"], half["conflicts_with"]) == (["half"], ["three"])
    later = told(at("03-08 05:00"), touches=frame(*touches)).state
    assert [o["offer_id"] for o in later.offers] == ["half"]
    assert later.offers[0]["conflicts_with"] == []
    arranged = frame(
        {"arrangement_id": "A", "debt_id": "D", "starts_at": at("03-04"), "frequency": "weekly",
         "instalment": 10.0, "n_instalments": 3.0}
    )  # fmt: skip
    state = told(at("03-05"), touches=frame(*touches), arrangements=arranged).state
    assert state.offers == () and [a["state"] for a in state.arrangements] == ["behind"]
    unknown = told(at("05-30"), touches=frame(offered("other", "03-01"))).state
    assert unknown.offers[0]["until"] is None


def test_consents_opt_outs_and_dead_points() -> None:
    points = frame(
        {"contact_point_id": "P1", "customer_id": "C", "kind": "mobile", "place": "home",
         "valid_from": at("01-01")},
        {"contact_point_id": "P2", "customer_id": "C", "kind": "email", "place": "home",
         "valid_from": at("01-01"), "valid_to": at("03-20")},
    )  # fmt: skip
    consents = frame(
        {"customer_id": "C", "channel": "sms", "changed_at": at("02-01"), "status": "granted"},
        {"customer_id": "C", "channel": "email", "changed_at": at("02-01"), "status": "granted"},
        {"customer_id": "C", "channel": "whatsapp", "changed_at": at("02-01"), "status": "revoked"},
        {"customer_id": "C", "channel": "call_bot", "changed_at": at("02-02"),
         "status": "revoked", "contact_point_id": "P1"},
    )  # fmt: skip
    touches = frame(
        touch("T1", at("03-01"), "opted_out", channel="sms", contact_point_id="P1"),
        touch("T2", at("03-02"), "bounced", channel="email", contact_point_id="P2",
              outcome_at=at("03-02 05:00")),
    )  # fmt: skip
    found = told(at("03-21"), contact_points=points, consents=consents, touches=touches)
    state = found.state
    assert state.channels_refused == ("sms", "whatsapp") and state.channels_consented == ("email",)
    assert state.points_dead == ("P2",) and state.points_refused == ("call_bot @ P1",)
    line = found.to_frame().set_index("kind").loc["contact_point_dead"]
    assert (line["source_id"], line["at_utc"]) == ("P2", at("03-02 05:00"))
    assert kinds(found, "contact_point_ended") == ["contact_point_ended"]
    again = frame({"customer_id": "C", "channel": "sms", "changed_at": at("03-05"),
                   "status": "granted"})  # fmt: skip
    both = pd.concat([consents, again], ignore_index=True)
    later = told(at("03-21"), contact_points=points, consents=both, touches=touches)
    assert later.state.channels_consented == ("email", "sms")


def test_what_an_earlier_batch_planned() -> None:  # 003-11
    decisions = frame(
        *(
            {"decision_id": f"N{k}", "decided_at": at(f"03-0{k}"), "customer_id": "C",
             "channel": channel, "propensity": 0.125, "slot_start": at(f"03-0{k} 15:00"),
             "offer_id": "half", "batch_id": "B", "debt_id": "D"}
            for k, channel in enumerate(("sms", "email", "letter", "wait", "sms"), start=1)
        )
    )  # fmt: skip
    touches = frame(
        touch("T", at("03-01 15:20"), "delivered", channel="sms", decision_id="N1"),
        touch("U", at("03-02 15:20"), "no_answer", channel="call_agent", decision_id="N2"),
    )
    found = told(at("03-05 12:00"), decisions=decisions, touches=touches)
    words = found.to_frame().query("kind == 'decision'")["what"].tolist()
    assert [w.rsplit(": ", 1)[-1] for w in words] == [
        "executed", "another channel was used", "not executed",
        "decided to wait (probability 0.125)", "pending",
    ]  # fmt: skip
    (plan,) = found.state.open_plans
    assert (plan["decision_id"], plan["slot_start"]) == ("N5", at("03-05 15:00"))
    assert "SMS at 2026-03-05 10:00, offer half (decision N5)" in found.brief()


def test_callback_representative_and_language() -> None:
    window = {"from": "2026-03-04T14:00:00Z", "to": "2026-03-04T15:00:00Z"}
    holds = frame(
        {"hold_id": "H", "customer_id": "C", "kind": "callback_agreed", "channel": "call_agent",
         "starts_at": at("03-04 14:00"), "ends_at": at("03-04 15:00"),
         "detail": json.dumps(window), "recorded_at": at("03-02")},
        {"hold_id": "A", "customer_id": "C", "kind": "attorney", "channel": None,
         "starts_at": at("03-01"), "ends_at": None, "detail": '{"name": "Ada"}',
         "recorded_at": at("03-01")},
    )  # fmt: skip
    who = customers("C", jurisdiction="US-NY", language="es", preferred_channel="sms")
    found = told(at("03-03"), holds=holds, customers=who)
    assert found.state.callback == {"source": "hold", **window, "channel": "call_agent"}
    assert "agreed for 2026-03-04 09:00 to 2026-03-04 10:00 by agent call" in found.brief()
    assert (found.state.representative or {})["name"] == "Ada"
    assert found.state.language == "es" and "prefers SMS" in found.brief()
    # a hold that begins later is no line yet
    assert kinds(found, "hold") == ["hold"]
    asked = frame(touch("T", at("03-01"), "callback"))
    assert (told(at("03-03"), touches=asked).state.callback or {})["source"] == "outcome"


# ---- the portfolio's own way -----------------------------------------------------------------


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.Portfolio.from_frames(more_tables(random_tables(6, random_state=3), 3))


def test_portfolio_tells_the_same_as_the_journal(portfolio) -> None:
    now = pd.Timestamp("2026-03-15T12:00Z")
    journal = Journal(portfolio, promise_grace_days=3)
    for customer in portfolio.customer_ids[:3]:
        mine = portfolio.timeline(customer, now)
        whole = timeline_of(journal, customer, now, StrategyConfig())
        pd.testing.assert_frame_equal(mine.to_frame(), whole.to_frame())
        assert mine.state == whole.state
        assert check_complete(portfolio.tables, customer, mine.to_frame(), now, {}) == sum(
            mine.to_frame()["kind"].isin(list(OF_TABLE))
        )
        text, html = repr(mine), mine._repr_html_()
        assert customer in text and "<table>" in html and len(mine.brief().splitlines()) < 45


def test_a_contact_about_somebody_elses_debt(portfolio) -> None:
    """A guarantor is called about the main obligor's debt."""
    tables = dict(portfolio.tables)
    a, b = portfolio.customer_ids[:2]
    foreign = tables["debts"].set_index("customer_id").loc[[b], "debt_id"].iloc[0]
    row = frame(touch("X", at("02-01"), "no_answer", customer_id=a, debt_id=foreign))
    tables["touches"] = pd.concat([tables["touches"], row], ignore_index=True)
    with_it = co.Portfolio.from_frames(tables)
    found = with_it.timeline(a, at("03-01")).to_frame().set_index("source_id")
    assert found.loc["X", "debt_id"] == foreign
    assert "X" not in set(with_it.timeline(b, at("03-01")).to_frame()["source_id"])


def test_nothing_known_thousands_of_lines_and_strangers(portfolio) -> None:
    early = portfolio.timeline(portfolio.customer_ids[0], "2019-01-01T00:00Z")
    assert len(early) == 0 and early.state.last_step is None and "never" in repr(early)
    assert early.to_frame().columns.tolist()[:4] == ["at_utc", "at_local", "known_at", "kind"]
    assert early._repr_html_().count("<tr>") > 5
    many = random_tables(1, touches=4_000, payments=200, random_state=1)
    long = co.Portfolio.from_frames(many).timeline("C000000", "2026-05-01T00:00Z")
    assert len(long) > 5_000 and len(repr(long).splitlines()) < 90
    assert len(long._repr_html_()) < 200_000
    with pytest.raises(ContractError, match="not in the portfolio"):
        portfolio.timeline("nobody", "2026-03-01T00:00Z")
    with pytest.raises(ContractError, match="zone"):
        portfolio.timeline(portfolio.customer_ids[0], "2026-03-01")


def test_a_customer_in_quarantine_is_named_as_such(portfolio) -> None:
    tables = dict(portfolio.tables)
    holds = tables["holds"].copy()
    victim = holds["customer_id"].iloc[0]
    holds.loc[0, "kind"] = "no such kind"
    faulty = co.Portfolio.from_frames({**tables, "holds": holds}, max_quarantined_share=0.9)
    with pytest.raises(ContractError, match="quarantine"):
        faulty.timeline(victim, "2026-03-01T00:00Z")


def test_html_escapes_what_the_data_say() -> None:
    touches = frame(touch("<b>T</b>", at("03-01"), "no_answer", vendor="<script>x</script>"))
    html = told(at("03-02"), touches=touches)._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_the_command_tells_it(portfolio, tmp_path: Path) -> None:
    folder = portfolio.to_folder(tmp_path / "portfolio")
    customer, out = portfolio.customer_ids[0], {}
    for more in ([], ["--json"]):
        stream = io.StringIO()
        argv = ["contactopt", "timeline", str(folder), "--customer", customer,
                "--as-of", "2026-03-01T00:00Z", *more]  # fmt: skip
        with (
            contextlib.redirect_stdout(stream),
            mock.patch.object(sys, "argv", argv),
            contextlib.suppress(SystemExit),
        ):
            main()
        out[bool(more)] = stream.getvalue()
    found = portfolio.timeline(customer, "2026-03-01T00:00Z")
    assert out[False].strip() == repr(found).strip()
    assert json.loads(out[True]) == found.to_dict()
