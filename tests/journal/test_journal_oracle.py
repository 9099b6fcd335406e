"""The compiled journal equals the row-by-row one, at any instant, delay and order of rows."""

import numpy as np
import pandas as pd
import pytest
from oracles.journal_oracle import Oracle
from oracles.random_tables import random_tables

from contactopt.journal import Journal, payment_labels
from contactopt.journal.local_time import to_us

INSTANTS = ("2025-12-01T00:00Z", "2026-02-01T07:00Z", "2026-03-20T16:30Z", "2026-06-01T00:00Z")
FRAMES = ("debts", "touches", "touch_debts", "touch_events", "promises", "payments", "holds",
          "consents", "points", "notices", "parties", "arrangements", "decisions")  # fmt: skip
DELAYS = {"payments": 24.0, "touches": 6.0, "touch_events": 3.0, "promises": 12.0, "holds": 5.0}


@pytest.fixture(scope="module", params=[0, 1, 2])
def world(request):
    delay = {} if request.param == 0 else DELAYS
    grace = request.param * 2
    tables = random_tables(12, random_state=request.param)
    return tables, delay, grace, Journal(tables, data_delay=delay, promise_grace_days=grace)


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_view_equals_the_oracle(world, instant):
    tables, delay, grace, journal = world
    truth = Oracle(tables, instant, data_delay=delay, grace_days=grace)
    view = journal.as_of(instant)
    touches = view.touches
    found = zip(touches["outcome"], touches["machine_only"], strict=True)
    assert dict(zip(touches["touch_id"], found, strict=True)) == truth.touches()
    promises = view.promises
    assert dict(zip(promises["promise_id"], promises["state"], strict=True)) == {
        k: s for k, (s, _) in truth.promises().items()
    }
    np.testing.assert_allclose(
        promises.set_index("promise_id")["paid"].sort_index(),
        [paid for _, (_, paid) in sorted(truth.promises().items())],
    )
    assert set(view.holds["hold_id"]) == truth.holds()
    dead = view.points.loc[view.points["dead"], "contact_point_id"]
    known_points = set(view.points["contact_point_id"])
    assert set(dead) == truth.dead_points() & known_points


@pytest.mark.parametrize("instant", INSTANTS)
def test_debts_equal_the_oracle(world, instant):
    tables, delay, grace, journal = world
    truth = Oracle(tables, instant, data_delay=delay, grace_days=grace).debts()
    frame = journal.as_of(instant).debts.set_index("debt_id")
    assert set(frame.index) == set(truth)
    for debt, expected in truth.items():
        row = frame.loc[debt]
        for name, value in expected.items():
            found = row[name]
            if value is None:
                assert np.isnan(found), (debt, name)
            elif isinstance(value, float):
                assert found == pytest.approx(value), (debt, name)
            else:
                assert found == value, (debt, name)


@pytest.mark.parametrize("instant", INSTANTS)
def test_consents_and_payments_equal_the_oracle(world, instant):
    tables, delay, grace, journal = world
    truth = Oracle(tables, instant, data_delay=delay, grace_days=grace)
    view = journal.as_of(instant)
    found = {
        (
            view.customer_ids[r.customer],
            r.channel,
            None if r.contact_point < 0 else view.point_ids[r.contact_point],
        ): r.status
        for r in view.consents.itertuples()
    }
    assert found == truth.consents()
    valid = {p["payment_id"] for debt in truth.owner for p in truth.valid_payments(debt)}
    assert set(view.payments.loc[~view.payments["reversed"], "payment_id"]) == valid


def test_labels_equal_the_oracle(world):
    tables, delay, grace, journal = world
    as_of = "2026-04-20T00:00Z"
    truth = Oracle(tables, as_of, data_delay=delay, grace_days=grace)
    starts = [pd.Timestamp(t) for t in ("2026-01-20T00:00Z", "2026-03-01T12:00Z")]
    starts.append(pd.Timestamp("2026-03-21T00:00Z"))
    pairs = [(c, t) for c in range(journal.n_customers) for t in starts]
    labels = payment_labels(
        journal,
        [c for c, _ in pairs],
        [to_us(t) for _, t in pairs],
        horizon_days=30,
        as_of=as_of,
    )
    for k, (c, t) in enumerate(pairs):
        count, amount, delay_days = truth.label(journal.customer_ids[c], t, 30)
        assert labels["n_payments"][k] == count
        assert labels["paid"][k] == (count > 0)
        assert labels["amount"][k] == pytest.approx(amount)
        if delay_days is None:
            assert np.isnan(labels["first_delay_days"][k])
        else:
            assert labels["first_delay_days"][k] == pytest.approx(delay_days)
    late = pd.Timedelta(hours=delay.get("payments", 0.0))
    closed = [t + pd.Timedelta(days=30) + late <= pd.Timestamp(as_of) for _, t in pairs]
    assert labels["mature"].tolist() == closed


def test_the_order_of_rows_changes_nothing(world):
    tables, delay, grace, journal = world
    rng = np.random.default_rng(5)
    shuffled = {k: f.iloc[rng.permutation(len(f))] for k, f in tables.items()}
    other = Journal(shuffled, data_delay=delay, promise_grace_days=grace)
    for instant in INSTANTS[1:]:
        a, b = journal.as_of(instant), other.as_of(instant)
        for name in FRAMES:
            pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), obj=name)
