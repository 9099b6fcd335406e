"""Differences between customers are used where planted and nowhere else; plain frames; verdicts."""

import logging

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from contactopt.bundle import load_bundle, save_bundle
from contactopt.errors import ContractError
from contactopt.models import EffectModel
from contactopt.models.effect.choice import CrossFit, EffectChoice, cross_fit_effects, judge
from contactopt.models.effect.scores import EffectRows
from contactopt.models.effect.shown import Differences


def customers(rng, n):
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    X["book"] = pd.Categorical(rng.choice(["cards", "loans", "phone"], n))
    X["income"] = np.where(rng.random(n) < 0.3, np.nan, rng.lognormal(0, 0.5, n))
    return X


def log(seed, n=2500, slope=0.12, mean=0.06, arms=("call",)):
    """Likely payers are contacted more; the effect of the first arm rises with column a."""
    rng = np.random.default_rng(seed)
    X = customers(rng, n)
    base = 0.1 + 0.5 * expit(X["b"] + 0.5 * (X["book"] == "cards")).to_numpy()
    tau = np.clip(mean + slope * np.clip(X["a"].to_numpy(), -2, 2), -base, 1 - base)
    share = 0.3 + 0.4 * expit(X["b"].to_numpy())
    arm = np.where(rng.random(n) < share, rng.integers(len(arms), size=n), -1)
    p = np.where(arm < 0, 1 - share, share / len(arms))
    pay = base + np.where(arm == 0, tau, 0.0)
    y = (rng.random(n) < pay).astype(int)
    return X, y, np.array([*arms, "wait"], dtype=object)[arm], p, base, tau


def fitted(seed, **settings):
    X, y, action, p, base, tau = log(seed, **settings)
    return EffectModel().fit(X, y, action=action, propensity=p), (X, y, action, p, base, tau)


def test_planted_differences_are_used_and_gain_more_than_the_constant_and_the_response():
    won = []
    for seed in range(5):
        model, (_, _, _, _, base, tau) = fitted(seed)
        fresh, *_, base, tau = log(1000 + seed, n=5000)
        top = model.predict(fresh)["call"].rank(method="first") > 3500
        likely = pd.Series(base + tau).rank(method="first") > 3500  # the perfect response score
        won.append(tau[top].mean() > max(tau.mean(), tau[likely].mean()) + 0.01)
    assert sum(won) >= 4


def test_equal_effects_give_the_constant():
    chosen = [fitted(50 + s, slope=0.0, n=1500)[0].choice_.name for s in range(5)]
    assert chosen.count("constant") >= 4


def test_equal_effects_give_the_constant_where_many_rows_are_alike():
    """One feature with fifty values: rows of one content must not be held out together."""
    chosen = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = pd.DataFrame({"age": rng.integers(20, 70, 3000)})
        action = rng.choice(["wait", "call"], 3000)
        y = rng.random(3000) < np.where(action == "call", 0.4, 0.2)
        model = EffectModel().fit(X, y, action=action, propensity=np.full(3000, 0.5))
        chosen.append(model.choice_.name)
    assert chosen.count("constant") >= 4, chosen


def test_the_constant_is_the_true_mean_effect_with_its_error():
    z = []
    for seed in range(6):
        model, (*_, tau) = fitted(100 + seed, slope=0.0, n=1000, mean=0.1)
        found = model.table().set_index("arm").loc["call"]
        z.append((found["effect"] - tau.mean()) / found["spread"])
    assert abs(np.mean(z)) < 3.5 / np.sqrt(6) and np.std(z) < 2.0


def test_the_report_tells_candidates_evidence_and_verdict():
    model, (X, *_) = fitted(0)
    choice = model.choice_
    assert choice.propensity == "logged" and choice.p_value < 0.04
    assert {"segment", "s_learner", "t_learner", "dr_linear", "dr_trees", "blend"} <= set(
        choice.candidates["name"]
    )
    row = choice.candidates[choice.candidates["chosen"]].iloc[0]
    assert row["name"] == choice.name and row["low"] < row["gain"] < row["high"]
    assert row["qini_low"] < row["qini"] < row["qini_high"]
    assert "standard errors" in choice.verdict and choice.name in repr(choice)
    uplift, spread = model.predict(X, return_std=True)
    assert list(uplift.columns) == ["call"] and uplift.index.equals(X.index)
    assert (spread["call"] > 0).all() and np.ptp(uplift["call"]) > 0.05
    assert model.predict(X.iloc[:0]).shape == (0, 1)


