"""Each rule that denies says its own end; holidays kept as Sundays; sources; calendars; duties."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import simple, touch, view_of
from oracles.compliance_oracle import Oracle
from test_shared_contacts import portfolio_of

from contactopt.compliance import RuleBook, evaluate, explain_customer, rulebook
from contactopt.compliance.planned import PlannedContacts, judge_planned
from contactopt.compliance.rule_texts import rule_texts
from contactopt.config import RulesConfig, StrategyConfig
from contactopt.errors import RulePackError
from contactopt.policy.batch import _places_of

#: a Friday; Monday 2026-11-16 is a holiday in Colombia
AS_OF = "2026-11-13T11:00Z"


def config_of(*overrides: dict[str, Any], slots: tuple[int, ...] = (10,)) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {
            "channels": {"call_agent": {}},
            "slots": list(slots),
            "rules": {"overrides": list(overrides)} if overrides else {},
        }
    )


# ---- each reason its own instant -----------------------------------------------------------------


def test_several_reasons_have_instants_of_their_own():
    spoke = touch("2026-06-01T15:00Z", outcome="refused")
    tables = simple(holds=[])
    config, at = config_of(slots=(6,)), "2026-06-02T02:00Z"
    tables["touches"] = [spoke]
    found = explain_customer(portfolio_of_at(tables, at), "C", config=config, as_of=at)
    (blocked,) = found.blocked
    instants = {card["id"]: card["lawful_from"] for card in blocked["rules"]}
    assert {"us.regf.hours", "us.regf.conversation_cooldown"} <= set(instants)
    assert instants["us.regf.hours"] is None  # six in the morning never is lawful
    assert instants["us.regf.conversation_cooldown"] == pd.Timestamp("2026-06-08T10:00Z")
    assert blocked["lawful_from"] is None
    text = repr(found)
    assert "by itself lawful from 2026-06-08T10:00:00+00:00" in text
    assert json.loads(json.dumps(found.to_dict()))["blocked"][0]["rules"][0]["id"]


def test_the_action_waits_for_the_last_of_them():
    calls = [touch(f"2026-{d}T15:00Z", outcome="voicemail") for d in ("05-29", "05-30")]
    tables = simple("US-MA", touches=[*calls, touch("2026-06-01T16:00Z", outcome="refused")])
    config, at = config_of(), "2026-06-03T11:00Z"
    found = explain_customer(portfolio_of_at(tables, at), "C", config=config, as_of=at)
    (blocked,) = found.blocked
    own = [card["lawful_from"] for card in blocked["rules"] if card["lawful_from"] is not None]
    assert len(set(own)) > 1
    assert max(own) == blocked["lawful_from"]


def test_what_only_a_change_of_facts_lifts_says_so_beside_what_ends_by_itself():
    hold = {"hold_id": "H", "customer_id": "C", "kind": "cease_communication",
            "starts_at": "2026-01-01T00:00Z"}  # fmt: skip
    tables = simple(holds=[hold], touches=[touch("2026-06-01T15:00Z", outcome="refused")])
    at = "2026-06-02T11:00Z"
    found = explain_customer(portfolio_of_at(tables, at), "C", config=config_of(), as_of=at)
    cards = {card["id"]: card for card in found.blocked[0]["rules"]}
    cease, rest = cards["us.regf.cease"], cards["us.regf.conversation_cooldown"]
    assert cease["lawful_from"] is None and cease["until"].startswith("the hold ends")
    assert rest["lawful_from"] is not None and rest["until"] is None
    assert found.blocked[0]["lawful_from"] is None


def portfolio_of_at(tables: dict[str, list[dict]], as_of: str):
    view_of(tables, as_of)
    return portfolio_of(tables)


# ---- holidays that are kept as Sundays -----------------------------------------------------------


def holiday(policy: str, channels: tuple[str, ...] = ("call",)) -> dict[str, Any]:
    return {
        "id": "x.holiday", "kind": "holiday", "jurisdiction": "US", "channels": list(channels),
        "parameters": {"calendar": "CO:public", "policy": policy},
    }  # fmt: skip


def hours(start: str, end: str) -> dict[str, Any]:
    return {
        "id": "x.sunday", "kind": "hours", "jurisdiction": "US", "channels": ["call"],
        "parameters": {"windows": [
            {"days": ["MON", "TUE", "WED", "THU", "FRI", "SAT"], "start": "08:00", "end": "20:00"},
            {"days": ["SUN"], "start": start, "end": end},
        ]},
    }  # fmt: skip


@pytest.mark.parametrize("policy", ["as_sunday", "closed"])
def test_a_holiday_as_sunday_leaves_the_sunday_hours(policy):
    as_of = "2026-11-16T06:00Z"  # in the night before the holiday, in New York
    config = config_of(holiday(policy), hours("12:00", "16:00"), slots=(9, 13, 17))
    view = view_of(simple(), as_of)
    book = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=book, config=config)
    oracle = Oracle(view, book, config, config.action_space)
    closed = [9, 17] if policy == "as_sunday" else [9, 13, 17]
    for a, action in enumerate(config.action_space):
        denied = "x.holiday" in verdict.reasons_of(0, a)
        assert denied == (action.slot_local_hour in closed)
        assert verdict.reasons_of(0, a) == oracle.answer(0, action).reasons
    before = {int(h): int(b) for h, b in zip(config.action_space.hours, verdict.start_before[0],
                                             strict=True)}  # fmt: skip
    if policy == "as_sunday":
        end = pd.Timestamp(before[13], unit="us", tz="UTC").tz_convert("America/New_York")
        assert end.hour == 14 and end.date() == pd.Timestamp("2026-11-16").date()
    later = config_of(holiday(policy), hours("12:00", "13:30"), slots=(13,))
    verdict = evaluate(view, rules=RuleBook.load(later.rules, view.as_of), config=later)
    if policy == "as_sunday":  # Sunday closes in the middle of the slot, less the guard
        end = pd.Timestamp(int(verdict.start_before[0, 0]), unit="us", tz="UTC")
        assert end == pd.Timestamp("2026-11-16T18:25Z")
    else:
        assert verdict.lawful_from[0, 0] == pd.Timestamp("2026-11-17T18:00Z").value // 1000


def test_without_hours_a_holiday_as_sunday_is_a_day_like_a_sunday():
    config = config_of({**holiday("as_sunday", ("visit",))}, slots=(13,))
    config = StrategyConfig.from_mapping({**config.to_mapping(), "channels": {"visit": {}}})
    view = view_of(simple(), "2026-11-16T06:00Z")
    verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
    assert "x.holiday" not in verdict.reasons_of(0, 0)


def test_an_unknown_policy_of_holidays_is_refused():
    with pytest.raises(RulePackError, match="holiday policy"):
        RuleBook.load(config_of(holiday("as_saturday")).rules)


# ---- sources, calendars, duties ------------------------------------------------------------------


def test_the_words_kept_with_a_batch_name_their_source_and_calendars():
    book = RuleBook.load(RulesConfig.model_validate({}), AS_OF)
    texts = rule_texts(book)
    assert texts["calendars"] == book.calendar_versions
    assert set(texts["calendars"]) == {"holidays", "tzdata"}
    for rule in book.rules:
        assert texts["rules"][rule.id]["source_url"] == rule.source_url
        assert rule.source_url or rule.pack in ("house", "cautious") or rule.citation
    assert "calendars: holidays " in book.summary()


@pytest.mark.parametrize("package", ["holidays", "tzdata"])
def test_a_changed_calendar_is_another_version_of_the_rules(monkeypatch, package):
    before = RuleBook.load(RulesConfig.model_validate({}), AS_OF)
    installed = rulebook._installed
    monkeypatch.setattr(
        rulebook, "_installed", lambda name: "9.9" if name == package else installed(name)
    )
    after = RuleBook.load(RulesConfig.model_validate({}), AS_OF)
    assert after.version != before.version
    assert after.calendar_versions[package] == "9.9"


def test_duties_are_those_of_places_present():
    book = RuleBook.load(RulesConfig.model_validate({}), AS_OF)
    here = dict(book.unchecked_in(["US-NY", None]))
    assert here and set(here) < set(dict(book.unchecked))
    places = {book.rule(i).jurisdiction for i in here}
    assert places <= {"US", "US-NY", "*"}
    assert dict(book.unchecked_in([])).keys() <= {r.id for r in book.rules if r.jurisdiction == "*"}
    everywhere = {r.jurisdiction for r in book.rules} - {"*"}
    every = set(dict(book.unchecked_in(everywhere)))
    assert every == {i for i in dict(book.unchecked) if book.rule(i).pack != "cautious"}


def test_a_batch_lists_the_duties_of_its_places():
    book = RuleBook.load(RulesConfig.model_validate({}), AS_OF)
    places = _places_of(portfolio_of(simple("CO", "America/Bogota")))
    found = {book.rule(i).jurisdiction for i, _ in book.unchecked_in(places)}
    assert found <= {"CO", "*"}


# ---- windows that a customer named ---------------------------------------------------------------


def named(detail: str, **more: Any) -> list[dict[str, Any]]:
    return [{"hold_id": "H", "customer_id": "C", "kind": "inconvenient_time", "detail": detail,
             "starts_at": "2026-01-01T00:00Z", **more}]  # fmt: skip


@pytest.mark.parametrize(
    ("detail", "ends_at", "last"),
    [
        ('{"start": "09:30", "end": "10:30"}', None, "09:30"),
        ('{"start": "09:30", "end": "10:30", "days": ["MON", "FRI"]}', None, "10:00"),
        ('{"start": "09:30", "end": "07:00"}', None, "09:30"),
        ('{"start": "09:30", "end": "10:30"}', "2026-06-02T13:20Z", "10:00"),
        ('{"start": "09:30", "end": "10:30"}', "2026-06-02T13:40Z", "09:30"),
    ],
)
def test_a_contact_starts_before_the_named_window_begins_inside_its_slot(detail, ends_at, last):
    view = view_of(simple(holds=named(detail, ends_at=ends_at)), "2026-06-02T06:00Z")
    config = config_of(slots=(9,))
    verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
    assert verdict.allowed[0, 0]
    end = pd.Timestamp(verdict.start_before[0, 0], unit="us", tz="UTC")
    assert end.tz_convert("America/New_York").strftime("%H:%M") == last


@pytest.mark.parametrize(
    ("start", "end", "now", "allowed"),
    [
        ("09:30", "10:30", "13:05", False),  # it begins before the planned end of the slot
        ("09:30", "10:30", "13:40", False),  # it has begun
        ("09:00", "09:20", "13:30", True),  # it is over
        ("10:00", "11:00", "13:05", True),  # it begins with the next slot
    ],
)
def test_a_planned_contact_is_judged_by_the_named_window_as_it_starts(start, end, now, allowed):
    detail = json.dumps({"start": start, "end": end})
    view = view_of(simple(holds=named(detail)), f"2026-06-02T{now}Z")
    config, none = config_of(slots=(9,)), np.empty(0, dtype=np.int64)
    slot = pd.Timestamp("2026-06-02T13:00Z").value // 1000
    contacts = PlannedContacts(
        customer=np.array([0]), action=np.array([0]), debt=np.array([0]), template=np.array([-1]),
        point=np.flatnonzero(view.point_ids == "mobile"), slot_start=np.array([slot]),
        start_before=np.array([slot + 3_600 * 10**6]), others_of=none, other_debt=none,
        decided_us=pd.Timestamp("2026-06-02T06:00Z").value // 1000,
    )  # fmt: skip
    book = RuleBook.load(config.rules, view.as_of)
    reasons = judge_planned(view, contacts, rules=book, config=config).reasons[0]
    assert ("house.inconvenient_time" in reasons) != allowed
    assert bool(reasons) != allowed


@pytest.mark.parametrize("sent_at", ["2026-01-01T00:00Z", None])
def test_a_notice_of_an_unknown_day_opens_nothing(sent_at):
    sent = {"customer_id": "C", "debt_id": None, "kind": "written_notice", "channel": "letter"}
    other = {**sent, "notice_id": "m", "sent_at": "2026-05-01T00:00Z", "kind": "other"}
    rows = [{**sent, "notice_id": "n", "sent_at": sent_at}, other]
    view = view_of(simple("CA-ON", "America/Toronto", notices=rows), "2026-06-02T12:00Z")
    config = config_of()
    verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
    assert ("ca-on.notice_first" in verdict.reasons_of(0, 0)) == (sent_at is None)
