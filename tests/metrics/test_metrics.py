"""Values of metrics against slow definitions and scikit-learn; coverage of their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from contactopt.metrics import (
    auc,
    brier,
    calibration_error_of_perfect_model,
    expected_calibration_error,
    log_loss,
    reliability_table,
)


def _labels(rng, p):
    return (rng.random(len(p)) < p).astype(float)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_values_equal_scikit_learn_also_with_ties(seed, n):
    rng = np.random.default_rng(seed)
    p = rng.integers(1, 9, size=n) / 10
    y = _labels(rng, p)
    y[:2] = (0, 1)
    assert auc(y, p).value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert log_loss(y, p).value == pytest.approx(sklearn_log_loss(y, p), abs=1e-12)
    assert brier(y, p).value == pytest.approx(brier_score_loss(y, p), abs=1e-12)


def test_calibration_error_is_the_mean_gap_over_equal_mass_bins():
    p = np.array([0.1, 0.1, 0.4, 0.4])
    y = np.array([0.0, 1.0, 0.0, 0.0])
    # bins (0.1, 0.1): |0.5 - 0.1|; (0.4, 0.4): |0 - 0.4|
    assert expected_calibration_error(y, p, n_bins=2).value == pytest.approx(0.4)
    table = reliability_table(y, p, n_bins=2)
    assert table["predicted"].tolist() == pytest.approx([0.1, 0.4])
    assert table["observed"].tolist() == [0.5, 0.0]
    assert table["n"].tolist() == [2.0, 2.0]
    assert ((table["low"] <= table["observed"]) & (table["observed"] <= table["high"])).all()


def test_perfect_probabilities_show_the_error_expected_of_them():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.6, size=4000)
    seen = [expected_calibration_error(_labels(rng, p), p, n_boot=0).value for _ in range(40)]
    expected = calibration_error_of_perfect_model(p)
    assert np.mean(seen) == pytest.approx(expected, rel=0.15)
    # ten bins of 400: mean of |N(0, p(1-p)/400)|
    theory = np.mean(np.sqrt(2 / np.pi * 0.2 / 400))
    assert expected == pytest.approx(theory, rel=0.2)


def test_auc_interval_covers_and_groups_widen_it():
    rng = np.random.default_rng(5)
    hits = 0
    big = rng.normal(size=200_000)
    truth = auc((big + rng.normal(size=len(big)) > 1).astype(float), big).value
    for _ in range(200):
        x = rng.normal(size=300)
        found = auc((x + rng.normal(size=300) > 1).astype(float), x)
        hits += found.low <= truth <= found.high
    assert 182 <= hits <= 199  # 95 % of 200, three standard errors
    x = rng.normal(size=200)
    y = (x + rng.normal(size=200) > 1).astype(float)
    single, doubled = (
        auc(y, x),
        auc(np.tile(y, 4), np.tile(x, 4), groups=np.tile(np.arange(200), 4)),
    )
    assert doubled.high - doubled.low == pytest.approx(single.high - single.low)


def test_clustered_interval_of_the_loss_counts_customers_not_rows():
    rng = np.random.default_rng(6)
    p = rng.uniform(0.1, 0.9, size=400)
    y = _labels(rng, p)
    once = log_loss(y, p)
    groups = np.tile(np.arange(400), 5)
    five = log_loss(np.tile(y, 5), np.tile(p, 5), groups=groups)
    assert five.n == 400
    assert five.high - five.low == pytest.approx(once.high - once.low)


def test_weights_equal_repetition():
    y, p = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.7, 0.9])
    repeated = log_loss(np.repeat(y, [1, 2, 3]), np.repeat(p, [1, 2, 3])).value
    assert log_loss(y, p, sample_weight=[1, 2, 3]).value == pytest.approx(repeated)


def test_what_cannot_be_told_is_nan():
    assert np.isnan(auc([1, 1], [0.2, 0.3]).value)
    assert np.isnan(log_loss([], []).value)
    assert np.isnan(expected_calibration_error([], []).value)
    assert np.isnan(calibration_error_of_perfect_model([]))
    assert len(reliability_table([], [])) == 0


@pytest.mark.parametrize(
    ("y", "p", "match"),
    [
        ([0, 1], [0.5], "2 labels but 1 scores"),
        ([0, 2], [0.5, 0.5], "0 or 1"),
        ([0, 1], [0.5, 1.5], r"\[0, 1\]"),
        ([0, 1], [0.5, np.nan], "finite"),
    ],
)
def test_faulty_input_is_refused(y, p, match):
    with pytest.raises(ValueError, match=match):
        log_loss(y, p)
