"""Input that would spoil a score: an error with a hint, or a simpler model that says why."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from contactopt.errors import ConfigError, ContactoptError, ContractError
from contactopt.metrics import auc
from contactopt.models import AmountModel, PaymentModel


def world(n, seed, rate=0.0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "dpd": rng.integers(1, 120, size=n).astype(float),
            "money": rng.lognormal(6, 2, size=n),
            "book": rng.choice(["a", "b", "c"], size=n),
        }
    )
    z = rate + 1.5 - 0.03 * frame["dpd"] + (frame["book"] == "a") * 1.0
    return frame, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)


def quick(**more):
    return PaymentModel(max_rounds=40, learning_rate=0.15, n_folds=3, **more)


def test_one_class_only_is_a_prior_that_says_so(caplog):
    X, _ = world(300, 0)
    model = quick(days_past_due="dpd").fit(X, np.ones(300, dtype=int))
    assert model.cold_start_ and "0 of the rarer class: prior" in model.verdict_[0]
    assert model.verdict_[0] in caplog.text and model.fit_record_["learner"] == "prior"


@pytest.mark.parametrize(("rows", "learner"), [(400, "logistic"), (3000, "logistic")])
def test_fewer_than_50_of_a_class_give_a_line_and_a_warning(rows, learner, caplog):
    X, _ = world(rows, 1)
    y = np.zeros(rows, dtype=int)
    y[np.argsort(X["dpd"].to_numpy())[:30]] = 1
    model = quick().fit(X, y)
    assert model.fit_record_["learner"] == learner
    assert model.verdict_[0].startswith("30 of the rarer class") and "30 of the" in caplog.text
    assert not model.blend_.line.design_.bends_


def test_constant_and_empty_columns_are_named_and_change_nothing():
    X, y = world(800, 2)
    more = X.assign(nothing=np.nan, constant=3.0, empty=pd.Series([None] * 800, dtype=object))
    model = quick().fit(more, y)
    told = [v for v in model.verdict_ if "constant or empty" in v]
    assert told == ["3 of 6 columns constant or empty: nothing, constant, empty"]
    assert auc(y, model.predict_proba(more)[:, 1]).value > 0.7
    # a column that was empty at fit and is not later has no say
    later = more.assign(nothing=7.0, empty="word")
    assert np.array_equal(model.predict_proba(later), model.predict_proba(more))


def test_nothing_but_constant_columns_gives_the_rate():
    y = (np.arange(400) % 4 == 0).astype(int)
    X = pd.DataFrame({"a": np.ones(400), "b": np.full(400, np.nan)})
    model = quick().fit(X, y)
    p = model.predict_proba(X)[:, 1]
    assert p == pytest.approx(np.full(400, 0.25), abs=0.02)
    assert any("no skill shown" in v for v in model.verdict_)
    assert model.explain(X.iloc[:3])["contribution"].abs().max() == pytest.approx(0.0, abs=1e-9)


def test_noise_is_told_from_skill():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(1000, 5))).add_prefix("x")
    y = (rng.random(1000) < 0.3).astype(int)
    model = quick().fit(X, y)
    assert any("no skill shown" in v for v in model.verdict_)
    assert model.predict_proba(X)[:, 1] == pytest.approx(np.full(1000, y.mean()), abs=0.15)
    X, y = world(1000, 4)
    assert quick().fit(X, y).verdict_ == []


def test_infinite_values_are_an_error_that_names_the_column():
    X, y = world(200, 5)
    bad = X.assign(money=np.where(X.index == 7, np.inf, X["money"]))
    with pytest.raises(ValueError, match=r"infinite values in money: make them missing"):
        quick().fit(bad, y)
    with pytest.raises(ValueError, match="infinite values in money"):
        quick().fit(X, y).predict_proba(bad)


def test_missing_and_reordered_columns_are_errors_with_the_way_on():
    X, y = world(200, 6)
    model = quick().fit(X, y)
    for bad in (X.drop(columns="book"), X[["book", "money", "dpd"]]):
        with pytest.raises(ValueError, match=r"Hint: X\[model.feature_names_in_\]"):
            model.predict_proba(bad)
    again = X[["book", "money", "dpd"]][model.feature_names_in_]
    assert np.array_equal(model.predict_proba(again), model.predict_proba(X))


def test_columns_named_by_numbers_are_matched_by_name_too():
    X, y = world(200, 13)
    X = X[["dpd", "money"]].set_axis([0, 1], axis=1)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.predict_proba(X[[1, 0]])


def test_a_column_that_changed_its_type_is_an_error():
    X, y = world(200, 7)
    with pytest.raises(ContractError, match="column dpd held numbers at fit, now text"):
        quick().fit(X, y).predict_proba(X.assign(dpd="soon"))
    twice = pd.concat([X, X[["dpd"]]], axis=1)
    with pytest.raises(ContractError, match="two columns of the frame have one name"):
        quick().fit(twice, y)


def test_identifiers_are_left_out_with_a_warning(caplog):
    X, y = world(400, 8)
    X["customer_id"] = [f"C-{k}" for k in range(400)]
    model = quick().fit(X, y)
    assert "column customer_id: looks like an identifier" in caplog.text
    assert "C-7" not in caplog.text
    other = X.assign(customer_id="C-new")
    assert np.array_equal(model.predict_proba(other), model.predict_proba(X))


def mixed(n, seed):
    X, y = world(n, seed)
    rng = np.random.default_rng(seed)
    opened = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 700, n), "D")
    return X.assign(
        flag=pd.array(np.where(rng.random(n) < 0.1, None, rng.random(n) < 0.5), dtype="boolean"),
        count=pd.array(np.where(rng.random(n) < 0.1, None, rng.integers(0, 9, n)), dtype="Int64"),
        opened=pd.Series(opened).where(rng.random(n) > 0.1),
        age=pd.to_timedelta(rng.integers(0, 700, n), "D"),
        loose=pd.Series([None if k % 7 == 0 else k % 5 for k in range(n)], dtype=object),
        sure=rng.random(n) < 0.5,
        level=pd.Categorical(rng.choice(["x", "y"], n), categories=["z", "y", "x"]),
    ), y


def test_frames_are_taken_as_they_are_pandas_and_polars_alike():
    X, y = mixed(500, 9)
    model = quick().fit(X, y)
    p = model.predict_proba(X)
    assert np.isfinite(p).all() and model.encoder_.levels.keys() == {"book", "level"}
    naive = X["opened"].dt.tz_localize(None)
    table = pl.from_pandas(X.assign(loose=X["loose"].astype(float), opened=naive))
    table = table.with_columns(pl.col("opened").dt.replace_time_zone("UTC"))
    from_polars = quick().fit(table, y)
    assert list(from_polars.feature_names_in_) == list(X.columns)
    assert np.allclose(from_polars.predict_proba(table), p)
    assert len(from_polars.explain(table.head(3))) == 18


def test_times_of_another_zone_are_the_same_instants():
    X, y = mixed(300, 10)
    model = quick().fit(X, y)
    moved = X.assign(opened=X["opened"].dt.tz_convert("America/New_York"))
    assert np.array_equal(model.predict_proba(moved), model.predict_proba(X))


def test_drift_is_flagged_where_the_newest_rows_moved_and_not_where_they_did_not():
    X, y = world(3000, 11)
    when = np.arange(3000) * 3_600_000_000
    steady = quick().fit(X, y, times=when)
    assert steady.fit_record_["drift"]["drifted"] is False
    assert not any(v.startswith("drift") for v in steady.verdict_)
    late = when > when[2300]
    # a column that moves and says nothing of payment leaves the scores where they were
    aged = quick().fit(X.assign(age=np.where(late, 50.0, 0.0) + X["dpd"] % 3), y, times=when)
    record = aged.fit_record_["drift"]
    assert list(record["columns"]) == ["age"] and record["drifted"] is False
    worse, yw = world(3000, 11, rate=0.0)
    worse["dpd"] = np.where(late, worse["dpd"] + 80, worse["dpd"])
    yw = np.where(late & (np.arange(3000) % 10 > 0), 0, yw)
    model = quick().fit(worse, yw, times=when)
    assert model.fit_record_["drift"]["drifted"] is True
    assert list(model.fit_record_["drift"]["columns"]) == ["dpd"]
    assert any("1 of 3 columns moved far (stability index dpd" in v for v in model.verdict_)
    assert quick().fit(worse, yw).fit_record_.get("drift") is None


def test_the_level_follows_the_newest_rows_where_it_moves():
    rng = np.random.default_rng(12)
    n = 6000
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    level = np.where(np.arange(n) < 4500, -1.5, 0.5)
    y = (rng.random(n) < 1 / (1 + np.exp(-(level + X["a"])))).astype(int)
    model = quick().fit(X, y, times=np.arange(n))
    newest = X.iloc[-1500:]
    told, seen = model.predict_proba(newest)[:, 1].mean(), y[-1500:].mean()
    assert abs(told - seen) < 0.04 and model.fit_record_["level_shift"] > 0.8
    flat = quick().fit(X, y)
    assert flat.predict_proba(newest)[:, 1].mean() < seen - 0.15


@pytest.mark.parametrize("surplus", [-3, 7])
@pytest.mark.parametrize("name", ["times", "groups"])
def test_times_and_groups_of_another_length_are_refused(name, surplus):
    X, y = world(200, 3)
    with pytest.raises(ContactoptError, match=f"{name} has shape"):
        quick().fit(X, y, **{name: np.arange(200 + surplus)})
    if name == "groups":
        with pytest.raises(ContactoptError, match="groups has shape"):
            AmountModel().fit(X, y * 10.0, groups=np.arange(200 + surplus))


@pytest.mark.parametrize(
    "setting",
    [
        {"learner": "xgboost"}, {"n_folds": 1}, {"horizon_days": -3}, {"max_rounds": 0},
        {"num_leaves": 1}, {"learning_rate": float("nan")}, {"feature_fraction": 2.0},
        {"min_child_samples": "many"},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_by_name(setting):
    X, y = world(200, 3)
    with pytest.raises(ConfigError, match=f"PaymentModel: {next(iter(setting))}="):
        PaymentModel(**setting).fit(X, y)


@pytest.mark.parametrize(
    ("cell", "said"),
    [([1, 2], "lists, dicts"), ({}, "lists, dicts"), (2j, "no floats"), (10**400, "no floats")],
)
def test_cells_that_are_no_values_are_refused_by_column(cell, said):
    X, y = world(200, 3)
    odd = X.assign(odd=pd.Series([cell] * 200, dtype=object))
    with pytest.raises(ContractError, match=f"column odd holds .*{said}"):
        quick().fit(odd, y)


def test_days_past_due_and_exposure_in_words_are_refused_not_read_as_codes():
    X, y = world(200, 3)
    with pytest.raises(ConfigError, match="'book' is a column of words"):
        quick(days_past_due="book").fit(X, y)
    with pytest.raises(ConfigError, match="'book' is a column of words"):
        AmountModel(exposure="book").fit(X, y * 10.0)


def test_days_past_due_that_came_empty_count_when_they_are_told_later():
    model = PaymentModel(days_past_due="dpd").fit(pd.DataFrame({"dpd": [None] * 3}), [0, 1, 0])
    p = model.predict_proba(pd.DataFrame({"dpd": [3.0, 200.0]}))[:, 1]
    assert p[0] > p[1] + 0.2
    X, y = world(400, 4)
    more = X.assign(empty=pd.Series([None] * 400, dtype=object))
    fitted = quick().fit(more, y)
    told = fitted.predict_proba(more.assign(empty=5e6))
    assert np.array_equal(told, fitted.predict_proba(more))


def test_labels_in_an_object_column_and_negative_weights():
    X, y = world(400, 5)
    plain = quick().fit(X, y).predict_proba(X)
    assert np.array_equal(quick().fit(X, (y == 1).astype(object)).predict_proba(X), plain)
    for model in (quick(), AmountModel()):
        with pytest.raises(ValueError, match="negative in 400 rows"):
            model.fit(X, y, -np.ones(400))


def test_no_frame_at_all():
    for nothing in (None, {"dpd": [1.0]}):
        with pytest.raises(ContractError, match="which is no frame"):
            quick().fit(nothing, [0])
