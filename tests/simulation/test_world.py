"""A world repeats itself, keeps the contract, and does what it is told."""

import hashlib
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from contactopt.contracts import ActionSpace, Portfolio
from contactopt.errors import ConfigError
from contactopt.simulation import WORLD_CHANNELS, World

SMALL = {"n_customers": 300, "random_state": 4, "n_days": 40}


@pytest.fixture(scope="module")
def small() -> World:
    return World(**SMALL).run()


def _digest(tables: dict[str, pd.DataFrame]) -> str:
    text = "".join(tables[name].to_csv() for name in sorted(tables))
    return hashlib.sha256(text.encode()).hexdigest()


def test_same_seed_same_bytes(small):
    assert _digest(small.tables()) == _digest(World(**SMALL).run().tables())
    assert _digest(small.tables()) != _digest(World(**{**SMALL, "random_state": 5}).run().tables())


def test_run_in_parts_is_run_at_once(small):
    parts = World(**SMALL).run(15).run()
    assert parts.day == small.day == 40
    assert _digest(parts.tables()) == _digest(small.tables())


def test_tables_keep_the_contract(small):
    portfolio = small.portfolio()
    assert portfolio.n_customers == 300
    assert len(portfolio.quarantined_customers) == 0
    assert not portfolio.dropped_columns
    assert portfolio.validate().ok
    assert portfolio.latest_instant() == small.as_of == pd.Timestamp("2026-01-10T08:05Z")
    assert list(small.customer_ids) == list(portfolio.customer_ids)


def test_nothing_lies_after_the_present(small):
    tables = small.tables()
    for name, columns in {
        "touches": ["started_at", "outcome_at", "recorded_at"],
        "touch_events": ["occurred_at"],
        "payments": ["paid_at", "reversed_at", "recorded_at"],
        "promises": ["made_at"],
        "debt_snapshots": ["observed_at"],
        "consents": ["changed_at"],
        "holds": ["starts_at"],
        "decisions": ["decided_at"],
    }.items():
        for column in columns:
            assert (tables[name][column].dropna() <= small.as_of).all(), (name, column)
    assert tables["touches"]["recorded_at"].notna().sum() > 0  # late rows exist, and are few
    assert tables["touches"]["recorded_at"].notna().mean() < 0.02
    first = tables["touches"]["started_at"].min()
    assert first >= pd.Timestamp("2025-12-01T05:00Z")


@pytest.mark.parametrize("n_customers", [0, 1])
def test_empty_and_single_worlds(n_customers):
    world = World(n_customers=n_customers, random_state=2, n_days=20).run()
    assert world.portfolio().n_customers == n_customers
    space = ActionSpace.from_channels({"call_agent": [9, 10], "letter": [None]})
    assert world.true_values(space).shape == (n_customers, 3)
    assert world.true_reach(space).shape == (n_customers, 3)
    assert world.true_pay_wait().shape == (n_customers,)
    assert world.redraw_latent(1).run(3).day == 3


@pytest.mark.parametrize("preset", ["early", "mid", "late", "charged_off"])
def test_presets_stay_in_their_stage(preset):  # 003-29
    world = World(preset, n_customers=400, random_state=1, n_days=60).run()
    portfolio = world.portfolio()
    dpd = portfolio.tables["debt_snapshots"]["days_past_due"]
    low, high = {"early": (1, 31), "mid": (31, 91), "late": (91, 181), "charged_off": (180, 6000)}[
        preset
    ]
    behind = dpd[dpd > 0]
    assert len(behind) > 300
    assert behind.max() <= high
    # a second debt may be up to a fortnight younger than the first
    assert behind.min() >= low - 15


def test_step_does_what_it_is_told():
    world = World(n_customers=300, random_state=4, n_days=10).run(8)
    points = world.tables()["contact_points"]
    mobile = points[points["kind"] == "mobile"].drop_duplicates("customer_id").head(100)
    actions = pd.DataFrame(
        {
            "customer_id": mobile["customer_id"].to_numpy(),
            "channel": ["call_agent", "sms"] * 50,
            "slot_local_hour": [10, 18] * 50,
            "decision_id": [f"mine-{k}" for k in range(100)],
            "contact_point_id": mobile["contact_point_id"].to_numpy(),
        }
    )
    rows = world.step(8, actions)
    touches = rows["touches"][rows["touches"]["direction"] == "outbound"]
    merged = actions.merge(touches, on=["decision_id", "customer_id", "channel"])
    assert len(merged) == 100
    assert (merged["contact_point_id_x"] == merged["contact_point_id_y"]).all()
    zone = world.tables()["customers"].set_index("customer_id")["time_zone"]
    local = [
        t.astimezone(ZoneInfo(zone[c]))
        for t, c in zip(merged["started_at"], merged["customer_id"], strict=True)
    ]
    assert [t.hour for t in local] == merged["slot_local_hour"].tolist()
    assert {t.date().isoformat() for t in local} == {"2025-12-09"}
    assert world.day == 9


