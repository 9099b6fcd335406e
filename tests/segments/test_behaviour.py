"""Behaviour segments: planted groups, none, names, stability between refits, drift, state."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score

import contactopt as co
from contactopt.bundle import load_bundle, save_bundle
from contactopt.config import StrategyConfig
from contactopt.contracts import vocabulary
from contactopt.errors import ConfigError
from contactopt.journal import Journal
from contactopt.journal.outcome_events import REACHED_OUTCOMES
from contactopt.journal.terms import open_journal
from contactopt.segments import BehaviourSegments, behaviour_columns, match_segments
from contactopt.segments.encoding import BehaviourEncoding
from contactopt.strategy.segmenting import fit_segments


def people(n: int = 900, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Three planted groups over numbers, words and missing values, and a column of noise."""
    rng = np.random.default_rng(seed)
    g = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    own = np.where(rng.random(n) < 0.85, g, rng.integers(0, 3, n))
    frame = pd.DataFrame(
        {
            "balance": np.exp(rng.normal(np.array([5, 8, 5])[g], 0.5)),
            "days_past_due": np.abs(rng.normal(np.array([15, 20, 120])[g], 8)),
            "calls": rng.poisson(np.array([1, 2, 8])[g]),
            "product": np.array(["credit_card", "loan", "tax"], dtype=object)[own],
            "kept": np.where(rng.random(n) < np.array([0.1, 0.1, 0.8])[g], np.nan, rng.random(n)),
            "noise": rng.normal(size=n),
        }
    )
    frame.loc[frame.index[::17], "balance"] = np.nan
    return frame, g


@pytest.fixture(scope="module")
def fitted() -> BehaviourSegments:
    return BehaviourSegments().fit(people()[0])


def test_planted_groups_are_found_and_named(fitted) -> None:  # 001-04
    frame, truth = people()
    assert len(fitted.names_) == 3 and fitted.separated_ is True
    assert adjusted_rand_score(truth, fitted.labels_) > 0.9
    assert fitted.shares_["n"].tolist() == sorted(fitted.shares_["n"], reverse=True)
    biggest, second, third = fitted.names_
    assert "high balance" in second and "high days past due" in third
    assert "high" not in biggest.replace("high noise", "")
    assert fitted.predict(frame).tolist() == fitted.labels_.tolist()
    told = fitted.transform(frame)
    assert told["behaviour"].astype(object).tolist() == fitted.labels_.tolist()
    assert (told["behaviour_distance"] >= 0).all()
    strong = fitted.traits_[fitted.traits_["segment"] == third].iloc[:3]["trait"].tolist()
    assert "no kept on record" in fitted.traits_["trait"].tolist() and "high calls" in strong
    row = fitted.choice_.set_index("n_clusters").loc[3]
    assert row["kept"] and row["strength"] > 0.9 and row["smallest_share"] > 0.15


def test_noise_is_one_segment() -> None:
    rng = np.random.default_rng(0)
    made = BehaviourSegments().fit(pd.DataFrame(rng.normal(size=(1500, 5))))
    assert made.names_ == ("everybody",) and made.separated_ is None
    assert not made.choice_["kept"].any()


def test_a_continuum_that_is_cut_is_called_one() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=1500)
    frame = pd.DataFrame({"a": z + 0.3 * rng.normal(size=1500), "b": z, "c": np.exp(z)})
    made = BehaviourSegments().fit(frame)
    assert len(made.names_) >= 2 and made.separated_ is False


def test_labels_do_not_depend_on_the_order_of_rows_and_columns(fitted) -> None:
    frame, _ = people()
    order = np.random.default_rng(3).permutation(len(frame))
    again = BehaviourSegments().fit(frame.iloc[order])
    assert again.labels_.tolist() == fitted.labels_[order].tolist()
    np.testing.assert_array_equal(again.centres_, fitted.centres_)
    turned = frame[frame.columns[::-1]].assign(further="x")
    assert fitted.predict(turned).tolist() == fitted.labels_.tolist()


