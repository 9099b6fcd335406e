"""Strategies and logs saved by version 0.1.0 load for ever and score as they did (002-25)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import contactopt as co
from contactopt.bundle import content_hash, load_bundle
from contactopt.tracking import load_strategy, log_strategy

HERE = Path(__file__).parent
BUNDLE, PORTFOLIO, LOG = HERE / "bundle_v1", HERE / "portfolio_v1", HERE / "log_v1"
SCORES: dict[str, Any] = json.loads((HERE / "scores_v1.json").read_text("utf-8"))
AS_OF = pd.Timestamp(SCORES["as_of"])
# The frozen numbers were exact where they were made. Other builds of numpy, scipy and LightGBM add
# in another order: 1e-9 relative bounds that. p_reach and p_pay are stored as float32 (6e-8).
EXACT = {"rtol": 1e-9, "atol": 1e-12}
SINGLE = {"rtol": 1e-6, "atol": 1e-9}


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.Portfolio.from_folder(PORTFOLIO)


@pytest.fixture(scope="module")
def strategy() -> co.ContactStrategy:
    return co.ContactStrategy.load(BUNDLE)


def assert_scores_are_frozen(batch: co.ScoredBatch) -> None:
    assert batch.customer_ids.tolist() == SCORES["customer_ids"]
    # an action added to the language must not move the frozen ones
    at = [batch.actions.action_ids.index(a) for a in SCORES["action_ids"]]
    for name in ("p_pay_wait", "amount"):
        np.testing.assert_allclose(getattr(batch, name), SCORES[name], err_msg=name, **EXACT)
    for name in ("lift", "cost", "harm", "value", "spread"):
        found = getattr(batch, name)[:, at]
        np.testing.assert_allclose(found, SCORES[name], err_msg=name, **EXACT)
    for name in ("p_reach", "p_pay"):
        found = getattr(batch, name)[:, at]
        np.testing.assert_allclose(found, SCORES[name], err_msg=name, **SINGLE)


def test_bundle_is_the_one_that_was_frozen() -> None:
    assert content_hash(BUNDLE) == SCORES["content_hash"]
    assert json.loads((BUNDLE / "bundle.json").read_text("utf-8"))["format_version"] == 1
    state = load_bundle(BUNDLE, kind="strategy")
    assert list(state) == ["config", "models", "policy", "record"]
    assert state["models"]["payment"]["blend"]["trees"].startswith("tree\n")


def test_strategy_knows_when_and_on_what_it_was_fitted(strategy) -> None:
    assert strategy.as_of_ == AS_OF
    assert strategy.version == SCORES["content_hash"]  # its plans name the bundle they came from
    assert strategy.fit_record_["customers"] == 260
    assert sorted(strategy.fit_record_["parts"]) == [
        "amount", "effect", "features", "harm", "payment", "reach",
    ]  # fmt: skip
    assert strategy.config.channel_root("rcs") == "sms"


def test_scores_are_as_they_were(strategy, portfolio) -> None:
    assert_scores_are_frozen(strategy.score(portfolio, as_of=AS_OF))


def test_plan_can_be_ranked_in_capacity(strategy, portfolio) -> None:
    plan = strategy.rank(portfolio, as_of=AS_OF)
    decisions = plan.decisions()
    assert decisions["customer_id"].tolist() == SCORES["customer_ids"]
    assert decisions["propensity"].between(0, 1).all()
    assert np.isfinite(decisions["propensity"]).all()
    # 18 minutes a day, 6 a call, two days in the window
    assert (decisions["channel"] == "call_agent").sum() <= 6
    assert decisions["policy_version"].nunique() == 1


def test_a_bundle_without_segments_has_those_of_the_library(strategy, portfolio) -> None:
    told = strategy.segment(portfolio, as_of=AS_OF)
    assert told["customer_id"].tolist() == SCORES["customer_ids"]
    assert told["segment"].notna().all()


def test_saved_again_it_scores_the_same(strategy, portfolio, tmp_path: Path) -> None:
    digest = strategy.save(tmp_path / "again")
    assert content_hash(tmp_path / "again") == digest
    again = co.ContactStrategy.load(tmp_path / "again")
    assert again.version == digest
    assert_scores_are_frozen(again.score(portfolio, as_of=AS_OF))


def test_folder_and_registry_give_the_same_strategy(
    portfolio, tracking_uri: str, tmp_path: Path
) -> None:
    shutil.copytree(BUNDLE, tmp_path / "copied")
    from_folder = load_strategy(tmp_path / "copied")
    logged = log_strategy(from_folder, registered_name="old", tracking_uri=tracking_uri)
    from_registry = load_strategy("models:/old@champion", tracking_uri=tracking_uri)
    assert from_registry.version == logged.content_hash
    assert_scores_are_frozen(from_registry.score(portfolio, as_of=AS_OF))


def test_log_of_the_first_format_explains_its_decisions() -> None:
    log = co.read_decisions(LOG)
    decisions = log.to_frame()
    assert sorted(decisions["customer_id"]) == SCORES["customer_ids"]
    assert set(decisions["policy_version"]) == {SCORES["content_hash"]}
    drawn = decisions[decisions["action_id"] != "wait"].iloc[0]
    actions = log.why(drawn["decision_id"]).to_frame().set_index("action_id")
    row = SCORES["customer_ids"].index(drawn["customer_id"])
    column = SCORES["action_ids"].index(drawn["action_id"])
    found = actions.loc[drawn["action_id"]]
    assert found["probability"] == pytest.approx(drawn["propensity"], abs=1e-12)
    assert found["value"] == pytest.approx(SCORES["value"][row][column], rel=1e-6)
    blocked = actions[actions["probability"] == 0].drop(index="wait", errors="ignore")
    assert len(blocked)
    assert (blocked["reasons"].str.len() > 0).all()


def test_log_of_the_first_format_can_be_replayed_as_far_as_it_goes() -> None:
    report = co.read_decisions(LOG).replay()
    assert report.ok
    assert report.notes  # what such a log does not hold is said
