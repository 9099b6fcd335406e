"""Who follows whom: chains, bots and agents, one channel at a time, channels that are given up."""

from __future__ import annotations

from typing import Any

import pandas as pd
from lawful_worlds import simple, touch, view_of

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig

NOON = "2026-06-02T12:00Z"
GRANTED = [
    {"customer_id": "C", "channel": c, "changed_at": "2026-05-30", "status": "granted"}
    for c in ("email", "sms", "call_bot", "chat")
]


def open_channels(
    tables: dict[str, list[dict[str, Any]]], *, as_of: str = NOON, channels: Any = None,
    overrides: Any = (), templates: Any = (), **orchestration: Any,
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """Reasons by channel at an hour of the morning; nothing where it is open."""
    config = StrategyConfig.from_mapping(
        {"channels": channels or {c: {"slots": [10]} for c in (
            "call_agent", "call_bot", "sms", "email", "letter")},
         "orchestration": {"quiet_after_contact": False, **orchestration},
         "overrides": list(overrides), "templates": list(templates), "fallback": "cautious"}
    )  # fmt: skip
    tables = {"consents": GRANTED, **tables}
    view = view_of(tables, as_of)
    verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
    return {a.channel: verdict.reasons_of(0, i) for i, a in enumerate(config.action_space)}


def own(**more: Any) -> dict[str, list[dict[str, Any]]]:
    return simple("US-NY", ownership="first_party", **more)


def mail(outcome: str, at: str = "2026-06-01T15:00Z") -> dict[str, Any]:
    return touch(at, "email", outcome, contact_point_id="email")


def test_a_letter_follows_the_mail_that_bounced_or_was_not_opened():  # 001-10
    chain = {"fallback_chains": {"email": "letter"}, "patience_days": 3}
    first = open_channels(own(), **chain)
    assert first["letter"] == ("house.fallback_chain",) and first["email"] == ()
    bounced = open_channels(own(touches=[mail("bounced")]), **chain)
    assert bounced["letter"] == () and "house.dead_point" in bounced["email"]
    sent = own(touches=[mail("delivered")])
    assert open_channels(sent, **chain)["letter"] == ("house.fallback_chain",)
    later = open_channels(sent, as_of="2026-06-06T12:00Z", **chain)
    assert later["letter"] == ()  # not opened: patience is over
    read = own(touches=[mail("opened")])
    assert (
        "house.fallback_chain" in open_channels(read, as_of="2026-06-06T12:00Z", **chain)["letter"]
    )


def test_an_agent_follows_the_failed_bot_on_the_same_day_and_never_a_conversation():  # 003-18
    turns = {"bot_before_agent": True, "single_active_channel": True, "quiet_after_contact": True}
    assert open_channels(own(), **turns)["call_agent"] == ("house.bot_before_agent",)
    today = "2026-06-02T11:00Z"
    failed = own(touches=[touch(today, "call_bot", "no_answer", contact_point_id="mobile")])
    found = open_channels(failed, **turns)
    assert found["call_agent"] == ()
    assert "house.daily_attempt" in found["call_bot"] and "house.daily_attempt" in found["sms"]
    spoke = own(touches=[touch(today, "call_bot", "refused", contact_point_id="mobile")])
    assert "house.quiet_after_contact" in open_channels(spoke, **turns)["call_agent"]
    night = {"call_agent": {"slots": [4]}, "call_bot": {"slots": [10]}}
    tables = simple(touches=[touch("2026-06-02T07:00Z", "call_bot", "no_answer")])
    late = open_channels(tables, as_of="2026-06-02T07:30Z", channels=night, **turns)
    assert late["call_agent"] == ("us.regf.hours",)  # the law's hours bind the agent, too


def test_one_channel_has_the_customer_until_patience_is_over():  # 003-13
    turns = {"single_active_channel": True, "patience_days": 3}
    sent = own(touches=[touch("2026-06-01T15:00Z", "sms", "delivered", contact_point_id="mobile")])
    found = open_channels(sent, **turns)
    assert found["sms"] == ()
    for channel in ("call_agent", "call_bot", "email", "letter"):
        assert "house.active_channel" in found[channel]
    assert open_channels(sent, as_of="2026-06-05T12:00Z", **turns)["email"] == ()
    assert open_channels(sent, single_active_channel=False)["email"] == ()


def test_a_channel_without_fruit_is_given_up_and_another_takes_over():  # 003-16
    limit = {"futility_attempts": 3, "futility_days": 10, "futility_rest_days": 7,
             "single_active_channel": True, "patience_days": 1}  # fmt: skip
    days = ("2026-05-26", "2026-05-28", "2026-05-30")
    tries = [touch(f"{d}T15:00Z", "sms", "delivered", contact_point_id="mobile") for d in days]
    given_up = open_channels(own(touches=tries), **limit)
    assert "house.futility" in given_up["sms"]
    assert given_up["email"] == () and "house.futility" not in given_up["call_agent"]
    assert open_channels(own(touches=tries[1:]), **limit)["sms"] == ()
    answer = touch("2026-05-31T15:00Z", "sms", "replied", contact_point_id="mobile")
    assert "house.futility" not in open_channels(own(touches=[*tries, answer]), **limit)["sms"]
    rested = open_channels(own(touches=tries), as_of="2026-06-07T12:00Z", **limit)
    assert rested["sms"] == ()


def test_a_recorded_call_is_announced_where_a_rule_asks_for_it():  # 001-11
    rule = {
        "id": "x.recorded", "kind": "disclosure", "jurisdiction": "US", "channels": ["call"],
        "parameters": {"required": ["recording_notice"]},
    }  # fmt: skip
    words = {"channel": "call_agent", "approved": True}
    said = [{**words, "template_id": "says", "disclosures": ["recording"]}]
    silent = [{**words, "template_id": "silent"}]
    only = {"call_agent": {"slots": [10]}, "letter": {"slots": [10]}}
    found = open_channels(own(), overrides=[rule], templates=silent, channels=only)
    assert found["call_agent"] == ("house.template_disclosures",) and found["letter"] == ()
    assert open_channels(own(), overrides=[rule], templates=said, channels=only)["call_agent"] == ()


def test_no_chat_without_consent():  # 001-13
    tables = own()
    tables["customers"][0] |= {"jurisdiction": "FR", "time_zone": "Europe/Paris"}
    channels = {"chat": {"slots": [10], "contact_point_kinds": []}}
    day = "2026-06-02T06:00Z"
    without = open_channels({**tables, "consents": []}, channels=channels, as_of=day)
    assert "cautious.opt_in" in without["chat"]
    assert open_channels(tables, channels=channels, as_of=day)["chat"] == ()
    taken_back = [*GRANTED, {**GRANTED[-1], "changed_at": "2026-06-01", "status": "revoked"}]
    found = open_channels({**tables, "consents": taken_back}, channels=channels, as_of=day)
    assert "cautious.opt_in" in found["chat"]


def test_the_instant_of_each_turn_is_told():
    config = StrategyConfig.from_mapping(
        {"channels": {"email": {"slots": [10]}, "sms": {"slots": [10]}},
         "orchestration": {"single_active_channel": True, "patience_days": 3}}
    )  # fmt: skip
    sent = own(touches=[touch("2026-06-01T15:00Z", "sms", "delivered", contact_point_id="mobile")])
    view = view_of({**sent, "consents": GRANTED}, NOON)
    verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
    due = pd.Timestamp("2026-06-05T14:00Z").value // 1000
    assert verdict.lawful_from[0, config.action_space.channels.index("email")] == due
