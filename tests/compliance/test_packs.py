"""Packs are data: complete, sourced, validated; what nobody tests is listed."""

from __future__ import annotations

import json
from datetime import date

import pytest

from contactopt.compliance import RuleBook
from contactopt.compliance.calendars import calendar_parts, holiday_days
from contactopt.compliance.data_tables import shipped_packs, table
from contactopt.compliance.pack_check import minutes_of
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


def test_all_jurisdictions_of_the_research_have_a_pack():
    book = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    assert len(book.jurisdictions) == 36
    every = RuleBook.load(RulesConfig(profile="policy"), purposes=("collection", "marketing"))
    ours = sum(r.pack in ("cautious", "house") for r in every.rules)
    assert len(every.rules) + len(every.proposed) - ours == 145
    assert {p["pack"] for p in book.packs} == set(shipped_packs())


def test_unchecked_rules_and_duties_are_listed():  # 002-02
    book = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    unchecked = dict(book.unchecked)
    assert "us.regf.hours" not in unchecked
    assert unchecked["gb.breathing_space"] == "tested but for: mental_health_crisis"
    assert {
        "us.regf.social_media", "us-tx.harassment", "mx.contact_points", "ar.24240.8bis", "es.lssi",
    } <= set(book.duties)  # fmt: skip
    # a rule that is neither tested nor listed does not exist
    for rule in book.rules:
        words = table("kinds")[rule.kind]
        assert set(rule.parameters) <= {*words["tested"], *words["noted"], *words["untested"]}
    text = book.summary()
    assert "proposed or to come, not binding" in text and "us-ny.dfs_call_cap_proposed" in text
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


OWN = """
pack: bank_x
version: "1"
disclaimer: Our own reading, not legal advice.
jurisdictions: ["*"]
zones: {ZZ-1: [Europe/Paris]}
calendars: {ours: [2026-06-02]}
rules:
  - id: bank_x.lunch
    kind: hours
    channels: [call]
    creditors: [Bank X]
    parameters:
      windows:
        - {days: [MON, TUE], start: 10:00, end: 12:00}
        - {days: [MON, TUE], start: 14:30, end: 18:00}
      holidays: {calendar: ours, policy: closed}
"""


def own_pack(tmp_path, old="", new=""):
    path = tmp_path / "bank_x.yaml"
    assert old in OWN
    path.write_text(OWN.replace(old, new) if old else OWN, "utf-8")
    return RulesConfig(packs=("auto", str(path)))


@pytest.mark.parametrize("name", ["x.json", "x.yaml"])
def test_a_key_that_stands_twice_is_no_pack(tmp_path, name):
    """Of two windows only one can be meant, and a plain reader would take the later in silence."""
    twice = tmp_path / name
    twice.write_text('{"rules": [{"id": "x.a", "kind": "hours", "kind": "cap"}]}', "utf-8")
    with pytest.raises(RulePackError, match=rf"{name}: not readable: key 'kind' stands twice"):
        RuleBook.load(RulesConfig(packs=(str(twice),)))


def test_a_pack_in_yaml_is_short_and_read_from_disk_again(tmp_path):  # 002-06
    config = own_pack(tmp_path)
    book = RuleBook.load(config, "2026-06-02T12:00Z")
    rule = book.rule("bank_x.lunch")
    # YAML reads an unquoted clock time as a number of minutes
    assert [minutes_of(w["start"]) for w in rule.parameters["windows"]] == [600, 870]
    assert (rule.strength, rule.status, rule.jurisdiction) == ("hard", "in_force", "*")
    assert rule.reach.creditors == ("Bank X",)
    assert book.zones == {"ZZ-1": ("Europe/Paris",)} and book.calendars["ours"] == ("2026-06-02",)
    again = RuleBook.load(own_pack(tmp_path, "14:30", "15:00"), "2026-06-02T12:00Z")
    assert again.version != book.version
    assert minutes_of(again.rule("bank_x.lunch").parameters["windows"][1]["start"]) == 900


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: hours", "kind: houres", "unknown kind 'houres' (did you mean 'hours'?)"),
        ("windows:", "window:", "unknown parameter window (did you mean 'windows'?)"),
        ("Europe/Paris", "Europe/Pariss", "unknown time zone 'Europe/Pariss'"),
        ("[2026-06-02]", "[2026-06-31]", "not readable: day is out of range"),
        ("[2026-06-02]", "[soon]", "calendar ours: not a list of dates"),
        ("channels: [call]", "channels: call", "`channels` is a list"),
        ("policy: closed", "policy: shut", "unknown holiday policy 'shut'"),
        ("start: 10:00", "start: 25:00", "parameters cannot be read"),
        ("rules:", "rules: &", "not readable"),
        ("creditors:", "creditor:", "unknown key creditor (did you mean 'creditors'?)"),
    ],
)
def test_faults_name_file_rule_and_the_likely_word(tmp_path, old, new, words):
    with pytest.raises(RulePackError) as caught:
        RuleBook.load(own_pack(tmp_path, old, new))
    text = str(caught.value)
    assert "bank_x.yaml" in text and words in text and "Hint:" in text
    if "zone" not in words and "calendar" not in words and "readable" not in words:
        assert "bank_x.lunch" in text


