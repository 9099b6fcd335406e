"""Scenes by hand: what a planner or an auditor asks, with the expected answer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import simple, table, touch, view_of

from contactopt.compliance import RuleBook, evaluate, explain, shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import RulePackError
from contactopt.journal.journal import Journal

AS_OF = "2026-06-02T12:00Z"  # Tuesday, 8 h in New York


def config_of(**more):
    more.setdefault("channels", {"call_agent": {}, "sms": {}, "email": {}, "letter": {}})
    return StrategyConfig.from_mapping({"slots": [8, 10, 12, 20], **more})


def judge(tables, as_of=AS_OF, config=None, **kwargs):
    config = config or config_of()
    view = view_of(tables, as_of)
    rules = RuleBook.load(config.rules, view.as_of)
    return evaluate(view, rules=rules, config=config, **kwargs), view, rules


def at(text):
    return pd.Timestamp(text).value // 1000


def reasons(verdict, config, action_id):
    return verdict.reasons_of(0, config.action_space.action_ids.index(action_id))


def promise(**more):
    return {
        "promise_id": "R",
        "debt_id": "A",
        "made_at": "2026-06-01T15:00Z",
        "due_at": "2026-06-05T03:59:59.999999Z",
        "amount": 5.0,
        **more,
    }


def test_a_promise_silences_every_channel_until_grace_is_over():  # 003-17
    config = config_of(orchestration={"promise_grace_days": 3})
    tables = simple(ownership="first_party", promises=[promise()], debts=("A", "B"))
    verdict, *_ = judge(tables, config=config)
    assert not verdict.allowed.any()
    assert reasons(verdict, config, "call_agent@10") == ("house.promise_silence",)
    # due on 4 June in New York, three days of grace: lawful again on 8 June at 10 h
    column = config.action_space.action_ids.index("call_agent@10")
    assert verdict.lawful_from[0, column] == at("2026-06-08T14:00Z")
    cancelled = simple(promises=[promise(cancelled_at="2026-06-02T10:00Z")])
    assert judge(cancelled)[0].allowed.any()


def test_a_payment_that_covers_the_arrears_takes_the_customer_out_at_once():  # 003-12
    paid = [{"payment_id": "Y", "debt_id": "A", "paid_at": "2026-06-02T11:00Z", "amount": 50.0}]
    verdict, *_ = judge(simple(payments=paid))
    assert not verdict.allowed.any()
    assert "house.paid" in verdict.reasons_of(0, 0)


def test_the_debt_with_the_largest_margin_leads_and_names_the_other():
    tables = simple(ownership="first_party", debts=("A", "B", "C"))
    tables["debt_snapshots"][1]["past_due"] = 60.0
    tables["debts"][1]["margin_share"] = 0.5
    tables["debts"][2]["creditor"] = "Else"
    verdict, view, _ = judge(tables)
    assert view.debts["debt_id"].iloc[verdict.debt[0, 0]] == "A"
    assert verdict.other_debts == ("B", "A", "")


def test_a_capped_debt_leaves_the_other_one_to_be_called():
    calls = [touch(f"2026-06-0{1}T{h}:00Z", debt_id="A", touch_id=f"T{h}") for h in range(14, 21)]
    # Texas: no cap of its own over all debts, as New York City has
    tables = simple("US-TX", debts=("A", "B"), touches=calls)
    tables["debt_snapshots"][0]["past_due"] = 90.0
    verdict, view, _ = judge(tables)
    assert verdict.allowed[0, 1]
    assert view.debts["debt_id"].iloc[verdict.debt[0, 1]] == "B"
    assert verdict.other_debts == ("B", "")  # A may not be named in a call


def test_nothing_starts_within_the_guard_before_closing():
    config = config_of(guard_minutes=5)
    verdict, *_ = judge(simple(), config=config)
    column = config.action_space.action_ids.index("call_agent@20")
    assert verdict.slot_start[0, column] == at("2026-06-03T00:00Z")
    assert verdict.start_before[0, column] == at("2026-06-03T00:55Z")  # 20:55 in New York
    letter = config.action_space.action_ids.index("letter")
    assert verdict.slot_start[0, letter] == at("2026-06-02T12:30Z")
    assert verdict.start_before[0, letter] == at("2026-06-03T00:55Z")


def test_a_letter_waits_for_the_first_open_quarter_hour():
    config = config_of(fallback="cautious")
    verdict, *_ = judge(simple("GT", "America/Guatemala"), config=config)
    assert verdict.allowed[0, -1]
    assert verdict.slot_start[0, -1] == at("2026-06-02T15:00Z")  # 9 h in Guatemala


def test_a_jurisdiction_without_a_pack_is_refused_or_treated_with_caution():
    tables = simple("GT", "America/Guatemala")
    verdict, *_ = judge(tables)
    assert not verdict.allowed.any()
    assert verdict.reasons_of(0, 0) == ("house.no_pack",)
    config = config_of(fallback="cautious")
    verdict, *_ = judge(tables, config=config)
    assert verdict.allowed[0].tolist() == [False, True, True, False] + [False] * 8 + [True]
    assert "cautious.opt_in" in reasons(verdict, config, "sms@10")


def test_a_country_without_a_calendar_is_closed_and_said_to_be():
    config = config_of(fallback="cautious")
    verdict, *_ = judge(simple("XX", "Europe/Berlin"), config=config)
    assert not verdict.allowed.any()
    assert verdict.notes == ("no holidays are known for XX:public: its days count as closed",)


def test_a_place_whose_law_states_no_hours_is_named():
    """Spanish law has no hours for collectors; the pack's own are policy."""
    lawful, *_ = judge(
        simple(ownership="first_party", jurisdiction="ES", time_zone="Europe/Madrid")
    )
    assert [note.split(":")[0] for note in lawful.notes] == ["ES"]
    config = config_of(rules={"profile": "policy"})
    usual, *_ = judge(
        simple(ownership="first_party", jurisdiction="ES", time_zone="Europe/Madrid"), config=config
    )
    assert usual.notes == ()


