"""`replan` on tables: holds, new customers, dispatch states, folders and the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES, Portfolio
from contactopt.errors import ConfigError

CONFIG = {
    "fallback": "cautious", "channels": ["call_agent", "sms", "email", "letter"],
    "slots": [9, 12, 15, 18], "random_state": 3,
}  # fmt: skip


@dataclass
class Scene:
    portfolio: Portfolio
    strategy: co.ContactStrategy
    at: pd.Timestamp
    now: pd.Timestamp
    capacity: pd.DataFrame
    morning: Any

    def later(self, **rows: list[dict[str, Any]]) -> Portfolio:
        tables = dict(self.portfolio.tables)
        for name, more in rows.items():
            tables[name] = pd.concat([tables[name], pd.DataFrame(more)], ignore_index=True)
        return Portfolio.from_frames(tables, complete_to=self.portfolio.complete_to)

    def replan(self, portfolio: Portfolio, **more: Any):
        asked = {"as_of": self.now, "earlier": self.morning, "capacity": self.capacity, **more}
        return self.strategy.replan(portfolio, **asked)


@pytest.fixture(scope="module")
def scene() -> Scene:
    portfolio = co.datasets.load_demo(n_customers=160, random_state=4)
    at = portfolio.latest_instant()
    empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    strategy = co.ContactStrategy(config=StrategyConfig.from_mapping(CONFIG))
    strategy.fit(Portfolio.from_frames(empty), as_of=at)
    days = [f"{at + pd.Timedelta(days=k):%Y-%m-%d}" for k in (0, 1)]
    rows = [("call_agent", d, np.nan, 12.0) for d in days]
    rows += [("call_agent", d, float(h), 4.0) for d in days for h in range(24)]
    capacity = pd.DataFrame(rows, columns=["pool", "date", "hour", "units"])
    morning = strategy.rank(
        portfolio.subset(portfolio.customer_ids[:120]), as_of=at, capacity=capacity
    )
    return Scene(portfolio, strategy, at, at + pd.Timedelta(hours=4), capacity, morning)


def planned(scene: Scene) -> pd.DataFrame:
    frame = scene.morning.to_frame()
    return frame[(frame["slot_start"] > scene.now).to_numpy()]


def hold(who: str, when: pd.Timestamp) -> dict[str, Any]:
    return {"hold_id": f"H{who}", "customer_id": who, "kind": "cease_communication",
            "starts_at": when}  # fmt: skip


def test_a_hold_withdraws_and_new_customers_are_drawn_in_what_is_left(scene):
    who = planned(scene)["customer_id"].iloc[:6].tolist()
    after = scene.later(holds=[hold(c, scene.at + pd.Timedelta(hours=1)) for c in who])
    plan = scene.replan(after)
    standing = plan.replanned.standing
    assert set(standing.withdrawn["customer_id"]) == set(who)
    assert standing.withdrawn["reasons"].str.contains("house.cease").all()
    log = plan.decisions()
    assert set(log["customer_id"]) >= set(who) | set(scene.portfolio.customer_ids[120:])
    assert not set(log["customer_id"]) & set(standing.contacts["customer_id"])
    again = log[log["customer_id"].isin(who)]
    assert (again["action_id"] == "wait").all() and (again["propensity"] == 1.0).all()
    both = pd.concat([standing.contacts, plan.to_frame()])
    calls = both[both["channel"] == "call_agent"]["slot_start"]
    assert calls.dt.date.value_counts().max() <= 12
    assert calls.dt.floor("h").value_counts().max() <= 4
    assert plan.batch_id != scene.morning.batch_id
    assert scene.replan(after).content_hash == plan.content_hash


def test_without_news_only_new_customers_are_drawn(scene):
    plan = scene.replan(scene.portfolio)
    held = plan.replanned.standing
    assert len(held.withdrawn) == 0
    assert len(held.contacts) == len(scene.morning.to_frame())
    closed = scene.morning.decisions()
    closed = set(closed["customer_id"][(closed["n_eligible"] == 0) & ~closed["holdout"]])
    assert set(plan.decisions()["customer_id"]) <= set(scene.portfolio.customer_ids[120:]) | closed
    all_known = scene.replan(scene.portfolio.subset(scene.portfolio.customer_ids[:120]))
    assert set(all_known.decisions()["customer_id"]) <= closed


def test_what_was_dispatched_stands_and_what_was_not_is_drawn_again(scene):
    own = planned(scene).iloc[:3]
    sent, failed, touched = own["decision_id"].tolist()
    log = scene.morning.decisions().set_index("decision_id")
    rows = [
        {**log.loc[d].to_dict(), "decision_id": d, "dispatch_status": s, "dispatched_at": scene.at
         + pd.Timedelta(hours=1)}
        for d, s in ((sent, "sent"), (failed, "vendor_error"))
    ]  # fmt: skip
    touch = {
        "touch_id": "T", "customer_id": own["customer_id"].iloc[2], "direction": "outbound",
        "channel": own["channel"].iloc[2], "started_at": scene.at + pd.Timedelta(hours=3),
        "outcome": "no_answer", "decision_id": touched,
    }  # fmt: skip
    holds = [hold(c, scene.at + pd.Timedelta(hours=1)) for c in own["customer_id"]]
    plan = scene.replan(scene.later(decisions=rows, touches=[touch], holds=holds))
    stays = set(plan.replanned.standing.contacts["decision_id"])
    assert {sent, touched} <= stays and failed not in stays
    told = plan.replanned.standing.withdrawn.set_index("decision_id")
    assert set(told.index) == {failed}
    drawn = plan.decisions().set_index("customer_id")
    assert own["customer_id"].iloc[1] in drawn.index


def test_folder_replay_and_once_more(scene, tmp_path):
    scene.morning.write(tmp_path)
    who = planned(scene)["customer_id"].iloc[:4].tolist()
    after = scene.later(holds=[hold(c, scene.at + pd.Timedelta(hours=1)) for c in who])
    plan = scene.replan(after, earlier=tmp_path)
    assert plan.content_hash == scene.replan(after).content_hash
    plan.write(tmp_path)
    log = co.read_decisions(tmp_path)
    assert log.replay().ok and log.facts(plan.batch_id).replans == scene.morning.batch_id
    with pytest.raises(ConfigError, match="is a re-plan"):
        scene.strategy.replay(tmp_path, plan.batch_id, after)
    # what was not made by its deadline is named, and nothing that can still be made
    named = scene.strategy.recheck(tmp_path, after, as_of=scene.now)
    morning = scene.morning.to_frame()
    past = set(morning["decision_id"][(morning["start_before"] <= scene.now).to_numpy()])
    assert set(named["decision_id"]) == past
    assert set(named["reasons"]) <= {"plan.too_late"}
    last = scene.replan(after, earlier=tmp_path, as_of=scene.now + pd.Timedelta(hours=1))
    assert last.replanned.earlier.as_of == scene.at
    assert not set(last.decisions()["customer_id"]) & set(scene.portfolio.customer_ids[120:])
    late = set(last.replanned.standing.contacts["decision_id"])
    assert set(plan.to_frame()["decision_id"]) <= late


def test_outside_the_window_it_is_refused(scene):
    for when in (scene.at - pd.Timedelta(hours=1), scene.at + pd.Timedelta(hours=25)):
        with pytest.raises(ConfigError, match=r"does not lie between|stale|older"):
            scene.replan(scene.portfolio, as_of=when)


def test_the_command_line_does_the_same(scene, tmp_path: Path, monkeypatch):
    import sys

    import yaml

    from contactopt.cli import main

    (tmp_path / "strategy.yaml").write_text(yaml.safe_dump(CONFIG))
    scene.portfolio.subset(scene.portfolio.customer_ids[:120]).to_folder(tmp_path / "morning")
    who = planned(scene)["customer_id"].iloc[:2].tolist()
    after = scene.later(holds=[hold(c, scene.at + pd.Timedelta(hours=1)) for c in who])
    after.to_folder(tmp_path / "noon")
    scene.capacity.to_csv(tmp_path / "capacity.csv", index=False)
    monkeypatch.chdir(tmp_path)

    def run(*args: str, capsys: Any = None) -> None:
        monkeypatch.setattr(sys, "argv", ["contactopt", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code

    options = ["--strategy", "strategy.yaml", "--capacity", "capacity.csv"]
    run("rank", "morning", "--as-of", scene.at.isoformat(), "--out", "plan", *options)
    run("replan", "plan", "noon", "--as-of", scene.now.isoformat(), *options, "--json")
    log = co.read_decisions("plan")
    assert len(log.batch_ids) == 2
    assert log.facts(log.batch_ids[1]).replans == log.batch_ids[0]
    assert json.loads(log.batches["meta"].iloc[0])
    plan = pd.read_parquet("plan/plan.parquet")
    assert set(plan["batch_id"]) <= set(log.batch_ids)
    assert not plan["customer_id"].duplicated().any()