def test_frames_of_other_libraries_and_arrays(fitted) -> None:
    frame, _ = people()
    assert BehaviourSegments().fit(pl.from_pandas(frame)).labels_.tolist() == (
        fitted.labels_.tolist()
    )
    assert fitted.predict(pl.from_pandas(frame).lazy()).tolist() == fitted.labels_.tolist()
    numbers = frame[["balance", "days_past_due", "calls"]].to_numpy()
    assert len(BehaviourSegments().fit(numbers).names_) >= 2


def test_refit_keeps_names_and_tells_the_agreement(fitted) -> None:
    later, truth = people(seed=9)
    anew = fitted.refit(later)
    assert anew is not fitted and anew.names_ == fitted.names_
    assert anew.match_.ari > 0.9 and len(anew.match_.kept) == 3 and anew.match_.n == len(later)
    assert adjusted_rand_score(truth, anew.predict(later)) > 0.9
    assert BehaviourSegments().refit(later, fitted).names_ == anew.names_
    # one group left, another came: its name is new, the others keep theirs
    gone = later[truth != 2].assign(calls=lambda f: f["calls"])
    fresh = gone[gone["balance"] < 500].head(150).assign(days_past_due=700.0, calls=40)
    changed = fitted.refit(pd.concat([gone, fresh]))
    kept = set(fitted.names_) & set(changed.names_)
    assert len(kept) >= 2
    frame = changed.match_.frame
    assert frame["n_current"].sum() == len(gone) + len(fresh)
    assert set(frame.loc[frame["same"], "previous"]) == kept
    with pytest.raises(ConfigError, match="are not in the frame"):
        fitted.refit(later.drop(columns="calls"))
    with pytest.raises(NotFittedError):
        BehaviourSegments().refit(later)


def test_matching_by_hand() -> None:
    old = ["a"] * 6 + ["b"] * 4
    new = ["x"] * 5 + ["z"] * 2 + ["y"] * 3
    match = match_segments(old, new)
    told = match.frame.set_index("current")
    assert (
        match.kept == {"x": "a", "z": "b"}
        or match.kept == {"x": "a", "y": "b"}
        or (match.kept == {"x": "a"})
    )
    assert told.loc["x", "overlap"] == pytest.approx(5 / 6)
    assert match.ari == pytest.approx(adjusted_rand_score(old, new))
    assert match_segments(old, old).ari == 1.0
    assert np.isnan(match_segments([], []).ari) and match_segments([], []).kept == {}
    with pytest.raises(ValueError, match="1 previous labels"):
        match_segments(["a"], [])


def test_drift_tells_what_moved(fitted) -> None:
    same = fitted.drift(people(seed=5)[0])
    assert same["verdict"].eq("stable").all() and not same["psi"].isna().any()
    assert same["kind"].tolist()[:2] == ["segments", "distance"] and len(same) == 8
    moved = people(seed=5)[0].assign(calls=lambda f: f["calls"] + 4, product="boat")
    told = fitted.drift(moved).set_index("name")
    assert told.loc["calls", "verdict"] == told.loc["product", "verdict"] == "moved far"
    assert told.loc["noise", "verdict"] == "stable"
    assert told.loc["calls", "low"] > told.loc["calls", "limit"]
    assert told.loc["distance to the centre", "drifted"]
    unequal = fitted.drift(people(seed=5)[0].iloc[people(seed=5)[1] != 2])
    assert unequal.set_index("name").loc["segment shares", "drifted"]
    nobody = fitted.drift(moved.iloc[:0])
    assert nobody["verdict"].eq("not enough data").all() and not nobody["drifted"].any()


