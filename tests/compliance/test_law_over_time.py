"""Changes of law show as exactly the changed decisions; every denial shows what it counted."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from lawful_worlds import simple, touch, view_of

from contactopt.compliance import RuleBook, diff, evaluate, explain_customer, law_of
from contactopt.compliance.data_tables import shipped_packs
from contactopt.config import RulesConfig, StrategyConfig
from contactopt.contracts import TABLES, Portfolio
from contactopt.errors import ContractError, RulePackError


class Blocks:
    """A portfolio of hand-made tables, as far as comparing and explaining read one."""

    def __init__(self, tables: dict[str, list[dict[str, object]]]) -> None:
        self.tables = view_of(tables, "2026-01-01T00:00Z").journal.tables
        self.customer_ids = [c["customer_id"] for c in tables["customers"]]
        self.n_customers = len(self.customer_ids)

    def blocks(self, size: int):
        yield self

    def subset(self, ids):
        return self


def config_of(**more) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {"channels": {"call_agent": {"slots": [10, 12]}, "email": {"slots": [10, 22]}}, **more}
    )


def test_new_york_city_from_september_2026():  # 002-06
    tables = simple("US-NY", "America/New_York", ownership="first_party", debts=("A", "B"))
    tables["customers"][0]["locality"] = "New York City"
    tables["touches"] = [
        touch(f"2026-08-2{d}T15:00Z", debt_id="A", touch_id=f"T{d}") for d in (5, 6, 7)
    ]
    tables["debt_snapshots"][1]["status"] = "settled"
    tables["consents"] = [
        {"customer_id": "C", "channel": "email", "changed_at": "2026-08-01", "status": "granted"}
    ]
    found = diff(
        Blocks(tables), config=config_of(), as_of="2026-08-28T12:00Z",
        laws=("2026-08-31", "2026-09-01"),
    )  # fmt: skip
    changed = found.changes
    assert set(changed["action_id"]) == {"call_agent@10", "call_agent@12", "email@10", "email@22"}
    assert set(changed["rules_after"]) == {"us-nyc.cap_2026"}
    assert set(changed["before"]) == {"allowed"} and set(changed["after"]) == {"denied"}
    assert found.by_rule() == {"us-nyc.cap_2026": {"denies_now": 4, "denied_before": 0}}
    assert found.n_decisions == 4 and found.to_dict()["changed"] == 4
    assert "denies 4 more" in repr(found)
    # three attempts in seven dates: on 1 September one has left the window
    assert changed["lawful_from"].min() == pd.Timestamp("2026-09-01T14:00Z")


def test_florida_mail_at_night_from_may_2025():  # 002-06
    tables = simple("US-FL", "America/New_York", ownership="first_party")
    found = diff(
        Blocks(tables), config=config_of(), as_of="2025-05-20T12:00Z",
        laws=("2025-05-15", "2025-05-16"),
    )  # fmt: skip
    assert found.changes[["action_id", "before", "after"]].values.tolist() == [
        ["email@22", "denied", "allowed"]
    ]
    assert found.by_rule() == {"us-fl.hours_email_before": {"denies_now": 0, "denied_before": 1}}
    same = diff(
        Blocks(tables), config=config_of(), as_of="2025-05-20T12:00Z",
        laws=("2025-05-16", "2025-06-01"),
    )  # fmt: skip
    assert len(same.changes) == 0 and "0 of 4 decisions change" in repr(same)


def test_versions_of_a_pack_and_rules_to_come(tmp_path):  # 002-06
    pack = json.loads(shipped_packs()["us"])
    for rule in pack["rules"]:
        if rule["id"] == "us.regf.hours":
            rule["parameters"]["windows"][0]["start"] = "11:00"
    pack["version"] = "next"
    path = tmp_path / "us_next.json"
    path.write_text(json.dumps(pack), "utf-8")
    tables = simple()
    tables["consents"] = [
        {"customer_id": "C", "channel": "email", "changed_at": "2026-03-01", "status": "granted"}
    ]
    for law in (str(path), str(tmp_path)):
        found = diff(
            Blocks(tables), config=config_of(), as_of="2026-03-05T12:00Z", laws=("strategy", law)
        )
        assert set(found.changes["action_id"]) <= {"call_agent@10", "email@10"}
        assert set(found.changes["rules_after"]) == {"us.regf.hours"}
        assert len(found.changes)
    to_come = law_of(RulesConfig(), "proposed", "2026-03-05T12:00Z")
    assert "us-nyc.cap_2026" in {r.id for r in to_come.rules}
    with pytest.raises(RulePackError, match="is no date, pack or folder"):
        law_of(RulesConfig(), "yesterday", "2026-03-05T12:00Z")


def test_an_explanation_names_rules_contacts_facts_and_the_instant():  # 002-02
    tables = simple()
    tables["touches"] = [
        touch("2026-03-01T15:00Z", outcome="busy", touch_id="not connected"),
        touch("2026-03-03T15:00Z", outcome="refused", touch_id="talked"),
        touch("2026-02-20T15:00Z", outcome="refused", touch_id="long ago"),
    ]
    tables["holds"] = [
        {"hold_id": "H", "customer_id": "C", "kind": "military", "starts_at": "2026-01-01",
         "ends_at": "2026-03-20T00:00Z", "detail": None}
    ]  # fmt: skip
    found = explain_customer(Blocks(tables), "C", config=config_of(), as_of="2026-03-05T12:00Z")
    calls = next(b for b in found.blocked if b["action_id"] == "call_agent@12")
    rules = {r["id"]: r for r in calls["rules"]}
    rest = rules["us.regf.conversation_cooldown"]
    assert [e["touch_id"] for e in rest["counted"]] == ["talked"]
    assert rest["citation"] and rest["confidence"] == "seen: legal text"
    assert rules["house.military"]["facts"] == ["hold:military"]
    # the hold ends last: noon in New York on its day, by then in summer time
    assert calls["lawful_from"] == pd.Timestamp("2026-03-20T16:00Z")
    assert found.jurisdictions == ("US-NY",) and found.time_zones == ("America/New_York",)
    text = repr(found)
    assert "counted talked: 2026-03-03T15:00:00+00:00 call_agent refused" in text
    assert "because of hold:military" in text and "Not legal advice" in text
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["blocked"][0]["lawful_from"].startswith("2026-")
    with pytest.raises(ContractError, match="no such customer"):
        explain_customer(Blocks(tables), "Z", config=config_of(), as_of="2026-03-05T12:00Z")


def test_counted_contacts_are_as_many_as_the_cap_says():
    tables = simple()
    tables["touches"] = [
        touch(f"2026-03-0{d}T1{h}:00Z", touch_id=f"{d}{h}")
        for d, h in ((1, 5), (2, 5), (3, 5), (3, 6), (4, 4), (4, 5), (4, 6))
    ]
    found = explain_customer(Blocks(tables), "C", config=config_of(), as_of="2026-03-05T12:00Z")
    calls = next(b for b in found.blocked if b["action_id"] == "call_agent@10")
    cap = next(r for r in calls["rules"] if r["id"] == "us.regf.call_cap_7in7")
    assert [e["touch_id"] for e in cap["counted"]] == ["15", "25", "35", "36", "44", "45", "46"]


def test_an_empty_portfolio_changes_nothing():
    needed = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    empty = Portfolio.from_frames(needed)
    found = diff(
        empty, config=config_of(), as_of="2026-03-05T12:00Z", laws=("2021-01-01", "2026-01-01")
    )
    assert found.n_decisions == 0 and len(found.changes) == 0
    book = RuleBook.load(RulesConfig(), "2026-03-05T12:00Z")
    view = view_of({}, "2026-03-05T12:00Z")
    assert evaluate(view, rules=book, config=config_of()).allowed.shape == (0, 4)
