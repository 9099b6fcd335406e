"""Sixty simulated days under the rules of the house, read touch by touch for what must not be."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import OrchestrationConfig, StrategyConfig
from contactopt.journal.terms import open_journal
from contactopt.simulation import World, strategy_mapping

_FILE = Path(__file__).parents[2] / "benchmarks" / "orchestration_year.py"
_SPEC = importlib.util.spec_from_file_location("orchestration_year", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
year = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(year)

NEVER = ("in promise silence", "second attempt on one day", "to a dead point", "by another channel")


DAYS, SOME = 60, 25


def live(
    turns: dict[str, object], n_days: int, seed: int = 3
) -> dict[int, tuple[Counter[str], int]]:
    """Contact whoever may be contacted, by a random lawful action, and read the journal.

    Returns what was found, and how many debts were resolved, after some days and after all.
    """
    config = StrategyConfig.from_mapping(
        {**strategy_mapping(), "orchestration": turns, "slots": [9, 13, 18]}
    )
    space, rng = config.action_space, np.random.default_rng(seed)
    channel = np.array([a.channel for a in space], dtype=object)
    world = World(n_customers=150, random_state=seed, n_days=20 + DAYS).run(20)
    since, found = world.as_of, {}
    for day in range(1, n_days + 1):
        tables, as_of = world.portfolio().tables, world.as_of
        view = open_journal(SimpleNamespace(tables=tables), config).as_of(as_of)
        verdict = evaluate(view, rules=RuleBook.load(config.rules, as_of), config=config)
        value = np.where(verdict.allowed, rng.random(verdict.allowed.shape), -1.0)
        arm = value.argmax(axis=1)
        who = np.flatnonzero(value.max(axis=1) > 0)
        arm = arm[who]
        point = np.append(view.points["contact_point_id"].to_numpy(dtype=object), None)
        plan = pd.DataFrame(
            {
                "customer_id": view.customer_ids[who],
                "channel": channel[arm],
                "slot_local_hour": np.where(space.hours[arm] < 0, np.nan, space.hours[arm]),
                "decision_id": None,
                "contact_point_id": point[verdict.contact_point[who, arm]],
                "slot_start": pd.to_datetime(verdict.slot_start[who, arm], unit="us", utc=True),
                "time_zone": verdict.time_zone[who],
            }
        )
        world.step(world.day, year.attempts_of_today(plan, as_of.date()))
        if day in (SOME, n_days):
            tables = world.portfolio().tables
            found[day] = year.audit(tables, since), year.resolved(tables, since)
    return found


@pytest.fixture(scope="module")
def led() -> dict[int, tuple[Counter[str], int]]:
    return live(year.TURNS, DAYS)


def test_sixty_days_break_no_invariant(led):  # 003-13, 003-14, 003-17, 003-18, 000-27
    found, resolved = led[DAYS]
    assert found["contacts"] > 1_000 and resolved > 10
    assert {name: found[name] for name in NEVER} == dict.fromkeys(NEVER, 0)


@pytest.fixture(scope="module")
def unled() -> tuple[Counter[str], int]:
    return live(year.LAW_ONLY, SOME)[SOME]


def test_without_orchestration_they_are_broken_and_contacts_are_more(led, unled):  # 003-15
    found, resolved = unled
    assert found["in promise silence"] > 0 and found["by another channel"] > 0
    fewer, solved = led[SOME]
    assert fewer["contacts"] / max(solved, 1) < found["contacts"] / max(resolved, 1)


def test_law_only_is_what_it_says():
    assert OrchestrationConfig.law_only().model_dump() == {
        **OrchestrationConfig().model_dump(),
        **{k: v for k, v in year.LAW_ONLY.items() if k != "promise_grace_days"},
    }
