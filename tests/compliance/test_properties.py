"""What must hold of any history: the unknown, a hold, a revocation, a zone never allow more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lawful_worlds import random_world, table

from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig
from contactopt.contracts.vocabulary import DEAD_POINT_OUTCOMES, HOLD_KINDS, HOLDING_OUTCOMES
from contactopt.journal.journal import Journal

AS_OF = "2026-06-05T23:00Z"
SEEDS = range(2)
#: outcomes by which something was agreed or told: facts of their own, like those that hold
COMMITTING_OUTCOMES = (
    *("promise", "plan_agreed", "settlement_agreed", "paid", "paid_online", "claims_paid"),
    "callback",
)


def config_of(profile: str = "law") -> StrategyConfig:
    return StrategyConfig.from_mapping(
        {"fallback": "cautious", "profile": profile, "slots": [7, 8, 10, 12, 18, 20]}
    )


def verdict_of(tables: dict[str, pd.DataFrame], profile: str = "law"):
    config = config_of(profile)
    view = Journal(tables).as_of(AS_OF)
    return evaluate(view, rules=RuleBook.load(config.rules, view.as_of), config=config)


def world(seed: int) -> dict[str, pd.DataFrame]:
    return random_world(seed + 100, AS_OF, 40, few=True)


def with_rows(tables: dict[str, pd.DataFrame], name: str, rows: list[dict[str, object]]):
    old = tables.get(name)
    new = table(rows)
    return {**tables, name: new if old is None else pd.concat([old, new], ignore_index=True)}


def changed(tables: dict[str, pd.DataFrame], name: str, column: str, value: object):
    frame = tables[name].copy()
    frame[column] = value
    return {**tables, name: frame}


def never_more(tables: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    a, b = verdict_of(tables).allowed, verdict_of(other).allowed
    assert a.any()
    assert not (b & ~a).any()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("touches", "outcome", "unknown"),
        ("touches", "direction", None),
        ("touches", "contact_point_id", None),
        ("touches", "debt_id", None),
        ("debts", "ownership", None),
        ("contact_points", "holder", "unknown"),
        ("contact_points", "place", "unknown"),
        ("debt_snapshots", "status", None),
        ("customers", "jurisdiction", None),
        ("customers", "locality", None),
        ("holds", "detail", None),
    ],
)
def test_an_unknown_fact_never_turns_a_denial_into_a_contact(seed, name, column, value):
    tables = world(seed)
    if column == "debt_id":  # several named debts are as known as one
        tables.pop("touch_debts", None)
    # outcomes that hold, commit or show a dead point are facts of their own, known by now
    touches = tables["touches"]
    standing = touches["outcome"].isin(
        [*HOLDING_OUTCOMES, *DEAD_POINT_OUTCOMES, *COMMITTING_OUTCOMES]
    )
    if column == "contact_point_id":
        tables.pop("touch_events", None)
        touches = touches.mask(standing).dropna(subset="touch_id")
        inbound = touches["direction"] == "inbound"
        tables["touches"] = touches.assign(outcome=touches["outcome"].mask(inbound, "no_answer"))
        if "touch_debts" in tables:
            named = tables["touch_debts"]
            tables["touch_debts"] = named[named["touch_id"].isin(touches["touch_id"])]
    other = changed(tables, name, column, value)
    if column == "outcome":
        known = tables["touches"]["outcome"].where(standing, "unknown")
        other["touches"] = tables["touches"].assign(outcome=known)
    never_more(tables, other)


@pytest.mark.parametrize("kind", HOLD_KINDS)
def test_a_hold_never_allows_more(kind):  # 002-04
    tables = world(1)
    if kind in ("workplace_prohibited", "employer_refused"):
        # it may move a contact from work to home, where Australia's hours of work do not bind
        home = tables["customers"]["jurisdiction"].replace("AU", "US-AZ")
        tables["customers"] = tables["customers"].assign(jurisdiction=home)
    rows = [
        {
            "hold_id": f"N{c}",
            "customer_id": c,
            "kind": kind,
            "starts_at": "2026-06-01",
            "ends_at": None,
            "detail": None,
        }
        for c in tables["customers"]["customer_id"]
    ]
    other = with_rows(tables, "holds", rows)
    before, after = verdict_of(tables), verdict_of(other)
    assert before.allowed.any()
    assert not (after.allowed & ~before.allowed).any()
    if kind not in ("written_only", "workplace_prohibited", "employer_refused"):
        assert not after.allowed.any()


@pytest.mark.parametrize("channel", ["call_agent", "call_bot", "sms", "email", "letter"])
def test_a_revocation_closes_its_channel_and_never_allows_more(channel):
    tables = world(2)
    rows = [
        {
            "customer_id": c,
            "channel": channel,
            "changed_at": AS_OF,
            "status": "revoked",
            "contact_point_id": None,
        }
        for c in tables["customers"]["customer_id"]
    ]
    before, after = verdict_of(tables), verdict_of(with_rows(tables, "consents", rows))
    assert not (after.allowed & ~before.allowed).any()
    space = config_of().action_space
    own = space.channel_index == space.channels.index(channel)
    assert before.allowed[:, own].any() or channel in ("call_bot", "sms", "email")
    assert not after.allowed[:, own].any()


def test_an_earlier_contact_never_allows_more():
    tables = world(3)
    customers = tables["customers"]["customer_id"]
    rows = [
        {
            "touch_id": f"N{c}",
            "customer_id": c,
            "channel": "call_agent",
            "direction": "outbound",
            "started_at": "2026-06-05T15:00Z",
            "outcome": "no_answer",
        }
        for c in customers
    ]
    never_more(tables, with_rows(tables, "touches", rows))


def test_two_candidate_zones_allow_what_both_allow():
    """A customer declared in New York with a phone in Los Angeles: instants lawful in both."""
    tables = {k: v for k, v in world(0).items() if k != "contact_points"}
    for name in ("touches", "consents", "holds"):
        tables[name] = tables[name].assign(contact_point_id=None)
    customers = tables["customers"]["customer_id"]
    tables["customers"] = tables["customers"].assign(jurisdiction="US")
    points = [
        {
            "contact_point_id": f"M{c}",
            "customer_id": c,
            "kind": "mobile",
            "place": "home",
            "valid_from": "2020-01-01",
            "time_zone": None,
        }
        for c in customers
    ]
    verdicts = {}
    for home, phone in (("New_York", None), ("Los_Angeles", None), ("New_York", "Los_Angeles")):
        made = changed(
            with_rows(tables, "contact_points", points), "customers", "time_zone", f"America/{home}"
        )
        if phone:
            made = changed(made, "contact_points", "time_zone", f"America/{phone}")
        verdicts[home, phone] = verdict_of(made)
    east, both = verdicts["New_York", None], verdicts["New_York", "Los_Angeles"]
    assert not (both.allowed & ~east.allowed).any()
    space = config_of().action_space
    late, early = (
        [
            i
            for i, h in enumerate(space.hours)
            if h == hour and space.channels[space.channel_index[i]] == "call_agent"
        ]
        for hour in (12, 10)
    )
    third = both.reason_sets
    assert both.allowed[:, late].any()
    # 10 h in New York is 7 h in Los Angeles: Reg F closes it for agencies
    closed = [("us.regf.hours" in third[r]) for r in both.reason[:, early].ravel()]
    assert any(closed)


@pytest.mark.parametrize("seed", SEEDS)
def test_stricter_profiles_never_allow_more(seed):
    tables = world(seed)
    law, strict, policy = (verdict_of(tables, p).allowed for p in ("law", "strict", "policy"))
    assert not (strict & ~law).any()
    assert not (policy & ~law).any()


def test_neighbours_who_share_no_address_and_row_order_do_not_matter():
    tables = world(1)
    points = tables["contact_points"]
    foreign = points["address_key"].astype(str).str.startswith("s")
    tables["contact_points"] = points.assign(address_key=points["address_key"].mask(foreign))
    whole = verdict_of(tables)
    shuffled = {
        k: v.sample(frac=1, random_state=4).reset_index(drop=True) for k, v in tables.items()
    }
    again = verdict_of(shuffled)
    assert np.array_equal(whole.allowed, again.allowed)
    assert np.array_equal(whole.lawful_from, again.lawful_from)
    assert [whole.reason_sets[r] for r in whole.reason.ravel()] == [
        again.reason_sets[r] for r in again.reason.ravel()
    ]
    few = sorted(tables["customers"]["customer_id"])[:20]
    debts = tables["debts"][tables["debts"]["customer_id"].isin(few)]["debt_id"]
    touches = tables["touches"][tables["touches"]["customer_id"].isin(few)]["touch_id"]
    part = {}
    for name, frame in tables.items():
        for key, ids in (("customer_id", few), ("debt_id", debts), ("touch_id", touches)):
            if key in frame:
                frame = frame[frame[key].isin(ids) | (frame[key].isna() & (key == "debt_id"))]
        part[name] = frame.reset_index(drop=True)
    alone = verdict_of(part)
    assert np.array_equal(alone.allowed, whole.allowed[:20])
    assert np.array_equal(alone.lawful_from, whole.lawful_from[:20])
