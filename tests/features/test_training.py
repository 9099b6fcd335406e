"""Training moments: closed windows, customers in arrears, whatever happened later."""

import numpy as np
import pandas as pd
from oracles.journal_oracle import Oracle
from oracles.random_tables import random_tables

from contactopt.features import training_instants, training_pairs
from contactopt.journal import Journal, payment_labels
from contactopt.journal.local_time import DAY_US, to_us

AS_OF = "2026-05-01T06:00Z"
SETTINGS = {"step_days": 10, "horizon_days": 30}


def test_every_window_is_closed_and_instants_are_evenly_spaced():
    journal = Journal(random_tables(10), data_delay={"payments": 24.0})
    instants = training_instants(journal, AS_OF, **SETTINGS)
    assert instants[-1] == to_us(AS_OF) - 31 * DAY_US
    assert (np.diff(instants) == 10 * DAY_US).all()
    customers, when = training_pairs(journal, AS_OF, max_rows=10_000, **SETTINGS)
    assert set(when) <= set(instants)
    labels = payment_labels(journal, customers, when, horizon_days=30, as_of=AS_OF)
    assert labels["mature"].all() and 0 < labels["paid"].mean() < 1


def test_exactly_the_customers_with_a_collectable_debt_are_in():
    tables = random_tables(10, random_state=6)
    journal = Journal(tables)
    customers, when = training_pairs(journal, AS_OF, max_rows=10_000, **SETTINGS)
    found = set(zip(customers.tolist(), when.tolist(), strict=True))
    closed = tables["debts"].set_index("debt_id")["closed_at"]
    expected = set()
    for instant in training_instants(journal, AS_OF, **SETTINGS):
        now = pd.Timestamp(np.datetime64(int(instant), "us"), tz="UTC")
        truth = Oracle(tables, now)
        for debt, state in truth.debts().items():
            snap = truth.last_snapshot(debt)
            ended = closed[debt] <= now or (snap is not None and snap["status"] == "cured")
            dpd, owed = state["days_past_due"], state["past_due_now"]
            if not ended and dpd is not None and dpd > 0 and not (owed is not None and owed <= 0):
                code = journal.customer_ids.tolist().index(truth.owner[debt])
                expected.add((code, int(instant)))
    assert found == expected and len(found) > 20


def test_the_subsample_is_deterministic_and_nested():
    tables = random_tables(40, random_state=2)
    journal = Journal(tables)

    def pairs(n, seed=0, source=journal):
        return list(zip(*training_pairs(source, AS_OF, max_rows=n, random_state=seed, **SETTINGS),
                        strict=True))  # fmt: skip

    all_of_them = pairs(10_000)
    some = pairs(50)
    assert len(some) == 50 and set(some) < set(all_of_them)
    assert set(pairs(20)) < set(some)
    assert some == pairs(50) and set(some) != set(pairs(50, seed=1))
    assert some == sorted(some, key=lambda p: (p[1], p[0]))
    rng = np.random.default_rng(0)
    shuffled = Journal({k: f.iloc[rng.permutation(len(f))] for k, f in tables.items()})
    assert pairs(50, source=shuffled) == some


def test_too_short_a_history_gives_no_pairs():
    journal = Journal(random_tables(5))
    customers, when = training_pairs(journal, "2026-01-10T00:00Z", max_rows=100, **SETTINGS)
    assert len(customers) == 0 and len(when) == 0
    customers, when = training_pairs(Journal({}), AS_OF, max_rows=100, **SETTINGS)
    assert len(customers) == 0 and when.dtype == np.int64
