"""One address, several points: contacts and proofs count wherever the address is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from lawful_worlds import simple, touch, view_of
from oracles.compliance_oracle import Oracle

from contactopt.compliance import RuleBook, evaluate, shared_contacts_of
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES, Portfolio
from contactopt.journal.terms import open_journal

AS_OF = "2026-06-02T12:00Z"
SETTINGS: dict[str, Any] = {
    "channels": {"call_agent": {}, "call_bot": {}, "sms": {}, "email": {}},
    "slots": [11],
}


def config_of(**orchestration: Any) -> StrategyConfig:
    return StrategyConfig.from_mapping({**SETTINGS, "orchestration": orchestration})


def household(place: str = "US-WA", **more: list[dict[str, Any]]) -> dict[str, list[dict]]:
    """Customers C and N with points of their own and one mobile of the same address each."""
    zone = "America/Los_Angeles"
    one = simple(place, zone)
    one["customers"].append({"customer_id": "N", "jurisdiction": place, "time_zone": zone})
    one["debts"].append({"debt_id": "B", "customer_id": "N"})
    one["debt_snapshots"].append({**one["debt_snapshots"][0], "debt_id": "B"})
    own = one["contact_points"]
    own[0]["address_key"] = "shared"
    own += [
        {**own[0], "contact_point_id": "n-mobile", "customer_id": "N"},
        {**own[1], "contact_point_id": "n-email", "customer_id": "N"},
    ]
    granted = {"channel": "sms", "status": "granted", "changed_at": "2026-05-30"}
    one["consents"] = [{**granted, "customer_id": c} for c in ("C", "N")]
    return {**one, **more}


def judged(tables: dict[str, list[dict]], config: StrategyConfig, customer: str = "C") -> dict:
    """Reasons of each action of a customer; the slow reading gives the same."""
    view = view_of(tables, AS_OF)
    book = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=book, config=config)
    at = list(view.customer_ids).index(customer)
    oracle = Oracle(view, book, config, config.action_space)
    out = {}
    for a, action in enumerate(config.action_space):
        out[action.action_id] = verdict.reasons_of(at, a)
        assert out[action.action_id] == oracle.answer(at, action).reasons, action.action_id
    return out


def neighbours(n: int, channel: str = "call_agent", **more: Any) -> list[dict[str, Any]]:
    """Contacts with N at the shared mobile, on the days before."""
    return [
        {**touch(f"2026-06-0{1 - k // 3}T1{k}:00Z" if k < 3 else f"2026-05-3{1 - k % 2}T1{k}:00Z",
                 channel, contact_point_id="n-mobile", customer_id="N", **more),
         "touch_id": f"N{k}"}
        for k in range(n)
    ]  # fmt: skip


def test_calls_to_a_shared_phone_count_in_caps_per_person_and_number():  # 003-14, 002-07
    quiet = config_of(one_attempt_per_day=False, single_active_channel=False)
    capped = "us-wa.week_cap"
    assert capped not in judged(household(touches=neighbours(2)), quiet)["call_agent@11"]
    assert capped in judged(household(touches=neighbours(3)), quiet)["call_agent@11"]
    elsewhere = household(touches=neighbours(3))
    elsewhere["contact_points"][0]["address_key"] = "own"
    assert capped not in judged(elsewhere, quiet)["call_agent@11"]


def test_a_cap_per_debt_does_not_count_contacts_about_the_debts_of_others():
    quiet = config_of(one_attempt_per_day=False, single_active_channel=False)
    tables = household("US-DC", touches=neighbours(5))
    assert "us-dc.call_cap" not in judged(tables, quiet)["call_agent@11"]
    assert "us-dc.call_cap" in judged(tables, quiet, "N")["call_agent@11"]


def test_a_conversation_at_a_shared_phone_starts_the_rest_of_a_person():
    quiet = config_of(one_attempt_per_day=False, single_active_channel=False)
    spoke = neighbours(1, outcome="refused")
    assert "us-dc.cooldown" in judged(household("US-DC", touches=spoke), quiet)["call_agent@11"]
    inbound = [{**spoke[0], "direction": "inbound"}]
    found = judged(household("US-DC", touches=inbound), quiet)["call_agent@11"]
    assert "us-dc.cooldown" not in found  # N called about N


@pytest.mark.parametrize("named", ["n-mobile", None])
def test_an_attempt_today_at_a_shared_phone_is_the_attempt_of_the_day(named):  # 003-14
    call = touch("2026-06-02T09:00Z", customer_id="N", contact_point_id=named)
    found = judged(household(touches=[call]), config_of())
    assert all("house.daily_attempt" in why for why in found.values())
    failed_bot = touch("2026-06-02T09:00Z", "call_bot", customer_id="N", contact_point_id=named)
    found = judged(household(touches=[failed_bot]), config_of(agent_after_failed_bot=True))
    assert "house.daily_attempt" in found["call_agent@11"]  # the phone rang once already
    mail = touch("2026-06-02T09:00Z", "email", customer_id="N")
    found = judged(household(touches=[mail]), config_of())
    assert "house.daily_attempt" not in found["sms@11"]  # not a kind that is shared


def test_an_open_plan_for_a_shared_phone_counts_too():  # 003-14
    plan = {
        "decision_id": "X", "decided_at": "2026-06-02T11:00Z", "customer_id": "N",
        "channel": "sms", "propensity": 0.5, "slot_start": "2026-06-02T20:00Z",
        "dispatch_status": "pending",
    }  # fmt: skip
    found = judged(household(decisions=[plan]), config_of())
    assert all("house.daily_attempt" in why for why in found.values())
    done = household(
        decisions=[
            {**plan, "dispatch_status": "suppressed_rule", "dispatched_at": "2026-06-02T11:30Z"}
        ]
    )
    assert "house.daily_attempt" not in judged(done, config_of())["sms@11"]


def test_a_point_of_somebody_else_shares_nothing():
    tables = household(touches=neighbours(3))
    tables["contact_points"][0]["holder"] = "third_party"
    quiet = config_of(one_attempt_per_day=False, single_active_channel=False)
    assert "us-wa.week_cap" not in judged(tables, quiet)["call_agent@11"]


# ---- dead addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["invalid", "wrong_number"])
def test_a_dead_number_is_dead_under_every_id_and_for_everybody(outcome):  # 000-27
    proof = touch("2026-05-20T12:00Z", outcome=outcome, customer_id="N",
                  contact_point_id="n-mobile")  # fmt: skip
    found = judged(household(touches=[proof]), config_of())
    assert "house.dead_point" in found["call_agent@11"]
    assert "house.dead_point" in found["sms@11"]
    assert "house.dead_point" not in found["email@11"]


def test_who_answers_later_owns_the_number_and_a_delivery_shows_that_it_works():
    wrong = touch("2026-05-20T12:00Z", outcome="wrong_number", contact_point_id="n-mobile",
                  customer_id="N")  # fmt: skip
    answer = touch("2026-05-25T12:00Z", outcome="no_commitment", contact_point_id="mobile")
    tables = household(touches=[wrong, answer])
    assert "house.dead_point" not in judged(tables, config_of())["sms@11"]
    assert "house.dead_point" in judged(tables, config_of(), "N")["sms@11"]
    failed = {**wrong, "outcome": "invalid"}
    works = touch("2026-05-25T12:00Z", "sms", "delivered", contact_point_id="mobile")
    tables = household(touches=[failed, works])
    assert "house.dead_point" not in judged(tables, config_of())["sms@11"]


def test_a_proof_that_names_no_point_kills_every_point_it_may_be_about():  # 000-27
    bounced = touch("2026-05-20T12:00Z", "email", "bounced")
    found = judged(household(touches=[bounced]), config_of())
    assert "house.dead_point" in found["email@11"]
    assert "house.dead_point" not in found["sms@11"]
    tables = household(touches=[touch("2026-05-20T12:00Z", outcome="invalid")])
    later = {**tables["contact_points"][0], "contact_point_id": "new", "address_key": None}
    tables["contact_points"].append({**later, "valid_from": "2026-05-25"})  # after the proof
    assert "house.dead_point" not in judged(tables, config_of())["call_agent@11"]
    two = household(touches=[touch("2026-05-20T12:00Z", outcome="invalid")])
    two["contact_points"].append(
        {**two["contact_points"][0], "contact_point_id": "land", "kind": "landline",
         "address_key": None}
    )  # fmt: skip
    assert "house.dead_point" in judged(two, config_of())["call_agent@11"]


# ---- over blocks ---------------------------------------------------------------------------------


_HEADS = {
    "consents": ("customer_id", "channel", "changed_at", "status"),
    "holds": ("hold_id", "customer_id", "kind", "starts_at"),
    "promises": ("promise_id", "debt_id", "made_at", "due_at", "amount"),
    "payments": ("payment_id", "debt_id", "paid_at", "amount"),
    "touches": ("touch_id", "customer_id", "direction", "channel", "started_at", "outcome"),
}


def needed_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Add a header for every table that the contract asks for and that is not there."""
    needed = [name for name, spec in TABLES.items() if spec.needed and name not in tables]
    return {**tables, **{name: pd.DataFrame(columns=[*_HEADS[name]]) for name in needed}}


