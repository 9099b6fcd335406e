"""The reach model alone on plain frames: columns, best, report, bad input, state."""

import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import expit

from contactopt.contracts import ActionSpace
from contactopt.errors import ContractError
from contactopt.models import ReachModel
from contactopt.models.reach import attempt_frame
from contactopt.models.reach.attempts import known_channels, read_attempts
from contactopt.models.reach.events import reading_shows

HOURS = np.arange(8, 20)
CALLS = ActionSpace.from_channels({"call_agent": HOURS})


def plain(n=9000, n_customers=600, seed=1):
    """Columns of a data scientist's frame: strings, missing values, a segment, categories."""
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, n_customers, n)
    person = rng.normal(0, 1.0, n_customers)
    early = (np.arange(n_customers) % 2).astype(bool)
    hour = rng.choice(HOURS, n)
    product = rng.choice(np.array(["card", "loan", None], dtype=object), n)
    x = rng.normal(size=n)
    eta = -0.8 + person[customer] + 0.8 * x + 0.9 * early[customer] + 0.5 * (hour >= 17)
    eta = eta + np.where(product == "card", 0.6, 0.0)
    X = pd.DataFrame(
        {
            "customer": np.char.add("K", customer.astype(str)).astype(object),
            "segment": np.where(early[customer], "early", "late"),
            "age_days": rng.uniform(0, 200, n),
            "x": np.where(rng.random(n) < 0.1, np.nan, x),
            "product": pd.Categorical(product),
            "note": [f"free text {k}" for k in range(n)],
        }
    )
    return X, (rng.random(n) < expit(eta)).astype(float), hour


@pytest.fixture(scope="module")
def fitted():
    X, y, hour = plain()
    model = ReachModel().fit(X, y, channel="call_agent", hour=hour)
    return model, X, y, hour


def test_columns_are_taken_as_they_are(fitted):
    model = fitted[0]
    assert model.fit_record_["covariates"] == ["x", "product"]
    assert "more than 30" in model.fit_record_["left_out"]["note"]
    noon = ActionSpace.from_channels({"call_agent": [12]})
    asked = pd.DataFrame(
        {"x": [-1.0, 1.0, np.nan, 0.0, 0.0], "product": [None] * 3 + ["loan", "card"]}
    )
    p = model.predict(list("abcde"), noon, covariates=asked).probability[:, 0]
    assert p[0] < p[2] < p[1] and p[4] > p[3] + 0.03
    never_seen = asked.assign(product="mortgage")[["product", "x"]]
    q = model.predict(list("abcde"), noon, covariates=never_seen).probability[:, 0]
    assert q[:3] == pytest.approx(p[:3])


def test_polars_arrow_and_order_of_rows_give_the_same(fitted):
    _, X, y, hour = fitted
    short = slice(0, 2000)
    one = ReachModel().fit(X[short], y[short], channel="call_agent", hour=hour[short])
    frame = pl.from_pandas(X[short])
    two = ReachModel().fit(frame, y[short], channel="call_agent", hour=pl.Series(hour[short]))
    mixed = np.random.default_rng(0).permutation(2000)
    three = ReachModel().fit(
        X.iloc[mixed], y[mixed], channel=np.full(2000, "call_agent"), hour=hour[mixed]
    )
    history = attempt_frame(X[short], y[short], channel="call_agent", hour=hour[short])
    ids = sorted(set(X["customer"]))[:40]
    expected = one.predict(ids, CALLS, history=history).probability
    assert np.array_equal(two.predict(ids, CALLS, history=pl.from_pandas(history)).probability,
                          expected)  # fmt: skip
    shuffled = three.predict(ids, CALLS, history=history.iloc[mixed]).probability
    assert shuffled == pytest.approx(expected, abs=1e-12)