def test_steps_add_up_to_the_history():
    world = World(n_customers=200, random_state=6, n_days=12)
    known = {name: len(frame) for name, frame in world.tables().items()}
    added: dict[str, list[pd.DataFrame]] = {}
    for day in range(6):
        ids = world.customer_ids[day::7]
        actions = pd.DataFrame({"customer_id": ids, "channel": "sms", "slot_local_hour": 12})
        for name, rows in world.step(day, actions).items():
            added.setdefault(name, []).append(rows)
    for name in ("debts", "touches", "payments", "promises", "debt_snapshots", "consents"):
        total = known[name] + sum(len(rows) for rows in added[name])
        assert total >= len(world.tables()[name]), name
        if name not in ("debt_snapshots",):
            assert total == len(world.tables()[name]), name


def test_two_attempts_on_one_customer_both_count():
    world = World(n_customers=20, random_state=0, n_days=5)
    twice = pd.DataFrame(
        {"customer_id": list(world.customer_ids) * 2, "channel": "email", "slot_local_hour": 9}
    )
    rows = world.step(0, twice)
    sent = rows["touches"][rows["touches"]["direction"] == "outbound"]
    assert (sent.groupby("customer_id").size() == 2).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"channel": "fax"}, "channel"),
        ({"customer_id": "X-1"}, "customer"),
        ({"contact_point_id": "P-9999999"}, "contact point"),
    ],
)
def test_faulty_actions_are_refused(change, match):
    world = World(n_customers=5, random_state=0, n_days=5)
    row = {"customer_id": "C-0000001", "channel": "sms", "slot_local_hour": 9, **change}
    with pytest.raises(ConfigError, match=match):
        world.step(0, pd.DataFrame([row]))
    assert world.day == 0


def test_days_are_stepped_once_and_in_order():
    world = World(n_customers=5, random_state=0, n_days=5)
    with pytest.raises(ConfigError, match="day 0"):
        world.step(1, pd.DataFrame({"customer_id": [], "channel": []}))


def test_points_are_shared_and_dead(small):
    world = World(n_customers=3000, random_state=1, n_days=1)
    points = world.tables()["contact_points"]
    sharing = points.groupby("address_key")["customer_id"].nunique()
    assert 0.01 < (sharing > 1).mean() < 0.05
    assert sharing.max() == 2
    outcomes = small.tables()["touches"]["outcome"].value_counts()
    assert {"invalid", "bounced", "wrong_number", "blocked", "third_party"} <= set(outcomes.index)


def test_every_kind_of_hold_and_both_consents_exist():
    tables = World(n_customers=2000, random_state=1, n_days=3).tables()
    assert tables["holds"]["kind"].nunique() == 18
    share = tables["consents"]["status"].eq("granted").mean()
    assert 0.9 < share < 1.0
    assert set(tables["consents"]["channel"]) < set(WORLD_CHANNELS)
    jurisdictions = tables["customers"]["jurisdiction"].value_counts(normalize=True)
    assert jurisdictions[jurisdictions.index.str.startswith("US-")].sum() > 0.85
    assert 0.05 < jurisdictions["CO"] < 0.11
    assert 0.005 < jurisdictions["PT"] < 0.04


def test_promises_are_kept_by_payments_of_theirs(small):
    portfolio: Portfolio = small.portfolio()
    paid = portfolio.tables["payments"].dropna(subset=["promise_id"])
    promised = portfolio.tables["promises"].set_index("promise_id")
    due = promised.loc[paid["promise_id"], "due_at"].to_numpy()
    first = ~paid["promise_id"].duplicated().to_numpy()
    late = (paid["paid_at"].to_numpy() - due)[first] / np.timedelta64(1, "D")
    assert first.sum() > 5
    assert late.max() <= 2  # within the grace of three days