def test_texts_of_one_rule_follow_each_other_and_must_not_overlap(tmp_path):
    def pack(second: str) -> RulesConfig:
        rule = {
            "id": "own.cap", "kind": "frequency_cap", "channels": ["*"],
            "parameters": {"max": 1, "period": {"type": "civil_day", "length": 1},
                           "count": {}, "group_by": ["person"]},
        }  # fmt: skip
        newer = {**rule, "parameters": {**rule["parameters"], "max": 2}}
        data = {
            "pack": "own", "version": "1", "disclaimer": "none", "jurisdictions": ["*"],
            "rules": [{**rule, "effective_to": "2026-06-01"}, {**newer, "effective_from": second}],
        }  # fmt: skip
        path = tmp_path / "own.json"
        path.write_text(json.dumps(data), "utf-8")
        return RulesConfig(packs=(str(path),))

    both = RuleBook.load(pack("2026-06-02"), "2026-06-02T00:00Z")
    assert [r.parameters["max"] for r in both.rules if r.id == "own.cap"] == [1, 2]
    assert both.rule("own.cap").parameters["max"] == 2
    with pytest.raises(RulePackError, match=r"own\.cap: .*overlapping effective dates"):
        RuleBook.load(pack("2026-06-01"))


def test_confidence_excludes_and_is_told():  # 002-02
    def ids(word: str) -> set[str]:
        book = RuleBook.load(RulesConfig(min_confidence=word), "2026-06-02T12:00Z")
        return {r.id for r in book.rules}

    memory, summary, text = ids("memory"), ids("summary"), ids("legal_text")
    assert text < summary < memory
    assert memory - summary == {
        "ca-on.third_work", "ca.federal_institutions", "es.lssi", "us-ca.frequency", "us-nc.work",
        "us-ny.dfs_email_consent", "us-nyc.cap_old",
    }  # fmt: skip
    assert "house.no_pack" in text and "cautious.hours" in text
    book = RuleBook.load(RulesConfig(min_confidence="summary"), "2026-06-02T12:00Z")
    assert "us-nyc.cap_old" in book.excluded and "left out by min_confidence" in book.summary()


def test_a_proposed_rule_denies_only_where_it_is_adopted():
    name = "us-ny.dfs_call_cap_proposed"
    book = RuleBook.load(RulesConfig(), "2026-06-02T12:00Z")
    assert name not in {r.id for r in book.rules} and name in {r.id for r in book.proposed}
    assert name in {r.id for r in book.with_proposed().rules}
    adopted = RuleBook.load(RulesConfig(adopt=(name,)), "2026-06-02T12:00Z")
    assert name in {r.id for r in adopted.rules} and adopted.version != book.version
    with pytest.raises(RulePackError, match="adopt: no proposed rule"):
        RuleBook.load(RulesConfig(adopt=("us.regf.hours",)))


@pytest.mark.parametrize(
    ("calendar", "day", "closed"),
    [
        ("MX:public+MX:CNBV", "2026-04-02", True),
        ("MX:public+MX:CNBV", "2027-03-25", True),  # Holy Thursday of another year
        ("MX:public+MX:CNBV", "2026-09-16", True),
        ("MX:public+MX:CNBV", "2026-04-06", False),
        ("CA-QC:opc_list", "2026-04-06", True),  # Easter Monday
        ("CA-QC:opc_list", "2029-07-02", True),  # 1 July is a Sunday
        ("CA-QC:opc_list", "2026-07-02", False),
        ("BR-SP:public", "2026-07-09", True),
        ("CO:public", "2026-11-16", True),
    ],
)
def test_gaps_of_the_calendars_are_patched_in_data(calendar, day, closed):
    custom = RuleBook.load(RulesConfig()).calendars
    number = (date.fromisoformat(day) - date(1970, 1, 1)).days
    found = [
        holiday_days(name, int(day[:4]), int(day[:4]), own)
        for name, own in calendar_parts(calendar, (), custom)
    ]
    assert any(number in days for days in found) is closed
