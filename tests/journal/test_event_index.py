"""The event index: order, ties, cuts; folds against plain loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.journal.event_index import EventIndex
from contactopt.journal.folds import (
    FOREVER_US,
    decayed_sums,
    gap_statistics,
    largest,
    last_times,
    period_sums,
    window_sums,
)
from contactopt.journal.kernels import NEVER
from contactopt.journal.local_time import DAY_US

N_OWNERS = 4
event = st.tuples(
    st.integers(-1, N_OWNERS - 1),  # owner, -1: nobody's
    st.integers(0, 30),  # day of the event
    st.integers(0, 4),  # days until it is known
    st.one_of(st.none(), st.integers(0, 40)),  # day of the reversal
    st.integers(-1, 2),  # bucket
    st.integers(1, 100),  # value
)
events = st.lists(event, max_size=40)
pairs = st.lists(st.tuples(st.integers(0, N_OWNERS - 1), st.integers(-2, 40)), max_size=12)


def built(rows):
    owner = [r[0] for r in rows]
    time = np.array([r[1] for r in rows], dtype=np.int64) * DAY_US
    known = time + np.array([r[2] for r in rows], dtype=np.int64) * DAY_US
    until = np.array([NEVER if r[3] is None else r[3] * DAY_US for r in rows], dtype=np.int64)
    index = EventIndex.build(
        owner, N_OWNERS, time=time, known=known, ids=[f"e{k:03d}" for k in range(len(rows))],
        until=until,
    )  # fmt: skip
    bucket = np.array([r[4] for r in rows], dtype=np.int64)[index.rows]
    value = np.array([r[5] for r in rows], dtype=np.float64)[index.rows]
    return index, bucket, value


def seen(rows, owner, day):
    """Rows of an owner known and not reversed on a day, as (age in days, bucket, value)."""
    return [
        (day - r[1], r[4], r[5])
        for r in rows
        if r[0] == owner and r[1] + r[2] <= day and (r[3] is None or r[3] > day)
    ]


@settings(max_examples=150, deadline=None)
@given(events, pairs)
def test_folds_equal_plain_loops(rows, asked):
    index, bucket, value = built(rows)
    owners = np.array([o for o, _ in asked], dtype=np.int64)
    instants = np.array([d for _, d in asked], dtype=np.int64) * DAY_US
    windows = [3 * DAY_US, 10 * DAY_US, FOREVER_US]
    sums = window_sums(index, bucket, 3, windows, owners, instants, value)
    counts = window_sums(index, bucket, 3, windows, owners, instants)
    last = last_times(index, bucket, 3, owners, instants)
    periods = period_sums(index, value, 7 * DAY_US, 3, owners, instants)
    best = largest(index, value, owners, instants)
    decayed = decayed_sums(index, bucket, 3, 5.0 * DAY_US, owners, instants)
    for k, (owner, day) in enumerate(asked):
        mine = seen(rows, owner, day)
        for b in range(3):
            for w, days in enumerate((3, 10, 10**6)):
                chosen = [x for age, q, x in mine if q == b and age < days]
                assert counts[k, b, w] == len(chosen)
                assert sums[k, b, w] == sum(chosen)
            ages = [age for age, q, _ in mine if q == b]
            assert last[k, b] == ((day - min(ages)) * DAY_US if ages else NO_INSTANT)
            assert np.isclose(decayed[k, b], sum(0.5 ** (a / 5.0) for a in ages))
        for p in range(3):
            assert periods[k, p] == sum(x for age, _, x in mine if age // 7 == p)
        if mine:
            assert best[k] == max(x for _, _, x in mine)
        else:
            assert np.isnan(best[k])


@settings(max_examples=100, deadline=None)
@given(events, st.integers(-1, 40), st.randoms(use_true_random=False))
def test_one_cut_equals_many_pairs_and_row_order_is_nothing(rows, day, random):
    index, _, _ = built(rows)
    everybody = np.arange(N_OWNERS)
    at = index.at(day * DAY_US)
    positions, pair = index.pairs(everybody, np.full(N_OWNERS, day * DAY_US))
    assert at.tolist() == positions.tolist()
    assert index.owner[positions].tolist() == pair.tolist()
    assert sorted(index.rows[at]) == [
        k for k, r in enumerate(rows) if r[0] >= 0 and r[1] + r[2] <= day
    ]
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = [rows[k] for k in order]
    ids = [f"e{k:03d}" for k in order]
    time = np.array([r[1] for r in shuffled], dtype=np.int64)
    known = np.array([r[1] + r[2] for r in shuffled], dtype=np.int64)
    other = EventIndex.build(
        [r[0] for r in shuffled], N_OWNERS, time=time, known=known, ids=ids
    )  # fmt: skip
    assert [order[k] for k in other.rows] == index.rows.tolist()


def test_gaps_are_in_days_between_sorted_events():
    days = np.array([20, 0, 10]) * DAY_US
    index = EventIndex.build([0, 0, 0], 2, time=days, known=days, ids=["a", "b", "c"])
    found = gap_statistics(
        index, np.ones(3, bool), 12, np.array([0, 0, 1]), np.array([25, 12, 25]) * DAY_US
    )
    assert found[0].tolist() == [10.0, 0.0]
    assert found[1, 0] == 10.0 and np.isnan(found[1, 1])
    assert np.isnan(found[2]).all()


def test_an_index_without_events_answers():
    index = EventIndex.build([], 2, time=[], known=[], ids=[])
    owners, instants = np.array([0, 1]), np.array([5, 5])
    assert index.ends(owners, instants).tolist() == [0, 0]
    assert window_sums(index, [], 1, [DAY_US], owners, instants).tolist() == [[[0.0]], [[0.0]]]
    assert len(index.at(5)) == 0