def test_state_is_plain_and_gives_the_same_labels(fitted, tmp_path) -> None:
    later = people(seed=4)[0]
    json.dumps(fitted.to_state())
    save_bundle({"behaviours": fitted.to_state()}, tmp_path / "b")
    again = BehaviourSegments.from_state(load_bundle(tmp_path / "b")["behaviours"])
    pd.testing.assert_frame_equal(again.transform(later), fitted.transform(later))
    pd.testing.assert_frame_equal(again.drift(later), fitted.drift(later))
    assert again.get_params() == fitted.get_params() and again.names_ == fitted.names_
    pd.testing.assert_frame_equal(again.choice_, fitted.choice_)
    assert again.to_state() == fitted.to_state()


def test_bad_input_is_simpler_or_refused(fitted, caplog) -> None:
    frame, _ = people()
    with caplog.at_level(logging.WARNING):
        for few in (frame.iloc[:0], frame.iloc[:30], frame[["balance"]].assign(balance=1.0)):
            made = BehaviourSegments().fit(few)
            assert made.names_ == ("everybody",) and len(made.labels_) == len(few)
            assert made.predict(few).tolist() == ["everybody"] * len(few)
            BehaviourSegments.from_state(json.loads(json.dumps(made.to_state()))).drift(few)
    assert "one segment" in caplog.text and "one value only" in caplog.text
    odd = frame.assign(none=np.nan, inf=np.inf, ids=[f"c{i}" for i in range(len(frame))])
    odd["calls"] = odd["calls"].astype(float).mask(odd.index == 3, -np.inf)
    made = BehaviourSegments().fit(odd)
    assert made.encoding_.dropped == {
        "none": "no value", "inf": "no finite value", "ids": "no level is held by 2% of the rows",
    }  # fmt: skip
    assert len(made.names_) == 3
    # few different rows: fewer clusters, and no warning of a library of ours
    few_kinds = pd.DataFrame({"a": [0, 0, 0, 1, 2] * 60, "b": ["x", "y", "x", "x", "y"] * 60})
    kinds = BehaviourSegments(min_share=0.0).fit(few_kinds)
    assert 1 <= len(kinds.names_) <= 4
    unseen = frame.assign(product="boat")
    assert set(fitted.predict(unseen)) <= set(fitted.names_)
    with pytest.raises(ConfigError, match="held numbers at the fit"):
        fitted.predict(frame.assign(calls="many"))
    with pytest.raises(ConfigError, match="not in the frame: calls"):
        fitted.predict(frame.drop(columns="calls"))
    with pytest.raises(ConfigError, match="same name"):
        BehaviourSegments().fit(pd.concat([frame, frame[["calls"]]], axis=1))
    for wrong in ({"n_clusters": 0}, {"min_share": 1.0}, {"columns": ["shoe"]}):
        with pytest.raises(ConfigError):
            BehaviourSegments(**wrong).fit(frame)
    with pytest.raises(NotFittedError):
        BehaviourSegments().predict(frame)


def test_a_number_of_clusters_can_be_asked_for() -> None:
    frame, _ = people(300)
    made = BehaviourSegments(n_clusters=4, random_state=3).fit(frame)
    assert len(made.names_) == len(set(made.names_)) == 4
    assert clone(made).get_params() == made.get_params()
    assert BehaviourSegments(n_clusters=1).fit(frame).names_ == ("everybody",)
    two = BehaviourSegments(n_clusters=5).fit(pd.DataFrame({"a": [0.0, 1.0] * 100}))
    assert len(two.names_) == 2
    # without the age: columns= leaves it out, whatever is in the frame
    aged = frame.assign(age=np.arange(300) % 60)
    named = BehaviourSegments(columns=list(frame)).fit(aged)
    assert "age" not in named.encoding_.names
    assert named.predict(aged.drop(columns="age")).tolist() == named.labels_.tolist()


def test_every_column_weighs_the_same() -> None:
    frame, _ = people()
    encoding = BehaviourEncoding.learn(frame)
    Z = encoding.encode(frame)
    assert Z.var(axis=0).sum() == pytest.approx(len(frame.columns))
    huge = frame.assign(balance=frame["balance"] * 1e6)
    np.testing.assert_allclose(BehaviourEncoding.learn(huge).encode(huge), Z, atol=1e-9)


