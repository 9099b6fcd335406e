"""Off-policy values: by enumeration, against slow definitions, published figures, coverage."""

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thompson_priors import thompson_probabilities

from contactopt.metrics import (
    dr_value,
    ips_value,
    policy_support,
    snips_value,
    value_difference,
)
from contactopt.metrics.off_policy_interval import clustered_variance
from contactopt.metrics.off_policy_rows import logged_rows

DATA = os.environ.get("CONTACTOPT_DATA")


def log_of(seed, n=600, arms=4, rate=0.3):
    """Draw a log with a softmax policy; returns columns by name."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(n, arms))
    p = np.exp(0.5 * score) / np.exp(0.5 * score).sum(axis=1, keepdims=True)
    pi = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    arm = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=arms - 1)
    i = np.arange(n)
    q = np.clip(rate + 0.05 * score, 0.01, 0.9)
    reward = (rng.random(n) < q[i, arm]).astype(float)
    return {
        "reward": reward,
        "target": pi[i, arm],
        "propensity": p[i, arm],
        "q_drawn": q[i, arm],
        "q_target": (pi * q).sum(axis=1),
    }


def plain(log):
    return {k: log[k] for k in ("reward", "target", "propensity")}


def test_values_equal_the_definitions_row_by_row():
    log = log_of(1)
    w = [t / p for t, p in zip(log["target"], log["propensity"], strict=True)]
    by_row = [a * y for a, y in zip(w, log["reward"], strict=True)]
    assert ips_value(**plain(log)).value == pytest.approx(sum(by_row) / 600, abs=1e-12)
    assert snips_value(**plain(log)).value == pytest.approx(sum(by_row) / sum(w), abs=1e-12)
    doubly = [
        g + a * (y - d)
        for g, a, y, d in zip(log["q_target"], w, log["reward"], log["q_drawn"], strict=True)
    ]
    assert dr_value(**log).value == pytest.approx(sum(doubly) / 600, abs=1e-12)


def test_ips_and_dr_are_unbiased_by_enumeration_of_every_draw():
    """All 3^3 draws of three decisions, weighed by their probability; DR with a wrong model too."""
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.25, 0.25, 0.5]])
    pi = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.5, 0.5]])
    money = np.array([[3.0, -1.0, 0.5], [2.0, 4.0, -2.0], [1.0, 0.0, 6.0]])
    wrong = np.array([[1.0, 1.0, 9.0], [0.0, -3.0, 2.0], [5.0, 5.0, 5.0]])
    i, truth = np.arange(3), (pi * money).sum() / 3
    copies = 40  # every decision as often: the support rules ask for more rows than three
    mean = {"ips": 0.0, "dr": 0.0}
    for arms in itertools.product(range(3), repeat=3):
        a = np.array(arms)
        share = p[i, a].prod()
        columns = [money[i, a], pi[i, a], p[i, a]]
        rows = logged_rows(columns[0], columns[2], None, None)
        weights = rows.weights(columns[1])
        mean["ips"] += share * (weights * rows.reward).mean()
        grown = [np.tile(c, copies) for c in columns]
        more = [np.tile(wrong[i, a], copies), np.tile((pi * wrong).sum(axis=1), copies)]
        found = dr_value(*grown, *more)
        value = found.value
        if np.isnan(value):  # too little support to be told: the same sum, by hand
            assert found.reason
            value = ((pi * wrong).sum(axis=1) + weights * (money[i, a] - wrong[i, a])).mean()
        mean["dr"] += share * value
    assert mean["ips"] == pytest.approx(truth, abs=1e-12)
    assert mean["dr"] == pytest.approx(truth, abs=1e-12)


def test_two_way_variance_equals_its_definition_by_pairs():
    """Sum over all pairs of rows that share a customer or a day, with each way's own correction."""
    rng = np.random.default_rng(3)
    n = 120
    customer, day = rng.integers(30, size=n), rng.integers(6, size=n)
    influence = rng.normal(size=n) + rng.normal(size=30)[customer] + 2 * rng.normal(size=6)[day]
    influence -= influence.mean()

    def pairs(same):
        return sum(influence[a] * influence[b] for a in range(n) for b in range(n) if same(a, b))

    both = len(set(zip(customer, day, strict=True)))
    c, d = len(set(customer)), len(set(day))
    expected = (
        c / (c - 1) * pairs(lambda a, b: customer[a] == customer[b])
        + d / (d - 1) * pairs(lambda a, b: day[a] == day[b])
        - both / (both - 1) * pairs(lambda a, b: customer[a] == customer[b] and day[a] == day[b])
    )
    rows = logged_rows(np.zeros(n), np.ones(n), customer, day)
    variance, freedom = clustered_variance(influence, rows)
    assert variance == pytest.approx(expected, rel=1e-12)
    assert 5 <= freedom < 30


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_order_of_rows_and_names_of_clusters_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    log = log_of(seed)
    who, day = rng.integers(150, size=600), rng.integers(9, size=600)
    one = dr_value(**log, customer=who, day=day)
    order = rng.permutation(600)
    names = np.array([f"customer {k}" for k in rng.permutation(150)], dtype=object)
    shuffled = {k: v[order] for k, v in log.items()}
    two = dr_value(**shuffled, customer=names[who][order], day=-day[order])
    assert (two.value, two.low, two.high) == pytest.approx((one.value, one.low, one.high))
    assert one.n == len(np.unique(who))
    assert one.low < one.value < one.high


