"""Amount given payment: totals, bounds, shrinkage, intervals, state, bad input."""

import numpy as np
import pandas as pd
import pytest

from contactopt.bundle import load_bundle, save_bundle
from contactopt.errors import ConfigError, ContactoptError
from contactopt.models import AmountModel

NAMES = {"exposure": "past_due", "balance": "balance", "days_past_due": "dpd"}


def payers(n, seed, *, full=0.0):
    """Shares of the past due fall with age, with heavy tails; some pay all of it, or far more."""
    rng = np.random.default_rng(seed)
    past_due = rng.lognormal(5, 1, size=n)
    dpd = rng.integers(1, 200, size=n).astype(float)
    share = np.exp(rng.normal(-0.4 - 0.006 * dpd, 0.6)) * np.where(rng.random(n) < 0.01, 8, 1)
    share = np.where(rng.random(n) < full, 1.0, share)
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


def test_learned_means_beat_bucket_means_where_rows_allow_them():
    X, money = payers(4000, 2)
    Xt, actual = payers(6000, 3)
    model = AmountModel(**NAMES).fit(X, money)
    assert model.fit_record_["gain_over_means"] > 0
    flat = actual.sum() / Xt["past_due"].sum() * Xt["past_due"]
    error = np.abs(np.log(model.predict(Xt) / actual)).mean()
    assert error < np.abs(np.log(flat / actual)).mean() - 0.03


def test_trees_are_used_where_the_mean_bends_and_means_where_nothing_is_to_be_learned():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=3000), "b": rng.normal(size=3000)})
    noise = rng.lognormal(-0.18, 0.6, size=3000)
    bent = AmountModel().fit(X, 100 * np.where(X["a"] * X["b"] > 0, 3.0, 1.0) * noise)
    assert bent.fit_record_["tree_share"] >= 0.6
    flat = AmountModel().fit(X, 100 * noise)
    assert flat.fit_record_["learner"] == "means by days past due"
    assert np.allclose(flat.predict(X[:5]), 100, rtol=0.05)


@pytest.mark.parametrize("n", [200, 1500])
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_intervals_hold_as_many_payers_as_they_say(n, coverage):
    # several fits: the coverage promised is on average over the payers seen at fit, too
    inside, fits, asked = [], 5, 2000
    for k in range(fits):
        X, money = payers(n, 10 + k, full=0.4)
        Xt, actual = payers(asked, 100 + k, full=0.4)
        low, high = AmountModel(**NAMES).fit(X, money).predict_interval(Xt, coverage)
        assert (low <= high).all() and (high <= Xt["balance"]).all()
        inside.append(((actual >= low) & (actual <= high)).mean())
    # variance of one fit's coverage: Beta of the calibration rows, and the held-out payers
    variance = coverage * (1 - coverage) * (1 / n + 1 / asked) / fits
    assert np.mean(inside) == pytest.approx(coverage, abs=3.5 * np.sqrt(variance) + 0.005)


def test_intervals_are_open_where_payers_are_too_few_to_promise():
    X, money = payers(30, 3)
    low, high = AmountModel(**NAMES).fit(X, money).predict_interval(X, 0.99)
    assert (low == 0).all() and np.array_equal(high, X["balance"])
    no_cap = AmountModel(exposure="past_due").fit(X, money)
    assert np.isinf(no_cap.predict_interval(X, 0.999).high).all()
    with pytest.raises(ContactoptError, match="coverage"):
        no_cap.predict_interval(X, 1.0)


