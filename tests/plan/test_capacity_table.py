"""The capacity table: faults named at once; dates, hours, paces and closed slots."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scored import AS_OF, make_batch

from contactopt.config import PoolConfig
from contactopt.contracts.scored_batch import NO_INSTANT
from contactopt.errors import CapacityError, ConfigError
from contactopt.plan import rank
from contactopt.plan.prices.capacity_rows import CLOSED, map_cells
from contactopt.plan.prices.capacity_table import capacity_table
from contactopt.policy import ContactPolicy

KNOWN = {"call_agent", "sms", "email", "letter"}


def table(*rows, columns=("pool", "date", "hour", "units")):
    return pd.DataFrame(list(rows), columns=list(columns))


def test_unknown_pools_are_named_with_the_likely_word():
    raw = table(("call_agnt", "2026-06-02", None, 1), ("sms", "2026-06-02", None, 1))
    with pytest.raises(ConfigError, match=r"did you mean 'call_agent'\?") as caught:
        capacity_table(raw, KNOWN)
    assert "call_agent, email, letter, sms" in str(caught.value)


def test_faults_of_the_table_itself_are_the_contracts(tmp_path):
    with pytest.raises(ConfigError, match="units"):
        capacity_table(pd.DataFrame({"pool": ["sms"], "date": ["2026-06-02"]}), KNOWN)
    with pytest.raises(ConfigError, match="no capacity file"):
        capacity_table(tmp_path / "capacity.csv", KNOWN)


def test_csv_parquet_and_frame_say_the_same_in_any_order(tmp_path):
    frame = table(("sms", "2026-06-02", None, 5), ("email", "2026-06-02", 9, 2.5))
    frame.to_csv(tmp_path / "c.csv", index=False)
    frame.iloc[::-1].to_parquet(tmp_path / "c.parquet")
    wanted = capacity_table(frame, KNOWN)
    for source in (tmp_path / "c.csv", str(tmp_path / "c.parquet")):
        pd.testing.assert_frame_equal(capacity_table(source, KNOWN), wanted)
    assert list(wanted["hour"]) == [9, -1]


def cells_of(frame, pools=None, n=60):
    batch = make_batch(n)
    return batch, map_cells(batch, capacity_table(frame, KNOWN), pools or {})


def test_slots_fall_on_the_pools_own_hour_and_date():
    zone = "America/Bogota"
    frame = table(*(("sms", d, h, 100 + h) for d in ("2026-06-02", "2026-06-03")
                    for h in range(24)))  # fmt: skip
    batch, cells = cells_of(frame, {"sms": PoolConfig(time_zone=zone)})
    sms = np.flatnonzero([a.channel == "sms" for a in batch.actions])
    for i in range(20):
        for a in sms:
            at = pd.Timestamp(batch.slot_start[i, a], unit="us", tz="UTC").tz_convert(zone)
            covering = np.flatnonzero(cells.rows.cover[:, cells.cell[i, a]])
            label = f"sms {at.date()} {at.hour:02d}h"
            assert [cells.rows.label[k] for k in covering] == [label]
            assert cells.rows.units[covering[0]] == 100 + at.hour


def test_day_and_hour_rows_nest_and_uncovered_or_empty_slots_are_closed():
    frame = table(("sms", "2026-06-02", None, 50), ("sms", "2026-06-02", 15, 0),
                  ("email", "2026-06-02", 15, 7))  # fmt: skip
    batch, cells = cells_of(frame)
    known = batch.slot_start != NO_INSTANT
    day = batch.slot_start // 86_400_000_000 * 86_400_000_000
    first = day == AS_OF.normalize().value // 1000
    utc_hour = (batch.slot_start - day) // 3_600_000_000
    channel = np.array([a.channel for a in batch.actions])[None, :]
    open_sms = known & first & (utc_hour != 15) & (channel == "sms")
    closed_sms = known & (~first | (utc_hour == 15)) & (channel == "sms")
    closed_email = known & (~first | (utc_hour != 15)) & (channel == "email")
    assert open_sms.any() and closed_sms.any() and closed_email.any()
    assert (cells.cell[open_sms] >= 0).all()
    assert (cells.cell[closed_sms] == CLOSED).all()
    assert (cells.cell[closed_email] == CLOSED).all()
    free = cells.rows.cover.shape[1]
    assert (cells.cell[np.broadcast_to(channel == "call_agent", cells.cell.shape)] == free).all()


def test_hourless_actions_fall_on_the_day_of_as_of():
    batch, cells = cells_of(table(("letter", "2026-06-02", None, 3)))
    letter = [a.channel == "letter" for a in batch.actions].index(True)
    assert cells.rows.label == ("letter 2026-06-02",)
    assert (cells.cell[:, letter] == 0).all()
    _, only_hours = cells_of(table(("letter", "2026-06-02", 9, 3)))
    assert (only_hours.cell[:, letter] == CLOSED).all()


def test_a_budget_until_a_day_is_spent_at_an_even_pace():  # 003-07
    frame = table(("sms", "2026-06-01", "2026-06-11", 100),
                  columns=("pool", "date", "until_date", "units"))  # fmt: skip
    _, cells = cells_of(frame)
    # ten days remain, the batch's own included
    units = dict(zip(cells.rows.label, cells.rows.units, strict=True))
    assert units == {"sms 2026-06-02": 10.0}


def test_reasons_name_the_closed_pool_and_nothing_is_planned_there():
    batch = make_batch(80)
    frame = table(("sms", "2026-06-02", None, 0))
    plan = rank(batch, capacity=frame, policy=ContactPolicy(holdout_share=0.0))
    sms = [a.channel == "sms" for a in batch.actions]
    assert (plan.allocation.probabilities[:, :-1][:, sms] == 0).all()
    assert plan.summary()["blocked_by_rule"]["capacity.closed"] == int(batch.allowed[:, sms].sum())
    less_than_one = rank(batch, capacity=table(("sms", "2026-06-02", None, 0.6)))
    assert (less_than_one.allocation.probabilities[:, :-1][:, sms] == 0).all()


def test_minimum_units_are_met_or_refused():
    batch = make_batch(300, seed=3)
    columns = ("pool", "date", "units", "min_units")
    frame = table(("letter", "2026-06-02", 150, 120), columns=columns)
    free = rank(batch, capacity=None).to_frame()
    plan = rank(batch, capacity=frame)
    assert (free["channel"] == "letter").sum() < 100
    assert 120 <= (plan.to_frame()["channel"] == "letter").sum() <= 150
    assert plan.allocation.row_prices[0] < 0  # the minimum costs
    with pytest.raises(CapacityError, match="letter 2026-06-02"):
        rank(batch, capacity=table(("letter", "2026-06-02", 400, 350), columns=columns))
