"""The vectorised engine gives the verdict of the slow reading, pair by pair."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lawful_worlds import random_world
from oracles.compliance_oracle import Oracle

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.journal import Journal

#: a world is its seed: nothing to shrink
PHASES = (Phase.explicit, Phase.generate)
#: daylight saving both ways, Saturday and Sunday edges, holidays, year's end, a leap day
INSTANTS = (
    "2026-03-07T14:00Z",
    "2026-03-08T05:45Z",
    "2026-10-31T20:00Z",
    "2026-11-01T04:10Z",
    "2026-06-05T23:00Z",
    "2026-11-15T12:00Z",
    "2026-12-31T16:20Z",
    "2028-02-28T22:00Z",
    "2026-10-03T13:00Z",
    "2027-01-30T15:00Z",
    "2021-11-29T13:00Z",
)


def strategy(profile: str, fallback: str, **more: object) -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {
            "channels": {
                "call_agent": {},
                "call_bot": {},
                "sms": {},
                "rcs": {"like": "sms"},
                "email": {},
                "dialler": {"like": "call_agent", "autodialed": True},
                "letter": {},
                "visit": {"slots": [10]},
            },
            "slots": [2, 7, 8, 12, 19, 20, 21],
            "profile": profile,
            "fallback": fallback,
            "orchestration": {"promise_grace_days": 2},
            **more,
        }
    )


def compare(
    tables: dict[str, pd.DataFrame], as_of: str, config: StrategyConfig, *, later: bool
) -> int:
    view = Journal(tables).as_of(as_of)
    book = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=book, config=config)
    oracle = Oracle(view, book, config, config.action_space)
    compared = 0
    for c in range(len(view.customer_ids)):
        for a, action in enumerate(config.action_space):
            truth = oracle.answer(c, action)
            where = (as_of, view.customer_ids[c], action.action_id)
            if truth.slot_start is None:  # no zone or no such hour: one reason is enough
                why = {"house.no_slot", "house.no_time_zone"} & set(truth.reasons)
                assert why and why <= set(verdict.reasons_of(c, a)), where
            else:
                assert verdict.reasons_of(c, a) == truth.reasons, where
            assert bool(verdict.allowed[c, a]) == truth.allowed, where
            start = (
                None if truth.slot_start is None else pd.Timestamp(truth.slot_start).value // 1000
            )
            if truth.allowed or action.slot_local_hour is not None:
                assert verdict.slot_start[c, a] == (NO_INSTANT if start is None else start), where
            if truth.allowed:
                assert view.debts["debt_id"].iloc[verdict.debt[c, a]] == truth.debt_id, where
                point = verdict.contact_point[c, a]
                found = None if point < 0 else view.points["contact_point_id"].iloc[point]
                assert found == truth.point_id, where
                assert verdict.start_before[c, a] > start, where
            elif later and action.slot_local_hour is not None and (c + a) % 7 == 0:
                until = oracle.lawful_from(c, action)
                expected = NO_INSTANT if until is None else pd.Timestamp(until).value // 1000
                if (
                    until is not None
                    or verdict.lawful_from[c, a]
                    < pd.Timestamp(as_of).value // 1000 + 40 * 86_400 * 10**6
                ):
                    assert verdict.lawful_from[c, a] == expected, where
            compared += 1
    return compared


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None, derandomize=True, phases=PHASES)
def test_random_histories(seed):  # 002-01
    profile = ("law", "strict", "policy")[seed % 3]
    fallback = ("cautious", "cautious", "refuse")[seed // 3 % 3]
    as_of = INSTANTS[seed % len(INSTANTS)]
    tables = random_world(seed, as_of, 6, few=bool(seed % 2))
    assert compare(tables, as_of, strategy(profile, fallback), later=False) == 6 * 44


@given(st.integers(0, 10**6))
@settings(max_examples=5, deadline=None, derandomize=True, phases=PHASES)
def test_the_first_lawful_instant(seed):
    as_of = INSTANTS[seed % len(INSTANTS)]
    tables = random_world(seed, as_of, 4, ahead=False, few=True)
    compare(tables, as_of, strategy("law", "cautious"), later=True)


@pytest.mark.parametrize("lead_minutes", [0, 45])
def test_lead_and_guard(lead_minutes):
    config = strategy("law", "cautious", lead_minutes=lead_minutes, guard_minutes=60)
    compare(
        random_world(7, "2026-06-05T13:10Z", 8, few=True), "2026-06-05T13:10Z", config, later=False
    )