@pytest.mark.parametrize("expected_payers", [1, 8, 100])
def test_totals_fall_into_their_interval_as_often_as_they_say(expected_payers):
    X, money = payers(3000, 5, full=0.4)
    model = AmountModel(**NAMES).fit(X, money)
    rng = np.random.default_rng(expected_payers)
    n, worlds = 200, 1500
    Xt, amount = payers(n * worlds, 50, full=0.4)
    world = np.repeat(np.arange(worlds), n)
    p = rng.beta(1, 3, size=n * worlds)
    p = np.minimum(p * expected_payers / np.bincount(world, p)[world], 1.0)
    came = np.where(rng.random(n * worlds) < p, amount, 0.0)
    recovery = model.expected_recovery(p, Xt, coverage=0.9)
    totals = [recovery.total(slice(k * n, (k + 1) * n)) for k in range(worlds)]
    sums = np.bincount(world, came)
    inside = np.mean([t.low <= s <= t.high for t, s in zip(totals, sums, strict=True)])
    assert 0.87 <= inside <= 0.96
    # most of a customer's distribution is a mass at nothing: never less than stated
    assert ((came >= recovery.low) & (came <= recovery.high)).mean() >= 0.895


def test_recovery_adds_up_and_knows_its_edges():
    X, money = payers(500, 6)
    model = AmountModel(**NAMES).fit(X, money)
    recovery = model.expected_recovery(np.full(500, 0.2), X)
    assert np.allclose(recovery.mean, 0.2 * model.predict(X))
    by = recovery.by(np.where(X["dpd"] > 90, "late", "early"))
    assert by["mean"].sum() == pytest.approx(recovery.total().mean)
    assert by.loc["late", "customers"] == (X["dpd"] > 90).sum()
    # a total is surer than the sum of its parts' bounds, and less sure with an unsure level
    whole = recovery.total()
    assert by["low"].sum() < whole.low < whole.mean < whole.high < by["high"].sum()
    unsure = model.expected_recovery(np.full(500, 0.2), X, p_level_sd=0.3).total()
    assert unsure.high - unsure.low > 1.5 * (whole.high - whole.low)
    assert model.expected_recovery(np.zeros(500), X).total() == (0.0, 0.0, 0.0)
    empty = model.expected_recovery([], X[:0])
    assert empty.total() == (0.0, 0.0, 0.0) and len(empty.by([])) == 0
    assert "500 customers" in repr(recovery)
    with pytest.raises(ContactoptError, match="probability per row"):
        model.expected_recovery([0.5], X)
    with pytest.raises(ContactoptError, match="probability per row"):
        model.expected_recovery(np.full(500, 1.2), X)


def test_recovery_is_matched_to_money_where_chances_are_wrong_on_large_debts():
    X, amount = payers(20_000, 11)
    model = AmountModel(**NAMES).fit(X[:3000], amount[:3000])
    rng = np.random.default_rng(1)
    # the larger the debt, the more the payment model flatters it
    true = 0.2 * np.clip((X["past_due"] / 100) ** -0.3, 0.4, 1.2)
    money = np.where(rng.random(20_000) < true, amount, 0.0)
    said, new = np.full(20_000, 0.2), slice(10_000, None)
    plain = model.expected_recovery(said[new], X[new]).total()
    assert plain.mean / money[new].sum() > 1.2
    model.match_recovery(said[:10_000], X[:10_000], money[:10_000])
    recovery = model.expected_recovery(said[new], X[new])
    assert recovery.total().mean / money[new].sum() == pytest.approx(1.0, abs=0.08)
    large = (X["past_due"][new] > 250).to_numpy()
    assert recovery.total(large).mean / money[new][large].sum() == pytest.approx(1.0, abs=0.1)
    again = AmountModel.from_state(model.to_state()).expected_recovery(said[new], X[new])
    assert again.total() == recovery.total()
    # a handful of rows says little: the level stays near one, and unsure
    few = model.match_recovery(said[:20], X[:20], np.zeros(20))
    assert few.money_level_.factor(np.array([50.0]))[0] > 0.7 and few.money_level_.sd > 0.1
    assert model.match_recovery([], X[:0], []).money_level_.intercept == 0.0


def test_few_payers_shrink_to_the_prior_share():
    X = pd.DataFrame({"past_due": [100.0] * 5, "balance": 1000.0, "dpd": 20.0})
    model = AmountModel(**NAMES).fit(X, [50.0] * 5)
    # prior 0.8 worth 20 payers
    assert model.predict(X[:1])[0] == pytest.approx(100 * (20 * 0.8 + 5 * 0.5) / 25)
    assert model.cold_start_