BACKCOMPAT = Path(__file__).parents[1] / "backcompat"


@pytest.fixture(scope="module")
def portfolio() -> co.Portfolio:
    return co.datasets.load_demo(n_customers=150, random_state=2, n_days=60)


def test_a_strategy_labels_behaviour_where_it_has_segments(portfolio, tmp_path) -> None:  # 003-20
    strategy = co.ContactStrategy.load(BACKCOMPAT / "bundle_v1")
    now = portfolio.latest_instant()
    assert strategy.behaviours_ is None  # from before there were any
    assert "behaviour" not in strategy.segment(portfolio, as_of=now)
    view = open_journal(portfolio, strategy.config).as_of(now)
    stages, behaviours, record = fit_segments(view, strategy.config)
    assert behaviours is not None and "age_band" not in behaviours.encoding_.names
    assert record["behaviours"] == list(behaviours.names_) and stages.n_seen_ > 0
    strategy.segments_, strategy.behaviours_ = stages, behaviours
    told = strategy.segment(portfolio, as_of=now)
    assert list(told.columns[:7]) == [
        "customer_id", "segment", "stage", "balance_band", "behaviour", "behaviour_distance",
        "bucket",
    ]  # fmt: skip
    counts = told["behaviour"].value_counts()
    assert counts.to_dict() == behaviours.shares_.set_index("segment")["n"].to_dict()
    limits = {"0": (-1, 0), "1 to 30": (0, 30), "over 180": (180, np.inf)}
    for bucket, (over, to) in limits.items():
        days = told.loc[told["bucket"] == bucket, "days_past_due"]
        assert len(days) and ((days > over) & (days <= to)).all()
    strategy.save(tmp_path / "b")
    again = co.ContactStrategy.load(tmp_path / "b")
    pd.testing.assert_frame_equal(again.segment(portfolio, as_of=now), told)
    _, refitted, kept = fit_segments(view, strategy.config, strategy)
    assert refitted is not None and refitted.names_ == behaviours.names_
    assert kept["ari_with_previous"] == 1.0 and kept["names_kept"] == len(behaviours.names_)
    without = StrategyConfig.from_mapping({"segments": {"behaviour": False}})
    assert fit_segments(view, without)[1] is None


def test_what_customers_did_is_what_the_tables_say(portfolio) -> None:
    now = portfolio.latest_instant()
    view = Journal(portfolio).as_of(now)
    since = (now - pd.Timedelta(days=90)).value // 1000
    told = behaviour_columns(view).set_index(view.customer_ids.astype(str))
    t, p = view.touches, view.payments
    t = t[t["started_us"] > since]
    out = t[t["direction"] == "outbound"]
    wanted = out.groupby("customer").size().reindex(range(len(told)), fill_value=0)
    assert told["contacts"].tolist() == wanted.tolist()
    known = out[out["outcome"] != "unknown"]
    share = known["outcome"].isin(REACHED_OUTCOMES).groupby(known["customer"]).mean()
    reached = share.reindex(range(len(told))).to_numpy(dtype=float)
    np.testing.assert_allclose(told["reached_share"], reached)
    p = p[~p["reversed"] & p["kind"].isin(vocabulary.REWARD_KINDS)]
    recent = p[p["paid_us"] > since].groupby("customer")["amount"]
    np.testing.assert_allclose(
        told["amount_paid"], recent.sum().reindex(range(len(told)), fill_value=0.0)
    )
    assert told["payments"].tolist() == (
        recent.size().reindex(range(len(told)), fill_value=0).tolist()
    )
    last = (now.value // 1000 - p.groupby("customer")["paid_us"].max()) / 86_400e6
    np.testing.assert_allclose(
        told["days_since_payment"], last.reindex(range(len(told))).to_numpy(dtype=float)
    )
    assert (told["payments"] > 0).sum() > 20 and told["kept_share"].between(0, 1).sum() > 3
