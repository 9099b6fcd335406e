"""The ladder counts what is there, on small tables whose counts are plain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contract_tables import T0, days, large_tables, small_tables

from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES, Portfolio
from contactopt.contracts.ladder import ladder

STEPS = ["a lawful plan", "reach", "payment and amount", "effect", "learning and proof"]


def rungs(tables: dict[str, pd.DataFrame], **more) -> pd.DataFrame:
    portfolio = Portfolio.from_frames(tables)
    return ladder(portfolio.tables, **more).set_index("step")


def test_empty_tables_have_every_step_ahead() -> None:
    empty = {name: pd.DataFrame() for name, spec in TABLES.items() if spec.needed}
    found = rungs(empty)
    assert list(found.index) == STEPS
    assert not found["reached"].any()
    assert found.loc["a lawful plan", "needs"] == (
        "customers (none known), debts (none known), debt_snapshots (none known), "
        "contact_points (none known)"
    )
    assert found.loc["effect", "needs"] == "0 of 200 contacted payers, 0 of 200 waiting payers"


def test_the_first_step_counts_customers_who_have_all_three() -> None:
    tables = small_tables()
    tables["contact_points"] = tables["contact_points"].iloc[:2]
    tables["holds"] = tables["holds"].iloc[:0]
    tables["consents"] = tables["consents"].iloc[:0]
    tables["touches"] = tables["touches"].iloc[:2]
    for name in ("touch_events", "promises", "payments"):
        tables[name] = tables[name].iloc[:0]
    found = rungs(tables)
    assert found.loc["a lawful plan", "have"].startswith("1 of 3 customers")
    assert found.loc["a lawful plan", "reached"]
    assert found.loc["a lawful plan", "needs"] == ""
    # one outbound attempt, one inbound
    assert found.loc["reach", "have"] == "1 attempts with a known outcome over 1 channels"


def test_nothing_known_later_is_counted() -> None:
    tables = small_tables()
    early = rungs(tables, as_of=T0 - days(20))
    assert early.loc["reach", "have"].startswith("0 attempts")
    late = pd.Series([T0 + days(9)] * 4)
    assert (
        rungs({**tables, "touches": tables["touches"].assign(recorded_at=late)})
        .loc["reach", "have"]
        .startswith("3 attempts")
    )
    after = rungs({**tables, "touches": tables["touches"].assign(recorded_at=late)}, as_of=T0)
    assert after.loc["reach", "have"].startswith("0 attempts")


def world(n_contacted: int, n_waiting: int, **payment) -> dict[str, pd.DataFrame]:
    """Customers who paid in the second window before T0: contacted before it, or not."""
    n = n_contacted + n_waiting
    tables = large_tables(n + 1, 0)
    ids = tables["customers"]["customer_id"].to_numpy()
    first = ids[:n_contacted]
    tables["touches"] = pd.DataFrame(
        {
            "touch_id": [f"T{k}" for k in range(n_contacted + 1)],
            "customer_id": [*first, ids[n]],
            "direction": "outbound",
            "channel": "sms",
            "started_at": [T0 - days(50)] * n_contacted + [T0 - days(95)],
            "outcome": "delivered",
        }
    )
    tables["payments"] = pd.DataFrame(
        {
            "payment_id": [f"Y{k}" for k in range(n)],
            "debt_id": ["D" + i for i in ids[:n]],
            "paid_at": T0 - days(45),
            "amount": 5.0,
            **payment,
        }
    )
    return tables


def test_payers_contacted_and_waiting() -> None:
    found = rungs(world(37, 12))
    assert found.loc["effect", "have"] == "37 contacted and 12 waiting payers"
    assert found.loc["effect", "needs"] == "37 of 200 contacted payers, 12 of 200 waiting payers"
    assert found.loc["payment and amount", "have"].startswith("49 customer-windows with a payment")
    assert "49 of 50 paying" in found.loc["payment and amount", "needs"]
    enough = rungs(world(200, 201))
    assert enough.loc["effect", "reached"]
    assert enough.loc["payment and amount", "reached"]
    assert rungs(world(200, 199)).loc["effect", "needs"] == "199 of 200 waiting payers"


@pytest.mark.parametrize(
    "payment",
    [
        {"kind": "legal"},
        {"reversed_at": T0 - days(1)},
        {"paid_at": T0 - days(400), "recorded_at": T0 + days(1)},
    ],
)
def test_payments_that_do_not_count(payment) -> None:
    found = rungs(world(3, 2, **payment), as_of=T0)
    assert found.loc["effect", "have"] == "0 contacted and 0 waiting payers"


def test_a_payment_before_the_contact_is_neither() -> None:
    found = rungs(world(3, 2, paid_at=T0 - days(55)))
    assert found.loc["effect", "have"] == "0 contacted and 2 waiting payers"


def test_the_window_is_the_strategys() -> None:
    tables = world(1, 1)
    assert rungs(tables)["have"]["effect"] == "1 contacted and 1 waiting payers"
    # with 47 days contact and payment lie in different windows
    assert rungs(tables, horizon_days=47)["have"]["effect"] == "0 contacted and 2 waiting payers"
    config = StrategyConfig.from_mapping({"horizon_days": 47})
    report = Portfolio.from_frames(tables).validate(config)
    assert report.ladder.loc[3, "have"] == "0 contacted and 2 waiting payers"


def decided(n_wait: int, n_sms: int, paying: int, **more) -> dict[str, pd.DataFrame]:
    n = n_wait + n_sms
    tables = world(0, n)
    ids = tables["customers"]["customer_id"].to_numpy()[:n]
    tables["payments"] = pd.concat(
        [tables["payments"].iloc[:paying], tables["payments"].iloc[n_wait : n_wait + paying]]
    )
    tables["decisions"] = pd.DataFrame(
        {
            "decision_id": [f"X{k}" for k in range(n)],
            "decided_at": T0 - days(46),
            "customer_id": ids,
            "channel": ["wait"] * n_wait + ["sms"] * n_sms,
            "propensity": 0.5,
            **more,
        }
    )
    return tables


def test_decisions_with_propensities_and_a_closed_window() -> None:
    found = rungs(decided(30, 31, 5)).loc["learning and proof"]
    assert found["reached"]
    assert found["have"].startswith("61 decisions with a propensity and a closed window, 30 of")
    few = rungs(decided(29, 31, 5)).loc["learning and proof"]
    assert few["needs"] == "29 of 30 that drew wait"
    poor = rungs(decided(30, 31, 4)).loc["learning and proof"]
    assert poor["needs"] == "4 of 5 that drew wait and pay, 4 of 5 that drew sms and pay"


@pytest.mark.parametrize("more", [{"propensity": 0.0}, {"holdout": True}, {"decided_at": T0}])
def test_decisions_that_teach_nothing(more) -> None:
    found = rungs(decided(30, 31, 5, **more)).loc["learning and proof"]
    assert found["have"].startswith("0 decisions")


def test_thresholds_are_those_of_the_models() -> None:  # 004-06
    from contactopt.contracts import ladder as ours
    from contactopt.models.amount import model as amount
    from contactopt.models.effect import weighting
    from contactopt.models.payment import outcome as payment

    assert ours._PAYERS == amount._MIN_PAYERS >= payment._MIN_ROWS
    assert ours._BOTH_KINDS == payment._MIN_CLASS
    assert (ours._PER_ARM, ours._EVENTS) == (weighting.MIN_ROWS, weighting.MIN_EVENTS)


def test_row_order_does_not_matter() -> None:
    tables = decided(30, 31, 4)
    turned = {n: f.sample(frac=1, random_state=3) for n, f in tables.items()}
    assert np.array_equal(rungs(tables)["have"], rungs(turned)["have"])
