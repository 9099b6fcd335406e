"""Every rule of every pack: the engine gives the slow reading's verdict on random histories."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import random_world
from oracles.compliance_oracle import Oracle

from contactopt.compliance import RuleBook, evaluate
from contactopt.compliance.data_tables import shipped_packs
from contactopt.config import StrategyConfig
from contactopt.journal.journal import Journal

#: zones in which the customers of a pack declare to be; None leaves it to the jurisdiction
ZONES = {
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CL": "America/Santiago", "CO": "America/Bogota",
    "DE": "Europe/Berlin", "EC": "America/Guayaquil", "ES": "Europe/Madrid",
    "GB": "Europe/London", "IN": "Asia/Kolkata",
    "MX": "America/Mexico_City", "PE": "America/Lima", "US": "America/New_York",
    "ZA": "Africa/Johannesburg",
}  # fmt: skip
PACKS = sorted(p for p in shipped_packs() if p not in ("house", "cautious"))
INSTANTS = ("2026-06-05T13:00Z", "2026-04-02T14:00Z", "2026-11-01T15:40Z", "2026-08-30T18:00Z")
CHANNELS = {
    "call_agent": {}, "call_bot": {}, "sms": {}, "email": {}, "whatsapp": {}, "letter": {},
    "visit": {"slots": [11]}, "chat": {"slots": [11], "contact_point_kinds": []},
}  # fmt: skip


def grounds_of(pack: str) -> tuple[tuple[str | None, ...], ...]:
    codes = json.loads(shipped_packs()[pack])["jurisdictions"]
    found: list[tuple[str | None, ...]] = [(code, ZONES[code[:2]]) for code in codes]
    if pack == "us":
        found += [("US-NY", ZONES["US"], "New York City"), ("US-NY", ZONES["US"], "Albany")]
    return tuple(found)


def compared(
    pack: str, seed: int, n: int, *, profile: str = "law", slots: tuple[int, ...] = (8, 20), **rules
) -> tuple[int, set[str]]:
    """Compare n customers; return pairs compared and the rules that denied something."""
    as_of = INSTANTS[seed % len(INSTANTS)]
    tables = random_world(seed, as_of, n, few=True, grounds=grounds_of(pack))
    config = StrategyConfig.from_mapping(
        {"channels": CHANNELS, "slots": list(slots), "profile": profile, **rules}
    )
    view = Journal(tables).as_of(as_of)
    book = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=book, config=config)
    oracle = Oracle(view, book, config, config.action_space)
    seen: set[str] = set()
    for c in range(n):
        for a, action in enumerate(config.action_space):
            truth = oracle.answer(c, action)
            where = (pack, seed, view.customer_ids[c], action.action_id)
            if truth.slot_start is not None:
                assert verdict.reasons_of(c, a) == truth.reasons, where
            assert bool(verdict.allowed[c, a]) == truth.allowed, where
            if truth.allowed:
                start = pd.Timestamp(truth.slot_start).value // 1000
                assert verdict.slot_start[c, a] == start < verdict.start_before[c, a], where
            seen |= set(truth.reasons)
    return n * len(config.action_space), seen


@pytest.mark.parametrize("pack", PACKS)
def test_the_engine_reads_a_pack_as_the_oracle_does(pack):  # 002-01, 002-02
    own_hours = ("de", "es", "gb")  # theirs are policy, not law
    profile = "policy" if pack in own_hours else ("law", "strict")[PACKS.index(pack) % 2]
    pairs, seen = compared(pack, 11 + PACKS.index(pack), 14, profile=profile)
    assert pairs == 14 * 13
    own = {r["id"] for r in json.loads(shipped_packs()[pack])["rules"]}
    assert seen & own or pack in ("ar",)  # all that Argentina's rules ask is a duty


def test_overrides_are_read_by_both_alike():
    day = {"type": "civil_day", "length": 1}
    overrides = [
        {"rule": "us.regf.hours", "creditors": ["X"], "channels": ["call_agent"],
         "parameters": {"windows": [{"days": ["MON", "FRI", "SUN"], "start": "12:00",
                                     "end": "21:00"}]}},
        {"rule": "us.regf.third_party", "disable": True, "books": ["b1"], "approved_by": "counsel"},
        {"rule": "us.tcpa.auto_consent", "disable": True, "creditors": ["Y"],
         "approved_by": "counsel"},
        {"id": "x.once", "kind": "frequency_cap", "creditors": ["X"], "books": ["b1"],
         "channels": ["call_agent", "sms"],
         "parameters": {"max": 1, "period": {"type": "rolling_civil_days", "length": 9},
                        "count": {"channels": ["*"]}, "group_by": ["creditor", "person"]}},
        {"id": "x.place", "kind": "frequency_cap",
         "parameters": {"max": 1, "period": day, "count": {"channels": ["call"]}, "place": "work",
                        "group_by": ["phone"]}},
    ]  # fmt: skip
    seen: set[str] = set()
    for seed in (1, 2):
        seen |= compared("us", seed, 20, overrides=overrides)[1]
    assert {"x.once", "us.regf.hours/override"} <= seen


@pytest.mark.parametrize("profile", ["strict", "policy"])
def test_a_stricter_profile_never_allows_more(profile):
    for pack in ("co", "cl", "ec", "gb"):
        tables = random_world(5, INSTANTS[0], 60, few=True, grounds=grounds_of(pack))
        allowed = []
        for own in ("law", profile):
            config = StrategyConfig.from_mapping({"channels": CHANNELS, "profile": own})
            view = Journal(tables).as_of(INSTANTS[0])
            book = RuleBook.load(config.rules, view.as_of)
            allowed.append(evaluate(view, rules=book, config=config).allowed)
        assert allowed[0].any()
        assert not np.any(allowed[1] & ~allowed[0])
