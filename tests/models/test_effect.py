"""Effect: truth recovered from confounded logs where naive contrasts fail; shrinkage; state."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from contactopt.bundle import load_bundle, save_bundle
from contactopt.contracts import ActionSpace
from contactopt.errors import ConfigError, ContractError
from contactopt.models import EffectModel

SPACE = ActionSpace.from_channels({"call_agent": [10, 18], "email": [10], "letter": [None]})


def confounded(seed, n=20_000, effect=0.6):
    """Likely payers are called more and, for hidden reasons, answer more; e-mail adds 0.1."""
    rng = np.random.default_rng(seed)
    x, hidden = rng.normal(size=n), rng.normal(0, 0.6, size=n)
    p_wait = expit(-1 + x + hidden)
    p_call = expit(-0.3 + 1.2 * x) * 0.8 + 0.05
    p = np.column_stack([p_call, 0.4 * (1 - p_call), 0.6 * (1 - p_call)])
    arm = (rng.random(n)[:, None] > np.cumsum(p, axis=1)).sum(axis=1).clip(max=2)
    reach = np.choose(arm, [expit(-1.2 + 0.5 * hidden + 0.4 * x), np.full(n, 0.18), np.zeros(n)])
    reached = rng.random(n) < reach
    gain = np.where(reached, np.choose(arm, [effect, 0.1, 0.0]), 0.0)
    paid = rng.random(n) < expit(logit(p_wait) + gain)
    shrink = 1 / np.sqrt(1 + np.pi / 8 * 0.36)  # the models average over what is hidden
    seen_reach = expit(shrink * (-1.2 + 0.4 * x))
    rows = pd.DataFrame(
        {
            "channel": np.array(["call_agent", "email", "wait"], dtype=object)[arm],
            "propensity": p[np.arange(n), arm],
            "paid": paid.astype(float),
            "p_wait": expit(shrink * (-1 + x)),
            "reach": np.choose(arm, [seen_reach, np.full(n, 0.18), np.full(n, np.nan)]),
            "customer": rng.integers(0, n // 2, size=n),
        }
    )
    return rows, reached


def averaged_truth(effect, n=400_000):
    """The effect on the models' scale: 0.6 per person is less once hidden causes are averaged."""
    rng = np.random.default_rng(0)
    x, hidden = rng.normal(size=n), rng.normal(0, 0.6, size=n)
    reach = expit(-1.2 + 0.5 * hidden + 0.4 * x)
    gain = float(np.mean(reach * (expit(-1 + x + hidden + effect) - expit(-1 + x + hidden))))
    shrink = 1 / np.sqrt(1 + np.pi / 8 * 0.36)
    z, seen = shrink * (-1 + x), expit(shrink * (-1.2 + 0.4 * x))
    grid = np.linspace(0.3, 0.9, 61)
    model = [np.mean(seen * (expit(z + e) - expit(z))) for e in grid]
    return float(np.interp(gain, model, grid))


def test_naive_contrasts_are_biased_and_ours_covers_the_truth():
    truth = averaged_truth(0.6)
    raw, inside, naive = [], [], []
    for seed in range(30):
        rows, reached = confounded(seed)
        call, paid = (rows["channel"] == "call_agent").to_numpy(), rows["paid"].to_numpy()
        naive.append(logit(paid[call & reached].mean()) - logit(paid[call & ~reached].mean()))
        table = EffectModel().fit(rows).table().set_index("channel").loc["call_agent"]
        raw.append(table["raw_effect"])
        inside.append(abs(table["raw_effect"] - truth) < 1.96 * table["raw_error"])
    assert np.mean(raw) == pytest.approx(truth, abs=3 * 0.15 / np.sqrt(30))
    assert 0.83 <= np.mean(inside) <= 1.0  # 95 % of 30, three standard errors
    # reached against unreached: its 95 % interval over the seeds lies far above the truth
    assert np.mean(naive) - 2.045 * np.std(naive, ddof=1) / np.sqrt(30) > truth + 0.2
    rows, reached = confounded(99, n=200_000)
    call = (rows["channel"] == "call_agent").to_numpy()
    paid = rows["paid"].to_numpy()
    contacted = logit(paid[call].mean()) - logit(paid[(rows["channel"] == "wait")].mean())
    assert contacted > 0.6  # the second is an effect of trying: truth is 0.17
    found = EffectModel().fit(rows)
    position = list(found.channels_).index("call_agent")
    assert found.effect_[position] == pytest.approx(truth, abs=0.12)