def test_self_cure_is_calibrated_on_those_who_waited():
    model, _ = fitted(3, n=4000)
    X, *_, base, _ = log(900, n=6000)
    cure = model.self_cure(X)
    assert cure.mean() == pytest.approx(base.mean(), abs=0.025)
    assert np.corrcoef(cure, base)[0, 1] > 0.8


def test_state_keeps_the_bits_and_row_order_does_not_matter(tmp_path):
    model, (X, y, action, p, *_) = fitted(1, n=1500)
    mixed = np.random.default_rng(0).permutation(len(X))
    again = EffectModel().fit(X.iloc[mixed], y[mixed], action=action[mixed], propensity=p[mixed])
    assert np.array_equal(model.predict(X).to_numpy(), again.predict(X).to_numpy())
    save_bundle({"effect": model.to_state()}, tmp_path / "b")
    loaded = EffectModel.from_state(load_bundle(tmp_path / "b")["effect"])
    for one, two in zip(model.effect(X), loaded.effect(X), strict=True):
        assert np.array_equal(one, two)
    assert np.array_equal(model.self_cure(X), loaded.self_cure(X))
    assert repr(loaded.choice_) == repr(model.choice_) and loaded.table().equals(model.table())


def test_reach_times_effect_is_a_candidate_where_reach_is_known():
    rng = np.random.default_rng(0)
    X, _, action, p, base, _ = log(7, n=4000)
    reached = (action == "call") & (rng.random(4000) < expit(2 * X["c"].to_numpy()))
    y = (rng.random(4000) < np.clip(base + 0.3 * reached, 0, 1)).astype(int)
    model = EffectModel().fit(
        X, y, action=action, propensity=p, reach=np.where(action == "wait", np.nan, reached)
    )
    table = model.choice_.candidates.set_index("name")
    assert table.loc["reach_x_effect", "z"] > 3
    assert np.corrcoef(model.predict(X)["call"], X["c"])[0, 1] > 0.6


def test_without_propensities_they_are_estimated_and_said_to_be(caplog):
    X, y, action, _, _, tau = log(4, n=4000, slope=0.0, mean=0.15)
    with caplog.at_level(logging.WARNING):
        model = EffectModel().fit(X, y, action=action)
    assert model.choice_.propensity == "estimated" and "estimated from X" in caplog.text
    naive = y[action == "call"].mean() - y[action == "wait"].mean()
    found = model.table().set_index("arm").loc["call", "effect"]
    assert abs(found - tau.mean()) < abs(naive - tau.mean())
    # who was contacted is known from X for sure: nothing can be compared
    sure = np.where(X["b"] > 0, "call", "wait")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        model = EffectModel().fit(X, y, action=sure)
    assert model.prior_only_ and "too little overlap" in model.choice_.verdict
    assert "too little overlap" in caplog.text and model.fit_record_["overlap_share"] < 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y, a, p: (X, y, np.full(len(y), "call"), p), "no row has the control value"),
        (lambda X, y, a, p: (X, y, np.full(len(y), "wait"), p), "there is no action"),
        (lambda X, y, a, p: (X[:20], y[:20], a[:20], p[:20]), "fewer than 30 rows waited"),
        (lambda X, y, a, p: (X, np.zeros(len(y)), a, p), "of them paid"),
        (lambda X, y, a, p: (X[:0], y[:0], a[:0], p[:0]), "there are no rows"),
    ],
)
def test_what_cannot_be_compared_is_the_prior_with_a_reason(change, words, caplog):
    X, y, action, p = change(*log(5, n=300)[:4])
    with caplog.at_level(logging.WARNING):
        model = EffectModel().fit(X, y, action=action, propensity=p)
    assert model.prior_only_ and model.choice_.name == "prior"
    assert words in model.choice_.verdict and "effects are priors" in caplog.text
    uplift = model.predict(customers(np.random.default_rng(0), 5))
    assert uplift.shape == (5, len(model.arms_)) and np.isfinite(uplift.to_numpy()).all()


def test_an_arm_that_says_nothing_keeps_its_prior_beside_one_that_speaks():
    X, y, action, p, *_ = log(6, n=1500, arms=("call", "sms"))
    rare = np.flatnonzero(action == "sms")[:10]
    keep = np.setdiff1d(np.arange(1500), np.setdiff1d(np.flatnonzero(action == "sms"), rare))
    model = EffectModel().fit(X.iloc[keep], y[keep], action=action[keep], propensity=p[keep])
    table = model.table().set_index("arm")
    prior = EffectModel().fit(X, np.zeros(1500), action=action, propensity=p).table()
    assert table.loc["sms", "drawn"] == 10 and model.fit_record_["arms_with_evidence"] == 1
    assert np.ptp(model.predict(X)["sms"]) == 0.0 and len(prior) == 2


