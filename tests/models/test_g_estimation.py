"""A contact that none follows: its effect is found where later contacts hide it from labels."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from contactopt.models import EffectModel
from contactopt.models.effect.channels import decision_sequence, stable_propensity
from contactopt.models.effect.g_estimation import FOLLOWED_DAYS, lone_contacts
from contactopt.models.effect.plain import clipped_weights

CHANNELS = {"call_agent": "call_agent", "sms": "sms"}
HALF_LIFE = 4.0
REACH = {"call_agent": 0.3, "sms": 0.5}


def busy_log(seed, n=4_000, days=60, *, call=0.8, sms=0.2, turn=2, contact=0.75):
    """Return decisions every other day, three in four of them contacts, and who paid when.

    Likely payers are contacted more. A contact that reaches adds the intensity that its promise
    spreads over the days after it, whatever else happens.
    """
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-1.4, 0.8, n))
    base = -np.log1p(-p) / 30
    added = np.zeros((n, 2))
    fade = 0.5 ** (1 / HALF_LIFE)
    effect = np.array([call, sms])
    gain = np.array([REACH["call_agent"], REACH["sms"]]) * (
        expit(logit(p)[:, None] + effect) - p[:, None]
    )
    paid_on = np.full(n, np.inf)
    parts = []
    for day in range(days):
        alive = np.isinf(paid_on)
        who = np.flatnonzero(alive & ((np.arange(n) + day) % turn == 0))
        chance = np.clip(contact + 0.2 * (p[who] - 0.25), 0.05, 0.95)
        u, v = rng.random(len(who)), rng.random(len(who))
        arm = np.where(u >= chance, -1, np.where(v < 0.6, 0, 1))
        share = np.where(arm == -1, 1 - chance, chance * np.where(arm == 0, 0.6, 0.4))
        for c in (0, 1):
            mine = who[arm == c]
            added[mine, c] += gain[mine, c] * (1 - fade)
        parts.append(
            pd.DataFrame(
                {
                    "channel": np.array(["wait", "call_agent", "sms"], dtype=object)[arm + 1],
                    "propensity": share,
                    "p_wait": p[who],
                    "reach": np.array([np.nan, REACH["call_agent"], REACH["sms"]])[arm + 1],
                    "customer": who,
                    "decided_day": float(day),
                }
            )
        )
        rate = base + added.sum(axis=1)
        pays = alive & (rng.random(n) < -np.expm1(-rate))
        paid_on[pays] = day + rng.random(pays.sum())
        added *= fade
    rows = pd.concat(parts, ignore_index=True)
    until = paid_on[rows["customer"].to_numpy()] - rows["decided_day"].to_numpy()
    rows["watched_days"] = np.clip(days - rows["decided_day"], 0, FOLLOWED_DAYS)
    rows["paid_after_days"] = np.where(until <= rows["watched_days"], until, np.nan)
    closed = rows["decided_day"] + 30 <= days
    rows["paid"] = np.where(closed, (until <= 30).astype(float), np.nan)
    return rows


def one_step(rows):
    """Return the same log without its times: whole windows, whoever was contacted later."""
    columns = ["decided_day", "watched_days", "paid_after_days"]
    return EffectModel().fit(rows.drop(columns=columns).dropna(subset="paid"))


def raw(rows):
    """Return raw effects and errors of calls and texts."""
    table = EffectModel().fit(rows).table().set_index("channel").loc[["call_agent", "sms"]]
    return table["raw_effect"].to_numpy(), table["raw_error"].to_numpy()


def test_a_busy_log_hides_the_effect_from_one_step_labels_and_not_from_ours():
    truth = np.array([0.8, 0.2])
    logs = [busy_log(seed) for seed in range(8)]
    found = [raw(rows) for rows in logs]
    lone, error = np.array([f[0] for f in found]), np.array([f[1] for f in found])
    standard_error = np.sqrt((error**2).mean(axis=0) / len(logs))
    assert (np.abs(lone.mean(axis=0) - truth) < 3 * standard_error).all()
    # the errors are true: 16 squared deviations, chi-square between 0.1 and 99.9 %
    assert 3.9 < (((lone - truth) / error) ** 2).sum() < 39.3
    step = [
        one_step(rows).table().set_index("channel").loc["call_agent", "raw_effect"] for rows in logs
    ]
    assert np.mean(step) + 3 * np.std(step, ddof=1) / np.sqrt(8) < 0.6 * 0.8


def test_no_effect_stays_none():
    found = [raw(busy_log(100 + seed, call=0.0, sms=0.0)) for seed in range(8)]
    z = np.array([effect / error for effect, error in found])
    assert (np.abs(z.mean(axis=0)) < 3 / np.sqrt(8)).all()
    assert 3.9 < (z**2).sum() < 39.3


def moments_at(rows, effect, base):
    """The estimating equations of the module's docstring, one decision after the other."""
    share = {"call_agent": 0, "sms": 1}
    in_play = rows[(rows["propensity"] < 1) & (rows["watched_days"] > 0)]
    weight = 1.0 / stable_propensity(in_play)
    arm = in_play["channel"].map({"wait": -1, **share}).to_numpy()
    weight, _ = clipped_weights(weight, arm, 2, 20.0)
    total = np.zeros(3)
    for (_, one), w, c in zip(in_play.iterrows(), weight, arm, strict=True):
        paid = one["paid_after_days"] <= one["watched_days"]
        stays = one["paid_after_days"] if paid else one["watched_days"]
        residual = float(paid) + base * np.log1p(-one["p_wait"]) * stays
        mine = rows[rows["customer"] == one["customer"]]
        gap = mine["decided_day"] - one["decided_day"]
        later = mine[(gap == 0) | ((gap > 0) & (gap < stays))]
        for _, contact in later[later["channel"] != "wait"].iterrows():
            e, p = effect[share[contact["channel"]]], contact["p_wait"]
            left = stays - (contact["decided_day"] - one["decided_day"])
            promise = contact["reach"] * (expit(logit(p) + e) - p)
            residual -= promise * (1 - 0.5 ** (left / HALF_LIFE))
        total[c + 1] += w * residual
    return total / weight.sum()


