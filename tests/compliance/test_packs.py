"""Packs are data: complete, sourced, validated; what nobody tests is listed."""

from __future__ import annotations

import json

import pytest

from contactopt.compliance import RuleBook
from contactopt.compliance.data_tables import shipped_packs, table
from contactopt.config import RulesConfig
from contactopt.contracts import vocabulary as v
from contactopt.errors import RulePackError


@pytest.mark.parametrize("name", sorted(shipped_packs()))
def test_every_rule_has_its_source_and_the_pack_says_it_is_no_advice(name):  # 002-02
    pack = json.loads(shipped_packs()[name])
    assert "not legal advice" in pack["disclaimer"].lower()
    assert pack["researched_on"] == "2026-11-21"
    for rule in pack["rules"]:
        assert rule["citation"] and rule["confidence"] and rule["summary"], rule["id"]


def test_every_word_of_the_contract_has_a_meaning():
    words, flags = table("words"), table("flags")
    assert set(words["channels"]) == set(v.CHANNELS)
    assert set(words["outcomes"]) == set(v.OUTCOMES) - {"unknown"}
    facts = {f for names in flags["flags"].values() for f in names}
    assert {f"hold:{k}" for k in v.HOLD_KINDS} <= facts
    acting = set(flags["outcomes"]) | {flags["consent_facts"]["revoking_outcome"]}
    assert acting == set(v.HOLDING_OUTCOMES)
    # every fact that stands for the household's own rules ends in a denial
    house = {
        f for flag, names in flags["flags"].items() if flag.startswith("house.") for f in names
    }
    assert {f"hold:{k}" for k in v.HOLD_KINDS} <= house
    ending = {"disputed", "bankrupt", "legal", "cured", "settled", "sold", "closed"}
    assert {f"status:{s}" for s in ending} <= house


def test_unchecked_rules_and_duties_are_listed():
    book = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    assert [i for i, _ in book.unchecked] == [
        "us.regf.consent_window",
        "us.regf.mini_miranda",
        "us.regf.optout_notice",
        "us.regf.social_media",
        "us.regf.validation_notice",
    ]
    assert book.duties == ("us.regf.social_media",)
    text = book.summary()
    assert "no pack of a US state is loaded" in text
    assert "not legal advice" in text.lower()


def test_rules_are_chosen_by_their_dates():  # 002-06
    def ids(as_of: str) -> set[str]:
        return {r.id for r in RuleBook.load(RulesConfig(), as_of).rules}

    assert "us.tcpa.revoke_all" not in ids("2026-11-21T00:00Z")
    assert "us.tcpa.revoke_all" in ids("2027-02-01T00:00Z")
    assert "us.regf.hours" not in ids("2021-06-01T00:00Z")
    assert "co.l2300.hours" not in ids("2023-01-01T00:00Z")


def test_policy_rules_bind_in_the_profile_policy_only():
    law = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    policy = RuleBook.load(RulesConfig(profile="policy"), "2026-06-02T12:00Z")
    assert "us.military" not in {r.id for r in law.rules}
    assert "us.military" in {r.id for r in policy.rules}
    assert law.version != policy.version


def pack_file(tmp_path, **changes):
    pack = json.loads(shipped_packs()["co"])
    pack["pack"] = "bank"
    for rule in pack["rules"]:
        rule["id"] = "bank." + rule["id"]
    pack["rules"][0].update(changes)
    path = tmp_path / "bank.json"
    path.write_text(json.dumps(pack), "utf-8")
    return path


def test_a_pack_of_the_user_is_loaded_beside_the_shipped_ones(tmp_path):
    path = pack_file(tmp_path)
    book = RuleBook.load(RulesConfig(packs=("auto", str(path))), "2026-06-02T12:00Z")
    assert "bank.co.l2300.hours" in {r.id for r in book.rules}
    assert book.version != RuleBook.load(RulesConfig(), "2026-06-02T12:00Z").version


def test_all_faults_of_a_pack_are_told_at_once_with_the_likely_word(tmp_path):
    hours = {"windows": [{"days": ["MNO"], "start": "19:00", "end": "07:00"}], "windwos": 1}
    path = pack_file(
        tmp_path, kind="hours", strength="hrad", parameters=hours, effective_to="2020-13-01"
    )
    with pytest.raises(RulePackError) as caught:
        RuleBook.load(RulesConfig(packs=(str(path),)), "2026-06-02T12:00Z")
    text = str(caught.value)
    for part in (
        "bank.json: bank.co.l2300.hours",
        "did you mean 'hard'?",
        "did you mean 'windows'?",
        "did you mean 'MON'?",
        "ends before it starts",
        "effective_to is not a date",
    ):
        assert part in text


def test_a_missing_pack_and_a_broken_file_say_so(tmp_path):
    with pytest.raises(RulePackError, match="no rule pack 'usa'"):
        RuleBook.load(RulesConfig(packs=("usa",)))
    broken = tmp_path / "x.json"
    broken.write_text("{", "utf-8")
    with pytest.raises(RulePackError, match=r"x.json: not readable"):
        RuleBook.load(RulesConfig(packs=(str(broken),)))
    twice = pack_file(tmp_path, id="us.regf.hours")
    with pytest.raises(RulePackError, match="stand in two packs"):
        RuleBook.load(RulesConfig(packs=("us", str(twice))))