def test_few_payers_and_constant_features_give_the_constant():
    X, y, action, p, *_ = log(8, n=400)
    few = np.where(np.cumsum(y) <= 40, y, 0)
    model = EffectModel().fit(X, few, action=action, propensity=p)
    assert model.choice_.name == "constant" and "50 are asked for" in model.choice_.verdict
    flat = pd.DataFrame({"one": np.ones(400)})
    model = EffectModel().fit(flat, y, action=action, propensity=p)
    assert model.choice_.name == "constant" and np.ptp(model.predict(flat)["call"]) == 0.0


def test_numbers_as_labels_and_a_frame_of_propensities():
    X, y, action, p, *_ = log(9, n=1000, slope=0.0)
    number = (action == "call").astype(int)
    frame = pd.DataFrame({0: np.where(number, 1 - p, p), 1: np.where(number, p, 1 - p)})
    one = EffectModel(control=0).fit(X, y, action=number, propensity=frame)
    two = EffectModel().fit(X, y, action=action, propensity=p)
    assert one.predict(X)[1].to_numpy() == pytest.approx(two.predict(X)["call"].to_numpy())


def test_faulty_plain_input_is_named(caplog):
    X, y, action, p, *_ = log(10, n=200)
    for wrong in (0.0, 1.2, -0.1):
        with pytest.raises(ContractError, match="propensity outside"):
            EffectModel().fit(X, y, action=action, propensity=np.where(np.arange(200), p, wrong))
    with pytest.raises(ContractError, match="y must be 0 or 1"):
        EffectModel().fit(X, y * 250.0, action=action, propensity=p)
    with pytest.raises(ContractError, match="one entry per row"):
        EffectModel().fit(X, y, action=action[:-1], propensity=p)
    with pytest.raises(ContractError, match="needs y and action"):
        EffectModel().fit(X, y)
    with pytest.raises(ContractError, match=r"reach must lie in \[0, 1\]"):
        EffectModel().fit(X, y, action=action, propensity=p, reach=np.full(200, 2.0))
    with caplog.at_level(logging.WARNING):
        model = EffectModel().fit(
            X, np.where(np.arange(200) < 9, np.nan, y), action=action, propensity=p
        )
    assert "9 of 200 rows left out" in caplog.text and model.fit_record_["used"] == 191


def crowd(z_single, n=4000):
    """Scores and what candidates say of them: a learner of some evidence, an average of more."""
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=n), rng.normal(size=n)
    noise -= noise.mean()
    rows = EffectRows(
        X=rng.normal(size=(n, 2)),
        y=np.zeros(n),
        arm=np.where(np.arange(n) % 2, 0, -1),
        weight=np.full(n, 2.0),
        cluster=np.arange(n),
        hashes=np.arange(n, dtype=np.uint64),
        n_arms=1,
        categories=[],
    )
    x -= x.mean() + noise * (x @ noise) / (noise @ noise)
    said = {
        "odds": np.zeros(n),
        "s_learner": x + noise * z_single / np.sqrt(n),
        "average": x + noise * 8.0 / np.sqrt(n),
    }
    effects = {name: values[:, None] for name, values in said.items()}
    return rows, CrossFit(noise[:, None], np.zeros((n, 2)), effects, np.zeros(n, dtype=np.int64))


def test_the_average_is_used_where_another_shows_a_difference_and_never_shows_one_itself():
    assert judge(*crowd(6.0), propensity="logged").name == "average"
    assert judge(*crowd(9.0), propensity="logged").name == "s_learner"
    assert judge(*crowd(1.0), propensity="logged").name == "constant"


def test_an_average_keeps_its_members_and_bits():
    plan = EffectModel()._plan()
    rng = np.random.default_rng(0)
    n = 600
    rows = EffectRows(
        X=rng.normal(size=(n, 3)),
        y=(rng.random(n) < 0.4).astype(float),
        arm=np.where(np.arange(n) % 2, 0, -1),
        weight=np.full(n, 2.0),
        cluster=np.arange(n),
        hashes=np.arange(n, dtype=np.uint64),
        n_arms=1,
        categories=[],
        p_wait=np.full(n, 0.4),
    )
    found = cross_fit_effects(rows, plan)
    choice = EffectChoice("average", "customer", "", slopes=np.ones(1))
    whole = Differences().fit(rows, found, choice, plan)
    assert set(whole.learners_) == {"odds", "s_learner", "t_learner"}
    again = Differences.from_state(whole.to_state(), 1)
    assert np.array_equal(
        whole.over_mean(rows.X, rows.p_wait), again.over_mean(rows.X, rows.p_wait)
    )
