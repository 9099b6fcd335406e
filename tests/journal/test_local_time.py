"""Local days, hours and slots against the standard library, daylight saving included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactopt.contracts.action_space import ActionSpace
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import ContractError
from contactopt.journal.local_time import (
    DAY_US,
    HOUR_US,
    SlotWindow,
    instant_of,
    local_day,
    local_day_end,
    local_day_start,
    local_hour,
    local_us,
    to_us,
    zone_offsets,
)

ZONES = (
    "America/New_York",
    "America/Bogota",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Apia",
    "America/Sao_Paulo",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(min_value=0, max_value=int(3.5e15))
zones = st.sampled_from(ZONES)
EVERY_HOUR = ActionSpace.from_channels({"sms": list(range(24)), "letter": [None]})


def wall(us: int, zone: str) -> datetime:
    return (EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(zone))


@settings(max_examples=300, deadline=None)
@given(instants, zones)
def test_days_and_hours_equal_zoneinfo(us, zone):
    expected = wall(us, zone)
    days = (expected.date() - EPOCH.date()).days
    assert local_day([us], zone)[0] == days
    assert local_hour([us], zone)[0] == expected.hour


def test_zones_may_differ_by_element_and_null_means_utc():
    us = np.full(3, to_us("2026-06-02T03:30Z"))
    zone = np.array(["America/Bogota", None, "Asia/Kathmandu"], dtype=object)
    assert local_hour(us, zone).tolist() == [22, 3, 9]
    assert local_hour(us, pd.Series(zone, dtype="str")).tolist() == [22, 3, 9]


def test_absent_instants_stay_absent():
    assert local_day([NO_INSTANT], "Asia/Kathmandu")[0] == NO_INSTANT
    assert local_us([NO_INSTANT], "America/New_York")[0] == NO_INSTANT
    assert local_hour([NO_INSTANT], "UTC")[0] == -1
    assert local_day_start([NO_INSTANT], "America/New_York")[0] == NO_INSTANT
    assert local_day_end([NO_INSTANT], "UTC")[0] == NO_INSTANT
    assert local_day([], "UTC").shape == (0,)
    assert local_day(np.array([], dtype=np.int64), np.array([], dtype=object)).shape == (0,)


@settings(max_examples=200, deadline=None)
@given(instants, zones)
def test_a_local_day_begins_and_ends_where_the_date_changes(us, zone):
    day = local_day([us], zone)
    start, end = int(local_day_start(day, zone)[0]), int(local_day_end(day, zone)[0])
    # Samoa skipped a whole day in 2011: a day that never was begins and ends at the jump
    assert wall(start, zone).date() == wall(us, zone).date() == wall(end, zone).date()
    assert wall(start - 1, zone).date() < wall(us, zone).date() < wall(end + 1, zone).date()


@settings(max_examples=200, deadline=None)
@given(instants, zones)
def test_wall_clocks_lead_back_to_their_first_instant(us, zone):
    shown = local_us([us], zone)
    back = int(instant_of(shown, zone)[0])
    assert back <= us and us - back <= DAY_US
    assert local_us([back], zone)[0] == shown[0]


def test_an_instant_needs_a_zone():
    with pytest.raises(ContractError, match="no time zone"):
        to_us("2026-06-02T12:00")
    with pytest.raises(ContractError, match="unknown time zone"):
        zone_offsets("America/Nowhere")


def slots_by_walking(begin: int, zone: str) -> tuple[dict[int, int], dict[int, int]]:
    """Minute by minute: where each hour first begins inside the day, and where it ends."""
    start, end = {}, {}
    minute = 60_000_000
    first = -(-begin // minute) * minute
    for us in range(first, begin + DAY_US, minute):
        now, before = wall(us, zone), wall(us - minute, zone)
        fresh = now.hour != before.hour or now.minute == 0
        if fresh and now.hour not in start:
            start[now.hour] = us
            stop = us + minute
            # where an hour is shown for longer (autumn), its first sixty minutes are the slot
            while wall(stop, zone).hour == now.hour and stop < us + HOUR_US - now.minute * minute:
                stop += minute
            end[now.hour] = stop
    return start, end


@pytest.mark.parametrize(
    ("as_of", "zone"),
    [
        ("2026-03-08T03:10Z", "America/New_York"),  # spring: 2 h is skipped
        ("2026-11-01T03:10Z", "America/New_York"),  # autumn: 1 h comes twice
        ("2026-10-31T15:30Z", "America/New_York"),
        ("2026-04-04T10:20Z", "Australia/Lord_Howe"),  # half an hour back
        ("2026-10-03T10:20Z", "Australia/Lord_Howe"),  # half an hour forward, into 2:30
        ("2026-06-02T12:00Z", "Asia/Kathmandu"),
        ("2026-06-02T12:00Z", "America/Bogota"),
    ],
)
def test_slots_begin_at_the_first_occurrence_of_their_hour(as_of, zone):
    window = SlotWindow(as_of, 30, EVERY_HOUR)
    start, end = slots_by_walking(window.begin_us, zone)
    expected_start = [start.get(h, NO_INSTANT) for h in range(24)]
    expected_end = [end.get(h, NO_INSTANT) for h in range(24)]
    assert window.starts(zone).tolist() == [*expected_start, NO_INSTANT]
    assert window.ends(zone).tolist() == [*expected_end, NO_INSTANT]


def test_a_slot_that_began_before_the_window_is_the_next_day():
    window = SlotWindow("2026-06-02T09:45Z", 30, EVERY_HOUR)
    starts = window.starts("UTC")
    assert starts[10] == to_us("2026-06-03T10:00Z")
    assert starts[11] == to_us("2026-06-02T11:00Z")
    assert (window.ends("UTC")[:24] - starts[:24] == HOUR_US).all()
    assert window.starts(None).tolist() == starts.tolist()