def test_one_payer_and_none():
    X, money = payers(20, 7)
    one = AmountModel(**NAMES).fit(X[:1], money[:1])
    none = AmountModel(**NAMES).fit(X, np.zeros(20))
    assert one.cold_start_ and none.cold_start_
    # one payer in twenty-one rows of evidence moves little
    assert np.allclose(one.predict(X), none.predict(X), rtol=0.2)
    low, high = none.predict_interval(X, 0.9)
    assert (low > 0).all() and (high < np.inf).all()
    alone = AmountModel().fit(X[:1], [40.0])
    assert np.allclose(alone.predict(X), 40.0)


def test_rows_without_money_are_left_out_and_zero_exposure_gets_the_typical_one():
    X, money = payers(400, 4)
    half = np.where(np.arange(400) % 2, money, 0.0)
    with_zeros = AmountModel(**NAMES).fit(X, half).predict(X)
    without = AmountModel(**NAMES).fit(X[half > 0], half[half > 0]).predict(X)
    assert np.array_equal(with_zeros, without)
    model = AmountModel(exposure="past_due").fit(X[["past_due"]], money)
    asked = X[["past_due"]][:1].assign(past_due=0.0)
    assert 0 < model.predict(asked)[0] < money.max()


def test_without_exposure_there_must_be_payers():
    with pytest.raises(ConfigError, match="no payer"):
        AmountModel().fit(pd.DataFrame({"x": [1.0]}), [0.0])
    with pytest.raises(ValueError, match="negative: 1 of 2"):
        AmountModel().fit(pd.DataFrame({"x": [1.0, 2.0]}), [-1.0, 3.0])
    with pytest.raises(ConfigError, match="exposure"):
        AmountModel(exposure="owed").fit(pd.DataFrame({"x": [1.0]}), [1.0])


def test_an_exposure_without_any_amount_is_not_used(caplog):
    X, money = payers(300, 8)
    model = AmountModel(**NAMES).fit(X.assign(past_due=np.nan), money)
    assert "holds no amount" in caplog.text
    assert model.predict(X).sum() == pytest.approx(money.sum(), rel=0.1)


def test_columns_may_be_empty_categories_new_but_not_reordered(caplog):
    X, money = payers(600, 9)
    X["product"] = np.where(X["dpd"] > 90, "card", "loan")
    X["never"], X["word"] = np.nan, pd.Series([None] * 600, dtype=object)
    model = AmountModel(**NAMES).fit(X, money)
    asked = X[:3].assign(product="house")
    assert np.isfinite(model.predict(asked)).all()
    assert "product: 3 rows hold a level unseen at fit" in caplog.text
    with pytest.raises(ValueError, match="order"):
        model.predict(X[X.columns[::-1]])


@pytest.mark.parametrize("n", [0, 300, 1200])
def test_state_through_a_bundle_predicts_the_same_bits(n, tmp_path):
    X, money = payers(n, 5)
    model = AmountModel(**NAMES).fit(X, money)
    save_bundle({"amount": model.to_state()}, tmp_path / "b")
    again = AmountModel.from_state(load_bundle(tmp_path / "b")["amount"])
    asked, _ = payers(200, 6)
    assert np.array_equal(again.predict(asked), model.predict(asked))
    assert np.array_equal(again.predict_interval(asked), model.predict_interval(asked))


def test_a_state_without_intervals_predicts_and_says_so():
    X, money = payers(300, 5)
    state = AmountModel(**NAMES).fit(X, money).to_state()
    old = {k: v for k, v in state.items() if k not in ("mixture", "spread")}
    model = AmountModel.from_state({**old, "trees": None, "smear": 1.0})
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ContactoptError, match="before it knew intervals"):
        model.predict_interval(X)


def test_threads_and_row_order_do_not_change_the_result():
    X, money = payers(1500, 7)
    one = AmountModel(**NAMES).fit(X, money).predict(X)
    order = np.random.default_rng(0).permutation(len(X))
    two = AmountModel(**NAMES, num_threads=2).fit(X.iloc[order], money[order]).predict(X)
    assert np.array_equal(one, two)
