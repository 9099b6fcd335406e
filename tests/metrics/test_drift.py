"""Population stability index: values by hand, noise, coverage, missing and unseen values."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from contactopt.metrics import FittedBins, population_stability_index, stability_of_counts


def test_the_index_by_hand():
    found = stability_of_counts([60, 40], [30, 70])
    p, q = np.array([60.5, 40.5]) / 101, np.array([30.5, 70.5]) / 101
    assert found.value == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert found.noise == pytest.approx(0.02)  # (2 - 1) (1/100 + 1/100)
    assert found.limit == pytest.approx(3.841459 * 0.02)
    assert found.drifted and found.verdict == "moved far" and found.low > 0
    swapped = stability_of_counts([30, 70], [60, 40])
    assert swapped.value == pytest.approx(found.value)


def test_without_drift_it_is_flagged_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    values, flagged = [], 0
    for _ in range(500):
        found = population_stability_index(rng.normal(size=400), rng.normal(size=200))
        values.append(found.value)
        flagged += found.drifted
    assert np.mean(values) == pytest.approx(9 * (1 / 400 + 1 / 200), rel=0.1)
    assert 0.02 < flagged / 500 < 0.08


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.8])
def test_the_interval_covers_the_drift_of_the_populations(shift):
    rng = np.random.default_rng(1)
    missed = []
    for _ in range(300):
        before, after = rng.normal(size=1000), rng.normal(shift, size=500)
        found = population_stability_index(before, after)
        ends = np.r_[-np.inf, FittedBins.of(before).edges, np.inf]
        p, q = np.diff(norm.cdf(ends)), np.diff(norm.cdf(ends - shift))
        truth = ((q - p) * np.log(q / p)).sum()
        missed.append((truth < found.low, truth > found.high))
    low, high = np.mean(missed, axis=0)
    assert low + high <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300) and max(low, high) <= 0.06


def test_repeated_rows_of_a_customer_are_not_drift():
    rng = np.random.default_rng(2)
    flagged = naive = 0
    for _ in range(200):
        a, b = (np.repeat(np.arange(k), 5) for k in (200, 100))
        before, after = rng.normal(size=200)[a], rng.normal(size=100)[b]
        naive += population_stability_index(before, after).drifted
        found = population_stability_index(before, after, expected_groups=a, actual_groups=b)
        flagged += found.drifted
    assert flagged / 200 <= 0.1 and naive / 200 > 0.8
    assert (found.n_expected, found.n_actual) == pytest.approx((200, 100), rel=0.35)


def test_missing_is_a_bin_of_its_own():
    before = np.r_[np.arange(500.0), np.full(500, np.nan)]
    after = np.r_[np.arange(500.0), np.full(50, np.nan)]
    found = population_stability_index(before, after)
    assert found.drifted and found.value > 0.25
    codes = FittedBins.of(before).codes(after)
    assert (codes[500:] == len(FittedBins.of(before)) - 1).all()
    none = population_stability_index(np.full(100, np.nan), np.full(100, np.nan))
    assert (none.value, none.drifted, none.n_bins) == (0.0, False, 1)
    came = population_stability_index(np.full(100, np.nan), np.arange(100.0))
    assert came.drifted


def test_levels_never_seen_go_to_other():
    before = pd.Series(["a", "b", None] * 100, dtype="category")
    bins = FittedBins.of(before)
    assert bins.names == ("a", "b", "(other)", "(missing)")
    assert bins.counts.tolist() == [100, 100, 0, 100]
    assert bins.codes(["b", "z", None]).tolist() == [1, 2, 3]
    assert population_stability_index(before, ["z"] * 50).drifted
    many = FittedBins.of([f"k{i % 40:02}" for i in range(400)] + ["k07"] * 9, n_bins=5)
    assert len(many.levels) == 4 and "k07" in many.levels
    assert many.counts.sum() == 409
    flags = FittedBins.of(pd.Series([True, False, None], dtype="boolean"))
    assert flags.names == ("False", "True", "(other)", "(missing)")


@pytest.mark.parametrize(
    "values",
    [
        np.arange(50.0),
        [1.0] * 90 + [2.0] * 10,
        pd.Series(pd.date_range("2026-01-01", periods=60, tz="UTC")),
        pd.Series([1, None, 3] * 9, dtype="Int64"),
        ["x", "y", None],
        [],
        [np.nan, np.nan],
        [np.inf, -np.inf, 0.0, 1.0] * 5,
    ],
)
def test_bins_survive_their_way_through_json(values):
    bins = FittedBins.of(values)
    again = FittedBins.from_state(json.loads(json.dumps(bins.to_state())))
    assert again.codes(values).tolist() == bins.codes(values).tolist()
    assert again.counts.tolist() == bins.counts.tolist()
    assert bins.counts.sum() == len(values) and len(bins.names) == len(bins) == len(bins.counts)
    if len(values):
        told = population_stability_index(again, values)
        assert told.value == pytest.approx(0.0, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=80),
    st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=80),
)
def test_the_index_is_finite_and_never_negative(before, after):
    a, b = np.array(before, dtype=float), np.array(after, dtype=float)
    found = population_stability_index(a, b)
    assert np.isfinite(found.value) and found.value >= -1e-12
    assert 0 <= found.low <= found.high and found.noise <= found.limit * 1.5 + 1e-9
    shuffled = population_stability_index(a[::-1], b[::-1])
    assert shuffled == found


def test_what_cannot_be_told_and_what_is_wrong():
    nobody = population_stability_index([], [1.0])
    assert nobody.reason == "no rows at the fit" and not nobody.drifted
    assert nobody.verdict == "not enough data"
    assert str(population_stability_index([1.0], [])) == "not enough data: no rows today"
    with pytest.raises(ValueError, match="saw numbers"):
        population_stability_index([1.0, 2.0], ["a", "b"])
    with pytest.raises(ValueError, match="2 expected counts but 1"):
        stability_of_counts([1, 2], [3])
    with pytest.raises(ValueError, match="at least 2"):
        FittedBins.of([1.0], n_bins=1)
