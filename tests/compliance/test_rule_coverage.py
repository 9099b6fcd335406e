"""Every rule of every pack has its say: it denies, and the slow reading denies by it, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import random_world, table
from oracles.compliance_oracle import Oracle
from test_every_pack import CHANNELS, PACKS, grounds_of

from contactopt.compliance import RuleBook, evaluate
from contactopt.compliance.data_tables import shipped_packs
from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import HOLD_KINDS
from contactopt.journal.journal import Journal

#: before and after laws that ended or began, a holiday, and a day on which drafts would bind
INSTANTS = (
    "2026-09-17T11:00Z", "2022-12-20T15:00Z", "2025-05-14T18:00Z", "2026-12-24T12:00Z",
    "2027-02-06T15:00Z",
)  # fmt: skip
_DIALLED = {**CHANNELS, "dialler": {"like": "call_agent", "autodialed": True}}


def held(tables: dict[str, pd.DataFrame], as_of: str) -> dict[str, pd.DataFrame]:
    """Put every customer under a hold of every kind, on all debts."""
    since = pd.Timestamp(as_of) - pd.Timedelta("10D")
    rows = [
        {"hold_id": f"H{c}{kind}", "customer_id": c, "kind": kind, "starts_at": since,
         "ends_at": None, "detail": None}
        for c in tables["customers"]["customer_id"]
        for kind in HOLD_KINDS
    ]  # fmt: skip
    return {**tables, "holds": table(rows)}


def flooded(tables: dict[str, pd.DataFrame], as_of: str) -> dict[str, pd.DataFrame]:
    """Let every customer have been spoken to all week, by telephone and at the door."""
    now = pd.Timestamp(as_of)
    rows = [
        {"touch_id": f"F{c}{k}", "customer_id": c, "direction": "outbound",
         "channel": ("call_agent", "call_agent", "visit", "sms")[k % 4],
         "started_at": now - pd.Timedelta(hours=2 * k + 1), "outcome": "refused"}
        for c in tables["customers"]["customer_id"]
        for k in range(72)
    ]  # fmt: skip
    own = {"touches": table(rows)}
    spared = ("touch_debts", "touch_events", "holds", "promises", "decisions")
    return {**{k: t for k, t in tables.items() if k not in spared}, **own}


def checked_rules(pack: str) -> dict[str, Any]:
    """Rules of a pack that a machine tests, drafts included, by id."""
    book = RuleBook.load(StrategyConfig.from_mapping({"profile": "policy"}).rules)
    untested = {i for i, why in book.unchecked if not why.startswith("tested but for")}
    rules = {r.id: r for r in (*book.rules, *book.proposed) if r.pack == pack}
    return {i: r for i, r in rules.items() if i not in untested}


def exercised(pack: str, n_each: int = 4) -> dict[str, int]:
    """Judge worlds until every rule has denied; the oracle must name the rule, too."""
    wanted = checked_rules(pack)
    drafts = [i for i, r in wanted.items() if r.status == "proposed"]
    grounds = grounds_of(pack)
    seen = dict.fromkeys(wanted, 0)
    worlds = [(i, change) for i in INSTANTS for change in (held, flooded, None)]
    for seed, (as_of, change) in enumerate(worlds):
        missing = {i for i, times in seen.items() if not times}
        if not missing:
            break
        tables = random_world(seed, as_of, n_each * len(grounds), few=True, grounds=grounds)
        tables = tables if change is None else change(tables, as_of)
        config = StrategyConfig.from_mapping(
            {"channels": _DIALLED, "slots": [2, 20], "adopt": drafts,
             "profile": ("policy", "strict")[seed % 2]}
        )  # fmt: skip
        view = Journal(tables).as_of(as_of)
        book = RuleBook.load(config.rules, view.as_of)
        verdict = evaluate(view, rules=book, config=config)
        oracle, actions = Oracle(view, book, config, config.action_space), list(config.action_space)
        for rule_id in sorted(missing):
            sets = [i for i, names in enumerate(verdict.reason_sets) if rule_id in names]
            hit = np.argwhere(np.isin(verdict.reason, sets))
            for c, a in hit[:: max(1, len(hit) // 2)][:2]:
                truth = oracle.answer(int(c), actions[a])
                where = (pack, seed, rule_id, view.customer_ids[c], actions[a].action_id)
                if truth.slot_start is not None:
                    assert verdict.reasons_of(int(c), int(a)) == truth.reasons, where
                seen[rule_id] += rule_id in truth.reasons
    return seen


@pytest.mark.parametrize("pack", PACKS)
def test_every_rule_of_a_pack_denies_and_the_oracle_agrees(pack):  # 002-01, 002-02
    seen = exercised(pack)
    table_of_denials = "\n".join(f"{rule_id}: {times}" for rule_id, times in seen.items())
    assert all(seen.values()), table_of_denials


def test_the_packs_are_all_there():
    assert set(PACKS) == set(shipped_packs()) - {"house", "cautious"}
    assert sum(len(checked_rules(pack)) for pack in PACKS) > 100