def test_best_is_tidy_and_says_what_it_rests_on(fitted):
    model, X, y, hour = fitted
    history = attempt_frame(X, y, channel="call_agent", hour=hour)
    table = model.best(history=history)
    assert list(table) == [
        "customer", "best_channel", "best_hour", "p", "low", "high", "support", "fallback",
        "coverage", "hour_reason",
    ]  # fmt: skip
    assert table["customer"].tolist() == sorted(set(X["customer"]))
    assert ((table["low"] < table["p"]) & (table["p"] < table["high"])).all()
    counts = X.groupby("customer").size()
    assert (table["support"].to_numpy() == counts.loc[table["customer"]].to_numpy()).all()
    assert set(table["fallback"]) == {"person"} and (table["coverage"] == 1.0).all()
    assert (table["best_hour"] >= 17).mean() > 0.7  # evenings were planted
    alone = model.best(["new"], CALLS, segment=["early"])
    assert alone["fallback"].tolist() == ["segment"] and alone["support"].tolist() == [0]
    assert model.best(["new"], CALLS)["fallback"].tolist() == ["population"]
    assert model.best().empty and list(model.best()) == list(table)


def test_segments_pool_between_person_and_population(fitted):
    model = fitted[0]
    noon = ActionSpace.from_channels({"call_agent": [12]})
    early, late, none, other = model.predict(
        list("abcd"), noon, segment=["early", "late", None, "never seen"]
    ).probability[:, 0]
    assert early - late > 0.1 and late < none < early and other == pytest.approx(none)


def test_report_tells_coverage_and_fallback(fitted):
    model, X, y, _ = fitted
    report = model.report().set_index("of")
    calls = report.loc["call_agent"]
    assert calls["attempts"] == len(X) and calls["reached"] == pytest.approx(y.mean())
    assert calls["coverage"] == 1.0 and calls["fallback_share"] == 0.0
    assert calls["hours_tried"] == 12 and calls["hour_effect"] == "shown"
    assert report.loc["spoken", "kind"] == "medium"
    assert model.fit_record_["customer_coverage"] == 1.0
    empty = ReachModel().fit(pd.DataFrame(columns=["channel", "local_hour", "reached"]))
    assert empty.report().empty and empty.fit_record_["fallback_share"] == 1.0


def test_state_keeps_the_bits(fitted):
    model, X, y, hour = fitted
    again = ReachModel.from_state(model.to_state())
    history = attempt_frame(X, y, channel="call_agent", hour=hour)
    pd.testing.assert_frame_equal(again.best(history=history), model.best(history=history))
    pd.testing.assert_frame_equal(again.report(), model.report())


def test_outcomes_instants_and_machines_are_read():
    frame = attempt_frame(
        pd.DataFrame(
            {
                "channel": ["call_agent", "email", "email", "letter", "sms"],
                "outcome": ["promise", "opened", "opened", "delivered", "unknown"],
                "machine_only": [False, True, False, False, False],
                "started_at": pd.to_datetime(["2026-07-01T14:30:00Z"] * 5),
                "time_zone": ["America/New_York", "Europe/Madrid", None, "Europe/Madrid", "UTC"],
            }
        )
    )
    assert frame["reached"].fillna(-1).tolist() == [1, -1, 1, -1, -1]
    assert frame["local_hour"].fillna(-1).tolist() == [10, 16, 14, -1, 14]
    assert set(frame["weekday"]) == {2}
    with pytest.raises(ContractError, match="no time zone"):
        attempt_frame(
            pd.DataFrame({"channel": ["sms"], "started_at": [pd.Timestamp("2026-01-01")]})
        )


def test_delivered_texts_are_unread_where_reading_shows():
    rng = np.random.default_rng(2)
    outcome = np.where(rng.random(4000) < 0.25, "clicked", "delivered").astype(object)
    frame = pd.DataFrame({"channel": "sms", "outcome": outcome, "local_hour": 12.0})
    assert reading_shows(["sms"] * 4000, outcome)
    model = ReachModel().fit(frame)
    noon = ActionSpace.from_channels({"sms": [12]})
    assert not model.delivery_counts_
    assert model.predict(["a"], noon).probability[0, 0] == pytest.approx(0.25, abs=0.03)
    silent = ReachModel().fit(frame.assign(outcome="delivered"))
    assert silent.delivery_counts_
    assert silent.predict(["a"], noon).probability[0, 0] > 0.9


