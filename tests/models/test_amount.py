"""Amount given payment: totals, bounds, shrinkage, state."""

import numpy as np
import pandas as pd
import pytest

from contactopt.bundle import load_bundle, save_bundle
from contactopt.errors import ConfigError
from contactopt.models import AmountModel

NAMES = {"exposure": "past_due", "balance": "balance", "days_past_due": "dpd"}


def payers(n, seed):
    """Shares of the past due fall with age, with heavy tails; some pay far more."""
    rng = np.random.default_rng(seed)
    past_due = rng.lognormal(5, 1, size=n)
    dpd = rng.integers(1, 200, size=n).astype(float)
    share = np.exp(rng.normal(-0.4 - 0.006 * dpd, 0.6)) * np.where(rng.random(n) < 0.01, 8, 1)
    balance = past_due * rng.uniform(1, 10, size=n)
    X = pd.DataFrame({"past_due": past_due, "balance": balance, "dpd": dpd})
    return X, np.minimum(share * past_due, balance)


@pytest.mark.parametrize("n", [1000, 1500, 6000])
def test_total_money_is_right_on_new_customers(n):
    X, money = payers(n, 0)
    Xt, actual = payers(20_000, 1)
    predicted = AmountModel(**NAMES).fit(X, money).predict(Xt)
    assert predicted.sum() / actual.sum() == pytest.approx(1.0, abs=0.1)
    assert (predicted >= 0).all() and (predicted <= Xt["balance"]).all()


def test_trees_beat_means_where_rows_allow_them():
    X, money = payers(6000, 2)
    Xt, actual = payers(6000, 3)
    model = AmountModel(**NAMES).fit(X, money)
    assert model.fit_record_["learner"] == "lightgbm"
    flat = actual.sum() / Xt["past_due"].sum() * Xt["past_due"]
    error = np.abs(np.log(model.predict(Xt) / actual)).mean()
    assert error < np.abs(np.log(flat / actual)).mean() - 0.03


def test_few_payers_shrink_to_the_prior_share():
    X = pd.DataFrame({"past_due": [100.0] * 5, "balance": 1000.0, "dpd": 20.0})
    model = AmountModel(**NAMES).fit(X, [50.0] * 5)
    # prior 0.8 worth 20 payers
    assert model.predict(X[:1])[0] == pytest.approx(100 * (20 * 0.8 + 5 * 0.5) / 25)
    assert model.cold_start_


def test_rows_without_money_are_left_out_and_zero_exposure_gets_the_typical_one():
    X, money = payers(400, 4)
    half = np.where(np.arange(400) % 2, money, 0.0)
    with_zeros = AmountModel(**NAMES).fit(X, half).predict(X)
    without = AmountModel(**NAMES).fit(X[half > 0], half[half > 0]).predict(X)
    assert np.array_equal(with_zeros, without)
    model = AmountModel(**NAMES).fit(X, money)
    asked = X[:1].assign(past_due=0.0, balance=np.nan)
    assert model.predict(asked)[0] == pytest.approx(
        model.predict(asked.assign(past_due=X["past_due"].median()))[0]
    )


def test_without_exposure_there_must_be_payers():
    with pytest.raises(ConfigError, match="no payer"):
        AmountModel().fit(pd.DataFrame({"x": [1.0]}), [0.0])
    with pytest.raises(ValueError, match="negative"):
        AmountModel().fit(pd.DataFrame({"x": [1.0]}), [-1.0])


@pytest.mark.parametrize("n", [0, 300, 3000])
def test_state_through_a_bundle_predicts_the_same_bits(n, tmp_path):
    X, money = payers(n, 5)
    model = AmountModel(**NAMES).fit(X, money)
    save_bundle({"amount": model.to_state()}, tmp_path / "b")
    again = AmountModel.from_state(load_bundle(tmp_path / "b")["amount"])
    asked, _ = payers(200, 6)
    assert np.array_equal(again.predict(asked), model.predict(asked))


def test_threads_and_row_order_do_not_change_the_result():
    X, money = payers(3000, 7)
    one = AmountModel(**NAMES).fit(X, money).predict(X)
    order = np.random.default_rng(0).permutation(len(X))
    two = AmountModel(**NAMES, num_threads=2).fit(X.iloc[order], money[order]).predict(X)
    assert np.array_equal(one, two)
