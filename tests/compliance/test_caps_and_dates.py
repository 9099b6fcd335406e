"""What a past contact can never do, and exactly what a new law does, on random histories."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import random_world, simple, table, view_of
from oracles.compliance_oracle import Oracle
from test_shared_contacts import needed_tables

from contactopt.compliance import RuleBook, diff, evaluate, law_of
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.journal.journal import Journal
from contactopt.journal.terms import open_journal

COUNTING = ("frequency_cap", "cooldown", "one_channel")
NYC = (("US-NY", "America/New_York", "New York City"), ("US-NY", "America/New_York", "Albany"))
FLORIDA = (("US-FL", "America/New_York"), ("US-FL", None))


def counted(tables: dict[str, pd.DataFrame], as_of: str, config: StrategyConfig) -> list[set[str]]:
    """Per customer and action: ids of the counting rules that deny."""
    view = Journal(tables).as_of(as_of)
    book = RuleBook.load(config.rules, view.as_of)
    verdict = evaluate(view, rules=book, config=config)
    own = {r.id for r in book.rules if r.kind in COUNTING}
    sets = [own & set(names) for names in verdict.reason_sets]
    return [sets[i] for i in verdict.reason.ravel()]


@pytest.mark.parametrize(
    ("grounds", "seed"),
    [
        ((("US-WA", "America/Los_Angeles"), ("US-MA", None), ("US-DC", "America/New_York")), 1),
        ((("CO", "America/Bogota"), ("CL", "America/Santiago"), ("EC", None)), 2),
        ((("AU", "Australia/Sydney"), ("CA-ON", "America/Toronto"), ("XX", None)), 3),
    ],
)
def test_a_further_contact_of_the_past_never_unblocks_a_capped_action(grounds, seed):  # 002-09
    as_of = "2026-06-05T13:00Z"
    config = StrategyConfig.from_mapping(
        {"channels": {"call_agent": {}, "sms": {}, "email": {}, "letter": {}},
         "slots": [9, 15], "fallback": "cautious"}
    )  # fmt: skip
    tables = random_world(seed, as_of, 60, few=True, grounds=grounds)
    rng = np.random.default_rng(seed)
    now = pd.Timestamp(as_of)
    rows = [
        {"touch_id": f"N{c}", "customer_id": c, "direction": rng.choice(["outbound", "inbound"]),
         "channel": rng.choice(["call_agent", "call_bot", "sms", "letter", "whatsapp"]),
         "started_at": now - pd.Timedelta(hours=float(rng.uniform(1, 240))),
         "outcome": rng.choice(["no_answer", "busy", "voicemail", "refused", "delivered",
                                "unknown", "third_party"])}
        for c in tables["customers"]["customer_id"]
    ]  # fmt: skip
    more = {
        **tables, "touches": pd.concat([tables["touches"], table(rows)], ignore_index=True)
    }  # fmt: skip
    before, after = (counted(t, as_of, config) for t in (tables, more))
    assert sum(map(bool, before)) > 20
    lost = [a - b for a, b in zip(before, after, strict=True) if a - b]
    assert lost == []
    assert sum(map(len, after)) > sum(map(len, before))


@pytest.mark.parametrize(
    ("grounds", "as_of", "laws", "touched"),
    [
        (NYC, "2026-08-28T12:00Z", ("2026-08-31", "2026-09-01"),
         {"us-nyc.cap_2026", "us-nyc.cap_old", "us-nyc.electronic_consent"}),
        (FLORIDA, "2025-05-14T12:00Z", ("2025-05-15", "2025-05-16"),
         {"us-fl.hours_email_before"}),
    ],
)  # fmt: skip
def test_a_change_of_law_changes_what_the_oracle_says_and_nothing_else(
    grounds, as_of, laws, touched
):  # 002-06
    config = StrategyConfig.from_mapping(
        {"channels": {"call_agent": {}, "email": {}, "sms": {}}, "slots": [6, 10, 22],
         "orchestration": {"one_attempt_per_day": False, "quiet_after_contact": False}}
    )  # fmt: skip
    found: set[tuple[str, str]] = set()
    wanted: set[tuple[str, str]] = set()
    for seed in (1, 2):
        tables = random_world(seed, as_of, 25, few=True, grounds=grounds)
        whole = Portfolio.from_frames(needed_tables(tables), max_quarantined_share=1.0)
        changes = diff(whole, config=config, as_of=as_of, laws=laws)
        for row in changes.changes.itertuples(index=False):
            found.add((f"{seed}{row.customer_id}", row.action_id))
            said = [set(text.split("|")) for text in (row.rules_before, row.rules_after)]
            assert (said[0] ^ said[1]) & touched, row  # a rule that began or ended is why
        view = open_journal(whole, config).as_of(as_of)
        answers = []
        for law in laws:
            book = law_of(config.rules, law, view.as_of)
            oracle = Oracle(view, book, config, config.action_space)
            answers.append(
                {
                    (f"{seed}{name}", action.action_id): oracle.answer(c, action).allowed
                    for c, name in enumerate(view.customer_ids)
                    for action in config.action_space
                }
            )
        wanted |= {pair for pair, allowed in answers[0].items() if allowed != answers[1][pair]}
    assert found == wanted and found


def test_two_texts_of_one_rule_hold_each_on_its_own_days(tmp_path):  # 002-06
    def text(start: str, **dates: str) -> dict[str, object]:
        days = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
        return {
            "id": "own.hours",
            "kind": "hours",
            "channels": ["*"],
            **dates,
            "parameters": {"windows": [{"days": days, "start": start, "end": "20:00"}]},
        }

    path = tmp_path / "own.json"
    rules = [text("08:00", effective_to="2026-06-01"), text("12:00", effective_from="2026-06-02")]
    head = {"pack": "own", "version": "1", "disclaimer": "none", "jurisdictions": ["FR"]}
    path.write_text(json.dumps({**head, "rules": rules}), "utf-8")
    config = StrategyConfig.from_mapping(
        {"channels": {"letter": {"slots": [9, 13]}}, "packs": ["house", str(path)]}
    )
    tables = simple("FR", "Europe/Paris", ownership="first_party")
    for as_of, open_at_nine in (("2026-06-01T03:00Z", True), ("2026-06-02T03:00Z", False)):
        view = view_of(tables, as_of)
        book = RuleBook.load(config.rules, view.as_of)
        assert sum(r.id == "own.hours" for r in book.rules) == 2
        verdict = evaluate(view, rules=book, config=config)
        assert verdict.allowed[0].tolist() == [open_at_nine, True]
        assert verdict.reasons_of(0, 0) == (() if open_at_nine else ("own.hours",))