def test_blocked_and_dead_lines_are_believed():
    """A phone that rejects calls is known after one word; a rung-out call says little."""
    rng = np.random.default_rng(3)
    n, per = 3000, 6
    blocks = rng.random(n) < 0.5
    customer = np.repeat(np.arange(n), per)
    y = (rng.random(n * per) < np.where(blocks[customer], 0.01, 0.35)).astype(float)
    silent = np.where(blocks[customer] & (rng.random(n * per) < 0.4), "blocked", "no_answer")
    frame = pd.DataFrame(
        {
            "customer": customer,
            "channel": "call_agent",
            "local_hour": 12.0,
            "age_days": np.tile(np.arange(per, 0, -1) * 5.0, n),
            "outcome": np.where(y == 1, "no_commitment", silent).astype(object),
            "reached": y,
        }
    )
    model = ReachModel().fit(frame)
    noon = ActionSpace.from_channels({"call_agent": [12]})
    past = pd.DataFrame(
        {"customer": ["rang", "rejected"], "channel": "call_agent", "local_hour": 12.0,
         "age_days": 5.0, "outcome": ["no_answer", "blocked"], "reached": 0.0}
    )  # fmt: skip
    rang, rejected, new = model.predict(
        ["rang", "rejected", "new"], noon, history=past
    ).probability[:, 0]
    assert rejected < 0.05 < 0.12 < rang and new > 0.12
    there = model.predict(["new"] * 2, noon, has_point=[[True], [False]])
    assert there.probability[1, 0] == 0.0 and there.spread[1, 0] == 0.0


def test_sample_of_whole_customers_when_there_are_many():
    X, y, hour = plain(6000)
    few = ReachModel(max_rows=2000).fit(X, y, channel="call_agent", hour=hour)
    assert 1500 < few.fit_record_["fitted_rows"] <= 2000 and few.fit_record_["told_rows"] == 6000
    assert few.hour_effect_["call_agent"]["attempts"] == 6000
    assert few.fit_record_["coverage"]["call_agent"]["attempts"] == 6000


def test_bad_input_gets_a_clear_verdict(caplog):
    X, y, hour = plain(500)
    fit = {"channel": "call_agent", "hour": hour}
    with pytest.raises(ContractError, match="1 channel words of attempts are unknown: fax"):
        ReachModel().fit(X, y, channel="fax", hour=hour)
    with pytest.raises(ContractError, match=r"1 attempts have a local_hour outside 0\.\.23"):
        ReachModel().fit(X, y, channel="call_agent", hour=np.where(np.arange(500) == 3, 25, hour))
    for p in (0.0, 1.2, -0.1):
        with pytest.raises(ContractError, match=r"500 attempts have a propensity outside \(0, 1\]"):
            ReachModel().fit(X, y, propensity=p, **fit)
    with pytest.raises(ContractError, match="neither 0 nor 1"):
        ReachModel().fit(X, y * 2, **fit)
    with pytest.raises(ContractError, match="values for 500 attempts"):
        ReachModel().fit(X, y[:10], **fit)
    with pytest.raises(ContractError, match="lacks the columns local_hour"):
        ReachModel().fit(X, y, channel="call_agent")
    with pytest.raises(ContractError, match="name no customer"):
        ReachModel().fit(X.assign(customer=None), y, **fit)
    with pytest.raises(ContractError, match="500 segments"):
        ReachModel().fit(X.assign(segment=np.arange(500).astype(str)), y, **fit)
    some = ReachModel().fit(
        X, y, channel="call_agent", hour=np.where(np.arange(500) < 50, np.nan, hour)
    )
    assert some.fit_record_["hourless_share"] == pytest.approx(0.1)
    with caplog.at_level(logging.WARNING):
        one = ReachModel().fit(X, np.ones(500), **fit)
    assert "all 500 attempts have the result 1" in caplog.text
    assert one.hour_effect_["call_agent"]["verdict"] == "cannot tell: one outcome only"
    assert 0.8 < one.predict(["new"], CALLS).probability.mean() < 1.0
    none = ReachModel().fit(X[:0], y[:0], channel="call_agent", hour=hour[:0])
    assert none.predict(["new"], CALLS).probability.mean() == pytest.approx(0.18, abs=0.02)
    assert none.hour_effect_ == {} and none.best().empty


