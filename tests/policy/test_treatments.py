"""The inner choice: exact integers, the draw, what the model learns, which offers may be made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from contactopt.config import OfferConfig, StrategyConfig, TemplateConfig
from contactopt.contracts.treatment_table import TreatmentTable, treatment_code
from contactopt.errors import ConfigError, ContractError
from contactopt.models.treatment import TreatmentCatalogue, TreatmentModel
from contactopt.policy.treatments import INNER_UNIT, draw_treatments, inner_choice
from contactopt.policy.treatments.inner import softmax_units


def table(*effects: list[float], spread: float = 0.01) -> TreatmentTable:
    """One group per list of effects, all of one context each."""
    width = max(map(len, effects))
    raw = np.zeros((len(effects), width))
    for k, own in enumerate(effects):
        raw[k, : len(own)] = own
    sizes = [len(own) for own in effects]
    return TreatmentTable(
        n_offers=0,
        contexts=tuple(("sms", f"s{k}") for k in range(len(effects))),
        effect=raw,
        spread=np.full(raw.shape, spread),
        context=np.arange(len(effects), dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        member=np.concatenate([np.arange(n) for n in sizes]).astype(np.int32),
    )


# ---- probabilities -----------------------------------------------------------------------------


@given(
    st.lists(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=300), min_size=1, max_size=5),
    st.floats(0.0, 0.1),
    st.sampled_from([0.0, 2.0**-10, 0.3, 1.0]),
    st.sampled_from([0.0, 1e-4, 0.01]),
)
@settings(max_examples=60, deadline=None)
def test_units_sum_exactly_and_follow_the_effects(effects, spread, heat, floor):
    choice = inner_choice(table(*effects, spread=spread), heat=heat, floor=floor)
    ends = choice.table.starts
    for k, own in enumerate(effects):
        units = choice.units[ends[k] : ends[k + 1]]
        assert units.sum() == INNER_UNIT
        raw = np.array(own)
        if heat == 0:
            assert raw[units == INNER_UNIT] == pytest.approx([raw.max()], abs=1e-12)
            continue
        assert (units >= min(choice.least, max(INNER_UNIT // (400 * len(own)), 1))).all()
        order = np.argsort(raw, kind="stable")
        assert (np.diff(units[order]) >= -1)[np.diff(raw[order]) > 0].all()
        centred = choice.effect[ends[k] : ends[k + 1]]
        assert choice.mean[k] == pytest.approx((units * centred).sum() / INNER_UNIT, abs=1e-15)
        assert choice.mean[k] <= choice.best[k] + 1e-15


def test_nothing_known_is_uniform_and_adds_nothing():
    choice = inner_choice(table([0.3] * 7), heat=1.0, floor=1e-4)
    assert set(choice.units.tolist()) <= {INNER_UNIT // 7, INNER_UNIT // 7 + 1}
    assert choice.mean[0] == 0.0 and choice.best[0] == 0.0 and not choice.learned


def test_the_softmax_has_the_temperature_of_what_is_not_known():
    effects = np.array([0.0, 0.01, 0.02])
    choice = inner_choice(table(effects.tolist(), spread=0.01), heat=1.0, floor=0.0)
    wanted = np.exp(effects / 0.01)
    np.testing.assert_allclose(choice.units / INNER_UNIT, wanted / wanted.sum(), atol=2e-5)


def test_products_of_arm_and_treatment_are_exact():
    rng = np.random.default_rng(0)
    arm = rng.integers(1, 1 << 36, 10_000)
    units = rng.integers(1, INNER_UNIT + 1, 10_000)
    joint = (arm / (1 << 36)) * (units / INNER_UNIT)
    for a, u, p in zip(arm[:500].tolist(), units[:500].tolist(), joint[:500].tolist(), strict=True):
        assert int(p * 2**52) == a * u  # no bit was lost
    np.testing.assert_array_equal(joint / (units / INNER_UNIT), arm / (1 << 36))


def test_no_group_and_no_decision():
    empty = TreatmentTable(
        0, (), np.zeros((0, 1)), np.zeros((0, 1)), np.empty(0, np.int32),
        np.zeros(1, np.int64), np.empty(0, np.int32),
    )  # fmt: skip
    choice = inner_choice(empty, heat=1.0, floor=1e-4)
    assert len(choice.units) == 0
    assert len(softmax_units(np.zeros(0), np.zeros(0), np.zeros(1, np.int64), 1)) == 0
    drawn, units = draw_treatments(choice, np.empty(0, int), np.empty(0, np.uint64), 0)
    assert len(drawn) == len(units) == 0


# ---- the draw ----------------------------------------------------------------------------------


def test_treatments_are_drawn_with_their_probabilities():
    choice = inner_choice(table([0.0, 0.01, 0.03], [0.0] * 40), heat=1.0, floor=1e-3)
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 1 << 63, 400, dtype=np.uint64) * np.uint64(2)
    group = np.repeat([0, 1], 200)
    seeds = 200
    counts = np.zeros((2, 40))
    per_key = np.zeros(len(keys))
    for seed in range(seeds):
        drawn, units = draw_treatments(choice, group, keys, seed * 7919)
        for g in (0, 1):
            counts[g] += np.bincount(drawn[group == g], minlength=40)
        per_key += drawn == 0
        same = choice.table.starts[group] + drawn
        np.testing.assert_array_equal(units, choice.units[same])
    for g, size in ((0, 3), (1, 40)):
        p = choice.units[choice.table.starts[g] : choice.table.starts[g + 1]] / INNER_UNIT
        wanted = 200 * seeds * p
        z = ((counts[g, :size] - wanted) ** 2 / wanted).sum()
        assert chi2.sf(z, size - 1) > 1e-3
    # one customer over seeds, too: not only all customers together
    p0 = choice.units[0] / INNER_UNIT
    z2 = (per_key[:200] - seeds * p0) ** 2 / (seeds * p0 * (1 - p0))
    assert 0.7 < z2.mean() < 1.3


def test_the_draw_hangs_on_id_and_seed_alone():
    choice = inner_choice(table([0.0] * 50), heat=1.0, floor=1e-4)
    keys = np.random.default_rng(2).integers(0, 1 << 63, 300, dtype=np.uint64)
    group = np.zeros(300, dtype=np.int64)
    drawn, _ = draw_treatments(choice, group, keys, 5)
    order = np.random.default_rng(3).permutation(300)
    again, _ = draw_treatments(choice, group, keys[order], 5)
    np.testing.assert_array_equal(drawn[order], again)
    other, _ = draw_treatments(choice, group, keys, 6)
    assert (other != drawn).mean() > 0.9


# ---- what is learned ---------------------------------------------------------------------------


def _catalogue(n: int = 40) -> TreatmentCatalogue:
    templates = [
        TemplateConfig(
            template_id=f"t{k}",
            channel="sms",
            features={"tone": ("warm", "firm")[k % 2], "length": float(50 + k), "named": k % 4 < 2},
        )
        for k in range(n)
    ]
    offers = [OfferConfig(offer_id="half", kind="settlement", discount_share=0.5)]
    return TreatmentCatalogue(templates, offers)


def _choices(n: int = 40) -> pd.DataFrame:
    rows = [
        ("g", "sms", "early", f"t{k}", offer, 1 / (2 * n))
        for k in range(n)
        for offer in (None, "half")
    ]
    columns = ["group", "channel", "stage", "template_id", "offer_id", "probability"]
    return pd.DataFrame(rows, columns=columns)


def _trial(
    n: int, effect, seed: int = 0, *, wrong: float = 0.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    choices = _choices()
    at = rng.integers(0, len(choices), n)
    amount, reach = rng.gamma(2, 200, n), 0.5
    pays = rng.random(n) < 0.2 + reach * (effect(choices)[at] - effect(choices).mean())
    rows = choices.iloc[at][["group", "template_id", "offer_id"]].assign(
        residual=pays * amount - (0.2 + wrong) * amount, scale=reach * amount, noise=amount
    )
    return rows, choices


def _warm(choices: pd.DataFrame) -> np.ndarray:
    return np.where(choices["template_id"].str[1:].astype(int) % 2 == 0, 0.06, 0.0)


def test_a_tone_that_works_is_found_and_carries_to_messages_never_sent():
    rows, choices = _trial(60_000, _warm)
    seen = rows["template_id"] != "t0"
    p = choices.assign(probability=np.where(choices["template_id"] == "t0", 0.0, 1 / 78))
    model = TreatmentModel(catalogue=_catalogue()).fit(rows[seen], p)
    effect, spread = model.predict("sms", "early", [("t0", None), ("t1", None), ("t2", None)])
    assert effect[0] - effect[1] == pytest.approx(0.06, abs=0.025)  # t0 never went
    assert effect[2] - effect[1] == pytest.approx(0.06, abs=0.025)
    assert (spread > 0).all() and (spread < 0.05).all()


def test_where_nothing_differs_nothing_is_claimed():
    hits = 0
    for seed in range(5):
        rows, choices = _trial(8_000, lambda c: np.zeros(len(c)), seed)
        model = TreatmentModel(catalogue=_catalogue()).fit(rows, choices)
        effect, _ = model.predict("sms", "early", [(f"t{k}", None) for k in range(40)])
        hits += bool(np.ptp(effect) > 0.02)
    assert hits == 0


def test_a_wrong_score_of_the_arm_does_not_leak():
    rows, choices = _trial(40_000, _warm)
    off, _ = _trial(40_000, _warm, wrong=0.1)
    names = [("t0", None), ("t1", None), ("t1", "half")]
    right = TreatmentModel(catalogue=_catalogue()).fit(rows, choices).predict("sms", "early", names)
    wrong = TreatmentModel(catalogue=_catalogue()).fit(off, choices).predict("sms", "early", names)
    np.testing.assert_allclose(right[0], wrong[0], atol=0.006)


def test_updates_add_up_and_the_state_is_whole():
    rows, choices = _trial(4_000, _warm)
    whole = TreatmentModel(catalogue=_catalogue()).fit(rows, choices)
    parts = TreatmentModel(catalogue=_catalogue()).fit(rows[:1500], choices)
    parts.update(rows[1500:], choices)
    np.testing.assert_allclose(parts.coef_, whole.coef_, atol=1e-10)
    assert parts.rows_ == whole.rows_ == 4_000
    again = TreatmentModel.from_state(whole.to_state(), _catalogue())
    names = [("t0", None), ("t7", "half"), ("never", None)]
    for one, other in zip(
        whole.predict("sms", "late", names), again.predict("sms", "late", names), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_no_rows_no_effect_and_bad_rows_are_refused():
    model = TreatmentModel(catalogue=_catalogue())
    rows, choices = _trial(10, _warm)
    model.fit(rows[:0], choices)
    assert not model.learned
    assert model.predict("sms", "", [("t0", None)])[0].tolist() == [0.0]
    with pytest.raises(ContractError, match="no column"):
        model.fit(rows.drop(columns="scale"), choices)
    with pytest.raises(ContractError, match="does not have"):
        model.fit(rows.assign(template_id="t99"), choices)
    with pytest.raises(ContractError, match="finite"):
        model.fit(rows.assign(residual=np.nan), choices)
    with pytest.raises(ContractError, match="twice"):
        model.fit(rows, pd.concat([choices, choices]))


# ---- the strategy file -------------------------------------------------------------------------


def test_features_are_free_and_nothing_else_is():
    template = {"template_id": "a", "channel": "sms", "features": {"tone": "warm", "length": 140}}
    config = StrategyConfig.from_mapping({"templates": [template]})
    assert config.templates[0].features == {"tone": "warm", "length": 140.0}
    assert StrategyConfig.from_mapping(config.to_mapping()) == config
    with pytest.raises(ConfigError, match="did you mean 'features'"):
        StrategyConfig.from_mapping({"templates": [{**template, "feature": {}}]})
    with pytest.raises(ConfigError, match="unknown offer 'hal' \\(did you mean 'half'"):
        StrategyConfig.from_mapping(
            {"templates": [{**template, "offers": ["hal"]}], "offers": [{"offer_id": "half"}]}
        )


def test_treatments_are_numbered_both_ways():
    catalogue = _catalogue(3)
    for code in range(len(catalogue)):
        template, offer = catalogue.ids_of(code)
        assert catalogue.code_of(template, offer) == code
    assert catalogue.code_of("gone", None) == -1
    assert treatment_code(-1, -1, 1) == 0
