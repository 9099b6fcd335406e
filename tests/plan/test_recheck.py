"""Just before dispatch: what became unlawful, or cannot be found any more, is withdrawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.compliance import RuleBook, evaluate
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.errors import ConfigError, ContractError
from contactopt.journal.terms import open_journal
from contactopt.plan import read_plan, recheck
from contactopt.simulation import World, capacity_table, strategy_mapping


class Scene:
    """A small world, its plan, and what may happen until the dispatch."""

    def __init__(self) -> None:
        world = World(n_customers=400, random_state=5, n_days=40).run()
        self.as_of = world.as_of
        self.tables = world.tables()
        self.complete = {name: self.as_of.isoformat() for name in self.tables}
        turns = {"single_active_channel": True, "futility_attempts": 6}
        self.config = StrategyConfig.from_mapping(
            {**strategy_mapping(), "orchestration": turns, "holdout_share": 0.0}
        )
        self.strategy = co.ContactStrategy(config=self.config)
        self.strategy.fit(self.portfolio(), as_of=self.as_of)
        capacity = capacity_table(4_000, self.as_of.date())
        self.plan = self.strategy.rank(self.portfolio(), as_of=self.as_of, capacity=capacity)
        self.rows = self.plan.to_frame()

    def portfolio(self, **more: list[dict[str, Any]]) -> Portfolio:
        tables = dict(self.tables)
        for name, rows in more.items():
            new = pd.DataFrame(rows)
            for c in new.columns:
                if c.endswith("_at"):
                    new[c] = pd.to_datetime(new[c], utc=True).dt.as_unit("us")
            old = tables[name]
            tables[name] = pd.concat([old, new], ignore_index=True) if len(old) else new
        return Portfolio.from_frames(tables, complete_to=self.complete)

    def withdrawn(self, now: Any, portfolio: Portfolio | None = None) -> dict[str, str]:
        found = self.plan.recheck(self.portfolio() if portfolio is None else portfolio, now)
        return dict(zip(found["customer_id"], found["reasons"], strict=True))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def soon(scene: Scene) -> pd.Timestamp:
    return scene.as_of + pd.Timedelta(minutes=20)


def test_nothing_is_withdrawn_where_nothing_happened(scene):
    assert len(scene.rows) > 60
    assert scene.rows["channel"].nunique() > 3
    found = scene.plan.recheck(scene.portfolio(), scene.as_of)
    assert found.empty and found.columns[-1] == "reasons"
    assert found.attrs["rows"] == len(scene.rows) and found.attrs["withdrawn"] == 0


def test_a_row_past_its_last_instant_is_withdrawn(scene):
    now = scene.rows["start_before"].quantile(0.4)
    late = scene.rows[scene.rows["start_before"] <= now]
    found = scene.withdrawn(now)
    assert set(late["customer_id"]) == set(found)
    assert set(found.values()) == {"plan.too_late"}


def test_what_happened_since_withdraws_that_customer_and_no_other(scene):  # 003-12, 003-17
    who = scene.rows.set_index("channel")
    now = soon(scene)
    at = (scene.as_of + pd.Timedelta(minutes=5)).isoformat()
    calls, texts = who.loc[["call_agent", "call_bot"]], who.loc[["sms", "whatsapp", "email"]]
    paid, ceased, held, promised, disputed = calls.iloc[:5].itertuples()
    dead, opted, talked = texts.iloc[:3].itertuples()
    letter = scene.rows[scene.rows["channel"] == "letter"].iloc[0]

    def hold(row: Any, kind: str, **more: Any) -> dict[str, Any]:
        return {
            "hold_id": f"new-{row.customer_id}",
            "customer_id": row.customer_id,
            "kind": kind,
            "starts_at": at,
            **more,
        }

    def touch(row: Any, channel: str, outcome: str, **more: Any) -> dict[str, Any]:
        return {
            "touch_id": f"new-{row.customer_id}",
            "customer_id": row.customer_id,
            "direction": "inbound",
            "channel": channel,
            "started_at": at,
            "outcome": outcome,
            **more,
        }

    portfolio = scene.portfolio(
        payments=[
            {"payment_id": "new", "debt_id": paid.debt_id, "paid_at": at, "amount": 1e6}
        ],
        holds=[hold(ceased, "cease_communication"), hold(held, "attorney")],
        promises=[
            {
                "promise_id": "new", "debt_id": promised.debt_id, "made_at": at,
                "due_at": scene.as_of + pd.Timedelta(days=5), "amount": 5.0,
            }
        ],
        touches=[
            touch(disputed, "call_agent", "dispute"),
            touch(dead, dead.Index, "bounced", contact_point_id=dead.contact_point_id,
                  direction="outbound"),
            touch(opted, opted.Index, "opted_out"),
            touch(talked, "call_agent", "no_commitment"),
            touch(letter, "portal", "visited"),
        ],
    )  # fmt: skip
    found = scene.withdrawn(now, portfolio)
    expected = {
        paid: "house.paid",
        ceased: "house.cease",
        held: "house.represented",
        promised: "house.promise_silence",
        disputed: "house.dispute",
        dead: "house.dead_point",
        opted: "house.consent_revoked",
        talked: "house.quiet_after_contact",
    }
    assert {r.customer_id for r in expected} == set(found)
    for row, rule in expected.items():
        assert rule in found[row.customer_id].split("|"), (row.Index, found[row.customer_id])


def test_a_hold_that_begins_inside_the_slot_withdraws_the_contact(scene):
    row = scene.rows[scene.rows["channel"] == "call_agent"].iloc[0]
    begins = row["slot_start"] + (row["start_before"] - row["slot_start"]) / 2
    hold = {
        "hold_id": "new", "customer_id": row["customer_id"], "kind": "do_not_contact",
        "starts_at": begins, "recorded_at": scene.as_of - pd.Timedelta(days=9),
    }  # fmt: skip
    found = scene.withdrawn(soon(scene), scene.portfolio(holds=[hold]))
    assert found == {row["customer_id"]: "house.do_not_contact"}


def test_who_cannot_be_found_any_more_is_withdrawn(scene):
    gone, faulty, debtless = scene.rows["customer_id"].iloc[:3]
    tables = {}
    for name, frame in scene.tables.items():
        own = frame["customer_id"] == gone if "customer_id" in frame else None
        tables[name] = frame if own is None or name == "debts" else frame[~own]
    lost = scene.tables["debts"].loc[scene.tables["debts"]["customer_id"] == gone, "debt_id"]
    for name, frame in tables.items():
        if "debt_id" in frame:
            tables[name] = frame[~frame["debt_id"].isin(lost)]
    for name in ("touch_debts", "touch_events", "touches"):
        own = scene.tables["touches"].loc[scene.tables["touches"]["customer_id"] == gone]
        tables[name] = tables[name][~tables[name]["touch_id"].isin(own["touch_id"])]
    named = scene.rows["debt_id"].iloc[2]
    other = scene.tables["debts"]["customer_id"].iloc[-1]
    tables["debts"] = tables["debts"].assign(
        customer_id=tables["debts"]["customer_id"].where(tables["debts"]["debt_id"] != named, other)
    )
    hold = {
        "hold_id": "new", "customer_id": faulty, "kind": "hodl", "starts_at": scene.as_of,
    }  # fmt: skip
    tables["holds"] = pd.concat([tables["holds"], pd.DataFrame([hold])], ignore_index=True)
    portfolio = Portfolio.from_frames(tables, complete_to=scene.complete, max_quarantined_share=0.5)
    found = scene.withdrawn(scene.as_of, portfolio)
    assert found[gone] == "plan.customer_missing"
    assert found[faulty] == "plan.customer_quarantined"
    assert found[debtless] == "plan.debt_missing"


def test_own_decisions_do_not_count_but_those_of_others_do(scene):
    own = scene.plan.decisions()
    columns = ["decision_id", "decided_at", "customer_id", "channel", "propensity", "slot_start",
               "dispatch_status"]  # fmt: skip
    own = own.loc[own["channel"] != "wait", columns].to_dict("records")
    assert scene.withdrawn(soon(scene), scene.portfolio(decisions=own)) == {}
    row = scene.rows.iloc[0]
    other = {
        "decision_id": "other", "decided_at": scene.as_of, "customer_id": row["customer_id"],
        "channel": "sms", "propensity": 0.5, "slot_start": row["slot_start"],
        "dispatch_status": "pending",
    }  # fmt: skip
    found = scene.withdrawn(soon(scene), scene.portfolio(decisions=[*own, other]))
    assert set(found) == {row["customer_id"]}
    assert "house.open_plan" in found[row["customer_id"]]


def test_what_has_started_is_left_alone(scene):
    row = scene.rows[scene.rows["channel"] == "call_agent"].iloc[0]
    now = row["start_before"] + pd.Timedelta(minutes=1)
    touch = {
        "touch_id": "new", "customer_id": row["customer_id"], "channel": "call_agent",
        "direction": "outbound", "started_at": row["slot_start"], "outcome": "no_answer",
        "decision_id": row["decision_id"],
    }  # fmt: skip
    found = scene.plan.recheck(scene.portfolio(touches=[touch]), now)
    assert row["customer_id"] not in set(found["customer_id"])
    assert found.attrs["started"] == 1


def test_the_folder_knows_its_strategy(scene, tmp_path):
    scene.plan.write(tmp_path / "plan")
    rows, _, config = read_plan(tmp_path / "plan")
    assert config == scene.config
    now = scene.rows["start_before"].quantile(0.4)
    a = recheck(rows, scene.portfolio(), now, config=config)
    b = scene.plan.recheck(scene.portfolio(), now)
    c = scene.strategy.recheck(tmp_path / "plan", scene.portfolio(), as_of=now)
    d = recheck(rows, scene.portfolio(), now, config=config, block_customers=7)
    for other in (b, c, d):
        pd.testing.assert_frame_equal(a, other, check_dtype=False)
    with pytest.raises(ConfigError, match="no plan"):
        read_plan(tmp_path)
    with pytest.raises(ConfigError, match="before the plan"):
        scene.plan.recheck(scene.portfolio(), scene.as_of - pd.Timedelta(hours=1))
    with pytest.raises(ConfigError, match="no column debt_id"):
        recheck(rows.drop(columns="debt_id"), scene.portfolio(), now, config=config)
    nobody = recheck(rows.head(0), scene.portfolio(), now, config=config)
    assert nobody.empty and list(nobody.columns) == list(a.columns)
    batch = co.ScoredBatch.from_frame(scene.plan.batch.to_frame())
    with pytest.raises(ContractError, match="without a strategy"):
        co.rank(batch, policy=scene.strategy.policy_, pools=config.pools).recheck(
            scene.portfolio(), now
        )


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_a_new_verdict(scene, seed):
    """Random events: what a new verdict forbids is withdrawn, what it would do again is not."""
    rng = np.random.default_rng(seed)
    now = soon(scene)
    customers = scene.rows["customer_id"].to_numpy()
    rows = []
    for k, c in enumerate(rng.choice(customers, 60, replace=False)):
        point = scene.rows.loc[scene.rows["customer_id"] == c, "contact_point_id"].iloc[0]
        rows.append(
            {
                "touch_id": f"new{k}", "customer_id": c,
                "channel": rng.choice(["call_agent", "call_bot", "sms", "email"]),
                "direction": rng.choice(["inbound", "outbound"]),
                "started_at": now - pd.Timedelta(minutes=int(rng.integers(1, 3000))),
                "outcome": rng.choice(
                    ["no_answer", "promise", "dispute", "invalid", "replied", "callback", "unknown"]
                ),
                "contact_point_id": point,
            }
        )  # fmt: skip
    portfolio = scene.portfolio(touches=rows)
    found = scene.withdrawn(now, portfolio)
    config = scene.config.model_copy(update={"lead_minutes": 0})
    view = open_journal(portfolio, config).as_of(now)
    verdict = evaluate(view, rules=RuleBook.load(config.rules, now), config=config)
    at = {c: i for i, c in enumerate(view.customer_ids)}
    ids = list(config.action_space.action_ids)
    compared = 0
    for row in scene.rows.itertuples():
        i, a = at[row.customer_id], ids.index(row.action_id)
        if row.channel == "letter" or row.slot_start < now:
            continue
        fresh = verdict.allowed[i, a]
        point, debt = verdict.contact_point[i, a], verdict.debt[i, a]
        same = fresh and view.points["contact_point_id"].iloc[point] == row.contact_point_id
        same = same and view.debts["debt_id"].iloc[debt] == row.debt_id
        if not fresh:
            assert row.customer_id in found, (row.customer_id, verdict.reasons_of(i, a))
            compared += 1
        elif same:
            assert row.customer_id not in found, found[row.customer_id]
            compared += 1
    assert compared > 50 and len(found) > 10
