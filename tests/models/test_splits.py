"""Folds keep customers and time apart and do not depend on the order of the rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactopt.errors import ContactoptError
from contactopt.models.learners.splits import (
    cross_fit_folds,
    group_hash,
    own_hash,
    row_hash,
    temporal_split,
)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.integers(12, 200), st.integers(2, 5))
def test_temporal_split_keeps_groups_and_instants_apart(seed, n, n_folds):
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 50, size=n)
    groups = rng.integers(0, 15, size=n)
    for train, valid in temporal_split(times, groups, n_folds=n_folds):
        assert times[train].max() < times[valid].min()
        assert not set(groups[train]) & set(groups[valid])


def test_embargo_leaves_the_days_before_out():
    times = pd.date_range("2026-01-01", periods=100, freq="D", tz="UTC")
    [(train, valid)] = temporal_split(times, valid_share=0.2, embargo=10 * 86_400_000_000)
    assert valid.min() == 80 and train.max() == 69


def test_without_later_time_there_is_no_temporal_split():
    assert temporal_split(np.zeros(10)) == []
    assert temporal_split([]) == []
    with pytest.raises(ContactoptError, match="10 times but 3 groups"):
        temporal_split(np.arange(10), [1, 2, 3])


def test_random_folds_are_stratified_complete_and_follow_their_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)), np.repeat([0.0, 1.0], [60, 30])
    folds = cross_fit_folds(row_hash(X, y), 3, strata=y)
    assert sorted(np.concatenate([v for _, v in folds])) == list(range(90))
    assert [y[v].sum() for _, v in folds] == [10, 10, 10]
    shuffled = rng.permutation(90)
    again = cross_fit_folds(row_hash(X[shuffled], y[shuffled]), 3, strata=y[shuffled])
    for (_, first), (_, second) in zip(folds, again, strict=True):
        assert set(first) == set(shuffled[second])


def test_hashes_see_content_only():
    a = np.array([[0.0, np.nan], [1.0, 2.0]])
    b = np.array([[-0.0, np.nan], [2.0, 1.0]])
    assert row_hash(a)[0] == row_hash(b)[0]
    assert row_hash(a)[1] != row_hash(b)[1]
    assert row_hash(a)[1] != row_hash(a, random_state=1)[1]
    assert group_hash(["C-1", "C-2", "C-1"])[0] == group_hash(pd.Series(["C-1"]))[0]
    assert len(row_hash(np.zeros((0, 3)))) == 0


def test_rows_of_one_content_are_spread_over_the_folds():
    """Else all payers of a kind would be held out together, and missing from training."""
    x = np.repeat(np.arange(4.0), 300)
    y = np.tile([0.0, 0.0, 1.0], 400)
    hashes = own_hash(x, y)
    assert len(np.unique(hashes)) == len(x)
    rate = np.bincount(x.astype(int), weights=y) / 300
    for train, _ in cross_fit_folds(hashes, 3):
        n = np.bincount(x[train].astype(int))
        there = np.bincount(x[train].astype(int), weights=y[train]) / n
        assert np.abs(there - rate).max() < 0.06
    # a row that is alone keeps the hash of its content; no row, no hash
    single = np.arange(50.0)
    assert (own_hash(single) == row_hash(single)).all()
    assert len(own_hash(np.zeros(0))) == 0
