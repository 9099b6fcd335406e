"""Late rewards are expected by channel, stage and calendar, never taken as zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contactopt.errors import ContractError
from contactopt.models.delay import DelayModel

DAY = 86_400_000_000
HORIZON, NEW_DAYS = 30, 10
CHANCE = {"wait": 0.10, "call_agent": 0.22, "sms": 0.15, "letter": 0.18}
SPEED_DAYS = {"wait": 12.0, "call_agent": 3.0, "sms": 6.0, "letter": 20.0}
#: 2026-01-01
START = 20_454


def decisions(seed: int, *, per_day: int = 5_000, days: int = 75) -> pd.DataFrame:
    """Return decisions of some days, watched until the end of the last, with the whole truth.

    Channels differ in chance and speed; seven in ten of the payments that fall shortly before the
    1st or the 15th are made on that day.
    """
    rng = np.random.default_rng(seed)
    n = per_day * days
    day = np.repeat(np.arange(days), per_day)
    channel = rng.choice(list(CHANCE), n)
    speed = np.array([SPEED_DAYS[c] for c in channel])
    pays = rng.random(n) < np.array([CHANCE[c] for c in channel])
    delay = -speed * np.log(1 - rng.random(n) * (1 - np.exp(-HORIZON / speed)))
    falls = (START + day + np.floor(delay)).astype("int64").astype("datetime64[D]")
    of_month = (falls - falls.astype("datetime64[M]")).astype(int)
    next_month = (falls.astype("datetime64[M]") + 1).astype("datetime64[D]")
    wait = np.where(of_month <= 14, 14 - of_month, (next_month - falls).astype(int))
    moved = (wait <= 4) & (rng.random(n) < 0.7) & (np.floor(delay) + wait < HORIZON)
    delay = np.where(moved, np.floor(delay) + wait + 0.5, delay)
    money = np.where(pays, rng.lognormal(4.0, 0.4, n), 0.0)
    age = np.minimum(days - day, HORIZON).astype(float)
    seen = pays & (delay <= age)
    return pd.DataFrame(
        {
            "channel": channel,
            "stage": "early",
            "decided_us": (START + day) * DAY,
            "age_days": age,
            "first_delay_days": np.where(seen, delay, np.nan),
            "unit": np.exp(4.0 + 0.08),
            "amount": np.where(seen, money, 0.0),
            "first_amount": np.where(seen, money, 0.0),
            "money": money,
        }
    )


def by_arm(rows: pd.DataFrame, expected: pd.Series) -> pd.Series:
    """Return estimated over true money per arm of the decisions of the last ten days."""
    groups = rows["channel"]
    return expected.groupby(groups).mean() / rows["money"].groupby(groups).mean()


@pytest.mark.parametrize("seed", [0, 1])
def test_value_of_ten_days_is_right_per_arm_and_simpler_corrections_are_not(seed: int) -> None:
    rows = decisions(seed)
    new = rows[rows["decided_us"] >= (START + 75 - NEW_DAYS) * DAY]
    ours = by_arm(new, DelayModel().fit(rows).complete(new)["expected"])
    assert ours.between(0.9, 1.1).all(), ours
    pooled_rows = rows.assign(channel="all")
    pooled = DelayModel().fit(pooled_rows).complete(new.assign(channel="all"))["expected"]
    wrong = by_arm(new, pooled)
    assert wrong["letter"] < 0.85
    assert wrong["wait"] > 1.1
    naive = by_arm(new, new["amount"])
    assert (naive < 0.9).all()


def test_closed_windows_are_what_they_are() -> None:
    rows = decisions(0, per_day=50)
    closed = rows[rows["age_days"] == HORIZON]
    done = DelayModel().fit(rows).complete(closed)
    np.testing.assert_array_equal(done["expected"], closed["amount"])
    assert (done["seen"] == 1.0).all()
    assert (done["p_rest"] == 0.0).all()


def test_no_payment_leaves_a_flat_hazard_and_no_rows_work() -> None:
    rows = decisions(0, per_day=5).assign(first_delay_days=np.nan, amount=0.0, first_amount=0.0)
    model = DelayModel().fit(rows)
    assert model.prior_only_
    assert model.complete(rows)["p_rest"].between(0.0, 0.05).all()
    empty = rows.iloc[:0]
    assert DelayModel().fit(empty).complete(empty).empty
    with pytest.raises(ContractError, match="first_delay_days"):
        DelayModel().fit(rows.drop(columns="first_delay_days"))


def test_partial_payments_are_followed_by_further_ones() -> None:
    # a payer who paid 10 on day 0 pays 1 more every day: 0.1 of the first payment a day
    rows = pd.DataFrame(
        {
            "channel": "sms",
            "stage": "early",
            "decided_us": START * DAY,
            "age_days": 30.0,
            "first_delay_days": 0.0,
            "unit": 10.0,
            "amount": np.full(200, 10.0 + 30.0),
            "first_amount": 10.0,
        }
    )
    model = DelayModel().fit(rows)
    assert model.further_ == pytest.approx(0.1)
    young = rows.iloc[:1].assign(age_days=20.0, amount=30.0)
    assert model.complete(young)["expected"].item() == pytest.approx(30.0 + 10.0)


def test_same_in_any_row_order_and_after_saving() -> None:
    rows = decisions(3, per_day=40)
    model = DelayModel().fit(rows)
    other = DelayModel().fit(rows.sample(frac=1.0, random_state=1))
    np.testing.assert_allclose(other.log_age_, model.log_age_, rtol=1e-12)
    again = DelayModel.from_state(model.to_state())
    pd.testing.assert_frame_equal(again.complete(rows), model.complete(rows))


def cut(rows: pd.DataFrame, days: int) -> pd.DataFrame:
    """The same decisions with a shorter window: later payments are none of theirs."""
    out = rows.assign(age_days=np.minimum(rows["age_days"], days), horizon_days=float(days))
    gone = ~(rows["first_delay_days"] <= days)
    out.loc[gone, ["first_delay_days"]] = np.nan
    out.loc[gone, ["amount", "first_amount"]] = 0.0
    return out


def test_each_row_ends_with_its_own_window() -> None:
    rows = decisions(0, per_day=400)
    whole = DelayModel().fit(rows)
    one = rows.assign(horizon_days=float(HORIZON))
    pd.testing.assert_frame_equal(whole.complete(one), whole.complete(rows), check_exact=True)
    np.testing.assert_array_equal(DelayModel().fit(one).log_age_, whole.log_age_)
    early = np.arange(len(rows)) % 2 == 0
    mixed = pd.concat([cut(rows[early], 12), one[~early].assign(stage="late")]).sort_index()
    model = DelayModel().fit(mixed)
    done = model.complete(mixed)
    short = mixed["horizon_days"] == 12
    # closed after twelve days, whatever the curve says of later ones
    over = short & (mixed["age_days"] >= 12)
    assert (done.loc[over, "expected"] == mixed.loc[over, "amount"]).all()
    assert (done.loc[over, "seen"] == 1.0).all() and (done.loc[over, "p_rest"] == 0.0).all()
    still = ~short & mixed["age_days"].between(12, HORIZON - 1) & (mixed["amount"] == 0)
    assert (done.loc[still, "p_rest"] > 0.0).all()
    # the newest: less is still to come of a short window, and as much as comes in it
    new = mixed["decided_us"] >= (START + 75 - 5) * DAY
    unpaid = new & (mixed["amount"] == 0)
    assert done.loc[unpaid & short, "p_rest"].max() < 0.25
    longer = model.complete(mixed[unpaid & short].assign(horizon_days=30.0))
    assert (longer["p_rest"] > done.loc[unpaid & short, "p_rest"]).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_money_of_short_and_long_windows_is_right_at_once(seed: int) -> None:
    rows = decisions(seed, per_day=3_000)
    early = np.arange(len(rows)) % 2 == 0
    whole = rows.assign(truth=rows["money"])
    # what a short window brings in is known of decisions that were watched for all of it
    short = cut(whole[early], 12)
    closed = short[short["age_days"] >= 12]
    short["truth"] = short["channel"].map(closed.groupby("channel")["amount"].mean())
    late = whole[~early].assign(stage="late", horizon_days=float(HORIZON))
    mixed = pd.concat([short, late])
    done = DelayModel().fit(mixed).complete(mixed)
    new = mixed["decided_us"] >= (START + 75 - NEW_DAYS) * DAY
    for stage, low, high in (("early", 0.85, 1.15), ("late", 0.85, 1.15)):
        at = new & (mixed["stage"] == stage)
        ratio = (
            done.loc[at, "expected"].groupby(mixed.loc[at, "channel"]).mean()
            / mixed.loc[at, "truth"].groupby(mixed.loc[at, "channel"]).mean()
        )
        assert ratio.between(low, high).all(), (stage, ratio)
