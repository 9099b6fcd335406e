"""The residual layer: unbiased by centring, exact in merging and forgetting (policy spec 7)."""

from __future__ import annotations

import numpy as np
import pytest

from contactopt.policy.residual import ArmNest, DayStatistics, ResidualLayer
from contactopt.policy.residual.statistics import forgotten

NEST = ArmNest.of(["early", "late"], [("a@10", "a"), ("a@14", "a"), ("b", "b")])
ARMS = NEST.arm_codes(["a@10", "a@14", "b"])


def drawn(rng, n: int, *, truth=(0.05, 0.0, -0.03), level: float = 0.0, scale: float = 1.0):
    """Return design, residual and weight of n draws, and the centred amounts.

    Customers differ in how they pay at all (``level`` biases the score), and those who pay better
    are likelier to be drawn into arm a@10: only the logged probabilities tell that apart.
    """
    good = rng.random(n)
    p = np.column_stack([0.1 + 0.6 * good, np.full(n, 0.1), np.full(n, 0.1), 0.7 - 0.6 * good])
    arm = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    reach = np.full((n, 3), 0.5)
    effect = np.append(np.asarray(truth), 0.0)[arm] * np.append(np.full(3, 0.5), 0.0)[arm]
    residual = level * good + effect * scale + 0.3 * rng.standard_normal(n)
    took = -p[:, :3]
    acts = arm < 3
    took[np.flatnonzero(acts), arm[acts]] += 1.0
    stage = rng.integers(0, 2, n)
    design = NEST.design(took * reach, np.zeros(n), ARMS, stage)
    design[np.arange(n), NEST.slope + 1 + stage] = 1.0
    return design, residual, np.ones(n)


def statistics(day: int, design, residual, weight, variance: float = 0.01) -> DayStatistics:
    known = np.full(2, weight.sum())
    return DayStatistics.of(day, design, residual, weight, variance * known, known)


def test_effects_are_found_though_the_score_is_biased_and_the_draw_follows_the_bias() -> None:
    rng = np.random.default_rng(0)
    day = statistics(0, *drawn(rng, 400_000, level=0.5))
    layer = ResidualLayer(forgetting=1.0).fit(NEST, [day], today=0)
    found = layer.predict(["early", "late"], ["a@10", "a@14", "b"], np.zeros((2, 3))).gain
    np.testing.assert_allclose(found, [[0.05, 0.0, -0.03]] * 2, atol=0.012)
    # without centring the best payers' arm would look better by far more than the effect
    assert found[0, 0] < 0.07


def test_posterior_is_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    design, residual, weight = drawn(rng, 500)
    layer = ResidualLayer().fit(NEST, [statistics(0, design, residual, weight)], today=0)
    precision = np.diag(1 / layer.prior_) + design.T @ design / layer.noise_
    np.testing.assert_allclose(
        layer.mean_, np.linalg.solve(precision, design.T @ residual / layer.noise_), rtol=1e-8
    )
    np.testing.assert_allclose(layer.covariance_, np.linalg.inv(precision), rtol=1e-8)


def test_parts_merge_bit_for_bit_in_any_order_and_days_fade() -> None:
    rng = np.random.default_rng(2)
    parts = [statistics(day, *drawn(rng, 50)) for day in (0, 0, 1, 3)]
    one = ResidualLayer(forgetting=0.9).fit(NEST, parts, today=3)
    other = ResidualLayer(forgetting=0.9).fit(NEST, parts[::-1], today=3)
    np.testing.assert_array_equal(one.mean_, other.mean_)
    total = forgotten(NEST, parts, today=3, forgetting=0.5)
    byhand = sum(part.gram * 0.5 ** (3 - part.day) for part in parts)
    np.testing.assert_allclose(total.gram, byhand, rtol=1e-12)
    assert total.rows == 200


def test_nothing_learned_corrects_nothing_and_uncertainty_only_shrinks() -> None:
    empty = ResidualLayer().fit(NEST, [], today=0)
    gain = np.array([[0.1, 0.2, 0.3]])
    none = empty.predict(["early"], ["a@10", "b", "new"], gain)
    np.testing.assert_array_equal(none.gain, np.zeros((1, 3)))
    np.testing.assert_allclose(none.shrink, 1.0)
    rng = np.random.default_rng(3)
    layer = ResidualLayer().fit(NEST, [statistics(0, *drawn(rng, 2_000))], today=0)
    some = layer.predict(["early", "never met"], ["a@10", "b", "new"], np.repeat(gain, 2, axis=0))
    assert ((some.shrink > 0) & (some.shrink <= 1)).all()
    assert some.shrink[0, 0] < 1
    # an action that nobody was ever offered keeps its prior
    assert some.shrink[0, 2] == 1
    assert some.gain[0, 2] == 0


def test_a_gain_that_is_half_of_true_is_doubled() -> None:
    rng = np.random.default_rng(4)
    n = 300_000
    acts = rng.random(n) < 0.5
    nest = ArmNest.of(["early"], [("a", "a")])
    gain = rng.uniform(0.02, 0.3, n)
    amounts = np.where(acts, 0.5, -0.5)[:, None] * 0.4
    design = nest.design(amounts, amounts[:, 0] * gain, nest.arm_codes(["a"]), np.zeros(n, int))
    # the models say gain, the truth is twice that: the residual of the drawn is once more
    residual = np.where(acts, 0.4 * gain, 0.0) + 0.3 * rng.standard_normal(n)
    one = np.full(1, float(n))
    day = DayStatistics.of(0, design, residual, np.ones(n), 1e-4 * one, one)
    layer = ResidualLayer(slope_sd=1.0).fit(nest, [day], today=0)
    assert layer.fit_record_["slope"] == pytest.approx(2.0, abs=0.15)
    assert layer.predict(["early"], ["a"], np.array([[0.2]])).gain[0, 0] == pytest.approx(
        0.2, abs=0.03
    )


def test_state_returns_the_same_layer() -> None:
    rng = np.random.default_rng(5)
    layer = ResidualLayer().fit(NEST, [statistics(0, *drawn(rng, 300))], today=0)
    again = ResidualLayer.from_state(layer.to_state())
    gain = rng.random((4, 3))
    stages = ["early", "late", "late", "other"]
    for one, other in zip(
        layer.predict(stages, ["b", "a@14", "a@10"], gain),
        again.predict(stages, ["b", "a@14", "a@10"], gain),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
