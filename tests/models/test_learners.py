"""The parts that the models share: design, line, calibration, level in time."""

import numpy as np
import pytest
from scipy.special import expit

from contactopt.models.learners.calibrator import Calibrator, level_shift
from contactopt.models.learners.linear import LogisticLearner
from contactopt.models.learners.linear_design import LinearDesign
from contactopt.models.learners.recency import current_shift


def test_design_state_and_columns_agree_with_the_design():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=300), rng.lognormal(0, 3, 300), rng.integers(0, 30, 300)])
    X[::7, 0] = np.nan
    design = LinearDesign([2], n_knots=4, signs={1: 1}).fit(X)
    matrix = design.transform(X)
    of, sign = design.columns()
    assert matrix.shape[1] == len(of) == len(sign)
    assert set(of) == {0, 1, 2} and set(sign[of == 1]) == {1} and set(sign[of != 1]) == {0}
    again = LinearDesign.from_state(design.to_state())
    assert np.array_equal(again.transform(X), matrix)
    assert np.isfinite(matrix).all()


def test_rare_levels_share_one_column():
    codes = np.repeat([0.0, 1.0, 2.0, 3.0], [50, 40, 3, 2])[:, None]
    design = LinearDesign([0]).fit(codes)
    assert design.transform(codes).shape[1] == 3
    rare = design.transform(np.array([[2.0], [3.0], [np.nan]]))
    assert rare.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_bends_find_a_hump_that_a_line_cannot():
    rng = np.random.default_rng(1)
    X = rng.uniform(-2, 2, size=(3000, 1))
    y = (rng.random(3000) < expit(1.5 - 2 * X[:, 0] ** 2)).astype(float)
    one = np.ones(3000)
    bent = LogisticLearner([], 1.0, n_knots=5).fit(X, y, one)
    at = bent.logit(np.array([[-1.8], [0.0], [1.8]]))
    assert at[1] > 0.8 and max(at[0], at[2]) < -2
    parts = bent.contributions(X[:20])
    np.testing.assert_allclose(parts.sum(axis=1), bent.logit(X[:20]), atol=1e-10)


@pytest.mark.parametrize("n", [60, 900])  # fewer rows than columns of the design, and more
def test_a_line_begun_at_the_penalty_before_ends_where_a_fresh_one_does(n):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 20))
    X[:, 1] = X[:, 0] + 0.01 * rng.normal(size=n)  # nearly collinear
    y = (rng.random(n) < 1 / (1 + np.exp(-X[:, 0] + X[:, 3] ** 2 - 1))).astype(float)
    given = {"categories": [], "n_knots": 4, "signs": {3: -1}}
    strengths = (300.0, 30.0, 3.0)
    path = LogisticLearner(**given).fit_path(X, y, np.ones(n), strengths)
    for strength, begun in zip(strengths, path, strict=True):
        fresh = LogisticLearner(strength=strength, **given).fit(X, y, np.ones(n))
        np.testing.assert_allclose(begun.logit(X), fresh.logit(X), atol=0.02)


def test_very_many_common_rows_are_thinned_without_moving_the_level():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(130_000, 2))
    y = (rng.random(130_000) < expit(-6 + X[:, 0])).astype(float)
    line = LogisticLearner([], 1.0).fit(X, y, np.ones(len(y)))
    assert expit(line.logit(X)).mean() == pytest.approx(y.mean(), rel=0.02)


def test_a_sound_score_is_left_as_it_is_a_stretched_one_is_not():
    rng = np.random.default_rng(3)
    raw = rng.normal(-1, 1, 5000)
    y = (rng.random(5000) < expit(raw)).astype(float)
    one = np.ones(5000)
    assert Calibrator().fit(raw, y, one).method_ == "identity"
    mended = Calibrator().fit(3 * raw, y, one)
    assert mended.method_ != "identity"
    assert np.abs(mended.probability(3 * raw) - expit(raw)).mean() < 0.02
    again = Calibrator.from_state(mended.shifted(0.4).to_state())
    assert np.array_equal(again.logit(raw), mended.logit(raw))


def test_level_shift_sets_the_mean_to_the_share():
    raw = np.linspace(-3, 1, 400)
    y = (np.arange(400) % 2).astype(float)
    shift = level_shift(raw, y, np.ones(400))
    assert expit(raw + shift).mean() == pytest.approx(0.5, abs=1e-3)
    assert np.isfinite(level_shift(raw, np.zeros(400), np.ones(400)))


@pytest.mark.parametrize("seed", range(3))
def test_a_steady_level_is_left_alone_a_wandering_one_is_followed(seed):
    rng = np.random.default_rng(seed)
    n = 8000
    when, one = np.arange(n), np.ones(n)
    raw = rng.normal(-1, 1, n)
    steady = (rng.random(n) < expit(raw)).astype(float)
    assert current_shift(raw, steady, one, when) == (0.0, 0.0)
    level = np.repeat(np.cumsum(rng.choice([-0.5, 0.5], 16)), n // 16)
    moved = (rng.random(n) < expit(raw + level)).astype(float)
    shift, step = current_shift(raw, moved, one, when)
    assert step > 0.2 and shift == pytest.approx(level[-1], abs=0.25)


def test_repeated_rows_of_one_customer_are_not_taken_for_a_moving_level():
    rng = np.random.default_rng(5)
    who = np.repeat(np.arange(200), 20)
    own = np.repeat(rng.normal(0, 2, 200), 20)
    y = (rng.random(4000) < expit(own)).astype(float)
    when = np.arange(4000)  # one customer after the other
    raw = np.zeros(4000)
    assert current_shift(raw, y, np.ones(4000), when, who) == (0.0, 0.0)
