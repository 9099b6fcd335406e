"""RollModel: learns, explains, keeps its state; its prior goes the other way than payment's."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contactopt.bundle import load_bundle, save_bundle
from contactopt.metrics import auc
from contactopt.models import PaymentModel, RollModel


def world(n, seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"dpd": rng.integers(1, 90, n).astype(float), "x": rng.normal(size=n)})
    z = -1.0 + 0.02 * X["dpd"] - X["x"]
    return X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)


def test_it_learns_and_keeps_its_state(tmp_path):
    X, y = world(1200, 0)
    model = RollModel(days_past_due="dpd", max_rounds=60, learning_rate=0.1).fit(X, y)
    p = model.predict_proba(X)[:, 1]
    assert auc(y, p).value > 0.7 and model.fit_record_["rolling_rows"] == int(y.sum())
    save_bundle({"roll": model.to_state()}, tmp_path / "b")
    again = RollModel.from_state(load_bundle(tmp_path / "b")["roll"])
    assert isinstance(again, RollModel)
    assert np.array_equal(again.predict_proba(X)[:, 1], p)


def test_the_prior_rolls_more_the_later_where_payment_pays_less():
    empty, _ = world(0, 1)
    asked = pd.DataFrame({"dpd": [3.0, 20.0, 45.0, 75.0], "x": 0.0})
    roll = RollModel(days_past_due="dpd").fit(empty, []).predict_proba(asked)[:, 1]
    pay = PaymentModel(days_past_due="dpd").fit(empty, []).predict_proba(asked)[:, 1]
    assert (np.diff(roll) > 0).all() and (np.diff(pay) < 0).all()
    month = RollModel(days_past_due="dpd", horizon_days=60).fit(empty, []).predict_proba(asked)
    assert month[0, 1] == pytest.approx(1 - 0.9**2)
    assert np.isfinite(RollModel(days_past_due="dpd").fit(empty, []).explain(asked)["logit"]).all()


def test_a_strategy_of_the_first_format_has_no_roll_and_keeps_none():
    from contactopt.models.fitting import models_from_state, models_to_state

    old = Path(__file__).resolve().parents[1] / "backcompat" / "bundle_v1"
    models = models_from_state(load_bundle(old)["models"])
    assert models.roll is None and "roll" not in models_to_state(models)
    X, y = world(200, 2)
    models.roll = RollModel(learner="logistic").fit(X, y)
    again = models_from_state(models_to_state(models)).roll
    assert np.array_equal(again.predict_proba(X), models.roll.predict_proba(X))
