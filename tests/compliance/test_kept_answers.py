"""What is kept between calls never outlives what it was worked out from; the unknown is refused."""

from __future__ import annotations

import json
import sys
import threading

import numpy as np
import pytest
from lawful_worlds import simple, view_of

from contactopt.compliance import RuleBook, evaluate
from contactopt.compliance.bound import compiled_for
from contactopt.compliance.data_tables import shipped_packs
from contactopt.compliance.planned import PlannedContacts, judge_planned
from contactopt.config import StrategyConfig
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import RulePackError

AS_OF = "2026-06-02T15:00Z"


def strategy(**more: object) -> StrategyConfig:
    return StrategyConfig.from_mapping({"channels": ["sms", "letter"], "slots": [10], **more})


def test_rules_are_those_of_the_day_however_days_come(tmp_path):  # 002-14
    config = strategy()
    before, after = "2026-08-20T12:00Z", "2026-09-10T12:00Z"
    ids = [
        {r.id for r in RuleBook.load(config.rules, day).rules}
        for day in (before, after, before, after, before)
    ]
    assert ids[0] == ids[2] == ids[4] and ids[1] == ids[3]
    assert ids[0] != ids[1]


def test_another_instant_of_the_day_is_judged_as_of_itself():
    config = strategy()
    morning = RuleBook.load(config.rules, "2026-06-02T01:00Z")
    evening = RuleBook.load(config.rules, "2026-06-02T23:00Z")
    assert evening.rules is morning.rules
    evening.require(evening.as_of_us + 23 * 3_600 * 10**6)
    with pytest.raises(RulePackError):
        morning.require(evening.as_of_us + 23 * 3_600 * 10**6)


def test_a_pack_that_changed_on_disk_binds_at_once(tmp_path):
    pack = json.loads(shipped_packs()["us"])
    path = tmp_path / "own.json"
    config = strategy(packs=[str(path)])
    view = view_of(simple(), AS_OF)

    def allowed(end: str) -> bool:
        for rule in pack["rules"]:
            if rule["id"] == "us.regf.hours":
                rule["parameters"]["windows"][0]["end"] = end
        path.write_text(json.dumps(pack), "utf-8")
        book = RuleBook.load(config.rules, AS_OF)
        verdict = evaluate(view, rules=book, config=config)
        return "us.regf.hours" not in verdict.reasons_of(0, 0)

    assert [allowed(end) for end in ("21:00", "09:00", "21:00")] == [True, False, True]


def test_strategies_do_not_share_answers():
    view = view_of(simple(), AS_OF)
    one, two = strategy(), strategy(slots=[3])
    book = RuleBook.load(one.rules, AS_OF)
    starts = [
        int(evaluate(view, rules=book, config=c).slot_start[0, 0]) for c in (one, two, one, two)
    ]
    assert starts[0] == starts[2] != starts[1] == starts[3]


def test_a_planned_debt_that_nobody_knows_is_withdrawn():
    tables = simple(debts=("A", "B"))
    tables["debts"][1]["opened_at"] = "2030-01-01"
    tables["debt_snapshots"].pop()
    view, config = view_of(tables, AS_OF), strategy()
    slot = np.array([NO_INSTANT])
    none = np.empty(0, dtype=np.int64)

    def reasons(debt: int, *others: int) -> tuple[str, ...]:
        contacts = PlannedContacts(
            customer=np.array([0]), action=np.array([1]), debt=np.array([debt]),
            point=np.array([2]), template=np.array([-1]), slot_start=slot, start_before=slot,
            decided_us=view.as_of_us, others_of=none if not others else np.array([0]),
            other_debt=np.array(others, dtype=np.int64),
        )  # fmt: skip
        book = RuleBook.load(config.rules, AS_OF)
        return judge_planned(view, contacts, rules=book, config=config).reasons[0]

    assert "plan.debt_missing" not in reasons(0)
    assert "plan.debt_missing" in reasons(1)
    assert "plan.debt_missing" in reasons(0, 1)


def test_threads_that_make_room_at_once_do_not_fail_each_other():
    book = RuleBook.load(strategy().rules, AS_OF)
    bound, faults = compiled_for(book, strategy()).bound(()), []

    def ask(thread: int) -> None:
        try:
            for i in range(15_000):
                assert bound.lately((thread, i), lambda i=i: i + 1) == i + 1
        except RuntimeError as fault:
            faults.append(fault)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert faults == []