def test_no_candidate_zone_denies():
    config = config_of(fallback="cautious")
    verdict, *_ = judge(simple("XX", None), config=config)
    assert not verdict.allowed.any()
    assert "house.no_time_zone" in verdict.reasons_of(0, 0)
    assert verdict.time_zone[0] is None
    assert (verdict.slot_start == NO_INSTANT).all()


def test_an_agreed_callback_leaves_its_own_window_only():  # 002-18
    hold = {
        "hold_id": "H",
        "customer_id": "C",
        "kind": "callback_agreed",
        "channel": "call_agent",
        "starts_at": "2026-06-02T14:00Z",
        "ends_at": "2026-06-02T15:00Z",
        "recorded_at": "2026-06-01T10:00Z",
    }
    config = config_of(channels={"call_agent": {}, "whatsapp": {}})
    verdict, *_ = judge(simple(ownership="first_party", holds=[hold]), config=config)
    names = config.action_space.action_ids
    allowed = [n for n, ok in zip(names, verdict.allowed[0], strict=True) if ok]
    # tomorrow's 8 h and this evening lie after the hold: the batch does not know how it went
    assert allowed == ["call_agent@10"]
    hold["detail"] = '{"from": "2026-06-04T14:00:00Z", "to": "2026-06-04T15:00:00Z"}'
    hold.update(starts_at="2026-06-01T10:00Z", ends_at="2026-06-04T15:00Z")
    verdict, *_ = judge(simple(ownership="first_party", holds=[hold]), config=config)
    assert not verdict.allowed.any()
    assert verdict.lawful_from[0, 1] == at("2026-06-04T14:00Z")
    assert verdict.lawful_from[0, 0] == at("2026-06-05T12:00Z")  # 8 h only after the hold


