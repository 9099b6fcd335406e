"""A user's own rules: stricter is free, laxer is signed, each limited to a part of the debts."""

from __future__ import annotations

import pytest
from lawful_worlds import simple, touch, view_of

from contactopt.compliance import RuleBook, evaluate
from contactopt.compliance.overrides import at_least_as_strict
from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError, RulePackError

AS_OF = "2026-03-05T13:00Z"  # a Thursday, 8:00 in New York
CAP = "us.regf.call_cap_7in7"
DAILY = {
    "id": "bank_x.one_call_a_day",
    "kind": "frequency_cap",
    "creditors": ["Bank X"],
    "channels": ["call_agent"],
    "parameters": {
        "max": 1,
        "period": {"type": "civil_day", "length": 1},
        "count": {"channels": ["call"], "direction": "out"},
        "group_by": ["creditor", "person"],
    },
}
WEEK = {"type": "rolling_civil_days", "length": 7}


def config_of(*overrides, **rules) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {
            "channels": {"call_agent": {}, "dialler": {"like": "call_agent"}, "sms": {}},
            "slots": [12],
            "rules": {"overrides": list(overrides), **rules},
        }
    )


def law(verdict, action: int) -> set[str]:
    return {r for r in verdict.reasons_of(0, action) if not r.startswith("house.")}


def judged(config: StrategyConfig, debts=({},), touches=()):
    tables = simple("US-TX", debts=tuple(f"D{i}" for i in range(len(debts))))
    for row, more in zip(tables["debts"], debts, strict=True):
        row.update(more)
    tables["touches"] = list(touches)
    view = view_of(tables, AS_OF)
    return evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)


CALLED = [touch("2026-03-05T12:30Z")]
TWICE = [touch(f"2026-03-0{d}T15:00Z", debt_id="D0") for d in (3, 4)]


def test_one_call_a_day_for_one_creditor():  # 002-06, 002-09
    config = config_of(DAILY)
    names = config.action_space.action_ids
    assert names == ("call_agent@12", "dialler@12", "sms@12")
    verdict = judged(config, [{"creditor": "Bank X"}], CALLED)
    assert "bank_x.one_call_a_day" in law(verdict, 0)
    assert "bank_x.one_call_a_day" not in law(verdict, 1) | law(verdict, 2)
    assert "bank_x.one_call_a_day" not in law(judged(config, [{"creditor": "Bank Y"}], CALLED), 0)
    # a creditor nobody knows may be that one
    assert "bank_x.one_call_a_day" in law(judged(config, [{"creditor": None}], CALLED), 0)


def test_calls_about_another_creditors_debt_do_not_count():
    debts = [{"creditor": "Bank X"}, {"creditor": "Bank Y"}]
    about_y = [touch("2026-03-05T12:30Z", debt_id="D1")]
    assert "bank_x.one_call_a_day" not in law(judged(config_of(DAILY), debts, about_y), 0)
    about_x = [touch("2026-03-05T12:30Z", debt_id="D0")]
    assert "bank_x.one_call_a_day" in law(judged(config_of(DAILY), debts[:1], about_x), 0)


def test_a_stricter_number_takes_the_place_of_the_laws():
    stricter = {"rule": CAP, "parameters": {"max": 2}, "books": ["b1"]}
    assert law(judged(config_of(stricter), [{"book": "b1"}], TWICE), 0) == {f"{CAP}/override"}
    assert not law(judged(config_of(stricter), [{"book": "b2"}], TWICE), 0)
    assert not law(judged(config_of(), [{"book": "b1"}], TWICE), 0)


def test_a_laxer_number_needs_a_name_and_shows_it():
    many = [touch(f"2026-03-0{d}T1{h}:00Z") for d in (3, 4) for h in (4, 5, 6, 7)]
    laxer = {"rule": CAP, "parameters": {"max": 10}, "creditors": ["Bank X"]}
    with pytest.raises(RulePackError, match=rf"overrides\[0\] {CAP}: .*approved_by"):
        judged(config_of(laxer))
    config = config_of({**laxer, "approved_by": "J. Doe, counsel"})
    book = RuleBook.load(config.rules, AS_OF)
    assert book.rule(f"{CAP}/override").card()["approved_by"] == "J. Doe, counsel"
    assert CAP in law(judged(config_of(), [{"creditor": "Bank X"}], many), 0)
    assert not law(judged(config, [{"creditor": "Bank X"}], many), 0)
    assert CAP in law(judged(config, [{"creditor": "Bank Y"}], many), 0)
    # what is not known is not let off
    assert CAP in law(judged(config, [{"creditor": None}], many), 0)