def test_difference_is_paired_and_far_narrower_than_the_parts():
    log = log_of(5, n=4000)
    near = np.clip(log["target"] * 1.02, 0, 1)
    apart = value_difference(log["reward"], near, log["target"], log["propensity"])
    alone = snips_value(**plain(log))
    assert apart.high - apart.low < 0.1 * (alone.high - alone.low)
    same = value_difference(log["reward"], log["target"], log["target"], log["propensity"])
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    ips = value_difference(log["reward"], near, log["target"], log["propensity"], estimator="ips")
    parts = ips_value(log["reward"], near, log["propensity"]), ips_value(**plain(log))
    assert ips.value == pytest.approx(parts[0].value - parts[1].value, abs=1e-12)
    swapped = value_difference(
        log["reward"], log["target"], near, log["propensity"], estimator="ips"
    )
    assert (swapped.low, swapped.high) == pytest.approx((-ips.high, -ips.low))


def test_what_a_log_cannot_tell_is_said():
    one = np.ones(1000)
    reward = np.tile([1.0, 0.0], 500)
    assert "never drawn" in ips_value(reward, 0.5 * one, one).reason
    assert "propensity 0" in ips_value(reward, 0.5, np.append(0.0, one[1:])).reason
    assert "never drawn" in ips_value(reward, 0.5, 0.5, uncovered=0.02).reason
    assert ips_value(reward, 0.5, 0.5, uncovered=0.009).reason == ""
    assert "effective sample" in ips_value(reward[:80], 0.5, 0.5).reason
    heavy = np.append(0.001, 0.5 * one[1:])
    assert "one customer holds" in ips_value(reward, 0.5, heavy).reason
    who = np.where(np.arange(1000) < 300, 0, np.arange(1000))
    assert "one customer holds" in snips_value(reward, 0.5, 0.5, customer=who).reason
    few = np.zeros(1000)
    few[:4] = 1
    assert "4 customer(s) with a reward, of at least 5" in ips_value(few, 0.5, 0.5).reason
    few[4] = 1
    assert ips_value(few, 0.5, 0.5).reason == ""
    assert "5 customer(s) with a reward, of at least 30" in ips_value(9.5 * few, 0.5, 0.5).reason
    assert str(ips_value(few[:0], [], [])) == "not enough data: no rows (n=0)"
    # one more reward at a weight of 50 would outweigh the seven seen
    rare = np.zeros(2000)
    rare[:7] = 1
    long_tail = np.append(np.ones(1990), np.full(10, 0.02))
    assert (
        "could raise the estimate 8.1 times" in ips_value(rare, 1.0 * 0.9, long_tail * 0.9).reason
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"propensity": 1.2}, "propensity"),
        ({"propensity": -0.1}, "propensity"),
        ({"target": 1.5}, "target"),
        ({"reward": [np.nan, 1.0]}, "reward must be finite"),
        ({"target": [0.1, 0.2, 0.3]}, "entries"),
        ({"customer": [1, 2, 3]}, "cluster ids"),
        ({"uncovered": 2.0}, "uncovered"),
    ],
)
def test_bad_input_is_refused(change, words):
    given_rows = {"reward": [1.0, 0.0], "target": 0.5, "propensity": 0.5} | change
    with pytest.raises(ValueError, match=words):
        ips_value(**given_rows)
    with pytest.raises(ValueError, match=words):
        policy_support(**given_rows)


