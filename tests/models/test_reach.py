"""Reach: priors, pooling, planted hours under a confounded incumbent, tables, state."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from contactopt.bundle import load_bundle, save_bundle
from contactopt.contracts import ActionSpace
from contactopt.errors import ConfigError, ContractError
from contactopt.models import ReachModel
from contactopt.models.reach.random_effects import Family, fit_effects
from contactopt.models.reach.variance_components import shared_variances

CHANNELS = ["call_agent", "sms", "email"]
LEVEL = np.array([-1.3, 2.5, -1.2])
HOURS = np.arange(8, 21)
CURVE = 0.6 * np.sin((np.arange(24) - 8) / 12 * np.pi)
SPACE = ActionSpace.from_channels(dict.fromkeys(CHANNELS, HOURS))


def planted(n_customers=3000, n_rows=60_000, seed=1, confounded=True):
    """Attempts whose incumbent works at ten those who answer well, 70 % of all rows."""
    rng = np.random.default_rng(seed)
    person = rng.normal(0, 0.8, size=n_customers)
    taste = rng.normal(0, 0.7, size=(n_customers, len(CHANNELS)))
    customer = rng.integers(0, n_customers, size=n_rows)
    channel = rng.integers(0, len(CHANNELS), size=n_rows)
    at_ten = expit(0.85 + (1.2 * person[customer] if confounded else 0.0))
    hour = np.where(rng.random(n_rows) < at_ten, 10, rng.choice(HOURS, size=n_rows))
    own = person[customer] + taste[customer, channel]
    p = expit(LEVEL[channel] + CURVE[hour] + own)
    frame = pd.DataFrame(
        {
            "customer": [f"C{k:05d}" for k in customer],
            "channel": np.array(CHANNELS, dtype=object)[channel],
            "local_hour": hour.astype(float),
            "reached": (rng.random(n_rows) < p).astype(float),
        }
    )
    ids = np.array([f"C{k:05d}" for k in range(n_customers)])
    c = SPACE.channel_index
    truth = expit(LEVEL[c] + CURVE[SPACE.hours] + person[:, None] + taste[:, c])
    return frame, ids, truth


@pytest.fixture(scope="module")
def fitted():
    frame, ids, truth = planted()
    return ReachModel().fit(frame), frame, ids, truth


def test_hours_are_found_though_good_answerers_are_called_at_ten(fitted):  # 002-23
    model, frame, _, _ = fitted
    curve = (model.effects_["medium_hour"][0] + model.effects_["channel_hour"][0])[HOURS]
    calls = frame[frame["channel"] == "call_agent"]
    naive = calls.groupby("local_hour")["reached"].mean().to_numpy()
    found = np.corrcoef(curve, CURVE[HOURS])[0, 1]
    assert found > 0.9
    assert found > np.corrcoef(naive, CURVE[HOURS])[0, 1] + 0.1


def test_people_are_told_apart_and_probabilities_are_right(fitted):  # 000-07
    model, frame, ids, truth = fitted
    found = model.predict(ids, SPACE, history=frame)
    assert np.corrcoef(found.probability.ravel(), truth.ravel())[0, 1] > 0.9
    assert abs((found.probability - truth).mean()) < 0.02
    z = (found.probability - truth) / found.spread
    assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.04)
    blind = model.predict(ids, SPACE)
    assert np.abs(found.probability - truth).mean() < 0.8 * np.abs(blind.probability - truth).mean()
    assert found.spread.mean() < 0.9 * blind.spread.mean()


def test_best_channel_and_hour_say_what_they_rest_on(fitted):  # 003-26
    model, frame, ids, _ = fitted
    table = model.best_channel(ids, SPACE, history=frame)
    assert table["customer_id"].tolist() == ids.tolist()
    counts = frame.groupby(["customer", "channel"]).size()
    for row in table.head(20).itertuples():
        assert row.support == counts.get((row.customer_id, row.channel), 0)
        assert row.fallback == (row.support < 3)
    calls = ActionSpace.from_channels({"call_agent": HOURS})
    hours = model.best_hour(ids, calls, history=frame)
    # the planted curve peaks at 14; nobody has an hour taste in this world
    assert abs(hours["local_hour"].median() - 14) <= 2
    alone = model.best_hour(["new"], calls)
    assert alone["support"].tolist() == [0] and alone["fallback"].tolist() == [True]
    assert list(model.best_hour([], calls).columns) == list(hours.columns)


def test_without_history_the_priors_hold():
    model = ReachModel().fit(pd.DataFrame(columns=["channel", "local_hour", "reached"]))
    space = ActionSpace.from_channels({"call_agent": [12], "email": [12], "letter": [None]})
    found = model.predict(["a", "b"], space)
    assert found.probability[0] == pytest.approx([0.18, 0.18, 0.60], abs=0.02)
    assert (found.spread > 0.03).all()
    hours = model.predict(["a"], ActionSpace.from_channels({"call_agent": [10, 13, 20]}))
    ten, lunch, evening = hours.probability[0]
    assert evening > ten > lunch
    assert model.predict([], space).probability.shape == (0, 3)
    assert model.best_channel([], space).empty


def test_fatigue_and_point_quality_act_with_their_prior_signs():  # 004-03
    model = ReachModel().fit(pd.DataFrame(columns=["channel", "local_hour", "reached"]))
    space = ActionSpace.from_channels({"call_agent": [12]})
    tired = model.predict(["a"] * 2, space, touches_7d=[0, 5]).probability[:, 0]
    good = model.predict(["a"] * 2, space, point_quality=[[0.1], [0.9]]).probability[:, 0]
    unknown = model.predict(["a"], space, point_quality=[[np.nan]]).probability[0, 0]
    assert tired[1] < tired[0] and good[1] > good[0]
    assert unknown == pytest.approx(tired[0])


def test_unobservable_rows_change_nothing(fitted):
    _, frame, ids, _ = fitted
    frame = frame.head(4000)
    noise = frame.head(500).assign(reached=np.nan)
    letters = frame.head(500).assign(channel="letter", local_hour=np.nan, reached=0.0)
    plain = ReachModel().fit(frame).predict(ids[:50], SPACE, history=frame)
    more = pd.concat([noise, frame, letters])
    again = ReachModel().fit(more).predict(ids[:50], SPACE, history=more)
    assert np.array_equal(plain.probability, again.probability)


def test_propensities_undo_the_choice_of_hours_and_are_reported():
    rng = np.random.default_rng(4)
    n = 20_000
    good = rng.random(n) < 0.5
    p_ten = np.where(good, 0.9, 0.1)
    ten = rng.random(n) < p_ten
    y = (rng.random(n) < np.where(good, 0.6, 0.2)).astype(float)
    frame = pd.DataFrame(
        {
            "channel": "call_agent",
            "local_hour": np.where(ten, 10.0, 15.0),
            "reached": y,
            "propensity": np.where(ten, p_ten, 1 - p_ten),
        }
    )
    space = ActionSpace.from_channels({"call_agent": [10, 15]})
    weighted = ReachModel().fit(frame)
    ten_p, three_p = weighted.predict(["x"], space).probability[0]
    naive = ReachModel().fit(frame.drop(columns="propensity")).predict(["x"], space).probability[0]
    assert abs(ten_p - three_p) < 0.05 < naive[0] - naive[1]
    assert weighted.fit_record_["propensity_share"] == 1.0


def test_covariates_and_plain_arrays():
    rng = np.random.default_rng(5)
    x = rng.normal(size=6000)
    y = (rng.random(6000) < expit(-1 + x)).astype(float)
    frame = pd.DataFrame({"x": x})
    hour = rng.choice(HOURS, size=6000)
    model = ReachModel(covariates=("x",)).fit(frame, y, channel="call_agent", hour=hour)
    space = ActionSpace.from_channels({"call_agent": [12]})
    asked = pd.DataFrame({"x": [-1.0, 1.0, np.nan]})
    low, high, none = model.predict(["a", "b", "c"], space, covariates=asked).probability[:, 0]
    assert low < 0.2 and high > 0.4 and low < none < high


def test_row_order_does_not_matter_and_state_keeps_the_bits(fitted, tmp_path):
    model, frame, ids, _ = fitted
    asked = model.predict(ids[:100], SPACE, history=frame)
    save_bundle({"reach": model.to_state()}, tmp_path / "b")
    again = ReachModel.from_state(load_bundle(tmp_path / "b")["reach"])
    loaded = again.predict(ids[:100], SPACE, history=frame)
    assert np.array_equal(asked.probability, loaded.probability)
    assert np.array_equal(asked.spread, loaded.spread)
    short = frame.head(3000)
    shuffled = short.sample(frac=1.0, random_state=0)
    one = ReachModel().fit(short).predict(ids[:50], SPACE, history=short).probability
    two = ReachModel().fit(shuffled).predict(ids[:50], SPACE, history=shuffled).probability
    assert np.array_equal(one, two)


def test_faulty_input_is_named():
    empty = pd.DataFrame(columns=["channel", "local_hour", "reached"])
    with pytest.raises(ContractError, match="lacks the columns reached"):
        ReachModel().fit(empty.drop(columns="reached"))
    rows = pd.DataFrame({"channel": ["rcs"], "local_hour": [9.0], "reached": [1.0]})
    with pytest.raises(ContractError, match="rcs"):
        ReachModel().fit(rows)
    assert ReachModel(like={"rcs": "sms"}).fit(rows).fit_record_["told_rows"] == 1
    with pytest.raises(ContractError, match=r"outside 0\.\.23"):
        ReachModel().fit(rows.assign(channel="sms", local_hour=24.0))
    with pytest.raises(ConfigError, match="rcs"):
        ReachModel().fit(empty).predict(["a"], ActionSpace.from_channels({"rcs": [9]}))


def test_effects_equal_the_slow_maximum():
    """One family without averaging: the mode of the penalised likelihood."""
    rng = np.random.default_rng(6)
    code, y = rng.integers(0, 4, size=80), (rng.random(80) < 0.3).astype(float)
    family = Family(code, np.zeros(4), 0.5, learn_variance=False)
    fit_effects(y, np.ones(80), [], offset=np.zeros(80), population=[family], tolerance=1e-10)
    for k in range(4):
        grid = np.linspace(-4, 4, 80_001)
        hits, n = y[code == k].sum(), (code == k).sum()
        score = hits * grid - n * np.logaddexp(0, grid) - grid**2 / (2 * 0.5)
        assert family.value[k] == pytest.approx(grid[score.argmax()], abs=2e-4)


def test_variances_come_back_with_few_attempts_per_person():
    rng = np.random.default_rng(7)
    customer = np.repeat(np.arange(20_000), 4)
    u = rng.normal(0, 0.8, size=20_000)
    y = (rng.random(80_000) < expit(-1 + u[customer])).astype(float)
    p = np.full(80_000, y.mean())
    [found] = shared_variances(y, p, np.ones(80_000), [customer], [0.3])
    assert found == pytest.approx(0.64, rel=0.15)
    assert shared_variances(y[:0], p[:0], p[:0], [customer[:0]], [0.3]) == [0.3]