def test_the_answer_solves_the_equations_written_out():
    rows = busy_log(3, n=150, days=24)
    rows.loc[rows.index[::9], "propensity"] = 1.0  # no choice: followed, never compared
    sequence = decision_sequence(rows)
    weight = np.where(sequence["propensity"] < 1, 1.0, 0.0)
    drawn = weight > 0
    weight[drawn] = 1.0 / stable_propensity(sequence[drawn])
    found = lone_contacts(
        sequence, CHANNELS, weight=weight, start=np.array([0.7, 0.05]), largest_weight=20.0
    )
    assert not np.isnan(found.effect).any()
    # the intensity of waiting follows from its own equation, which is linear in it
    at_0, at_1 = (moments_at(sequence, found.effect, b)[0] for b in (0.0, 1.0))
    base = at_0 / (at_0 - at_1)
    assert moments_at(sequence, found.effect, base) == pytest.approx(np.zeros(3), abs=1e-10)
    assert np.abs(moments_at(sequence, found.effect + np.array([0.1, 0.0]), base)).max() > 1e-4


def test_a_contact_counts_only_once_it_can_have_arrived():
    rows = busy_log(5, n=1_500)
    letters = rows.assign(channel=rows["channel"].replace({"sms": "letter"}))
    sms = EffectModel().fit(rows).table().set_index("channel").loc["sms"]
    letter = EffectModel().fit(letters).table().set_index("channel").loc["letter"]
    # the same payments in less time: more is to be added per day
    assert letter["raw_error"] > sms["raw_error"]