def test_no_effect_is_not_found():
    z = []
    for seed in range(20):
        rows, _ = confounded(seed + 200, n=8_000, effect=0.0)
        table = EffectModel().fit(rows).table().set_index("channel").loc["call_agent"]
        z.append(table["raw_effect"] / table["raw_error"])
    assert abs(np.mean(z)) < 3 / np.sqrt(20) and 0.5 < np.std(z) < 1.5


def test_little_evidence_stays_near_the_prior_much_evidence_leaves_it():
    prior = EffectModel().fit(None)
    k = list(prior.channels_).index("call_agent")
    small = EffectModel().fit(confounded(1, n=400)[0])
    large = EffectModel().fit(confounded(1, n=100_000, effect=1.6)[0])
    assert prior.prior_only_ and not large.prior_only_
    assert abs(small.effect_[k] - prior.effect_[k]) < prior.spread_[k]
    assert large.effect_[k] > 1.2 and large.spread_[k] < 0.4 * prior.spread_[k]
    # what calls show moves the channels that nobody drew, by the shared factor
    sms = list(prior.channels_).index("call_bot")
    assert large.effect_[sms] > prior.effect_[sms]


def test_without_propensities_or_waiting_rows_the_prior_remains():
    rows, _ = confounded(2, n=3000)
    assert EffectModel().fit(rows.assign(propensity=np.nan)).prior_only_
    assert EffectModel().fit(rows[rows["channel"] != "wait"]).prior_only_
    assert EffectModel().fit(rows.iloc[:0]).prior_only_
    held = EffectModel().fit(rows.assign(holdout=True))
    assert held.prior_only_ and held.fit_record_["used"] == 0


def test_gain_is_what_the_shift_of_the_logit_gives():
    model = EffectModel().fit(None)
    found = model.predict([0.3, 0.01], SPACE)
    assert found.gain[0, 0] == pytest.approx(expit(logit(0.3) + 0.7) - 0.3)
    assert (found.gain[:, 0] == found.gain[:, 1]).all()
    assert found.gain[0, 0] > found.gain[0, 2] > found.gain[0, 3] > 0
    assert np.allclose(found.p_reached, found.gain + np.array([[0.3], [0.01]]))
    assert (found.spread > 0).all()
    assert model.predict([], SPACE).gain.shape == (0, 4)
    assert model.predict_wait([0.3]) == pytest.approx([0.3])


def test_waiting_is_shifted_to_the_rows_that_waited():
    rows, _ = confounded(3, n=30_000)
    model = EffectModel().fit(rows.assign(p_wait=expit(logit(rows["p_wait"]) + 0.7)))
    assert model.wait_shift_ == pytest.approx(-0.7, abs=0.12)


def test_huge_weights_are_cut_and_counted():
    rows, _ = confounded(4, n=5000)
    rows.loc[rows.index[:20], "propensity"] = 1e-6
    model = EffectModel().fit(rows)
    assert model.fit_record_["clipped_share"] == pytest.approx(20 / 5000, abs=0.002)
    assert np.isfinite(model.effect_).all()


def test_row_order_does_not_matter_and_state_keeps_the_bits(tmp_path):
    rows, _ = confounded(5, n=3000)
    model = EffectModel().fit(rows)
    again = EffectModel().fit(rows.sample(frac=1.0, random_state=0))
    assert np.array_equal(model.effect_, again.effect_)
    save_bundle({"effect": model.to_state()}, tmp_path / "b")
    loaded = EffectModel.from_state(load_bundle(tmp_path / "b")["effect"])
    asked = np.linspace(0.01, 0.9, 20)
    for one, two in zip(model.predict(asked, SPACE), loaded.predict(asked, SPACE), strict=True):
        assert np.array_equal(one, two)
    assert loaded.table().equals(model.table())


def test_faulty_input_is_named():
    rows, _ = confounded(6, n=100)
    with pytest.raises(ContractError, match="propensity outside"):
        EffectModel().fit(rows.assign(propensity=1.5))
    with pytest.raises(ContractError, match="lacks the columns reach"):
        EffectModel().fit(rows.drop(columns="reach"))
    with pytest.raises(ContractError, match="rcs"):
        EffectModel().fit(rows.assign(channel="rcs"))
    with pytest.raises(ConfigError, match="rcs"):
        EffectModel().fit(None).predict([0.1], ActionSpace.from_channels({"rcs": [9]}))
