"""Nothing known later enters a feature: the audit finds planted leaks, and ours has none."""

import numpy as np
import pandas as pd
import pytest
from feature_worlds import DAYS, built, fitted
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.random_tables import random_tables

from contactopt.features import Column, FeatureBlock, FeaturePipeline, audit_leakage
from contactopt.journal import Journal
from contactopt.journal.cut import cut_tables


@pytest.mark.parametrize("seed", [1, 2])
def test_batch_features_equal_features_of_cut_tables(seed):
    tables, config, journal, customers, instants = built(seed, delayed=seed == 2)
    pipeline = fitted(journal, customers, instants, use_age=True)
    found = audit_leakage(tables, pipeline, config=config, pairs=(customers, instants))
    assert found["name"].tolist() == []


class Prophet(FeatureBlock):
    """Counts all payments there will ever be: a planted leak."""

    name = "prophet"

    def columns(self):
        return (Column("n_payments", "count", "all", "payments"), Column("one", "", "", ""))

    def compute(self, moments):
        counts = np.diff(moments.journal.payments.index.starts)
        return {"n_payments": counts[moments.customers], "one": np.ones(len(moments))}


def test_a_planted_leak_is_caught():
    tables, config, journal, customers, instants = built(3)
    pipeline = fitted(journal, customers, instants, blocks=["calendar", Prophet()])
    found = audit_leakage(tables, pipeline, config=config, pairs=(customers, instants))
    assert found["name"].tolist() == ["prophet.n_payments"]
    assert found["n_pairs"].tolist() == [len(customers)]
    assert found["largest_difference"][0] >= 1
    at_one = pipeline.audit(tables, as_of=f"{DAYS[0]}T00:00Z", config=config)
    assert at_one["name"].tolist() == ["prophet.n_payments"]
    beyond = pipeline.audit(tables, as_of="2030-01-01T00:00Z", config=config)
    assert beyond.empty


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 110))
def test_rows_that_become_known_later_change_nothing(seed, day):
    tables = random_tables(5, random_state=seed)
    now = pd.Timestamp("2026-01-01T09:30Z") + pd.Timedelta(days=day)
    pipeline = FeaturePipeline().fit(Journal(tables), as_of=now)
    before = pipeline.transform(Journal(tables), as_of=now)
    # all that was known, plus another future of the same customers
    past = cut_tables(tables, now)
    other = random_tables(5, random_state=seed + 1)
    mixed = dict(past)
    for name in ("touches", "payments", "promises", "debt_snapshots", "consents"):
        event = {"touches": "started_at", "payments": "paid_at", "promises": "made_at",
                 "debt_snapshots": "observed_at", "consents": "changed_at"}[name]  # fmt: skip
        later = other[name][other[name][event] > now].copy()
        key = next((c for c in later if c in ("touch_id", "payment_id", "promise_id")), None)
        if key is not None:
            later[key] = "later-" + later[key]
        for reference in ("contact_point_id", "promise_id"):
            if reference in later and reference != key:
                later[reference] = None
        debts = set(past["debts"]["debt_id"])
        if "debt_id" in later:
            later = later[later["debt_id"].isna() | later["debt_id"].isin(debts)]
        mixed[name] = pd.concat([past[name], later], ignore_index=True)
    after = pipeline.transform(Journal(mixed), as_of=now)
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_population_rates_are_learned_from_what_was_known():
    tables, config, journal, customers, instants = built(4)
    early = instants == instants.min()
    now = pd.Timestamp(np.datetime64(int(instants.min()), "us"), tz="UTC")
    whole = fitted(journal, customers[early], instants[early])
    cut = Journal(
        cut_tables(tables, now, data_delay=config.data_delay),
        data_delay=config.data_delay,
        promise_grace_days=2,
    )
    part = FeaturePipeline().fit(cut, as_of=now)
    for a, b in zip(whole.blocks_, part.blocks_, strict=True):
        x, y = a.to_state()["fitted"], b.to_state()["fitted"]
        assert repr(x) == repr(y), a.name  # repr: NaN equals NaN
