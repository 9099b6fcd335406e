"""Payment tree: planted rules come back in words, rates are honest, state is plain."""

from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from contactopt.errors import ConfigError
from contactopt.segments import PaymentTreeSegments


def people(n: int = 4000, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "days_past_due": rng.integers(0, 200, n).astype(float),
            "balance": rng.lognormal(7, 1, n),
            "product": rng.choice(["credit_card", "loan", "tax"], n),
            "noise": rng.normal(size=n),
        }
    )
    late = np.where(frame["product"] == "credit_card", 0.35, 0.08)
    paid = rng.random(n) < np.where(frame["days_past_due"] <= 30, 0.6, late)
    return frame, paid.astype(int)


@pytest.fixture(scope="module")
def fitted() -> PaymentTreeSegments:
    return PaymentTreeSegments().fit(*people())


def test_planted_rules_come_back_in_words(fitted) -> None:  # 001-04
    assert fitted.rules_["segment"].tolist() == [
        "days past due up to 30",
        "days past due over 30, product is credit card",
        "days past due over 30, product is not credit card",
    ]
    for rate, row in zip((0.6, 0.35, 0.08), fitted.rules_.itertuples(), strict=True):
        assert row.low < rate < row.high
    assert fitted.rules_["share"].sum() == pytest.approx(1.0)
    assert fitted.rules_["n"].sum() == 2000  # the half that did not grow the tree
    text = fitted.to_text().splitlines()
    assert len(text) == 3 and text[0].startswith("days past due up to 30: pays 6")
    frame, _ = people()
    rows = (frame["days_past_due"] > 30) & (frame["product"] == "credit_card")
    assert (fitted.predict(frame)[rows] == fitted.rules_["segment"][1]).all()
    assert fitted.predict(frame).tolist() == fitted.labels_.tolist()


def test_noise_has_no_rules_and_rates_are_not_flattered() -> None:
    split = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(rng.normal(size=(800, 4)), columns=list("abcd"))
        tree = PaymentTreeSegments(min_leaf=20).fit(frame, rng.random(800) < 0.3)
        split += len(tree.rules_) > 1
    assert split <= 2


def test_rates_cover_the_truth_of_their_rules() -> None:
    hits = total = 0
    for seed in range(12):
        frame, paid = people(1000, seed)
        tree = PaymentTreeSegments(min_leaf=30).fit(frame, paid)
        other, more = people(20_000, 1000 + seed)
        truth = pd.Series(more).groupby(tree.predict(other)).mean()
        for row in tree.rules_.itertuples():
            hits += row.low <= truth[row.segment] <= row.high
            total += 1
    assert hits / total > 0.8


def test_missing_is_said_where_it_goes() -> None:
    frame, paid = people()
    rng = np.random.default_rng(0)
    gone = rng.random(len(frame)) < 0.3
    frame.loc[gone, "days_past_due"] = np.nan
    paid = np.where(gone, rng.random(len(frame)) < 0.95, paid).astype(int)
    tree = PaymentTreeSegments().fit(frame, paid)
    text = tree.to_text()
    assert "or not known" in text or "not known" in text
    assert tree.predict(frame)[gone][0].count("not known") == 1
    assert "inf" not in text
    bare = frame.drop(columns="days_past_due").assign(known=np.where(gone, np.nan, 1.0))
    said = PaymentTreeSegments(max_segments=2).fit(bare, paid).rules_["segment"].tolist()
    assert said == ["known not known", "known known"]


def test_order_of_rows_and_frames_do_not_matter(fitted) -> None:
    frame, paid = people()
    order = np.random.default_rng(0).permutation(len(frame))
    again = PaymentTreeSegments().fit(frame.iloc[order], paid[order])
    assert again.labels_.tolist() == fitted.labels_[order].tolist()
    pd.testing.assert_frame_equal(again.rules_, fitted.rules_)
    assert fitted.predict(pl.from_pandas(frame)).tolist() == fitted.labels_.tolist()


def test_customers_are_never_in_both_halves() -> None:
    frame, paid = people(1500)
    who = np.arange(1500) // 3
    tree = PaymentTreeSegments().fit(frame, paid, groups=who)
    assert tree.rules_["n"].sum() < 1500 / 2
    with pytest.raises(ConfigError, match="1500 rows but 2 groups"):
        PaymentTreeSegments().fit(frame, paid, groups=[1, 2])


def test_state_is_plain_and_gives_the_same_labels(fitted) -> None:
    again = PaymentTreeSegments.from_state(json.loads(json.dumps(fitted.to_state())))
    other, _ = people(seed=7)
    assert again.predict(other).tolist() == fitted.predict(other).tolist()
    assert again.to_text() == fitted.to_text() and again.get_params() == fitted.get_params()
    assert clone(fitted).get_params() == fitted.get_params()


def test_bad_input_is_simpler_or_refused(fitted, caplog) -> None:
    frame, paid = people(400)
    with caplog.at_level(logging.WARNING):
        for X, y in ((frame.iloc[:0], []), (frame, np.zeros(400)), (frame[[]], paid)):
            tree = PaymentTreeSegments().fit(X, y)
            assert tree.labels_.tolist() == ["everybody"] * len(X)
    assert "one segment" in caplog.text
    assert PaymentTreeSegments().fit(frame, np.zeros(400)).rules_["high"][0] > 0
    with pytest.raises(ConfigError, match="0 or 1"):
        PaymentTreeSegments().fit(frame, paid + 1)
    with pytest.raises(ConfigError, match="max_segments"):
        PaymentTreeSegments(max_segments=40).fit(frame, paid)
    with pytest.raises(ConfigError, match="no column product"):
        fitted.predict(frame.drop(columns="product"))
    with pytest.raises(ConfigError, match="held numbers"):
        fitted.predict(frame.assign(balance="much"))
    assert set(fitted.predict(frame.assign(product="boat"))) <= set(fitted.names_)
    with pytest.raises(NotFittedError):
        PaymentTreeSegments().predict(frame)
