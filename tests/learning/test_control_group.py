"""The control group's evidence: lift held against promise, and how the residual layer takes it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contactopt.journal import Journal, JournalView
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
            "decision_id": [f"{day}-{c}" for c in IDS],
            "customer": np.arange(N),
            "decided_us": (START.value // 1000) + day * 86_400_000_000,
            "holdout": control,
            "stage": "early",
            "unit": unit,
            "p_wait": p_wait,
            "seen": 1.0,
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


def contrast(days: list[pd.DataFrame], known: JournalView) -> ControlContrast:
    group = ControlGroup(pd.concat(days), NEST, most_units=3.0, typical_unit=100.0)
    for day in days:
        group.add(block(day), day)
    return group.contrast(known, discount_rate_yearly=0.0)


def every(share: float, of: np.ndarray) -> np.ndarray:
    """The same share of payers everywhere among those marked."""
    out = np.zeros(N, dtype=bool)
    at = np.flatnonzero(of)
    out[at[np.floor(np.arange(1, len(at) + 1) * share) > np.floor(np.arange(len(at)) * share)]] = 1
    return out


PAYS = every(0.2, CONTROL) | every(0.275, ~CONTROL)


def test_lift_over_the_control_group_is_held_against_what_was_promised() -> None:
    found = contrast([decisions(0), decisions(1), decisions(2)], view(PAYS))
    said = found.to_record()
    assert (said["customers"], said["contacted"]) == (CONTROLS, N - CONTROLS)
    assert said["promised"] == pytest.approx(3 * 0.5 * 0.5 * 0.2)
    assert said["realised"] == pytest.approx(0.075, abs=0.012)  # groups round their payers
    variance = PAYS.mean() * (1 - PAYS.mean())
    expected = np.sqrt(variance * (1 / CONTROLS + 1 / (N - CONTROLS)))
    assert said["error"] == pytest.approx(expected, rel=0.05)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        pays = rng.random(N) < np.where(CONTROL, 0.2, 0.3)
        said = contrast([decisions(0)], view(pays)).to_record()
        inside.append(abs(said["realised"] - 0.1) <= 1.96 * said["error"])
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 60) <= np.mean(inside)


def test_covariate_takes_out_what_the_sides_differ_by_from_the_start() -> None:
    rng = np.random.default_rng(1)
    p_wait = np.where(rng.random(N) < np.where(CONTROL, 0.7, 0.3), 0.8, 0.1)
    pays = rng.random(N) < p_wait  # no effect; the controls happen to be better payers
    plain = contrast([decisions(0)], view(pays)).to_record()
    told = contrast([decisions(0, p_wait=p_wait)], view(pays)).to_record()
    assert plain["realised"] < -0.2
    assert abs(told["realised"]) < 2 * told["error"]


def test_reversed_money_open_windows_and_former_contacts() -> None:
    whole = contrast([decisions(0)], view(PAYS))
    less = contrast([decisions(0)], view(PAYS, reverse=True))
    assert less.to_record()["realised"] == pytest.approx(-0.2, abs=0.012)
    # what cannot show yet was not promised for today
    half = contrast([decisions(0).assign(seen=0.5)], view(PAYS))
    np.testing.assert_allclose(half.promised, whole.promised / 2)
    # whoever was contacted once is no control later
    former = CONTROL & (np.arange(N) >= 250)
    first = decisions(0, control=former)
    assert contrast([first, decisions(1)], view(PAYS)).controls == CONTROLS - 50


def test_nobody_left_out_or_nobody_there_says_nothing() -> None:
    nobody = np.zeros(N, dtype=bool)
    none = contrast([decisions(0, control=nobody)], view(PAYS))
    assert (none.controls, len(none.realised)) == (0, 0)
    assert none.to_record() == {"customers": 0, "contacted": 0}
    strangers = decisions(0).assign(customer=-1)
    assert len(contrast([strangers], view(PAYS)).realised) == 0
    few = contrast([decisions(0, control=np.arange(N) < 975)], view(PAYS))
    assert len(few.realised) == 0  # 25 contacted customers tell nothing


def test_layer_learns_that_contacts_add_nothing() -> None:
    """Draws say nothing here; the control group alone brings the gain down."""
    k, promised = 40, 0.15
    design = np.zeros((k, NEST.size))
    design[:, NEST.slope] = promised
    nothing = ControlContrast(
        design, np.full(k, promised), np.zeros(k), np.full(k, 0.02), controls=400, contacted=9_000
    )
    layer = ResidualLayer(slope_sd=1.0).fit(NEST, [], today=0, control=nothing)
    weight = k * promised**2 / 0.02
    assert layer.fit_record_["slope"] == pytest.approx(1 - weight / (1 + weight))
    gain = layer.predict(["early"], ["call@10"], np.array([[0.2]]))
    assert gain.gain[0, 0] == pytest.approx(-0.2 * weight / (1 + weight))
    assert gain.shrink[0, 0] == pytest.approx(1 / np.sqrt(1 + weight), rel=1e-3)
    assert layer.fit_record_["control"]["realised"] == 0.0
    kept = ResidualLayer.from_state(layer.to_state())
    assert kept.fit_record_ == layer.fit_record_
    without = ResidualLayer().fit(NEST, [], today=0)
    assert without.fit_record_["slope"] == 1.0
