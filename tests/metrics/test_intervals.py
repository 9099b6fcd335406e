"""Coverage of every interval by simulation, with and without clusters, and what is not told."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from contactopt.metrics import (
    auc,
    brier,
    captured_at_capacity,
    expected_calibration_error,
    gain_curve,
    lift_at_capacity,
    log_loss,
    paired_difference,
    slice_metrics,
)
from contactopt.metrics.calibration import _bin_of

#: bounds of a coverage of 95 % over this many draws, three standard errors below
DRAWS = 400
LEAST = 0.95 - 3 * np.sqrt(0.95 * 0.05 / DRAWS)


def covered(rng, draw, truth, n_draws=DRAWS):
    """Share of intervals that hold the truth, and the share missed on each side."""
    found = [draw(rng) for _ in range(n_draws)]
    truths = [t for _, t in found] if truth is None else [truth] * n_draws
    low = np.mean([t < e.low - 1e-12 for (e, _), t in zip(found, truths, strict=True)])
    high = np.mean([t > e.high + 1e-12 for (e, _), t in zip(found, truths, strict=True)])
    return 1 - low - high, low, high


def clustered(rng, n_groups, size):
    """Groups whose rows share score and label."""
    who = np.repeat(np.arange(n_groups), size)
    z = rng.normal(size=n_groups)[who]
    y = (rng.random(n_groups)[who] < expit(z - 0.5)).astype(float)
    return y, z, who


@pytest.mark.parametrize(
    ("apart", "n1", "n0"), [(1.0, 150, 150), (2.5, 20, 30), (2.5, 10, 200), (3.5, 8, 8)]
)
def test_auc_covers_also_with_few_cases(apart, n1, n0):
    def draw(rng):
        score = np.r_[rng.normal(apart, 1, n1), rng.normal(size=n0)]
        return auc(np.r_[np.ones(n1), np.zeros(n0)], score), None

    truth = norm.cdf(apart / np.sqrt(2))
    assert covered(np.random.default_rng(1), draw, truth)[0] >= LEAST


def test_separated_classes_are_not_known_for_certain():
    found = auc([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6])
    assert found.value == 1.0 and found.high == 1.0 and 0.3 < found.low < 0.9
    mirrored = auc([1, 1, 1, 0, 0, 0], [1, 2, 3, 4, 5, 6])
    assert mirrored.value == 0.0
    assert (mirrored.low, mirrored.high) == pytest.approx((0.0, 1 - found.low))
    many = auc(np.repeat([0, 1], 500), np.arange(1000))
    assert many.low > 0.99


@pytest.mark.parametrize("metric", [log_loss, brier])
def test_losses_cover(metric):
    rng = np.random.default_rng(2)
    z = rng.normal(size=400_000)
    p = expit(0.8 * z)
    y = (rng.random(len(z)) < expit(z - 0.5)).astype(float)
    truth = metric(y, p).value

    def draw(rng):
        y, z, _ = clustered(rng, 300, 1)
        return metric(y, expit(0.8 * z)), None

    def draw_groups(rng):
        y, z, who = clustered(rng, 200, 3)
        return metric(y, expit(0.8 * z), groups=who), None

    assert covered(rng, draw, truth)[0] >= LEAST
    assert covered(rng, draw_groups, truth)[0] >= LEAST


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.3, 1.0), (0.0, 0.6)])
def test_calibration_error_covers_the_error_of_the_probabilities(shift, slope):
    def draw(rng):
        z = rng.normal(size=1500)
        p, truth = expit(z - 1), expit(shift + slope * z - 1)
        y = (rng.random(len(z)) < truth).astype(float)
        gaps = np.bincount(_bin_of(p, 10), weights=truth - p)
        return expected_calibration_error(y, p, n_boot=300), np.abs(gaps).sum() / len(z)

    share, low, high = covered(np.random.default_rng(3), draw, None, 200)
    assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert max(low, high) <= 0.065


def test_clusters_widen_the_calibration_interval():
    rng = np.random.default_rng(4)
    hits, alone = [], []
    for _ in range(150):
        y, z, who = clustered(rng, 300, 4)
        p = expit(z - 0.5)
        hits.append(expected_calibration_error(y, p, groups=who, n_boot=300).low == 0)
        alone.append(expected_calibration_error(y, p, n_boot=300).low == 0)
    # these probabilities are perfect: zero belongs into the interval
    assert np.mean(hits) >= 0.9 > 0.5 > np.mean(alone)


def test_calibration_error_is_clear_of_zero_where_it_is_large():
    p = np.tile(np.linspace(0.05, 0.5, 100), 50)
    y = (np.random.default_rng(0).random(len(p)) < p + 0.2).astype(float)
    found = expected_calibration_error(y, p)
    assert found.low < 0.2 < found.high and found.low > 0.15
    exact = expected_calibration_error([0, 1] * 20, [0.5] * 40)
    assert (exact.value, exact.low) == (0.0, 0.0) and 0.1 < exact.high < 0.3


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier"])
def test_paired_difference_covers_and_is_narrower(metric):
    def two(rng, n):
        z = rng.normal(size=n)
        y = (rng.random(n) < expit(1.5 * z)).astype(float)
        first = expit(1.5 * (z + 0.3 * rng.normal(size=n)))
        return y, first, expit(1.5 * (z + 0.5 * rng.normal(size=n)))

    rng = np.random.default_rng(5)
    truth = paired_difference(*two(rng, 600_000), metric=metric).value
    share, *_ = covered(
        rng, lambda r: (paired_difference(*two(r, 300), metric=metric), None), truth
    )
    assert share >= LEAST
    y, a, b = two(rng, 3000)
    metrics = {"auc": auc, "log_loss": log_loss, "brier": brier}
    one, other = metrics[metric](y, a), metrics[metric](y, b)
    both = paired_difference(y, a, b, metric=metric)
    assert both.value == pytest.approx(one.value - other.value, abs=1e-12)
    assert both.high - both.low < 0.8 * (one.high - one.low)
    assert paired_difference(y, a, a, metric=metric).high == 0.0
    thrice = paired_difference(
        *(np.tile(x, 3) for x in (y, a, b)), metric=metric, groups=np.tile(np.arange(3000), 3)
    )
    assert thrice.high - thrice.low == pytest.approx(both.high - both.low, rel=1e-6)


@pytest.mark.parametrize("against", [None, "random", "best"])
def test_capture_covers_money_with_heavy_tails(against):
    def world(rng, n):
        z = rng.normal(size=n)
        paid = rng.random(n) < expit(z - 0.5)
        return paid * np.exp(4 + 0.5 * rng.normal(size=n)), z + 0.5 * rng.normal(size=n)

    def told(y, s):
        if against is None:
            return captured_at_capacity(y, s, capacity=0.2)
        return lift_at_capacity(y, s, capacity=0.2, against=against)

    rng = np.random.default_rng(6)
    truth = told(*world(rng, 800_000)).value
    assert covered(rng, lambda r: (told(*world(r, 500)), None), truth)[0] >= LEAST


def test_capture_by_hand_with_ties_weights_and_rows():
    money, score = [90.0, 10.0, 0.0, 0.0], [4, 3, 3, 1]
    assert captured_at_capacity(money, score, capacity=0.25).value == 0.9
    # the tie of 10 and 0 is drawn from at random
    assert captured_at_capacity(money, score, capacity=2).value == pytest.approx(0.95)
    assert captured_at_capacity(money, score, capacity=1.0).value == 1.0
    assert captured_at_capacity(money, score, capacity=1).value == 0.9
    assert captured_at_capacity(money, score, capacity=99).value == 1.0
    assert lift_at_capacity(money, [1, 1, 1, 1], capacity=0.5).value == pytest.approx(1.0)
    assert lift_at_capacity(money, score, capacity=2, against="best").value == pytest.approx(0.95)
    doubled = captured_at_capacity(np.repeat(money, 2), np.repeat(score, 2), capacity=0.5)
    weighted = captured_at_capacity(money, score, capacity=0.5, sample_weight=[2, 2, 2, 2])
    assert doubled.value == pytest.approx(weighted.value)
    curve = gain_curve(money, score, n_points=4)
    assert curve["captured"].tolist() == pytest.approx([0, 0.9, 0.95, 1.0, 1.0])
    assert curve["best"].tolist() == pytest.approx([0, 0.9, 1.0, 1.0, 1.0])
    assert (curve["low"] <= curve["captured"]).all() and (curve["captured"] <= curve["high"]).all()


def test_capture_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(7)
    money, score = rng.exponential(size=300), rng.integers(0, 9, 300)
    who, order = np.arange(300) // 3, rng.permutation(300)
    one = lift_at_capacity(money, score, capacity=0.3, groups=who)
    two = lift_at_capacity(money[order], score[order], capacity=0.3, groups=who[order])
    assert (two.value, two.low, two.high) == pytest.approx((one.value, one.low, one.high))


def test_what_cannot_be_told_says_why():
    assert str(auc([1, 1], [0.2, 0.3])) == "not enough data: one class only (n=2)"
    assert auc([], []).reason == log_loss([], []).reason == "no rows"
    assert expected_calibration_error([], []).reason == "no rows"
    assert paired_difference([1, 1], [0.2, 0.3], [0.2, 0.3]).reason == "one class only"
    assert captured_at_capacity([0, 0], [1, 2], capacity=1).reason == "no outcome"
    assert lift_at_capacity([], [], capacity=0.1).reason == "no rows"
    assert brier([1], [0.5], sample_weight=[0]).reason == "no weight"
    assert len(gain_curve([], [])) == 0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: captured_at_capacity([1], [1], capacity=0), "above 0"),
        (lambda: captured_at_capacity([-1], [1], capacity=1), "at least 0"),
        (lambda: captured_at_capacity([1, 2], [1], capacity=1), "2 outcomes but 1"),
        (lambda: captured_at_capacity([1], [np.nan], capacity=1), "scores must be finite"),
        (lambda: lift_at_capacity([1], [1], capacity=1, against="luck"), "'random' or 'best'"),  # type: ignore[arg-type]
        (lambda: paired_difference([1], [1], [1], metric="shoe"), "no metric 'shoe'"),  # type: ignore[arg-type]
        (lambda: slice_metrics([1], [1], {"a": ["x"]}, metrics=["shoe"]), "no metric"),
        (lambda: slice_metrics([1], [1], {"a": ["x", "y"]}), "2 values of 'a'"),
        (lambda: auc([0, 1], [1, 2], sample_weight=[1]), "2 finite numbers"),
    ],
)
def test_faulty_questions_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_weights_equal_repetition_for_the_area():
    rng = np.random.default_rng(8)
    y, s = rng.integers(0, 2, 30), rng.integers(0, 6, 30)
    times = rng.integers(1, 4, 30)
    assert auc(y, s, sample_weight=times).value == pytest.approx(
        auc(np.repeat(y, times), np.repeat(s, times)).value
    )


def test_slices_are_the_metrics_of_their_rows():  # 000-10
    rng = np.random.default_rng(9)
    n = 1200
    book = np.where(np.arange(n) < 700, "cards", np.where(np.arange(n) < 1170, "loans", "tax"))
    by = pd.DataFrame(
        {
            "book": pd.Series(book).where(np.arange(n) % 100 != 0),
            "stage": pd.Categorical(rng.choice(["late", "early"], n), ["early", "late", "never"]),
        }
    )
    p = rng.uniform(0.05, 0.8, n)
    y = (rng.random(n) < p).astype(float)
    who = np.arange(n) // 2
    table = slice_metrics(y, p, by, groups=who).set_index(["slice", "group", "metric"])
    assert list(dict.fromkeys(g for _, g, _ in table.index)) == [
        "(all)", "cards", "loans", "tax", "(none)", "early", "late",
    ]  # fmt: skip
    rows = (by["book"] == "loans").to_numpy()
    wanted = auc(y[rows], p[rows], groups=who[rows])
    found = table.loc[("book", "loans", "auc")]
    assert tuple(found[["value", "low", "high", "n"]]) == pytest.approx(
        (wanted.value, wanted.low, wanted.high, wanted.n)
    )
    assert found["positives"] == y[rows].sum() and found["share"] == rows.mean()
    tiny = table[table.index.get_level_values("group") == "tax"]
    assert (tiny["told"] == "not enough data").all() and tiny["value"].isna().all()
    # totals reconcile
    every = table.xs("observed", level="metric")
    assert every["positives"].groupby(level="slice").sum()["stage"] == every["positives"].iloc[0]
    assert every["share"].groupby(level="slice").sum()["book"] == pytest.approx(1.0)
    gap = table.loc[("(all)", "(all)", "observed minus predicted")]
    assert gap["value"] == pytest.approx((y - p).mean()) and gap["low"] < 0 < gap["high"]


def test_slices_of_nobody_and_of_one_class():
    empty = slice_metrics([], [], {"a": []})
    assert (empty["told"] == "not enough data").all() and set(empty["slice"]) == {"(all)"}
    ones = slice_metrics(np.ones(100), np.full(100, 0.9), {"a": ["x"] * 100})
    told = ones[ones["slice"] == "a"].set_index("metric")
    assert told.loc["observed", "value"] == 1.0 and told.loc["observed", "told"] == ""
    assert told.loc["auc", "told"] == "not enough data"
