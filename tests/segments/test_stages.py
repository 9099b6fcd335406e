"""Stage segments: rules that can be read, limits that are learned, and their way into the plan."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import contactopt as co
from contactopt.bundle import load_bundle, save_bundle
from contactopt.config import StrategyConfig
from contactopt.errors import ConfigError
from contactopt.segments import StageSegments, customer_columns
from contactopt.segments.stages import STAGES, in_order


def customers(days, balance, **more) -> pd.DataFrame:
    return pd.DataFrame({"days_past_due": days, "balance": balance, **more}, dtype=float)


def test_labels_follow_the_rules() -> None:
    X = customers(
        [0, 1, 30, 31, 90, 91, 180, 181, np.nan, 5, -2], [9.0, 99.9, 100, 1, 5, 5, 5, 5, 5, None, 5]
    ).assign(charged_off=[False] * 9 + [True, False])
    segments = StageSegments(balance_limits=(100.0,)).fit(X)
    assert segments.predict(X).tolist() == [
        "current", "early · low balance", "early · high balance", "mid · low balance",
        "mid · low balance", "late · low balance", "late · low balance",
        "charged off · low balance", "unknown", "charged off", "current",
    ]  # fmt: skip
    out = segments.transform(X)
    assert out["segment"].astype(object).tolist() == segments.predict(X).tolist()
    assert out["stage"].astype(object).tolist()[:3] == ["current", "early", "early"]
    assert out["balance_band"].isna().tolist() == [True, *[False] * 7, True, True, True]
    assert set(out.dtypes.map(str)) == {"category"}
    shorter = StageSegments(stage_days=(10, 20, 40), n_balance_bands=1).fit(X)
    assert shorter.predict(customers([10, 11, 41], [1.0] * 3)).tolist() == [
        "early", "mid", "charged off",
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-5, 4000) | st.none(), st.floats(0, 1e9) | st.none()), max_size=60
    ),
    st.integers(1, 5),
)
def test_every_customer_gets_the_one_label_whose_rule_fits(rows, bands: int) -> None:  # 001-04
    X = customers([r[0] for r in rows], [r[1] for r in rows])
    segments = StageSegments(n_balance_bands=bands, min_customers=2).fit(X)
    labels = segments.predict(X)
    assert set(labels) <= set(segments.labels_)
    rules = segments.rules.set_index("segment")
    assert not rules.index.has_duplicates and len(segments.limits_) < bands
    for label, days, balance in zip(labels, X["days_past_due"], X["balance"], strict=True):
        if label in ("unknown", "current"):
            assert np.isnan(days) if label == "unknown" else days <= 0
            continue
        if np.isnan(balance) and segments.limits_:
            assert label in STAGES
            continue
        rule = rules.loc[label]
        assert rule["days_past_due_over"] < days <= rule["days_past_due_to"]
        assert np.isnan(balance) or rule["balance_from"] <= balance < rule["balance_below"]
    order = np.random.default_rng(0).permutation(len(X))
    again = StageSegments(n_balance_bands=bands, min_customers=2).fit(X.iloc[order])
    assert again.limits_ == segments.limits_
    assert again.predict(X.iloc[order]).tolist() == labels[order].tolist()


def test_limits_are_quantiles_of_those_in_arrears_to_two_digits() -> None:
    rng = np.random.default_rng(1)
    balance = rng.lognormal(6, 1, 3_000)
    days = np.where(np.arange(3_000) < 1_000, 0, 20)
    segments = StageSegments().fit(customers(days, balance))
    wanted = np.quantile(balance[1_000:], [1 / 3, 2 / 3])
    assert segments.limits_ == tuple(float(f"{x:.1e}") for x in wanted)
    assert segments.n_seen_ == 2_000
    counts = pd.Series(segments.predict(customers(days, balance))).value_counts()
    assert counts["current"] == 1_000 and counts.drop("current").between(550, 780).all()
    few = StageSegments().fit(customers(days[950:1_030], balance[950:1_030]))
    assert few.limits_ == () and set(few.predict(customers(days, balance))) == {"current", "early"}
    same = StageSegments().fit(customers([5.0] * 500, [70.0] * 500))
    assert same.limits_ == ()  # one balance makes no bands


def test_the_scikit_learn_contract() -> None:
    segments = StageSegments(stage_days=(10, 20, 30), n_balance_bands=2)
    assert clone(segments).get_params() == segments.get_params()
    X = customers([5, 5], [1.0, 9.0])
    with pytest.raises(NotFittedError):
        segments.predict(X)
    assert segments.fit(X) is segments
    assert segments.fit_predict(X).tolist() == segments.predict(X).tolist()
    pd.testing.assert_frame_equal(segments.fit_transform(X), segments.transform(X))
    nobody = customers([], [])
    assert segments.fit(nobody).predict(nobody).shape == (0,)
    assert segments.transform(nobody).shape == (0, 3)
    with pytest.raises(ConfigError, match="no column balance"):
        segments.predict(X[["days_past_due"]])


@pytest.mark.parametrize(
    "wrong",
    [{"stage_days": (30, 90)}, {"stage_days": (90, 30, 180)}, {"stage_days": (0, 30, 90)},
     {"n_balance_bands": 0}, {"n_balance_bands": 6}, {"balance_limits": (5, 5)},
     {"balance_limits": (-1, 5)}, {"balance_limits": (1, 2, 3, 4, 5)}],
)  # fmt: skip
def test_wrong_thresholds_are_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        StageSegments(**wrong).fit(customers([], []))


def test_labels_stand_in_the_order_of_stages() -> None:
    segments = StageSegments(balance_limits=(1, 2, 3, 4)).fit(customers([], []))
    labels = list(segments.labels_)
    shuffled = [labels[k] for k in np.random.default_rng(3).permutation(len(labels))] + ["a", "Z"]
    assert [shuffled[k] for k in in_order(shuffled)] == [*labels, "Z", "a"]
    assert len(labels) == len(set(labels)) == 6 + 4 * 5


def test_state_is_kept_and_an_older_bundle_has_none(tmp_path) -> None:
    X = customers(np.full(200, 45.0), np.arange(200.0))
    segments = StageSegments().fit(X)
    save_bundle({"segments": segments.to_state()}, tmp_path / "bundle")
    again = StageSegments.from_state(load_bundle(tmp_path / "bundle")["segments"])
    assert again.get_params() == segments.get_params() and again.limits_ == segments.limits_
    assert (again.predict(X) == segments.predict(X)).all()
    assert set(StageSegments.from_state(None).predict(X)) == {"mid"}


# ---- from tables to the plan -----------------------------------------------------------------

CONFIG = {"fallback": "cautious", "channels": ["sms", "letter"], "slots": [10, 17],
          "models": {"max_training_rows": 500}}  # fmt: skip


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.datasets.load_demo(n_customers=240, random_state=6, n_days=40)


@pytest.fixture(scope="module")
def strategy(portfolio) -> co.ContactStrategy:
    config = StrategyConfig.from_mapping({**CONFIG, "segments": {"n_balance_bands": 2}})
    return co.ContactStrategy(config=config).fit(portfolio, as_of=portfolio.latest_instant())


def expected_columns(portfolio, now: pd.Timestamp) -> dict[str, tuple[float, float]]:
    """Days past due of the largest arrears, and balance in arrears, the slow way."""
    from contactopt.journal import Journal

    debts = Journal(portfolio).as_of(now).debts
    out = {}
    for code, customer in enumerate(portfolio.customer_ids):
        best, total = (0.0, -1.0), np.nan
        for d in debts[debts["customer"] == code].to_dict("records"):
            over = d["status"] in ("cured", "settled", "sold", "closed")
            over = over or pd.notna(d["closed_at"]) or pd.notna(d["recalled_at"])
            if over or d["days_past_due"] <= 0 or d["past_due_now"] <= 0:
                continue
            if d["past_due_now"] > best[1]:
                best = (d["days_past_due"], d["past_due_now"])
            total = d["balance"] + (0.0 if np.isnan(total) else total)
        out[customer] = (best[0], total)
    return out


def test_columns_are_those_of_the_largest_arrears(portfolio) -> None:
    from contactopt.journal import Journal

    now = portfolio.latest_instant()
    found = customer_columns(Journal(portfolio).as_of(now))
    wanted = expected_columns(portfolio, now)
    assert found["days_past_due"].tolist() == [wanted[c][0] for c in portfolio.customer_ids]
    balance = [wanted[c][1] for c in portfolio.customer_ids]
    np.testing.assert_allclose(found["balance"], balance)
    assert (found["days_past_due"] > 0).sum() > 50 and (found["days_past_due"] == 0).sum() > 20


def test_the_plan_and_the_log_carry_the_segment(portfolio, strategy) -> None:
    now = portfolio.latest_instant()
    frame = strategy.segment(portfolio, as_of=now).set_index("customer_id")
    plan = strategy.rank(portfolio, as_of=now)
    planned = plan.to_frame()
    assert len(planned) > 20
    assert planned["segment"].tolist() == frame.loc[planned["customer_id"], "segment"].tolist()
    assert frame["segment"].nunique() > 5
    assert set(frame["balance_band"].dropna()) == {"low", "high"}
    # a debt owed in part above the limit
    limit = strategy.segments_.limits_[0]
    late = frame[frame["balance_band"].notna()]
    assert ((late["balance"] >= limit) == (late["balance_band"] == "high")).all()


def test_a_saved_strategy_labels_alike(portfolio, strategy, tmp_path) -> None:
    strategy.save(tmp_path / "bundle")
    again = co.ContactStrategy.load(tmp_path / "bundle")
    assert again.version == strategy.version
    now = portfolio.latest_instant()
    a, b = (s.segment(portfolio, as_of=now) for s in (strategy, again))
    pd.testing.assert_frame_equal(a, b)


def test_without_a_fitted_portfolio_labels_are_stages(portfolio) -> None:
    empty = co.Portfolio.from_frames({n: f.iloc[:0] for n, f in portfolio.tables.items()})
    now = portfolio.latest_instant()
    cold = co.ContactStrategy(config=StrategyConfig.from_mapping(CONFIG)).fit(empty, as_of=now)
    frame = cold.segment(portfolio, as_of=now)
    assert set(frame["segment"]) <= set(STAGES) and frame["balance_band"].isna().all()
    assert len(cold.segment(empty, as_of=now)) == 0
    with pytest.raises(NotFittedError):
        co.ContactStrategy().segment(portfolio, as_of=now)


def test_the_section_of_the_strategy_file() -> None:
    given = StrategyConfig.from_mapping(
        {"segments": {"stage_days": [15, 60, 120], "balance_limits": [500, 5000]}}
    )
    segments = StageSegments.from_config(given.segments).fit(customers([], []))
    assert (segments.stage_days, segments.limits_) == ((15, 60, 120), (500.0, 5000.0))
    assert StrategyConfig.from_mapping(given.to_mapping()) == given
    faults = (
        ({"stage_day": [1, 2, 3]}, "stage_days"),
        ({"stage_days": [9, 3, 5]}, "ascend"),
        ({"n_balance_bands": 9}, "n_balance_bands"),
    )
    for wrong, says in faults:
        with pytest.raises(ConfigError, match=says):
            StrategyConfig.from_mapping({"segments": wrong})