def test_attempts_of_one_instant_do_not_know_of_each_other():
    frame = pd.DataFrame(
        {
            "customer": ["a", "a", "a", "b"],
            "channel": "call_agent",
            "local_hour": 12.0,
            "age_days": [14.0, 14.0, 0.0, 7.0],
            "outcome": ["blocked", "busy", "no_answer", "no_answer"],
            "reached": 0.0,
        }
    )
    channels = known_channels(None)
    a = read_attempts(frame, channels)
    trail = a.trail(channels, 180.0)
    assert a.customer.tolist() == [0, 0, 0, 1]
    assert trail.row[:2].sum() == 0 and trail.row[3].sum() == 0
    fade = 2 ** (-14 / 180)
    expected = [np.log1p(fade), 0, 0, 1, np.log1p(fade), 0, 0, 0, 1.0, 1.0]
    assert trail.row[2] == pytest.approx(expected, abs=1e-6)
    # now: the last attempt counts too, and pressure has half worn off by 14 days
    assert trail.end[0, 0, 8] == pytest.approx(2.0) and trail.end[1, 0, 8] == pytest.approx(2**-0.5)


def _attempts(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "customer": rng.integers(0, 50, n),
            "channel": rng.choice(["call_agent", "sms"], n),
            "local_hour": rng.integers(9, 18, n),
            "reached": rng.integers(0, 2, n) * 1.0,
            "book": rng.choice(["a", "b", "c"], n),
        }
    )


_SPACE = ActionSpace.from_channels({"call_agent": [10], "sms": [10]})


def test_words_that_are_not_told_when_scoring_count_as_average():
    plain, one = _attempts().drop(columns="book"), _attempts().assign(book="a")
    told = [ReachModel().fit(f).predict(["x"], _SPACE).probability for f in (plain, one)]
    assert np.array_equal(*told)
    several = ReachModel().fit(_attempts())
    assert np.allclose(several.predict(["x"], _SPACE).probability, told[0], atol=0.01)
    again = ReachModel.from_state(several.to_state())
    books = {"covariates": pd.DataFrame({"book": ["b"]})}
    both = [m.predict(["x"], _SPACE, **books).probability for m in (several, again)]
    assert np.array_equal(*both) and not np.array_equal(both[0], told[0])


@pytest.mark.parametrize("name", ["touches_7d", "point_quality"])
def test_infinite_pressure_or_quality_is_refused(name):
    with pytest.raises(ContractError, match=f"1 attempts have an infinite {name}"):
        ReachModel().fit(_attempts().assign(**{name: np.r_[np.inf, np.ones(399)]}))
    model = ReachModel().fit(_attempts())
    value = [[np.inf]] if name == "point_quality" else [np.inf]
    with pytest.raises(ContractError, match=f"{name} is infinite"):
        model.predict(["x"], _SPACE, **{name: value})


def test_what_is_known_must_fit_customers_and_actions():
    model, history = ReachModel().fit(_attempts()), _attempts()
    for bad in ({"touches_7d": [1.0, 2.0]}, {"segment": ["a", "b"]}, {"has_point": [True]},
                {"point_quality": [1.0]}, {"covariates": history[:2]}):  # fmt: skip
        with pytest.raises(ContractError, match=next(iter(bad))):
            model.predict([1], _SPACE, **bad)
    with pytest.raises(ContractError, match="comes twice"):
        model.predict([1, 1], _SPACE, history=history)
    with pytest.raises(ContractError, match="words on one side"):
        model.predict(["1"], _SPACE, history=history)


def test_names_that_are_numbers_or_come_twice_and_cells_that_are_no_words():
    frame = _attempts()
    ReachModel().fit(frame.assign(odd=1.0).rename(columns={"odd": 0}))
    model = ReachModel().fit(frame.assign(odd=[[1]] * len(frame)))
    assert model.fit_record_["left_out"]["odd"] == "lists or the like in its cells"
    with pytest.raises(ContractError, match="one name"):
        ReachModel().fit(pd.concat([frame, frame[["reached"]]], axis=1))
    for nothing in (None, frame.to_numpy()):
        with pytest.raises(ContractError, match="which is no frame"):
            ReachModel().fit(nothing)
    times = frame.drop(columns="local_hour").assign(started_at="secret")
    with pytest.raises(ContractError, match="no instant") as caught:
        ReachModel().fit(times)
    assert "secret" not in str(caught.value)
