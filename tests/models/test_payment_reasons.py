"""Reason codes add up, monotone demands hold, directions are taken by exact name only."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from contactopt.bundle import load_bundle, save_bundle
from contactopt.errors import ConfigError
from contactopt.models import PaymentModel


def world(n, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "debt.days_past_due": rng.integers(1, 120, size=n).astype(float),
            "noise": rng.normal(size=n),
            "book": rng.choice(["a", "b", "c"], size=n),
        }
    )
    z = 1.0 - 0.02 * frame["debt.days_past_due"] + 0.8 * (frame["book"] == "a")
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    frame.loc[rng.random(n) < 0.1, "noise"] = np.nan
    return frame, y


@pytest.fixture(scope="module")
def fitted():
    X, y = world(1500, 0)
    return PaymentModel(max_rounds=80, learning_rate=0.1).fit(X, y), X


@pytest.mark.parametrize("top", [0, 1, 2, 3, None])
def test_contributions_and_base_add_up_to_the_logit(fitted, top):
    model, X = fitted
    told = model.explain(X.iloc[:200], top=top)
    by_row = told.groupby("row", sort=False)
    total = by_row["contribution"].sum() + by_row["base"].first()
    p = model.predict_proba(X.iloc[:200])[:, 1]
    np.testing.assert_allclose(total, logit(p), atol=1e-9)
    np.testing.assert_allclose(by_row["logit"].first(), logit(p), atol=1e-9)


def test_the_largest_part_comes_first_and_names_its_value(fitted):
    model, X = fitted
    told = model.explain(X.iloc[[3]], top=2)
    assert told["rank"].tolist() == [1, 2, 3]
    assert told["feature"].iloc[-1] == "(others)"
    parts = told["contribution"].abs()
    assert parts.iloc[0] >= parts.iloc[1] >= parts.iloc[2]
    days = told[told["feature"] == "debt.days_past_due"].iloc[0]
    assert days["reason"] == "days past due (debt)"
    assert days["value"] == X["debt.days_past_due"].iloc[3]
    assert set(told["row"]) == {X.index[3]}


def test_late_customers_are_told_so(fitted):
    model, X = fitted
    asked = X.iloc[[0, 0]].assign(**{"debt.days_past_due": [1.0, 119.0]})
    told = model.explain(asked.reset_index(drop=True), top=None)
    part = told[told["feature"] == "debt.days_past_due"].set_index("row")["contribution"]
    assert part[0] > 0.3 and part[1] < -0.3


@pytest.mark.parametrize("learner", ["logistic", "lightgbm"])
def test_each_learner_explains_itself_alone(learner):
    X, y = world(600, 1)
    model = PaymentModel(learner=learner, max_rounds=40).fit(X, y)
    told = model.explain(X.iloc[:50], top=1)
    total = told.groupby("row")["contribution"].sum() + told.groupby("row")["base"].first()
    np.testing.assert_allclose(total, logit(model.predict_proba(X.iloc[:50])[:, 1]), atol=1e-9)


def test_a_prior_is_told_by_days_past_due_and_no_rows_give_no_reasons(fitted):
    X, y = world(30, 2)
    cold = PaymentModel(days_past_due="debt.days_past_due").fit(X, y)
    told = cold.explain(X, top=1)
    named = told[told["rank"] == 1]
    assert cold.cold_start_ and (named["contribution"] != 0).any()
    assert set(named.loc[named["contribution"] != 0, "feature"]) == {"debt.days_past_due"}
    assert len(fitted[0].explain(fitted[1].iloc[:0])) == 0


def test_reasons_survive_a_bundle(fitted, tmp_path):
    model, X = fitted
    save_bundle({"payment": model.to_state()}, tmp_path / "b")
    again = PaymentModel.from_state(load_bundle(tmp_path / "b")["payment"])
    pd.testing.assert_frame_equal(again.explain(X.iloc[:20]), model.explain(X.iloc[:20]))
    assert again.verdict_ == model.verdict_


def slopes(model, X, column):
    grid = np.linspace(1, 119, 60)
    frame = pd.concat([X.iloc[[0]]] * 60, ignore_index=True).assign(**{column: grid})
    return np.diff(model.predict_proba(frame)[:, 1])


@pytest.mark.parametrize("learner", ["logistic", "lightgbm", "blend"])
def test_a_demanded_direction_holds_against_the_data(learner):
    rng = np.random.default_rng(3)
    n = 1200
    X = pd.DataFrame({"days": rng.uniform(0, 120, n), "other": rng.normal(size=n)})
    # a hump: pays more in the middle
    z = 1.5 - ((X["days"] - 60) / 30) ** 2 + X["other"]
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    settings = {"learner": learner, "max_rounds": 60, "learning_rate": 0.1}
    free = PaymentModel(**settings).fit(X, y)
    bound = PaymentModel(monotone={"days": -1}, **settings).fit(X, y)
    assert slopes(free, X, "days").max() > 1e-3
    assert slopes(bound, X, "days").max() <= 1e-12
    assert bound.fit_record_["monotone"] == {"days": -1}


def test_auto_takes_the_pipelines_own_names_only(fitted):
    model, X = fitted
    assert model.fit_record_["monotone"] == {"debt.days_past_due": -1}
    assert slopes(model, X, "debt.days_past_due").max() <= 1e-12
    renamed = X.rename(columns={"debt.days_past_due": "days_past_due"})
    other = PaymentModel(learner="logistic").fit(renamed, world(1500, 0)[1])
    assert other.fit_record_["monotone"] == {}


@pytest.mark.parametrize("wrong", [{"nope": 1}, {"book": 1}, {"noise": 2}, "always"])
def test_a_direction_that_cannot_be_held_is_refused(wrong):
    with pytest.raises(ConfigError, match="monotone"):
        PaymentModel(monotone=wrong).fit(*world(300, 4))