def test_a_rule_is_switched_off_by_name_only():
    off = {"rule": "us.tcpa.auto_consent", "disable": True, "channels": ["sms"]}
    with pytest.raises(RulePackError, match="name `approved_by`"):
        judged(config_of(off))
    assert "us.tcpa.auto_consent" in law(judged(config_of()), 2)
    assert "us.tcpa.auto_consent" not in law(judged(config_of({**off, "approved_by": "x"})), 2)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"rule": "us.regf.nothing", "disable": True}, "no such rule is loaded"),
        ({"rule": CAP}, "needs `parameters` or `disable: true`"),
        ({"rule": CAP, "disable": True, "parameters": {"max": 1}}, "one of the two"),
        ({"rule": CAP, "parameters": {"maxx": 1}}, "unknown parameter maxx (did you mean 'max'?)"),
        ({"rule": CAP, "parameters": {"max": 0}}, "`max` is a whole number above 0"),
        ({"id": "x"}, "needs `rule`, or `id` and `kind`"),
        ({**DAILY, "kind": "frequency"}, "unknown kind 'frequency'"),
        ({**DAILY, "id": CAP}, "a rule of that id is loaded"),
        ({**DAILY, "parameters": {"max": 1}}, "parameters cannot be read: KeyError"),
    ],
)
def test_faulty_overrides_are_named_with_their_place(entry, words):
    with pytest.raises(RulePackError) as caught:
        RuleBook.load(config_of(DAILY | {"id": "first"}, entry).rules, AS_OF)
    assert words in str(caught.value) and "overrides[1]" in str(caught.value)


def test_an_unknown_key_of_an_override_is_refused():
    with pytest.raises(ConfigError, match="approvedby"):
        config_of({"rule": CAP, "disable": True, "approvedby": "me"})


@pytest.mark.parametrize(
    ("kind", "old", "new", "stricter"),
    [
        ("frequency_cap", {"max": 3}, {"max": 3}, True),
        ("frequency_cap", {"max": None}, {"max": 3}, True),
        ("frequency_cap", {"max": 3}, {"max": None}, False),
        ("frequency_cap", {"period": WEEK}, {"period": {**WEEK, "length": 8}}, True),
        ("frequency_cap", {"period": {"type": "civil_day", "length": 1}}, {"period": WEEK}, True),
        ("frequency_cap", {"period": WEEK}, {"period": {"type": "calendar_week", "length": 7}},
         False),
        ("frequency_cap", {"group_by": ["person", "account"]}, {"group_by": ["person"]}, True),
        ("frequency_cap", {"group_by": ["person"]}, {"group_by": ["person", "account"]}, False),
        ("frequency_cap", {"count": {"channels": ["call"]}}, {"count": {"channels": ["*"]}}, True),
        ("frequency_cap", {"count": {"include_outcomes": ["conversation"]}}, {"count": {}}, True),
        ("frequency_cap", {"count": {}}, {"count": {"include_outcomes": ["conversation"]}}, False),
        ("frequency_cap", {"count": {"exclude_outcomes": ["busy"]}}, {"count": {}}, True),
        ("frequency_cap", {"count": {}}, {"count": {"direction": "out"}}, False),
        ("frequency_cap", {"place": "home"}, {"place": "work"}, False),
        ("cooldown", {"length_days": 7}, {"length_days": 8}, True),
        ("cooldown", {"first_day": "day_after"}, {"first_day": "trigger_day"}, False),
        ("consent", {"expiry_days": 60}, {"expiry_days": 30}, True),
        ("consent", {"model": "opt_in"}, {"model": "revocation"}, False),
        ("suppression", {"flag": "deceased"}, {"flag": "always"}, False),
        ("hours", {"windows": [{"days": ["MON"], "start": "08:00", "end": "21:00"}]},
         {"windows": [{"days": ["MON"], "start": "09:00", "end": "12:00"},
                      {"days": ["MON"], "start": "12:00", "end": "21:00"}]}, True),
        ("hours", {"windows": [{"days": ["MON"], "start": "08:00", "end": "21:00"}]},
         {"windows": [{"days": ["MON", "TUE"], "start": "09:00", "end": "12:00"}]}, False),
    ],
)  # fmt: skip
def test_strictness_is_proved_parameter_by_parameter(kind, old, new, stricter):
    assert at_least_as_strict(kind, old, new) is stricter
