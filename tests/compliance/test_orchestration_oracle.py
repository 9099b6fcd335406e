"""Each rule of the house gives the verdict of its slow reading, on random histories."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestrated_worlds import orchestrated_world, strategy
from test_engine_equals_oracle import INSTANTS, PHASES, compare

from contactopt.compliance import RuleBook, evaluate
from contactopt.journal.journal import Journal

HOUSE = {
    f"house.{name}"
    for name in (
        "in_plan", "daily_attempt", "quiet_after_contact", "active_channel", "bot_before_agent",
        "fallback_chain", "futility", "duplicate_template", "template_disclosures",
        "promise_silence", "paid", "callback_agreed", "open_plan",
    )
}  # fmt: skip


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None, derandomize=True, phases=PHASES)
def test_the_house_equals_its_slow_reading(seed):  # 003-12 .. 003-18, 000-27
    as_of = INSTANTS[seed % len(INSTANTS)]
    config = strategy(seed)
    tables = orchestrated_world(seed, as_of)
    assert compare(tables, as_of, config, later=False) == 6 * len(config.action_space)


@given(st.integers(0, 10**6))
@settings(max_examples=3, deadline=None, derandomize=True, phases=PHASES)
def test_the_first_lawful_instant_under_orchestration(seed):
    as_of = INSTANTS[seed % len(INSTANTS)]
    compare(orchestrated_world(seed, as_of, 3), as_of, strategy(seed), later=True)


def test_every_rule_of_the_house_has_its_say():
    seen: Counter[str] = Counter()
    for seed in range(40):
        as_of = INSTANTS[seed % 9]
        config = strategy(seed)
        view = Journal(orchestrated_world(seed, as_of, 20)).as_of(as_of)
        verdict = evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)
        seen.update(verdict.counts())
    assert set(seen) >= HOUSE


@pytest.mark.parametrize("seed", range(3))
def test_more_orchestration_never_allows_more(seed):
    as_of = INSTANTS[4]
    config = strategy(seed)
    turns = config.orchestration
    loose = config.model_copy(update={"orchestration": type(turns).law_only()})
    tables = orchestrated_world(seed, as_of, 60)
    view = Journal(tables).as_of(as_of)
    rules = RuleBook.load(config.rules, view.as_of)
    strict = turns.model_copy(
        update={
            "treatments": loose.orchestration.treatments,
            "promise_grace_days": loose.orchestration.promise_grace_days,
        }
    )
    config = config.model_copy(update={"orchestration": strict})
    a = evaluate(view, rules=rules, config=loose).allowed
    b = evaluate(view, rules=rules, config=config).allowed
    assert a.any() and not (b & ~a).any()
