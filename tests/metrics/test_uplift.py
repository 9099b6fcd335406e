"""Qini and AUUC equal a slow readable version, cover the truth, and refuse bad input."""

from itertools import pairwise

import numpy as np
import pytest

from contactopt.metrics import auuc, qini, qini_curve, uplift_curve


def slow(y, score, treated, propensity):
    """Area under both curves, row group by row group, straight lines between score values."""
    y, score, treated = (np.asarray(v, dtype=float) for v in (y, score, treated))
    w = 1 / np.asarray(propensity, dtype=float)
    total_t, total_c = w[treated == 1].sum(), w[treated == 0].sum()
    points = {"uplift": [(0.0, 0.0)], "qini": [(0.0, 0.0)]}
    for s in sorted(set(score), reverse=True):
        top = score >= s
        t, c = top & (treated == 1), top & (treated == 0)
        x = 0.5 * (w[t].sum() / total_t + w[c].sum() / total_c)
        if t.any() and c.any():
            gap = np.average(y[t], weights=w[t]) - np.average(y[c], weights=w[c])
            n_t = w[t].sum()
            q = ((w * y)[t].sum() - (w * y)[c].sum() * n_t / w[c].sum()) / total_t
        else:
            gap = q = 0.0
        points["uplift"].append((x, x * gap))
        points["qini"].append((x, q))
    area = {}
    for name, curve in points.items():
        area[name] = sum((x2 - x1) * (g1 + g2) / 2 for (x1, g1), (x2, g2) in pairwise(curve))
    return area["uplift"], area["qini"] - points["qini"][-1][1] / 2


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_the_slow_version(seed):
    rng = np.random.default_rng(seed)
    n = 150
    y = rng.random(n) if seed % 2 else rng.integers(0, 2, n)
    score = rng.integers(0, 12 if seed < 3 else 10_000, n) / 7
    treated = rng.integers(0, 2, n)
    p = rng.uniform(0.1, 0.9, n)
    want = slow(y, score, treated, p)
    assert auuc(y, score, treated, propensity=p, n_boot=0).value == pytest.approx(want[0])
    assert qini(y, score, treated, propensity=p, n_boot=0).value == pytest.approx(want[1])
    flat = slow(y, score, treated, np.ones(n))
    assert qini(y, score, treated, n_boot=0).value == pytest.approx(flat[1])
    mixed = rng.permutation(n)
    again = qini(y[mixed], score[mixed], treated[mixed], propensity=p[mixed], n_boot=0)
    assert again.value == pytest.approx(want[1])


def test_curves_end_at_the_mean_effect_and_a_flat_score_gains_nothing():
    rng = np.random.default_rng(1)
    treated, y = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    effect = y[treated == 1].mean() - y[treated == 0].mean()
    for curve in (uplift_curve, qini_curve):
        frame = curve(y, rng.random(400), treated)
        assert frame.iloc[0].tolist() == [0.0, 0.0, 0.0]
        assert frame["gain"].iloc[-1] == pytest.approx(effect)
        assert frame["random"].iloc[-1] == pytest.approx(effect)
        assert (np.diff(frame["share"]) > 0).all() and frame["share"].iloc[-1] == 1.0
    assert qini(y, np.zeros(400), treated).value == pytest.approx(0.0)
    assert auuc(y, np.zeros(400), treated, n_boot=0).value == pytest.approx(effect / 2)


def unequal(seed, n=1_500):
    """Effect rises with x; people with high x are treated more often and pay more anyway."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.random(n // 3), 3)  # three rows of each customer
    p = 0.2 + 0.6 * x
    treated = rng.random(n) < p
    y = rng.random(n) < 0.1 + 0.3 * x + treated * 0.4 * x
    return y, x, treated, np.where(treated, p, 1 - p), np.arange(n) // 3


def test_weights_undo_unequal_treatment_and_the_interval_covers():
    # true curve: treating the top k gains the integral of 0.4 x: area above the line is 0.4 / 12
    truth = 0.4 / 12
    found = [
        qini(y, x, t, propensity=p, groups=g, n_boot=60, random_state=seed)
        for seed in range(40)
        for y, x, t, p, g in [unequal(seed)]
    ]
    values = np.array([e.value for e in found])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - truth) < 3.5 * error
    covered = np.mean([e.low <= truth <= e.high for e in found])
    assert covered >= 0.8  # 95 % less three standard errors of 40, and a short bootstrap
    assert found[0].n == 500


def test_the_difference_of_a_score_to_itself_is_nothing():
    y, x, t, p, g = unequal(0)
    same = qini(y, x, t, against=x, propensity=p, groups=g, n_boot=20)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    less = auuc(y, x, t, against=-x, propensity=p, groups=g, n_boot=50)
    assert less.low > 0


def test_nothing_to_compare_gives_no_number_and_faults_are_refused():
    assert np.isnan(qini([], [], []).value) and qini_curve([], [], []).empty
    assert np.isnan(auuc([1, 0], [0.1, 0.2], [1, 1]).value)
    assert uplift_curve([1, 0], [0.1, 0.2], [0, 0]).empty
    with pytest.raises(ValueError, match="treated must be 0 or 1"):
        qini([1, 0], [0.1, 0.2], [0, 2])
    with pytest.raises(ValueError, match="propensity"):
        qini([1, 0], [0.1, 0.2], [0, 1], propensity=[0.0, 0.5])
    with pytest.raises(ValueError, match="finite"):
        auuc([1, 0], [np.nan, 0.2], [0, 1])
    with pytest.raises(ValueError, match="one entry per row"):
        auuc([1, 0], [0.2], [0, 1])