def test_an_opt_out_closes_the_channel_until_a_later_grant():  # 002-04, 002-11
    consents = [
        {"customer_id": "C", "channel": "sms", "changed_at": "2026-05-01", "status": "granted"}
    ]
    out = [touch("2026-05-20T15:00Z", "sms", "opted_out", debt_id="A")]
    config = config_of()
    verdict, *_ = judge(simple(ownership="first_party", touches=out, consents=consents))
    assert "house.consent_revoked" in reasons(verdict, config, "sms@10")
    assert reasons(verdict, config, "call_agent@10") == ()
    consents[0]["changed_at"] = "2026-05-21"
    verdict, *_ = judge(simple(ownership="first_party", touches=out, consents=consents))
    assert reasons(verdict, config, "sms@10") == ()


def test_an_outcome_acts_like_a_hold_until_a_row_says_otherwise():  # 002-11, 000-05
    said = [touch("2026-05-20T15:00Z", "call_agent", "dispute", debt_id="A")]
    config = config_of()
    verdict, *_ = judge(simple(ownership="first_party", touches=said))
    assert reasons(verdict, config, "call_agent@10") == ("house.dispute",)
    hold = {
        "hold_id": "H",
        "customer_id": "C",
        "kind": "dispute",
        "debt_id": "A",
        "starts_at": "2026-05-20T15:00Z",
        "ends_at": "2026-06-01T00:00Z",
    }
    verdict, *_ = judge(simple(ownership="first_party", touches=said, holds=[hold]))
    assert reasons(verdict, config, "call_agent@10") == ()


def test_the_best_point_that_nothing_forbids_is_used():  # 003-14
    points = [
        {"contact_point_id": "dead", "kind": "mobile", "quality_share": 0.9},
        {
            "contact_point_id": "other",
            "kind": "mobile",
            "quality_share": 0.8,
            "holder": "third_party",
        },
        {"contact_point_id": "low", "kind": "landline", "quality_share": 0.3},
        {"contact_point_id": "b", "kind": "mobile", "quality_share": 0.5},
        {"contact_point_id": "a", "kind": "mobile", "quality_share": 0.5},
    ]
    for p in points:
        p.update(customer_id="C", place="home", valid_from="2020-01-01")
        p.setdefault("holder", "customer")
    calls = [touch("2026-05-01T15:00Z", outcome="wrong_number", contact_point_id="dead")]
    tables = simple(ownership="first_party", touches=calls) | {"contact_points": points}
    verdict, view, _ = judge(tables)
    assert view.points["contact_point_id"].iloc[verdict.contact_point[0, 1]] == "a"
    tables["contact_points"] = points[:2]
    verdict, *_ = judge(tables)
    assert verdict.reasons_of(0, 1) == ("house.dead_point", "house.third_party_point")
    assert verdict.contact_point[0, 1] == -1


def test_only_an_approved_and_valid_template_that_fits_is_sent():  # 003-21, 001-09
    def config(**template):
        base = {"template_id": "t", "channel": "call_agent", "approved": True}
        return config_of(
            templates=[{**base, "template_id": "no", "approved": False}, {**base, **template}]
        )

    tables = simple(ownership="first_party")
    tables["customers"][0]["language"] = "es-CO"
    good = ({}, {"language": "es"}, {"stages": ["charged_off"]}, {"jurisdictions": ["US"]})
    for template in good:
        verdict, *_ = judge(tables, config=config(**template))
        assert verdict.template[0, 1] == 1, template
        assert verdict.template[0, -1] == -1  # letters have no template here
    bad = (
        {"approved": False},
        {"language": "en"},
        {"stages": ["early"]},
        {"books": ["b"]},
        {"jurisdictions": ["CO"]},
        {"valid_to": "2026-06-02"},
        {"valid_from": "2026-06-03"},
    )
    for template in bad:
        verdict, *_ = judge(tables, config=config(**template))
        assert verdict.reasons_of(0, 1) == ("house.no_valid_template",), template


