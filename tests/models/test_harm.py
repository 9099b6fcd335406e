"""Harm: zero events give the prior pulled down, never zero; evidence moves its own cell most."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from contactopt.bundle import load_bundle, save_bundle
from contactopt.contracts import ActionSpace
from contactopt.errors import ConfigError, ContractError
from contactopt.models import HarmModel
from contactopt.models.harm.hierarchy import pooled_factor, strength_of

SPACE = ActionSpace.from_channels({"sms": [10], "call_agent": [10, 11]})


def contacts(n, events, channel="sms", touches=0.0):
    hit = (np.arange(n) < events).astype(float)
    return pd.DataFrame(
        {"channel": channel, "touches_7d": touches, "complained": 0.0, "opted_out": hit}
    )


def test_zero_events_give_a_smaller_prior_not_zero():
    prior = HarmModel().fit(None).predict([0], SPACE)
    found = HarmModel().fit(contacts(2000, 0)).predict([0], SPACE)
    # 16 opt-outs were expected under the prior: none in 2,000 contacts says it is far lower
    assert 0 < found.opt_out[0, 0] < 0.1 * prior.opt_out[0, 0]
    # other channels hear of it, but much less
    assert 0.3 * prior.opt_out[0, 1] < found.opt_out[0, 1] < prior.opt_out[0, 1]
    # half a complaint was expected: its absence says little
    assert 0.5 * prior.complaint[0, 0] < found.complaint[0, 0] < prior.complaint[0, 0]
    # and without any contact the prior is the answer
    none = HarmModel().fit(contacts(0, 0)).predict([0], SPACE)
    assert np.array_equal(none.opt_out, prior.opt_out) and prior.opt_out[0, 0] == 0.008


def test_shares_are_posterior_means_under_the_levels_above():
    found = HarmModel().fit(contacts(2000, 8))
    hits, expected = np.array([8.0]), np.array([16.0])
    k = strength_of(hits, expected)
    factor, unsure = pooled_factor(hits, expected, k)
    weight = k / (k + 16 * factor)
    assert factor == pytest.approx((2 + weight * 8) / (2 + weight * 16))
    assert unsure == pytest.approx(1 / (2 + weight * 8))
    channel = 0.008 * factor * (k + 8) / (k + 16 * factor)
    cell = strength_of(hits, 2000 * np.array([channel]))
    by_hand = channel * (cell + 8) / (cell + 2000 * channel)
    assert found.predict([0], SPACE).opt_out[0, 0] == pytest.approx(by_hand)


def test_pooling_is_strong_where_cells_agree_and_weak_where_they_differ():
    expected = np.full(40, 20.0)
    rng = np.random.default_rng(0)
    assert strength_of(rng.poisson(20.0, size=40).astype(float), expected) >= 32
    apart = rng.poisson(20.0 * rng.gamma(1.0, 1.0, size=40)).astype(float)
    assert strength_of(apart, expected) <= 2
    assert strength_of(np.zeros(0), np.zeros(0)) == 4.0


def test_evidence_of_one_pressure_moves_the_others_less():
    quiet = HarmModel().fit(None).predict([0, 4], SPACE).opt_out[:, 0]
    model = HarmModel().fit(contacts(5000, 500, touches=4.0))
    calm, pressed = model.predict([0, 4], SPACE).opt_out[:, 0]
    assert pressed == pytest.approx(0.1, abs=0.015)
    assert quiet[0] < calm < pressed


def test_pressure_raises_harm_and_nan_counts_as_none():
    found = HarmModel().fit(None).predict([0, 1, 3, 6, 50, np.nan], SPACE)
    assert (np.diff(found.complaint[:4, 1]) > 0).all()
    assert found.complaint[4, 1] == found.complaint[3, 1]
    assert found.complaint[5, 1] == found.complaint[0, 1]
    assert found.complaint.shape == (6, 3)
    assert HarmModel().fit(None).predict([], SPACE).opt_out.shape == (0, 3)


def test_unknown_outcomes_are_left_out():
    known = contacts(1000, 10)
    unknown = contacts(1000, 0).assign(complained=np.nan, opted_out=np.nan)
    one = HarmModel().fit(known)
    two = HarmModel().fit(pd.concat([known, unknown]))
    assert np.array_equal(one.opted_out_, two.opted_out_)


def test_state_keeps_the_bits_and_words_are_checked(tmp_path):
    model = HarmModel(like={"rcs": "sms"}).fit(contacts(100, 3, channel="rcs"))
    save_bundle({"harm": model.to_state()}, tmp_path / "b")
    again = HarmModel.from_state(load_bundle(tmp_path / "b")["harm"])
    space = ActionSpace.from_channels({"rcs": [9]})
    assert np.array_equal(again.predict([0, 9], space), model.predict([0, 9], space))
    with pytest.raises(ContractError, match="unknown channel"):
        HarmModel().fit(contacts(5, 0, channel="rcs"))
    with pytest.raises(ConfigError, match="rcs"):
        HarmModel().fit(None).predict([0], space)


def test_a_segment_is_shrunken_to_the_channel_and_a_new_one_is_the_channel():
    model = HarmModel(segment="stage").fit(
        pd.concat(
            [
                contacts(5000, 25).assign(stage="early"),
                contacts(5000, 250).assign(stage="late"),
                contacts(20, 1).assign(stage="mid"),
                contacts(100, 5).assign(stage=None),
            ]
        )
    )
    assert model.segments_ == ["early", "late", "mid"]
    asked = ["early", "late", "mid", "never seen", None]
    early, late, mid, new, none = model.predict([0] * 5, SPACE, segment=asked).opt_out[:, 0]
    assert early == pytest.approx(0.005, rel=0.25) and late == pytest.approx(0.05, rel=0.1)
    assert new == none == model.predict([0], SPACE).opt_out[0, 0]
    # one opt-out in twenty contacts: a small step from the channel towards 0.05
    assert new < mid < 0.5 * (new + 0.05)
    # a channel that nobody used is the same in every segment
    unused = model.predict([0, 0], SPACE, segment=["early", "late"]).opt_out[:, 1]
    assert unused[0] == unused[1]
    with pytest.raises(ConfigError, match="without segments"):
        HarmModel().fit(None).predict([0], SPACE, segment=["early"])


def test_intervals_hold_the_true_rate_as_often_as_they_say():
    # true rates are drawn as the model thinks they are: around the prior, channel by channel
    rng = np.random.default_rng(0)
    words = ["sms", "email", "call_agent", "call_bot", "whatsapp", "push"]
    assumed = HarmModel().fit(None).predict([0], ActionSpace.from_channels({c: [9] for c in words}))
    space = ActionSpace.from_channels({c: [9] for c in words})
    inside = []
    for _ in range(120):
        true = np.minimum(assumed.opt_out[0] * rng.gamma(4.0, 1 / 4.0, size=len(words)), 1.0)
        X = pd.DataFrame({"channel": np.repeat(words, 800), "touches_7d": 0.0})
        out = (rng.random(len(X)) < np.repeat(true, 800)).astype(float)
        y = np.column_stack([np.zeros(len(X)), out])
        low, high = HarmModel().fit(X, y).predict_interval([0], space, coverage=0.9)[2:]
        inside += ((true >= low[0]) & (true <= high[0])).tolist()
    assert 0.86 <= np.mean(inside) <= 0.985


def test_intervals_shrink_with_evidence_and_hold_the_mean():
    prior = HarmModel().fit(None)
    informed = HarmModel().fit(contacts(20_000, 160))
    for model in (prior, informed):
        mean = model.predict([0, 4], SPACE)
        bounds = model.predict_interval([0, 4], SPACE)
        assert (bounds.opt_out_low < mean.opt_out).all()
        assert (mean.opt_out < bounds.opt_out_high).all()
        assert (bounds.complaint_low >= 0).all()
        assert bounds.complaint_high.shape == (2, 3)
    wide, narrow = (m.predict_interval([0], SPACE) for m in (prior, informed))
    assert narrow.opt_out_high[0, 0] - narrow.opt_out_low[0, 0] < 0.3 * (
        wide.opt_out_high[0, 0] - wide.opt_out_low[0, 0]
    )


def test_outcomes_may_stand_apart_and_must_be_outcomes():
    X = contacts(500, 20)
    joined = HarmModel().fit(X)
    apart = HarmModel().fit(X[["channel", "touches_7d"]], X[["opted_out", "complained"]])
    assert np.array_equal(joined.opted_out_, apart.opted_out_)
    with pytest.raises(ContractError, match="0, 1 or missing"):
        HarmModel().fit(X.assign(opted_out=3.0))
    with pytest.raises(ContractError, match="every row"):
        HarmModel().fit(X[["channel", "touches_7d"]], np.zeros((3, 2)))
    with pytest.raises(ContractError, match="touches_7d"):
        HarmModel().fit(X.drop(columns="touches_7d"))


def test_segments_and_intervals_survive_the_bundle_and_old_states_load(tmp_path):
    model = HarmModel(segment="stage").fit(contacts(300, 9).assign(stage="late"))
    save_bundle({"harm": model.to_state()}, tmp_path / "b")
    again = HarmModel.from_state(load_bundle(tmp_path / "b")["harm"])
    asked = {"segment": ["late", None]}
    for one, two in zip(
        model.predict_interval([0, 3], SPACE, **asked),
        again.predict_interval([0, 3], SPACE, **asked),
        strict=True,
    ):
        assert np.array_equal(one, two)
    first = {
        k: v for k, v in model.to_state().items() if k not in ("segments", "unsure", "by_segment")
    }
    old = HarmModel.from_state({**first, "params": {"like": None}})
    assert np.array_equal(old.predict([0], SPACE).opt_out, model.predict([0], SPACE).opt_out)
    with pytest.raises(ConfigError, match="before it knew intervals"):
        old.predict_interval([0], SPACE)


def test_negative_touches_shapes_and_other_frames():
    space = ActionSpace.from_channels({"sms": [10]})
    X = pd.DataFrame({"channel": ["sms"] * 40, "touches_7d": 1, "complained": 0, "opted_out": 0})
    model = HarmModel().fit(X)
    same = HarmModel().fit(pl.from_pandas(X))
    assert np.array_equal(model.predict([1], space).opt_out, same.predict([1], space).opt_out)
    with pytest.raises(ContractError, match="touches_7d is negative in 40 rows"):
        HarmModel().fit(X.assign(touches_7d=-1))
    with pytest.raises(ContractError, match="touches_7d is negative in 1 rows"):
        model.predict([-1], space)
    for odd in (0, [[0, 1]]):
        with pytest.raises(ContractError, match="touches_7d has shape"):
            model.predict(odd, space)
    with pytest.raises(ContractError, match="one name"):
        HarmModel().fit(pd.concat([X, X[["complained"]]], axis=1))
    with pytest.raises(ContractError, match="lacks the columns complained"):
        HarmModel().fit(X, pd.DataFrame({"other": [0] * 40}))