def test_order_of_rows_does_not_matter():
    rows = busy_log(7, n=800)
    shuffled = rows.sample(frac=1.0, random_state=1)
    first, second = EffectModel().fit(rows), EffectModel().fit(shuffled)
    assert np.array_equal(first.effect_, second.effect_)
    assert np.array_equal(first.covariance_, second.covariance_)


@pytest.mark.parametrize("left", ["nothing", "no waiting", "waiting without a choice"])
def test_without_comparison_the_prior_remains(left):
    rows = busy_log(2, n=300)
    if left == "nothing":
        rows = rows.iloc[:0]
    elif left == "no waiting":
        rows = rows[rows["channel"] != "wait"]
    else:
        rows = rows.assign(propensity=np.where(rows["channel"] == "wait", 1.0, rows["propensity"]))
    model = EffectModel().fit(rows)
    assert model.prior_only_
    assert model.table().set_index("channel").loc["call_agent", "effect"] == 0.7
    assert model.fit_record_["estimand"] == "lone contact"


def test_decisions_still_being_watched_are_used_for_as_long_as_they_were():
    rows = busy_log(11, n=3_000, days=12)
    assert rows["paid"].isna().all()  # no window of 30 days has closed
    effect, error = raw(rows)
    assert (np.abs(effect - [0.8, 0.2]) < 3 * error).all()
    assert (error < 0.4).all()


def one_decision_each(horizon: float, *, n: int = 20_000, seed: int = 0) -> pd.DataFrame:
    """Return decisions of which each has a window of `horizon` days; a text adds 0.5 logits to it.

    What a contact adds comes with a half-life of four days, all of it inside the window.
    """
    rng = np.random.default_rng(seed)
    p, waits = 0.2, rng.random(n) < 0.5
    after = rng.exponential(-horizon / np.log1p(-p), n)
    after[after > horizon] = np.inf
    added = (expit(logit(p) + 0.5) - p) / (1 - p)
    moved = ~waits & np.isinf(after) & (rng.random(n) < added)
    inside = 1 - 0.5 ** (horizon / HALF_LIFE)
    come = -HALF_LIFE * np.log2(1 - rng.random(n) * inside)
    after = np.where(moved, come, after)
    watched = min(FOLLOWED_DAYS, horizon)
    return pd.DataFrame(
        {
            "customer": np.arange(n),
            "channel": np.where(waits, "wait", "sms"),
            "p_wait": p,
            "reach": 1.0,
            "decided_day": 0.0,
            "watched_days": watched,
            "paid_after_days": np.where(after <= watched, after, np.nan),
            "horizon_days": horizon,
        }
    )


def lone_text(rows: pd.DataFrame) -> float:
    return lone_contacts(
        rows, {"sms": "sms"}, weight=np.full(len(rows), 2.0), start=np.zeros(1), largest_weight=20.0
    ).effect[0]


@pytest.mark.parametrize("horizon", [3.0, 7.0, 30.0])
def test_short_windows_do_not_overstate_what_a_contact_adds_within_them(horizon):
    found = lone_text(one_decision_each(horizon))
    assert 0.4 < found < 0.75
    if horizon < 10:
        whole = lone_text(one_decision_each(horizon).drop(columns="horizon_days"))
        assert whole > 1.3 * found


def test_windows_of_several_lengths_share_one_effect():
    short, long = one_decision_each(3.0), one_decision_each(30.0, seed=1)
    rows = pd.concat([short, long.assign(customer=long["customer"] + 10**6)], ignore_index=True)
    assert 0.4 < lone_text(rows) < 0.75


def test_a_letter_that_arrives_after_its_window_says_nothing():
    rows = one_decision_each(3.0).replace({"channel": {"sms": "letter"}})
    found = lone_contacts(
        rows, {"letter": "letter"}, weight=np.full(len(rows), 2.0), start=np.zeros(1),
        largest_weight=20.0,
    )  # fmt: skip
    assert np.isnan(found.effect).all()