def test_an_open_plan_of_an_earlier_batch_counts():  # 003-04
    plan = {
        "decision_id": "X",
        "decided_at": "2026-06-02T11:00Z",
        "customer_id": "C",
        "channel": "call_agent",
        "propensity": 0.5,
        "slot_start": "2026-06-02T22:00Z",
    }
    config = config_of()
    verdict, *_ = judge(simple(ownership="first_party", decisions=[plan]))
    assert reasons(verdict, config, "call_agent@10") == (
        "house.daily_attempt",
        "house.open_plan",
    )
    assert reasons(verdict, config, "call_agent@08") == ()  # that is tomorrow's 8 h
    plan["dispatch_status"] = "vendor_error"
    plan["dispatched_at"] = "2026-06-02T11:30Z"
    assert judge(simple(ownership="first_party", decisions=[plan]))[0].allowed[0, 1]


def test_who_shares_a_phone_takes_turns():  # 003-14
    points = table(
        [
            {
                "contact_point_id": f"p{c}",
                "customer_id": c,
                "address_key": key,
                "valid_from": "2020-01-01",
                "valid_to": None,
            }
            for c, key in (("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("d", "z"), ("e", None))
        ]
    )

    class Book:
        tables: ClassVar = {"contact_points": points}

    seen = set()
    for day in range(1, 4):
        waits = shared_point_rotation(Book, f"2026-06-0{day}T12:00Z", 5)["customer_id"].tolist()
        assert len(waits) == 2 and set(waits) < {"a", "b", "c"}
        seen |= {"a", "b", "c"} - set(waits)
    assert seen == {"a", "b", "c"}
    Book.tables = {"contact_points": points.iloc[:0]}
    assert shared_point_rotation(Book, AS_OF).empty


def test_the_batch_can_deny_customers_by_a_rule_of_the_house():
    verdict, *_ = judge(simple(ownership="first_party"), denied={"house.shared_point": {"C"}})
    assert not verdict.allowed.any()
    assert verdict.reasons_of(0, 1) == ("house.shared_point",)
    with pytest.raises(RulePackError, match=r"no rule 'house.nope'"):
        judge(simple(), denied={"house.nope": {"C"}})


def test_rules_of_another_day_are_refused():
    config = config_of()
    rules = RuleBook.load(config.rules, "2026-05-01T00:00Z")
    with pytest.raises(RulePackError, match="chosen for another day"):
        evaluate(view_of(simple(), AS_OF), rules=rules, config=config)


def test_explanations_carry_source_and_first_lawful_instant():
    talked = [touch("2026-06-01T15:00Z", outcome="refused", debt_id="A")]
    config = config_of()
    verdict, _, rules = judge(simple(touches=talked))
    cards = {c["action_id"]: c for c in explain(verdict, rules, 0, config.action_space)}
    card = cards["call_agent@10"]
    assert card["lawful_from"] == at("2026-06-08T14:00Z")  # 1 June is day 1 of seven
    assert [r["id"] for r in card["rules"]] == ["us.regf.conversation_cooldown"]
    assert card["rules"][0]["citation"] == "12 CFR 1006.14(b)(2)(i)(B)"
    assert card["rules"][0]["confidence"] == "seen: legal text"
    assert verdict.counts()["us.regf.conversation_cooldown"] == 4


def test_nobody_and_nothing():
    config = config_of()
    empty = {name: pd.DataFrame(table(rows)).head(0) for name, rows in simple().items()}
    view = Journal(empty).as_of(AS_OF)
    rules = RuleBook.load(config.rules, AS_OF)
    verdict = evaluate(view, rules=rules, config=config)
    assert verdict.allowed.shape == (0, 13)
    assert verdict.reason_sets == ((),)
    alone = {"customers": simple()["customers"]}
    verdict, *_ = judge(alone)
    assert not verdict.allowed.any()
    assert "house.no_debt" in verdict.reasons_of(0, 0)
    assert np.all(verdict.debt == -1)
