"""One row of scores per customer in arrears: the same from any block, nothing from the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import contactopt as co
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.journal.terms import open_journal
from contactopt.policy.customer_scores import COLUMNS, score_customers
from contactopt.segments import customer_columns
from contactopt.simulation import World, strategy_mapping


class Scene:
    def __init__(self) -> None:
        world = World(n_customers=200, random_state=5, n_days=60).run()
        self.as_of, self.tables = world.as_of, world.tables()
        self.complete = {name: self.as_of.isoformat() for name in self.tables}
        self.portfolio = Portfolio.from_frames(self.tables, complete_to=self.complete)
        config = StrategyConfig.from_mapping({**strategy_mapping(), "slots": [9, 15]})
        self.strategy = co.ContactStrategy(config=config).fit(self.portfolio, as_of=self.as_of)
        self.scores = self.strategy.score_customers(self.portfolio, as_of=self.as_of)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def test_rows_are_the_customers_in_arrears_and_types_are_fixed(scene: Scene) -> None:  # 001-01
    view = open_journal(scene.portfolio, scene.strategy.config).as_of(scene.as_of)
    late = customer_columns(view)["lead_row"].to_numpy() >= 0
    assert 0 < late.sum() < len(late)
    assert list(scene.scores["customer_id"]) == list(view.customer_ids[late])
    assert scene.scores.dtypes.astype(str).replace("string", "str").to_dict() == COLUMNS


def test_numbers_are_those_of_the_models_alone(scene: Scene) -> None:
    models, config = scene.strategy.models_, scene.strategy.config
    view = open_journal(scene.portfolio, config).as_of(scene.as_of)
    late = np.flatnonzero(customer_columns(view)["lead_row"].to_numpy() >= 0)
    X = models.features.transform(view.journal, as_of=scene.as_of, customers=late)
    p = models.payment.predict_proba(X)[:, 1]
    assert models.roll is not None
    np.testing.assert_array_equal(scene.scores["p_pay"], p)
    np.testing.assert_array_equal(scene.scores["p_roll"], models.roll.predict_proba(X)[:, 1])
    np.testing.assert_array_equal(scene.scores["self_cure"], models.effect.predict_wait(p))
    mean = models.amount.expected_recovery(p, X).mean
    np.testing.assert_array_equal(scene.scores["expected_recovery"], mean)


def test_intervals_hold_their_centres_and_words_are_known(scene: Scene) -> None:
    s = scene.scores
    assert ((s["recovery_low"] <= s["recovery_high"]) & (s["recovery_low"] >= 0)).all()
    assert ((s["p_reach_low"] <= s["p_reach"]) & (s["p_reach"] <= s["p_reach_high"])).all()
    assert set(s["best_channel"]) <= set(scene.strategy.config.action_space.channels)
    assert set(s["best_hour"].dropna()) <= {9, 15}
    no_hour = s["best_hour"].isna()
    assert (s.loc[no_hour, "hour_reason"] != "").all()
    assert set(s["reach_rests_on"]) <= {"person", "type", "segment", "population"}


@pytest.mark.parametrize("size", [1, 37, 500])
def test_any_block_gives_the_same(scene: Scene, size: int) -> None:
    found = score_customers(
        scene.portfolio,
        models=scene.strategy.models_,
        segments=scene.strategy.segments_,
        config=scene.strategy.config,
        as_of=scene.as_of,
        block_customers=size,
    )
    pd.testing.assert_frame_equal(found, scene.scores)


def test_what_comes_later_changes_nothing(scene: Scene) -> None:
    later = scene.as_of + pd.Timedelta(hours=1)
    debts = scene.tables["debts"]["debt_id"]
    paid = pd.DataFrame(
        {"payment_id": "L" + debts, "debt_id": debts, "paid_at": later, "amount": 1e6}
    )
    tables = {**scene.tables, "payments": pd.concat([scene.tables["payments"], paid])}
    grown = Portfolio.from_frames(tables, complete_to=scene.complete)
    found = scene.strategy.score_customers(grown, as_of=scene.as_of)
    pd.testing.assert_frame_equal(found, scene.scores)


def test_a_saved_strategy_gives_the_same(scene: Scene, tmp_path: Path) -> None:
    scene.strategy.save(tmp_path / "bundle")
    found = co.ContactStrategy.load(tmp_path / "bundle").score_customers(
        scene.portfolio, as_of=scene.as_of
    )
    pd.testing.assert_frame_equal(found, scene.scores)


def test_nobody_in_arrears_gives_no_row_with_the_same_columns(scene: Scene) -> None:
    nobody = scene.portfolio.subset([])
    found = scene.strategy.score_customers(nobody, as_of=scene.as_of)
    assert len(found) == 0
    assert list(found) == list(COLUMNS)


def test_before_the_fit_it_says_so(scene: Scene) -> None:
    with pytest.raises(NotFittedError, match="call `fit` first"):
        co.ContactStrategy().score_customers(scene.portfolio, as_of=scene.as_of)


def test_letters_alone_are_no_best_channel(scene: Scene) -> None:
    config = StrategyConfig.from_mapping(
        {**strategy_mapping(), "channels": ["letter"], "pools": {}}
    )
    strategy = co.ContactStrategy(config=config).fit(scene.portfolio, as_of=scene.as_of)
    found = strategy.score_customers(scene.portfolio, as_of=scene.as_of)
    assert list(found["customer_id"]) == list(scene.scores["customer_id"])
    assert found[["best_channel", "best_hour", "p_reach"]].isna().all(axis=None)
