"""The words that a batch keeps of its rules."""

from __future__ import annotations

import json

import pytest

from contactopt.compliance import RuleBook
from contactopt.compliance.data_tables import table
from contactopt.compliance.rule_texts import rule_texts
from contactopt.config import RulesConfig


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")


def test_every_rule_in_force_has_words_and_a_source(book: RuleBook) -> None:
    texts = rule_texts(book)
    assert set(texts["rules"]) == {r.id for r in book.rules}
    for rule_id, words in texts["rules"].items():
        assert words["summary"] and words["citation"] and words["kind"], rule_id
    assert texts["searched_days"] > 0
    assert len(json.dumps(texts)) < 500 * len(book.rules)


def test_what_ends_a_denial_is_said_unless_it_ends_by_itself(book: RuleBook) -> None:
    texts = rule_texts(book)["rules"]
    by_itself = {r.id for r in book.rules if r.kind in ("hours", "holiday", "frequency_cap")}
    by_itself |= {"house.no_slot", "house.promise_silence", "house.open_plan", "house.futility"}
    by_itself |= {"house.daily_attempt", "house.quiet_after_contact", "house.duplicate_template"}
    by_itself |= {r.id for r in book.rules if r.kind in ("cooldown", "one_channel")}
    assert {rule_id for rule_id, words in texts.items() if words["ends"] is None} == by_itself


def test_every_fact_of_a_flag_has_an_ending_of_its_own_or_of_its_kind() -> None:
    endings = table("endings")["facts"]
    facts = {fact for names in table("flags")["flags"].values() for fact in names}
    without = {f for f in facts if f not in endings and f.split(":")[0] not in endings}
    assert without == set()
