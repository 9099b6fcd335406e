"""The level of money: settlements that decide a month, months that drift, and what is surer."""

import numpy as np
import pandas as pd
import pytest

from contactopt.errors import ContactoptError
from contactopt.models import AmountModel, PaymentModel
from contactopt.models.amount.mean_learner import credible_factor, level_factor
from contactopt.models.amount.money_level import MoneyLevel

DAY_US = 86_400_000_000
_FREE = np.inf


def months(n, *, rate, share, seed):
    """Windows of n customers each, the newest last: chance 0.1 was told, `rate` of it came true."""
    rng = np.random.default_rng(seed)
    rows = len(rate) * n
    month = np.repeat(np.arange(len(rate)), n)
    amount = rng.lognormal(5, 1, size=rows)
    paid = rng.random(rows) < 0.1 * np.asarray(rate)[month]
    money = np.where(paid, amount * np.asarray(share)[month] * rng.exponential(size=rows), 0.0)
    age = 1.0 + len(rate) - 1.0 - month
    return np.full(rows, 0.1), amount, np.ones(rows), money, np.tile(np.arange(n), len(rate)), age


def today(told, amount=100.0):
    return MoneyLevel.learn(*told).factor(np.array([amount]))[0]


def test_a_level_that_was_always_right_stays():
    assert today(months(5000, rate=[1, 1, 1], share=[1, 1, 1], seed=0)) == pytest.approx(1, abs=0.1)


def test_fewer_payers_of_late_lower_the_level_and_long_ago_hardly():
    of_late = today(months(20_000, rate=[1, 1, 0.8], share=[1, 1, 1], seed=1))
    long_ago = today(months(20_000, rate=[0.8, 1, 1], share=[1, 1, 1], seed=1))
    assert of_late < 0.88 < 0.92 < long_ago


def test_one_large_settlement_moves_less_than_many_payers_with_as_much_money():
    told = months(2000, rate=[1, 1, 1], share=[1, 1, 1], seed=2)
    chance, amount, variation, money, groups, age = told
    before = today(told)
    extra = money.sum() * 0.3
    one = money.copy()
    one[np.flatnonzero(age == 1)[0]] += extra
    many, newest = money.copy(), np.flatnonzero((age == 1) & (money == 0))[:200]
    many[newest] += extra / len(newest)
    moved = [today((chance, amount, variation, m, groups, age)) - before for m in (one, many)]
    assert 0.0 <= moved[0] < 0.35 * moved[1]


def test_the_error_shrinks_with_rows_and_never_below_what_levels_move():
    few, many = (
        MoneyLevel.learn(*months(n, rate=[1, 1, 1], share=[1, 1, 1], seed=3)).sd
        for n in (50, 50_000)
    )
    assert 0.05 < many < 0.1 < few < 0.25


def test_factor_of_money_is_believed_as_far_as_payers_allow():
    rng = np.random.default_rng(4)
    for n, low, high in ((200, 0.0, 0.5), (100_000, 0.8, 1.0)):
        exposure = rng.lognormal(6, 1.5, size=n)
        share = np.where(rng.random(n) < 0.1, 1.0, 0.05)
        said, cap, one = np.full(n, 0.145), np.full(n, _FREE), np.ones(n)
        money = exposure * share
        factor, told = credible_factor(said, exposure, money, one, cap, np.arange(n))
        assert low <= told["money_credibility"] <= high
        ends = sorted([told["factor_of_shares"], told["factor_of_money"]])
        assert ends[0] <= factor <= ends[1]
        assert told["factor_of_money"] == level_factor(said * exposure, money, one, cap)
        assert told["factor_of_shares"] == pytest.approx(share.mean() / 0.145, rel=1e-6)


def test_without_an_exposure_money_is_the_share():
    money, one = np.array([1.0, 2.0, 30.0]), np.ones(3)
    factor, _ = credible_factor(np.full(3, 5.0), one, money, one, np.full(3, _FREE), np.arange(3))
    assert factor == pytest.approx(33 / 15)


def test_times_and_order_of_the_rows():
    rng = np.random.default_rng(5)
    n = 3000
    X = pd.DataFrame({"past_due": rng.lognormal(5, 1, size=n), "dpd": rng.integers(1, 200, size=n)})
    money = np.where(rng.random(n) < 0.2, X["past_due"] * rng.uniform(0.1, 1, size=n), 0.0)
    model = AmountModel(exposure="past_due", days_past_due="dpd").fit(X, money)
    told = {"groups": np.arange(n) % 900, "times": np.arange(n) // 900 * 30 * DAY_US}
    p, order = np.full(n, 0.2), rng.permutation(n)
    one = model.match_recovery(p, X, money, **told).money_level_
    moved = {k: v[order] for k, v in told.items()}
    assert model.match_recovery(p, X.iloc[order], money[order], **moved).money_level_ == one
    as_dates = pd.to_datetime(told["times"], unit="us", utc=True)
    told["times"] = as_dates.to_numpy()
    assert model.match_recovery(p, X, money, **told).money_level_ == one
    with pytest.raises(ContactoptError):
        model.match_recovery(p, X, money, times=np.arange(3))


def test_a_calibration_from_a_sample_keeps_the_rate_of_all_rows(monkeypatch):
    from contactopt.models.payment import outcome

    rng = np.random.default_rng(6)
    n = 12_000
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    y = (rng.random(n) < 0.03 * np.exp(X["a"])).astype(int)
    monkeypatch.setattr(outcome, "_LARGE_CELLS", 8000)
    model = PaymentModel(max_rounds=100).fit(X, y)
    assert model.fit_record_["held_out_rows"] < n / 4
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.01)