def portfolio_of(tables: dict[str, list[dict]]) -> Portfolio:
    view = view_of(tables, AS_OF)  # fills what the contract requires
    return Portfolio.from_frames(needed_tables(view.journal.tables))


@pytest.mark.parametrize(
    ("role", "rule"), [("heir", "house.deceased"), ("representative", "house.represented")]
)
def test_who_speaks_for_the_customer_may_lie_in_another_block(role, rule):
    party = {"debt_id": "A", "customer_id": "Z", "role": role, "valid_from": "2026-01-01"}
    tables = simple(debt_parties=[party])
    tables["customers"].append({**tables["customers"][0], "customer_id": "Z"})
    whole, config = portfolio_of(tables), config_of()
    book = RuleBook.load(config.rules, AS_OF)
    for part in (whole, next(whole.blocks(1)), whole.subset(["C"])):
        verdict = evaluate(open_journal(part, config).as_of(AS_OF), rules=book, config=config)
        for a in range(len(config.action_space)):
            assert rule in verdict.reasons_of(0, a)


def test_who_shares_a_phone_may_lie_in_another_block():
    call = touch("2026-06-02T09:00Z", customer_id="N", contact_point_id="n-mobile")
    proof = touch("2026-05-20T12:00Z", "email", "bounced", customer_id="N")
    tables = household(touches=[call, proof])
    tables["contact_points"][1]["address_key"] = tables["contact_points"][4]["address_key"] = "m"
    whole, config = portfolio_of(tables), config_of()
    shared = shared_contacts_of(whole, config, AS_OF)
    book = RuleBook.load(config.rules, AS_OF)
    together = evaluate(open_journal(whole, config).as_of(AS_OF), rules=book, config=config)
    for at, block in enumerate(whole.blocks(1)):
        view = open_journal(block, config).as_of(AS_OF)
        one = evaluate(view, rules=book, config=config, shared=shared)
        for a in range(len(config.action_space)):
            assert one.reasons_of(0, a) == together.reasons_of(at, a)
    assert shared.dead == {"email", "n-email"}
    assert set(shared.contacts["customer_id"]) == {"C"}
    nobody = shared_contacts_of(whole.subset(["C"]), config, AS_OF)
    assert nobody.contacts.empty and nobody.dead == frozenset()
    assert pd.api.types.is_integer_dtype(shared.contacts["started_us"])


def test_what_another_block_knows_of_an_address_goes_before_what_this_one_knows():
    failed = touch("2026-05-20T12:00Z", outcome="invalid", contact_point_id="mobile")
    works = touch("2026-05-25T12:00Z", "sms", "delivered", customer_id="N",
                  contact_point_id="n-mobile")  # fmt: skip
    tables = household(touches=[failed, works])
    tables["contact_points"].append({**tables["contact_points"][0], "contact_point_id": "twin"})
    whole, config = portfolio_of(tables), config_of()
    shared = shared_contacts_of(whole, config, AS_OF)
    assert shared.dead == frozenset()
    book = RuleBook.load(config.rules, AS_OF)
    sms = [a.channel for a in config.action_space].index("sms")
    for size in (1, 2):
        block = next(iter(whole.blocks(size)))
        view = open_journal(block, config).as_of(AS_OF)
        verdict = evaluate(view, rules=book, config=config, shared=shared)
        assert "house.dead_point" not in verdict.reasons_of(0, sms)
