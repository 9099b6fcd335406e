"""The control group's evidence: lift held against promise, and how the residual layer takes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contactopt.journal import Journal, JournalView
from contactopt.learning.admission import never_planned_before, superseded
from contactopt.learning.control_evidence import ControlGroup
from contactopt.learning.logged_rows import LoggedRows
from contactopt.policy.residual import ArmNest, ControlContrast, ResidualLayer

N, CONTROLS = 1_000, 200
START, NOW = pd.Timestamp("2026-03-01T08:00Z"), pd.Timestamp("2026-03-21T08:00Z")
NEST = ArmNest.of(["early"], [("call@10", "call")])
IDS = [f"C-{k:04d}" for k in range(N)]
CONTROL = np.arange(N) % 5 == 0


def view(pays: np.ndarray, *, reverse: bool = False, size: float = 100.0) -> JournalView:
    """Who pays pays once, five days after the start."""
    who = np.flatnonzero(pays)
    tables = {
        "customers": pd.DataFrame({"customer_id": IDS, "time_zone": "UTC"}),
        "debts": pd.DataFrame(
            {
                "debt_id": [f"D{c}" for c in IDS],
                "customer_id": IDS,
                "product": "credit_card",
                "creditor": "bank",
                "ownership": "first_party",
                "currency": "USD",
                "principal": 1000.0,
                "opened_at": START - pd.Timedelta(days=90),
                "delinquent_since": START - pd.Timedelta(days=20),
            }
        ),
        "payments": pd.DataFrame(
            {
                "payment_id": [f"P{k}" for k in who],
                "debt_id": [f"D{IDS[k]}" for k in who],
                "paid_at": START + pd.Timedelta(days=5),
                "amount": size,
                "kind": "voluntary",
                "reversed_at": pd.Series(
                    np.where(~CONTROL[who] & reverse, START + pd.Timedelta(days=9), pd.NaT),
                    dtype="datetime64[us, UTC]",
                ),
            }
        ),
    }
    return Journal(tables).as_of(NOW)


def decisions(day: int, *, control: np.ndarray = CONTROL, p_wait=0.2, unit=100.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer": np.arange(N),
            "decided_us": (START.value // 1000) + day * 86_400_000_000,
            "holdout": control,
            "stage": "early",
            "unit": unit,
            "p_wait": p_wait,
            "admitted": True,
            "stands": True,
        }
    )


def block(rows: pd.DataFrame, *, p: float = 0.5, reach: float = 0.5, gain: float = 0.2):
    n = len(rows)
    out = rows["holdout"].to_numpy()
    call = np.where(out, 0.0, p)
    return LoggedRows(
        action_ids=("call@10",),
        probability=np.column_stack([call, 1.0 - call]),
        reach=np.full((n, 1), reach),
        gain=np.full((n, 1), gain),
        drawn=np.ones(n, dtype=np.int64),
        unit=rows["unit"].to_numpy(dtype=np.float64),
        p_wait=rows["p_wait"].to_numpy(dtype=np.float64),
        stage=rows["stage"].to_numpy(dtype=object),
        holdout=out,
    )


def contrast(days: list[pd.DataFrame], known: JournalView, horizon: Any = 20.0):
    """Twenty days have passed: a promise of day d has come to the share (20 - d) / 20."""
    group = ControlGroup(
        pd.concat(days),
        NEST,
        as_of_us=known.as_of_us,
        horizon_days=horizon,
        most_units=3.0,
        typical_unit=100.0,
    )
    for k, day in enumerate(days):
        group.add(block(day), k * N)
    return group.contrast(known, discount_rate_yearly=0.0)


def every(share: float, of: np.ndarray) -> np.ndarray:
    """The same share of payers everywhere among those marked."""
    out = np.zeros(N, dtype=bool)
    at = np.flatnonzero(of)
    out[at[np.floor(np.arange(1, len(at) + 1) * share) > np.floor(np.arange(len(at)) * share)]] = 1
    return out


PAYS = every(0.2, CONTROL) | every(0.275, ~CONTROL)


def test_lift_over_the_control_group_is_held_against_what_was_promised() -> None:
    found = contrast([decisions(0), decisions(5), decisions(10)], view(PAYS))
    said = found.to_record()
    assert (said["customers"], said["contacted"]) == (CONTROLS, N - CONTROLS)
    assert said["promised"] == pytest.approx((1.0 + 0.75 + 0.5) * 0.5 * 0.5 * 0.2)
    assert said["realised"] == pytest.approx(0.075, abs=0.012)  # groups round their payers
    variance = PAYS.mean() * (1 - PAYS.mean())
    expected = np.sqrt(variance * (1 / CONTROLS + 1 / (N - CONTROLS)))
    assert said["error"] == pytest.approx(expected, rel=0.05)
    assert found.age_days == pytest.approx(20.0)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside, found = [], []
    for _ in range(60):
        pays = rng.random(N) < np.where(CONTROL, 0.05, 0.1)
        said = contrast([decisions(0, p_wait=0.05)], view(pays)).to_record()
        found.append(said["realised"])
        inside.append(abs(said["realised"] - 0.05) <= 1.96 * said["error"])
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 60) <= np.mean(inside)
    # a group in which few happened to pay weighs no more than the others
    assert np.mean(found) == pytest.approx(0.05, abs=3 * np.std(found) / np.sqrt(60))


def test_covariate_takes_out_what_the_sides_differ_by_from_the_start() -> None:
    rng = np.random.default_rng(1)
    p_wait = np.where(rng.random(N) < np.where(CONTROL, 0.7, 0.3), 0.8, 0.1)
    pays = rng.random(N) < p_wait  # no effect; the controls happen to be better payers
    plain = contrast([decisions(0)], view(pays)).to_record()
    told = contrast([decisions(0, p_wait=p_wait)], view(pays)).to_record()
    assert plain["realised"] < -0.2
    assert abs(told["realised"]) < 2 * told["error"]


def test_sides_are_those_of_the_first_decision() -> None:
    """Half of the controls are set free on day 10, when some of those who pay have left."""
    rng = np.random.default_rng(2)
    pays = rng.random(N) < 0.3  # on day 5, whoever is contacted
    free = CONTROL & (np.arange(N) % 10 == 0)
    first, then = decisions(0), decisions(10, control=CONTROL & ~free)
    left = then[~pays]
    days, known = [first, left], view(pays)
    group = ControlGroup(
        pd.concat(days), NEST, as_of_us=known.as_of_us, horizon_days=20.0, most_units=3.0,
        typical_unit=100.0,
    )  # fmt: skip
    group.add(block(first), 0)
    group.add(block(left), N)
    found = group.contrast(known, discount_rate_yearly=0.0)
    said = found.to_record()
    assert abs(said["realised"]) < 3 * said["error"]
    # what was planned for controls that were set free is on their own side
    after = 0.5 * 0.05 * ((~pays)[~CONTROL].mean() - (~pays)[free].sum() / CONTROLS)
    assert said["promised"] == pytest.approx(0.05 + after, rel=0.05)


def test_money_counts_for_one_window_and_in_the_unit_of_the_first_decision() -> None:
    whole = contrast([decisions(0)], view(PAYS))
    less = contrast([decisions(0)], view(PAYS, reverse=True))
    assert less.to_record()["realised"] == pytest.approx(-0.2, abs=0.012)
    before = contrast([decisions(0)], view(PAYS), horizon=4.0)  # all pay on the fifth day
    np.testing.assert_allclose(before.realised, 0.0, atol=1e-12)
    # of half a debt half is promised
    half = contrast([decisions(0), decisions(10, unit=50.0)], view(PAYS))
    np.testing.assert_allclose(half.promised, whole.promised * (1 + 0.5 * 0.5))
    # who had no money to expect at first is out, whatever came later
    late = contrast([decisions(0, unit=0.0), decisions(10, unit=100.0)], view(PAYS))
    assert (late.controls, late.contacted) == (0, 0)
    # a contact that another took the place of was not made
    again = contrast([decisions(0).assign(stands=False), decisions(0)], view(PAYS))
    np.testing.assert_allclose(again.promised, whole.promised)


def test_nobody_left_out_or_nobody_there_says_nothing() -> None:
    nobody = np.zeros(N, dtype=bool)
    none = contrast([decisions(0, control=nobody)], view(PAYS))
    assert (none.controls, len(none.realised)) == (0, 0)
    assert none.to_record() == {"customers": 0, "contacted": 0}
    for unusable in ({"customer": -1}, {"unit": 0.0}, {"unit": np.nan}, {"admitted": False}):
        assert len(contrast([decisions(0).assign(**unusable)], view(PAYS)).realised) == 0
    few = contrast([decisions(0, control=np.arange(N) < 975)], view(PAYS))
    assert len(few.realised) == 0  # 25 contacted customers tell nothing
    # nineteen persons' payments are nobody's business, the layer may use them
    some = contrast([decisions(0, control=np.arange(N) % 53 == 0)], view(PAYS))
    assert some.to_record() == {"customers": 19, "contacted": N - 19}
    assert len(some.realised) > 0


def certain(realised: float, *, promised: float = 0.15, k: int = 40) -> ControlContrast:
    design = np.zeros((k, NEST.size))
    design[:, NEST.slope] = promised
    all_groups = (np.full(k, v) for v in (promised, realised, 0.02))
    return ControlContrast(design, *all_groups, 0.0, controls=400, contacted=9_000)


def test_layer_learns_that_contacts_add_nothing() -> None:
    """Draws say nothing here; the control group alone brings the gain down."""
    k, promised = 40, 0.15
    layer = ResidualLayer(slope_sd=1.0).fit(NEST, [], today=0, control=certain(0.0))
    # forty groups, and what a sum of gains may be off by, which they share
    weight = 1 / (0.02 / (k * promised**2) + 0.4**2)
    slope = 1 - weight / (1 + weight)
    assert layer.fit_record_["slope"] == pytest.approx(slope)
    assert slope < 0.2
    gain = layer.predict(["early"], ["call@10"], np.array([[0.2]]))
    assert gain.gain[0, 0] == pytest.approx(0.2 * (slope - 1))
    assert gain.shrink[0, 0] == pytest.approx(1 / np.sqrt(1 + weight), rel=1e-3)
    assert layer.fit_record_["control"]["realised"] == 0.0
    kept = ResidualLayer.from_state(layer.to_state())
    assert kept.fit_record_ == layer.fit_record_
    without = ResidualLayer().fit(NEST, [], today=0)
    assert without.fit_record_["slope"] == 1.0


def test_old_evidence_fades_and_no_gain_turns_round() -> None:
    fresh, old = certain(0.0), certain(0.0)._replace(age_days=400.0)
    slopes = [
        ResidualLayer(forgetting=0.99).fit(NEST, [], today=0, control=c).fit_record_["slope"]
        for c in (fresh, old)
    ]
    assert slopes[0] < slopes[1] < 1.0
    worse = ResidualLayer().fit(NEST, [], today=0, control=certain(-0.3))
    assert worse.fit_record_["slope"] == pytest.approx(0.0, abs=1e-12)
    gain = worse.predict(["early"], ["call@10"], np.array([[-0.05]])).gain
    assert gain[0, 0] == pytest.approx(0.05)  # harm as such is not taken for help


class Log:
    """As much of a log as admission asks: batches of all customers but those named."""

    def __init__(self, batches: dict[str, dict]) -> None:
        self._told = batches
        as_of = [START + pd.Timedelta(days=told["day"]) for told in batches.values()]
        self.batches = pd.DataFrame({"batch_id": list(batches), "as_of": as_of})

    def decisions(self, batch_id: str) -> pd.DataFrame:
        told = self._told[batch_id]
        ids = told.get("ids", IDS)
        return pd.DataFrame({"customer_id": ids, "holdout": told.get("held", False)})

    def facts(self, batch_id: str) -> SimpleNamespace:
        told = self._told[batch_id]
        n = len(told.get("ids", IDS))
        return SimpleNamespace(n_customers=n, replans=told.get("replans"))


@pytest.mark.parametrize(
    ("earlier", "admitted"),
    [
        ({}, "all"),
        # an earlier plan without a control group treated both sides alike
        ({"old": {"day": -9, "ids": IDS[:400]}}, "all"),
        ({"old": {"day": -9, "ids": IDS[:400], "held": True}}, "others"),
        # from then on, also where nobody was held out
        (
            {
                "old": {"day": -9, "ids": IDS[:1], "held": True},
                "old2": {"day": -8, "ids": IDS[:400]},
            },
            "others",
        ),
        # another model's plans in between: their contacts were promised by nobody
        ({"other": {"day": 1, "ids": IDS[:400]}}, "others"),
        ({"later": {"day": 30, "ids": IDS[:400]}}, "all"),
    ],
)
def test_only_first_decisions_with_a_control_group_are_admitted(earlier, admitted) -> None:
    log = Log({**earlier, "own": {"day": 0}, "own2": {"day": 2}})
    found = never_planned_before(log, ["own", "own2"], view(PAYS))
    expected = np.ones(N, dtype=bool)
    if admitted == "others":
        expected[:400] = False
    np.testing.assert_array_equal(found, expected)


def test_control_group_in_the_tables_counts_as_planned_before() -> None:
    tables = {
        "customers": pd.DataFrame({"customer_id": IDS, "time_zone": "UTC"}),
        "decisions": pd.DataFrame(
            {
                "decision_id": [f"X{k}" for k in range(300)],
                "decided_at": [START - pd.Timedelta(days=20 - (k >= 100)) for k in range(300)],
                "customer_id": IDS[:300],
                "channel": "wait",
                "propensity": 1.0,
                "holdout": np.arange(300) == 100,
            }
        ),
    }
    known = Journal(tables).as_of(NOW)
    found = never_planned_before(Log({"own": {"day": 0}}), ["own"], known)
    assert found[:100].all()  # decided before anybody was held out
    assert not found[100:300].any()
    assert found[300:].all()


def test_a_re_plan_takes_the_place_of_what_it_draws_anew() -> None:
    log = Log(
        {
            "a": {"day": 0, "ids": IDS[:4]},
            "b": {"day": 0, "ids": IDS[:2], "replans": "a"},
            "c": {"day": 0, "ids": IDS[1:3], "replans": "b"},
            "d": {"day": 1, "ids": IDS[:4]},
        }
    )
    customer = np.array([0, 1, 2, 3, 0, 1, 1, 2, 0, 1, 2, 3])
    found = superseded(log, ["a", "b", "c", "d"], customer)
    assert found.tolist() == [True, True, True, False, False, True] + [False] * 6


def test_money_and_promises_count_in_the_window_of_the_first_decision() -> None:
    days = [decisions(0), decisions(10)]
    known = view(PAYS)
    one = contrast(days, known).to_record()
    assert contrast(days, known, horizon=np.full(2 * N, 20.0)).to_record() == one
    # who is in a window of four days has not paid on the fifth: here all of them
    short = contrast(days, known, horizon=np.full(2 * N, 4.0)).to_record()
    assert short["realised"] == pytest.approx(0.0, abs=1e-12)
    # the second decision lies beyond the first one's window: nothing of it counts
    assert short["promised"] == pytest.approx(0.5 * 0.5 * 0.2)
    # a later decision whose own window is short has kept its promise by the end of the first's
    mixed = contrast(days, known, horizon=np.repeat([20.0, 5.0], N)).to_record()
    assert mixed["promised"] == pytest.approx(2 * 0.5 * 0.5 * 0.2)
    assert mixed["realised"] == one["realised"]
