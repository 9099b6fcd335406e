"""The published vectors through `rules check`, and what else a vector can say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contactopt.compliance.vectors import check_vectors, judge, read_vectors
from contactopt.config import RulesConfig
from contactopt.errors import ContractError

FILE = Path(__file__).with_name("vectors.json")
BASE = {
    "id": "X",
    "jurisdictions": ["US"],
    "actor": "third_party",
    "candidate_zones": ["America/New_York"],
    "at_local": "2026-03-05T10:00",
    "at_zone": "America/New_York",
    "action": {"channel": "call"},
    "prior_events": [],
    "flags": [],
    "facts": {},
    "expected": "allow",
    "expected_rule": None,
}
TEXT = {"channel": "sms", "has": ["opt_out_text"]}
FRESH = {"last_inbound_sms": "2026-03-01"}


def rules(**changes):
    return judge({**BASE, **changes})


def test_every_published_vector_agrees_rule_included():  # 002, 003
    report = check_vectors(read_vectors(FILE))
    assert report.agreed == len(report.checks) == 100
    assert not [c.id for c in report.checks if not c.same_rules]
    assert report.to_dict()["disagreements"] == []


@pytest.mark.parametrize(
    ("changes", "denied"),
    [
        # no candidate zone: nobody can tell the hour
        ({"candidate_zones": [], "at_zone": None, "at_utc": "2026-03-05T15:00Z"},
         ["us.regf.hours"]),
        # one call about two debts is stopped by either
        (
            {
                "action": {"channel": "call", "accounts": ["A", "B"]},
                "prior_events": [
                    {"at": "2026-03-04T10:00", "channel": "call", "outcome": "conversation",
                     "accounts": ["B"]}
                ],
            },
            ["us.regf.conversation_cooldown"],
        ),
        # the exception of the rule, and of no other rule
        (
            {
                "flags": ["direct_consent_active"],
                "prior_events": [
                    {"at": "2026-03-04T10:00", "channel": "call", "outcome": "conversation"}
                ],
            },
            [],
        ),
        ({"flags": ["direct_consent_active"], "at_local": "2026-03-05T06:00"}, ["us.regf.hours"]),
        ({"flags": ["employer_prohibits"]}, []),
        ({"flags": ["employer_prohibits"], "action": {"channel": "call", "place": "work"}},
         ["us.regf.workplace"]),
        ({"flags": ["deceased"]}, ["us.deceased"]),
        ({"flags": ["attorney_represented"],
          "action": {"channel": "call", "recipient": "attorney"}}, []),
        ({"flags": ["cease_written_or_refusal_written"]}, ["us.regf.cease"]),
        ({"action": TEXT, "facts": FRESH}, []),
        ({"action": TEXT}, ["us.regf.sms_safe_harbor"]),
        ({"action": TEXT, "facts": {"reassigned_numbers_check_clean": "2026-02-20"}}, []),
        ({"action": {"channel": "prerecorded_call"}}, ["us.tcpa.auto_consent"]),
        ({"action": {"channel": "prerecorded_call", "line_type": "landline"}}, []),
        ({"action": {"channel": "prerecorded_call"}, "flags": ["consent:prerecorded_call"]}, []),
        # 2027: one revocation reaches all robocalls
        (
            {"at_local": "2027-03-05T10:00", "action": {"channel": "prerecorded_call"},
             "flags": ["consent:prerecorded_call", "revoked:sms"]},
            ["us.tcpa.revoke_all"],
        ),
        ({"action": {"channel": "call", "purpose": "marketing"}, "actor": "first_party",
          "jurisdictions": ["US", "US-FL"], "at_local": "2026-03-05T20:30"}, ["us-fl.ftsa_scope"]),
        ({"jurisdictions": ["US", "US-DC"], "action": {"channel": "visit"}}, ["us-dc.visits"]),
        (
            {"jurisdictions": ["US", "US-DC"], "action": TEXT, "facts": FRESH,
             "flags": ["consent:sms"]},
            ["us-dc.emsg_consent"],
        ),
        (
            {"jurisdictions": ["US", "US-DC"], "action": TEXT, "facts": FRESH,
             "flags": ["consent:sms", "written_notice_mailed"]},
            [],
        ),
        # the last agency text of New York City, and the new one
        *(
            ({"jurisdictions": ["US", "US-NY", "US-NY@New York City"], "actor": actor,
              "at_local": f"{day}T10:00",
              "prior_events": [
                  {"at": f"2026-08-{d}T11:00", "channel": "email", "outcome": "delivered"}
                  for d in (27, 28)
              ]}, denied)
            for actor, day, denied in (
                ("third_party", "2026-08-31", ["us-nyc.cap_old"]),
                ("first_party", "2026-08-31", []),
                ("third_party", "2026-09-01", []),
            )
        ),
        # Ontario: notice, then the cap from the first conversation on, letters outside
        *(
            ({"jurisdictions": ["CA-ON"], "candidate_zones": ["America/Toronto"],
              "action": {"channel": channel}, "facts": facts,
              "prior_events": [
                  {"at": f"2026-03-0{d}T10:00", "channel": "call", "outcome": first}
                  for d, first in ((2, talk), (3, "voicemail"), (4, "voicemail"))
              ]}, denied)
            for channel, facts, talk, denied in (
                ("call", {"written_notice_sent": "2026-01-01"}, "conversation", ["ca-on.week_cap"]),
                ("call", {"written_notice_sent": "2026-01-01"}, "voicemail", []),
                ("letter", {"written_notice_sent": "2026-01-01"}, "conversation", []),
                ("letter", {"written_notice_sent": "2026-02-27"}, "voicemail", []),
                ("letter", {"written_notice_sent": "2026-02-28"}, "voicemail",
                 ["ca-on.notice_first"]),
                ("letter", {}, "voicemail", ["ca-on.notice_first"]),
            )
        ),
        # Australia: the hours of the workplace bind at work only
        *(
            ({"jurisdictions": ["AU"], "candidate_zones": ["Australia/Sydney"],
              "at_zone": "Australia/Sydney", "at_local": "2026-11-24T18:00",
              "action": {"channel": "call", "place": place}}, denied)
            for place, denied in (("home", []), ("work", ["au.hours_work"]))
        ),
        # another agency's calls, and another number's
        (
            {"jurisdictions": ["US", "US-WA"], "candidate_zones": ["America/Los_Angeles"],
             "at_zone": "America/Los_Angeles", "action": {"channel": "call", "phone": "1"},
             "prior_events": [
                 {"at": "2026-03-05T08:30", "channel": "call", "outcome": "busy", "phone": p}
                 for p in ("2", "2")
             ]},
            [],
        ),
        # one number, another person: a cap per number counts, a cap per person does not
        *(
            ({"jurisdictions": ["US", "US-WA"], "candidate_zones": ["America/Los_Angeles"],
              "at_zone": "America/Los_Angeles",
              "action": {"channel": "call", "phone": "1", "line_type": "wireless"},
              "prior_events": [
                  {"at": f"2026-03-0{d}T08:30", "channel": "call", "outcome": "busy", "phone": p,
                   "person": "somebody else"}
                  for d in days
              ]}, denied)
            for p, days, denied in (
                ("1", (5, 5), ["us-wa.cell_day_cap"]), ("2", (5, 5), []), ("1", (2, 3, 4), []),
            )
        ),
        # profiles
        ({"jurisdictions": ["DE"], "candidate_zones": ["Europe/Berlin"], "profile": "policy",
          "at_zone": "Europe/Berlin", "at_local": "2026-03-05T21:00"}, ["de.no_hours"]),
        ({"jurisdictions": ["CO"], "candidate_zones": ["America/Bogota"], "profile": "strict",
          "at_zone": "America/Bogota", "at_local": "2026-11-30T10:00",
          "flags": ["consent:whatsapp"], "action": {"channel": "whatsapp"},
          "prior_events": [{"at": "2026-11-27T10:00", "channel": "call", "outcome": "voicemail"}]},
         ["co.l2300.one_channel_week"]),
        ({"jurisdictions": ["EC"], "candidate_zones": ["America/Guayaquil"], "profile": "strict",
          "at_zone": "America/Guayaquil", "at_local": "2026-11-24T16:00",
          "action": {"channel": "whatsapp"},
          "prior_events": [{"at": "2026-11-24T10:00", "channel": "call", "outcome": "no_answer"}]},
         ["ec.art49.once_day"]),
        ({"jurisdictions": ["FR"]}, ["house.no_pack"]),
    ],
)  # fmt: skip
def test_facts_of_a_vector_reach_the_rules(changes, denied):
    assert list(rules(**changes)) == denied


def test_a_disagreement_is_told_with_both_rules():
    wrong = [
        {**BASE, "id": "V1", "expected": "deny", "expected_rule": "us.regf.hours"},
        {**BASE, "id": "V2", "at_local": "2026-03-05T22:00", "expected": "deny",
         "expected_rule": "us.regf.cease"},
        {**BASE, "id": "V3", "at_local": "2026-03-05T22:00", "expected": "deny",
         "expected_rule": "us.regf.hours", "all_denying_rules": ["us.regf.hours", "us.regf.cease"]},
    ]  # fmt: skip
    report = check_vectors(wrong)
    assert report.agreed == 1
    text = repr(report)
    assert text.startswith("agreed 1/3")
    assert "V1: expected deny by us.regf.hours, found allow" in text
    assert "V2: expected deny by us.regf.cease, found deny by us.regf.hours" in text
    assert "V3: agrees, but the rules that deny are us.regf.hours, not" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": {"channel": "fax"}}, "unknown channel 'fax'"),
        ({"candidate_zones": ["Mars/Olympus"]}, "unknown time zone 'Mars/Olympus'"),
        ({"actor": "nobody"}, "unknown actor"),
        ({"expected": "maybe"}, "`expected` is allow or deny"),
        ({"prior_events": [{"at": "2026-03-01T10:00", "channel": "call", "outcome": "x"}]},
         "unknown outcome 'x'"),
        ({"prior_events": [{"channel": "call"}]}, "'at'"),
        ({"at_local": "soon"}, "soon"),
    ],
)  # fmt: skip
def test_a_vector_that_cannot_be_read_is_named(changes, words):
    with pytest.raises(ContractError, match="vector X: cannot be read") as caught:
        check_vectors([{**BASE, **changes}])
    assert words in str(caught.value)


def test_a_file_that_is_none_says_so(tmp_path):
    for name, text in (("a.json", "{"), ("b.json", json.dumps({"vectors": 1}))):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(ContractError, match=name):
            read_vectors(tmp_path / name)
    with pytest.raises(ContractError, match=r"none\.json"):
        read_vectors(tmp_path / "none.json")


def test_rules_of_the_strategy_bind_in_vectors_too():
    own = RulesConfig.model_validate(
        {"overrides": [{"rule": "us.regf.call_cap_7in7", "parameters": {"max": 1}}]}
    )
    called = [{"at": "2026-03-04T10:00", "channel": "call", "outcome": "no_answer"}]
    assert judge({**BASE, "prior_events": called}, own) == ("us.regf.call_cap_7in7/override",)
    assert judge({**BASE, "prior_events": called}) == ()
