"""Where the conversation stands, after histories made by hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from worlds import at, customers, debt, frame, touch

from contactopt.compliance.data_tables import table
from contactopt.config import StrategyConfig
from contactopt.journal import Journal
from contactopt.journal.timeline import Timeline, timeline_of
from contactopt.journal.timeline.holds import OUTCOME_HOLDS

OFFERS = {"offers": [{"offer_id": "half", "kind": "settlement", "discount_share": 0.5},
                     {"offer_id": "three", "kind": "arrangement", "n_instalments": 3,
                      "valid_days": 5}]}  # fmt: skip


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


@pytest.mark.parametrize(
    "detail",
    ['{"from": [1], "to": {"a": NaN}, "source": 7}', "[1, 2]", '{"from": "soon", "to": 3}', "{}"],
)
def test_strange_details_of_holds_are_told_as_they_stand(detail: str) -> None:
    holds = frame(
        *(
            {"hold_id": k, "customer_id": "C", "kind": k, "starts_at": at("03-01"),
             "ends_at": None, "detail": detail}
            for k in ("callback_agreed", "representative", "preference")
        )
    )  # fmt: skip
    found = told(at("03-03"), holds=holds)
    assert (found.state.representative or {})["source"] == "hold"
    assert "Callback" in found.brief() and "Speaks for them" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "<table>" in found._repr_html_()


def test_html_escapes_what_the_data_say() -> None:
    touches = frame(touch("<b>T</b>", at("03-01"), "no_answer", vendor="<script>x</script>"))
    html = told(at("03-02"), touches=touches)._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
