"""The compiled loops of compliance do what their slow readings do, on random arrays."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import verdict_oracle as slow

from contactopt.compliance import local_days, verdict_loops
from contactopt.contracts.scored_batch import NO_INSTANT

DAY_US = 86_400_000_000


class Arrays:
    """A small random block: customers with no, one or several rows."""

    def __init__(self, seed: int, words: int = 2) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.n, self.m, self.c, self.keys = int(rng.integers(1, 9)), 7, 3, 4
        counts = rng.integers(0, 4, self.n)
        rows = int(counts.sum())
        self.customer = np.repeat(np.arange(self.n), counts)
        order = rng.permutation(rows)
        self.customer = self.customer[order]
        self.ranked = np.lexsort((rng.random(rows), self.customer))
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.rows_of = [
            self.ranked[self.starts[i] : self.starts[i + 1]].tolist() for i in range(self.n)
        ]
        self.key = rng.integers(0, self.keys, rows)
        self.channel_of = rng.integers(0, self.c, self.m)
        self.bits = rng.integers(0, 3, (words, rows, self.m)).astype(np.uint64)
        self.bits[-1] <<= np.uint64(62)
        self.allowed = ~(self.bits != 0).any(axis=0)
        self.open_row = rng.random(rows) < 0.7
        self.with_zone = rng.random(rows) < 0.8
        self.release = rng.integers(-5, 60, (rows, self.m))
        self.release[rng.random(self.release.shape) < 0.2] = slow.LAST
        self.release[rng.random(self.release.shape) < 0.2] = slow.FIRST

    def best(self):
        best = np.zeros((self.n, self.m), dtype=np.int64)
        some = np.zeros((self.n, self.m), dtype=bool)
        verdict_loops.best_of(self.allowed, self.starts, self.ranked, best, some)
        return best, some


@pytest.mark.parametrize("own_arm", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_rows_are_laid_out(seed, own_arm):
    x = Arrays(seed)
    rows = len(x.key)
    action = x.rng.integers(0, x.m, (rows, 1)) if own_arm else np.arange(x.m)[None, :]
    channel = x.channel_of[action]
    times = (
        x.rng.integers(0, 99, (x.keys, x.m)),
        x.rng.integers(0, 99, (x.keys, x.m)),
        x.rng.integers(0, 9, (2, x.keys, x.m)).astype(np.uint64),
    )
    denied = x.rng.integers(0, 9, (2, rows, x.c)).astype(np.uint64)
    released = x.rng.integers(0, 99, (rows, x.c))
    shape = (rows, action.shape[1])
    out = [np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty((2, *shape), np.uint64)]
    out.append(np.empty(shape, np.int64))
    verdict_loops.lay_out(*times, x.key, action, channel, denied, released, *out)
    for mine, theirs in zip(
        out, slow.lay_out(times, x.key, action, channel, denied, released), strict=True
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("seed", range(10))
def test_the_best_row_and_the_union_of_reasons(seed):
    x = Arrays(seed)
    best, some = x.best()
    truth = slow.best_of(x.allowed, x.rows_of)
    assert np.array_equal(best, truth[0]) and np.array_equal(some, truth[1])
    code = np.full(some.shape, -1, dtype=np.int32)
    sets, table = np.empty((64, 2), dtype=np.uint64), np.full(128, -1, dtype=np.int32)
    count = verdict_loops.reason_codes(
        x.bits, some, x.open_row, x.starts, x.ranked, code, sets, table
    )
    expected = slow.unions(x.bits, some, x.open_row, x.rows_of)
    found = {
        (i, a): tuple(map(int, sets[code[i, a]])) for i, a in zip(*np.nonzero(~some), strict=True)
    }
    assert found == expected
    assert count == len(set(expected.values()))
    assert (code[some] == -1).all()


def test_more_sets_than_there_is_room_for_are_told():
    x = Arrays(3)
    x.bits[0] = np.arange(x.bits[0].size, dtype=np.uint64).reshape(x.bits[0].shape) + np.uint64(1)
    x.open_row[:] = True
    _, some = x.best()
    some[:] = False
    code = np.full(some.shape, -1, dtype=np.int32)
    sets, table = np.empty((2, 2), dtype=np.uint64), np.full(4, -1, dtype=np.int32)
    assert (
        verdict_loops.reason_codes(x.bits, some, x.open_row, x.starts, x.ranked, code, sets, table)
        == -1
    )


@pytest.mark.parametrize("seed", range(10))
def test_the_first_instant_that_opens(seed):
    x = Arrays(seed)
    _, some = x.best()
    groups = 3
    group_of = x.rng.integers(0, groups, x.m)
    lists = [
        [np.sort(x.rng.integers(0, 80, int(x.rng.integers(0, 5)))) for _ in range(groups)]
        for _ in range(x.keys)
    ]
    flat = [own for by_group in lists for own in by_group]
    list_of = np.arange(x.keys * groups).reshape(x.keys, groups)
    until = x.rng.integers(20, 120, (len(x.key), x.c))
    begin, out = 10, np.empty(some.shape, dtype=np.int64)
    verdict_loops.first_opens(
        some, x.allowed, x.release, begin, until, x.channel_of, x.key, group_of, list_of,
        np.cumsum([0, *map(len, flat)]), np.concatenate(flat), x.open_row, x.with_zone, x.starts,
        x.ranked, out,
    )  # fmt: skip
    judged = (some, x.allowed, x.release, x.open_row, x.with_zone)
    by_action = until[:, x.channel_of]
    latest = np.full((x.keys, groups), slow.FIRST)
    verdict_loops.latest_release(
        some, x.allowed, x.release, x.customer, x.key, group_of, x.open_row, x.with_zone, latest
    )
    waiting: dict[tuple[int, int], int] = {}
    for i, rows in enumerate(x.rows_of):
        for a in range(x.m):
            truth = slow.first_open(
                i, a, rows, judged, begin, by_action, lambda r, k: lists[x.key[r]][group_of[k]]
            )
            assert out[i, a] == truth
            for r in rows:
                waits = x.open_row[r] and x.with_zone[r] and not x.allowed[r, a]
                if waits and not some[i, a] and x.release[r, a] != slow.LAST:
                    at = (int(x.key[r]), int(group_of[a]))
                    waiting[at] = max(waiting.get(at, NO_INSTANT + 1), int(x.release[r, a]))
    expected = np.full(latest.shape, slow.FIRST)
    for at, value in waiting.items():
        expected[at] = value
    assert np.array_equal(latest, expected)


SETS = (
    (),
    ("America/New_York",),
    ("America/Bogota", "America/New_York", "Australia/Lord_Howe"),
    ("Asia/Kolkata", "Africa/Cairo"),
    ("America/Santiago", "Asia/Beirut"),  # clocks that jump at midnight
)


@pytest.mark.parametrize("week", [-1, 3, 4])
def test_local_days_begin_as_the_clocks_say(week):
    rng = np.random.default_rng(week + 1)
    table = local_days.zone_table(SETS)
    edges = np.array([1_772_953_200, 1_793_509_200, 1_775_340_000, 1_757_215_200]) * 1_000_000
    near = edges[rng.integers(0, 4, 60)] + rng.integers(-2 * DAY_US, 2 * DAY_US, 60)
    us = np.append(near, rng.integers(0, 2 * 10**15, 40))
    which = rng.integers(0, len(SETS), len(us))
    for shift in (-3, 0, 1, 8):
        first, last = local_days.day_edges(table, us, which, shift, week)
        for k in range(len(us)):
            truth = slow.day_edge(int(us[k]), SETS[which[k]], shift, week)
            assert (int(first[k]), int(last[k])) == truth, (us[k], SETS[which[k]], shift)
    absent = np.array([NO_INSTANT])
    assert local_days.day_edges(table, absent, np.array([1]), 0)[0][0] == NO_INSTANT
