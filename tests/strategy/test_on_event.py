"""An event moves one customer's state at once, with the answer that all customers' scores give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.compliance import shared_point_rotation
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.errors import ContractError
from contactopt.simulation import World, strategy_mapping


class Scene:
    def __init__(self) -> None:
        world = World(n_customers=150, random_state=8, n_days=30).run()
        self.as_of, self.tables = world.as_of, world.tables()
        self.complete = {name: self.as_of.isoformat() for name in self.tables}
        config = StrategyConfig.from_mapping({**strategy_mapping(), "slots": [9, 15]})
        self.portfolio = Portfolio.from_frames(self.tables, complete_to=self.complete)
        self.strategy = co.ContactStrategy(config=config).fit(self.portfolio, as_of=self.as_of)
        self.now = self.as_of + pd.Timedelta(minutes=30)
        self.batch = self.strategy.score(self.portfolio, as_of=self.now)

    def with_rows(self, events: dict) -> Portfolio:
        tables = dict(self.tables)
        for name, rows in events.items():
            tables[name] = pd.concat([tables[name], pd.DataFrame(rows)], ignore_index=True)
        return Portfolio.from_frames(tables, complete_to=self.complete)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def free(scene: Scene, k: int) -> str:
    """A customer who could be contacted, with one debt."""
    several = scene.tables["debts"].groupby("customer_id").size()
    ids = scene.batch.customer_ids[scene.batch.allowed.any(axis=1)]
    return str([c for c in ids if several[c] == 1][k])


def event_rows(scene: Scene) -> dict[str, tuple[dict, str]]:
    """Kinds of events about the first customers who could be contacted, and the rule they set."""
    at = scene.now - pd.Timedelta(minutes=3)
    debts = scene.tables["debts"].drop_duplicates("customer_id").set_index("customer_id")["debt_id"]
    touch = {"touch_id": "E", "direction": "inbound", "channel": "call_agent", "started_at": at}
    due = scene.now + pd.Timedelta(days=4)
    return {
        "paid": (
            {"payments": [{"payment_id": "E", "debt_id": debts[free(scene, 0)], "paid_at": at,
                           "amount": 1e7}]},
            "house.paid",
        ),
        "promise": (
            {"promises": [{"promise_id": "E", "debt_id": debts[free(scene, 1)], "made_at": at,
                           "due_at": due, "amount": 5.0}]},
            "house.promise_silence",
        ),
        "dispute": (
            {"touches": [{**touch, "customer_id": free(scene, 2), "outcome": "dispute"}]},
            "house.dispute",
        ),
        "cease": (
            {"holds": [{"hold_id": "E", "customer_id": free(scene, 3), "starts_at": at,
                        "kind": "cease_communication"}]},
            "house.cease",
        ),
        "reply": (
            {"touches": [{**touch, "customer_id": free(scene, 4), "channel": "whatsapp",
                          "outcome": "replied"}]},
            "house.quiet_after_contact",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["paid", "promise", "dispute", "cease", "reply"])
def test_one_customer_now_is_one_row_of_all(scene, kind):  # 003-02, 003-12
    events, rule = event_rows(scene)[kind]
    before = {n: f.copy() for n, f in scene.portfolio.tables.items()}
    one = scene.strategy.on_event(scene.portfolio, events, as_of=scene.now)
    (who,) = one.customer_ids
    assert any(rule in found for found in one.reasons_of(who).values())
    for name, frame in before.items():
        pd.testing.assert_frame_equal(scene.portfolio.tables[name], frame)
    full = scene.strategy.score(scene.with_rows(events), as_of=scene.now)
    row = int(np.flatnonzero(full.customer_ids == who)[0])
    assert one.reasons_of(who) == full.reasons_of(who)
    for name in ("allowed", "slot_start", "start_before", "lawful_from"):
        np.testing.assert_array_equal(getattr(one, name)[0], getattr(full, name)[row])
    for name in ("value", "lift", "p_reach", "amount"):
        np.testing.assert_allclose(getattr(one, name)[0], getattr(full, name)[row], rtol=1e-6)
    # and others are not touched by it
    others = np.delete(full.allowed, row, axis=0)
    np.testing.assert_array_equal(others, np.delete(scene.batch.allowed, row, axis=0))


def test_a_row_with_a_known_key_replaces_it(scene):
    at = scene.now - pd.Timedelta(minutes=3)
    who = free(scene, 0)
    hold = {"hold_id": "E", "customer_id": who, "starts_at": at, "kind": "do_not_contact"}
    held = scene.with_rows({"holds": [hold]})
    ended = {**hold, "ends_at": at + pd.Timedelta(seconds=1)}
    nothing = scene.strategy.on_event(held, {}, as_of=scene.now, customer_id=who)
    assert not nothing.allowed.any()
    assert scene.strategy.on_event(held, {"holds": [ended]}, as_of=scene.now).allowed.any()


def test_tables_of_one_customer_will_do(scene):
    events, _ = event_rows(scene)["dispute"]
    (row,) = events["touches"]
    own = scene.portfolio.subset([row["customer_id"]])
    given = scene.strategy.on_event(scene.portfolio, events, as_of=scene.now)
    config = scene.strategy.config.model_copy(update={"max_staleness_hours": 1e6})
    loose = co.ContactStrategy(config=config)
    loose.models_, loose.policy_ = scene.strategy.models_, scene.strategy.policy_
    loose.segments_ = scene.strategy.segments_
    loose._version = scene.strategy.version
    found = loose.on_event(own.tables, events, as_of=scene.now)
    assert found.reasons_of(row["customer_id"]) == given.reasons_of(row["customer_id"])


def test_events_that_cannot_be_placed_are_refused(scene):
    at = scene.now
    touch = {"touch_id": "E", "direction": "inbound", "channel": "sms", "started_at": at,
             "outcome": "replied"}  # fmt: skip

    def send(**events):
        return scene.strategy.on_event(scene.portfolio, events, as_of=scene.now)

    with pytest.raises(ContractError, match="not in the portfolio"):
        send(touches=[{**touch, "customer_id": "nobody"}])
    with pytest.raises(ContractError, match="concern 2 customers"):
        send(touches=[{**touch, "customer_id": free(scene, k), "touch_id": k} for k in (0, 1)])
    with pytest.raises(ContractError, match="no customer that is known"):
        send(payments=[{"payment_id": "E", "debt_id": "none", "paid_at": at, "amount": 1.0}])
    with pytest.raises(ContractError, match=r"does not meet the contract: touches\.channel"):
        send(touches=[{**touch, "customer_id": free(scene, 0), "channel": "pigeon"}])
    with pytest.raises(ContractError, match="unknown table"):
        send(touchs=[touch])
    with pytest.raises(ContractError, match="does not have"):
        send(touches=[{**touch, "customer_id": free(scene, 0), "contact_point_id": "none"}])


def test_a_new_point_that_somebody_else_has_joins_the_rotation(scene):  # 003-14
    """On one of two days each of the two who share the phone has to wait."""
    who, other = free(scene, 0), free(scene, 1)
    points = scene.tables["contact_points"]
    theirs = points[points["customer_id"] == other].iloc[0]
    tables = dict(scene.tables)
    tables["contact_points"] = points.assign(
        address_key=np.where(points.index == theirs.name, "one phone", None)
    )
    portfolio = Portfolio.from_frames(tables, complete_to=scene.complete)
    new = {
        "contact_point_id": "E",
        "customer_id": who,
        "kind": theirs["kind"],
        "place": "home",
        "address_key": "one phone",
        "valid_from": scene.as_of - pd.Timedelta(days=9),
    }
    rested = []
    for seed in range(6):
        one = scene.strategy.on_event(
            portfolio, {"contact_points": [new]}, as_of=scene.now, random_state=seed
        )
        rested.append(any("house.shared_point" in r for r in one.reasons_of(who).values()))
        tables["contact_points"] = pd.concat(
            [portfolio.tables["contact_points"], pd.DataFrame([new])], ignore_index=True
        )
        both = Portfolio.from_frames(tables, complete_to=scene.complete)
        assert rested[-1] == (who in set(shared_point_rotation(both, scene.now, seed).squeeze(1)))
    assert len(set(rested)) == 2