def test_difference_needs_a_known_estimator_and_its_model():
    with pytest.raises(ValueError, match="needs q_drawn"):
        value_difference([1.0, 0.0], 0.5, 0.4, 0.5, estimator="dr")
    log = log_of(2)
    with pytest.raises(ValueError, match="no estimator"):
        value_difference(log["reward"], log["target"], 0.2, log["propensity"], estimator="dm")


def coverage(draw, truth, logs, seed):
    """Shares of logs whose interval lies above and below the truth."""
    rng = np.random.default_rng(seed)
    found = [draw(rng) for _ in range(logs)]
    known = [e for e in found if not e.reason]
    return (
        np.mean([e.low > truth for e in known]),
        np.mean([e.high < truth for e in known]),
        np.mean([e.high - e.low for e in known]),
        len(known) / logs,
    )


def test_rare_events_under_uneven_weights_are_covered_on_both_sides():
    """1.45 % rewards, effective sample a sixth; benchmarks/bench_off_policy.py has all cells."""

    def draw(rng):
        hit = rng.random(2000) < 1 / 8
        reward = (rng.random(2000) < 0.0145).astype(float)
        return ips_value(reward, np.where(hit, 0.86, 0.02), 1 / 8)

    above, below, width, told = coverage(draw, 0.0145, 500, 11)
    assert above <= 0.045 and below <= 0.045 and above + below <= 0.07
    assert width <= 0.036 and told > 0.95


def test_money_with_days_in_common_is_covered():
    def draw(rng):
        day = rng.integers(15, size=1500)
        customer = rng.integers(500, size=1500)
        level = 0.2 * np.exp(0.3 * rng.normal(size=15) - 0.045)[day]
        paid = (rng.random(1500) < level) * rng.lognormal(2.0, 0.7, 1500) - 0.1
        hit = rng.random(1500) < 0.5
        return snips_value(paid, np.where(hit, 0.8, 0.2), 0.5, customer=customer, day=day)

    truth = 0.2 * np.exp(2.0 + 0.7**2 / 2) - 0.1
    above, below, _, told = coverage(draw, truth, 300, 12)
    assert above + below <= 0.095 and told == 1.0


needs_data = pytest.mark.skipif(
    DATA is None, reason="the Open Bandit Dataset is read from CONTACTOPT_DATA, which is not set"
)


def _campaign(policy, campaign):
    path = Path(str(DATA)) / "open_bandit_small" / f"{policy}_{campaign}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not in CONTACTOPT_DATA")
    return pd.read_csv(
        path, usecols=["timestamp", "item_id", "position", "click", "propensity_score"]
    )


@needs_data
@pytest.mark.parametrize(
    ("campaign", "ips", "snips"),
    [("all", 0.0045529, 0.0047758), ("men", 0.0045336, 0.0046042)],
)
def test_published_values_of_the_open_bandit_dataset(campaign, ips, snips):
    """As obp 0.5.7 gives for the Thompson policy from the random log."""
    log = _campaign("random", campaign)
    chosen = thompson_probabilities(campaign)
    item, place = log["item_id"].to_numpy(), log["position"].to_numpy() - 1
    columns = (log["click"], chosen[item, place], log["propensity_score"])
    one, two = ips_value(*columns), snips_value(*columns)
    assert (one.value, two.value) == pytest.approx((ips, snips), abs=1e-7)
    assert one.low < ips < one.high < 0.02
    rate = log.groupby("item_id")["click"].mean().reindex(range(len(chosen)), fill_value=0.0)
    q = rate.to_numpy()
    of_target = (chosen * q[:, None]).sum(axis=0)[place]
    found = dr_value(*columns, q[item], of_target)
    weights = (columns[1] / columns[2]).to_numpy()
    slow = np.mean(of_target + weights * (log["click"].to_numpy() - q[item]))
    assert found.value == pytest.approx(slow, abs=1e-12)


@needs_data
@pytest.mark.parametrize("campaign", ["all", "men"])
def test_the_thompson_log_does_not_tell_about_the_uniform_policy(campaign):
    log = _campaign("bts", campaign)
    uniform = 1.0 / (log["item_id"].max() + 1)
    day = log["timestamp"].str[:10]
    for estimate in (ips_value, snips_value):
        found = estimate(log["click"], uniform, log["propensity_score"], day=day)
        assert found.reason and np.isnan(found.value)
