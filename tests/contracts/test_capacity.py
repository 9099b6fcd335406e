"""The capacity table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contactopt.contracts import read_capacity
from contactopt.errors import ConfigError


def table(**more) -> pd.DataFrame:
    base = {"pool": ["b", "a", "a"], "date": ["2026-06-02"] * 3, "units": [10, 5, 7]}
    return pd.DataFrame({**base, "hour": [None, 9, None], **more})


def test_a_table_comes_out_typed_and_sorted():
    got = read_capacity(table())
    assert list(got.columns) == ["pool", "date", "hour", "units", "min_units", "until_date"]
    assert got["pool"].tolist() == ["a", "a", "b"]
    assert np.isnan(got["hour"][0]) and got["hour"][1] == 9.0
    assert got["units"].tolist() == [7.0, 5.0, 10.0]
    assert [str(t) for t in got.dtypes[["date", "until_date"]]] == ["datetime64[us]"] * 2
    pd.testing.assert_frame_equal(read_capacity(got), got)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_and_frames_say_the_same(tmp_path, suffix):
    path = tmp_path / f"capacity.{suffix}"
    frame = table()
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    pd.testing.assert_frame_equal(read_capacity(path), read_capacity(frame))


def test_no_rows_limit_nothing():
    assert len(read_capacity(pd.DataFrame(columns=["pool", "date", "units"]))) == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"units": [1, -2, 3]}, "units: negative in row(s) 2"),
        ({"units": [1, "many", 3]}, "units: not a number in row(s) 2"),
        ({"units": [1, None, 3]}, "units: empty in row(s) 2"),
        ({"min_units": [None, -1, None]}, "min_units: negative in row(s) 2"),
        ({"min_units": [None, 6, None]}, "min_units: above units in row(s) 2"),
        ({"hour": [24, 9, None]}, "hour: not a clock hour 0 to 23 in row(s) 1"),
        ({"hour": [9.5, 9, None]}, "hour: not a clock hour 0 to 23 in row(s) 1"),
        ({"date": ["2026-06-02", "June", "2026-06-02"]}, "date: not an instant or day in row(s) 2"),
        ({"date": [pd.Timestamp("2026-06-02T10:00Z")] * 3}, "date: give plain dates"),
        ({"pool": ["a", "a", "a"]}, "two rows for the same pool, date and hour in row(s) 1, 3"),
        ({"until_date": ["2026-06-01", None, None]}, "until_date: before date in row(s) 1"),
        ({"until_date": [None, "2026-06-05", None]}, "a budget over days has no hour in row(s) 2"),
        ({"colour": "red"}, "unknown column(s) colour"),
    ],
)
def test_faults_are_named(more, told):
    with pytest.raises(ConfigError) as caught:
        read_capacity(table(**more))
    assert told in str(caught.value)


def test_all_faults_come_at_once():
    with pytest.raises(ConfigError) as caught:
        read_capacity(table(units=[-1, 2, 3], hour=[30, 9, None]))
    assert "units: negative" in str(caught.value) and "hour: not a clock" in str(caught.value)
    with pytest.raises(ConfigError, match="missing column 'pool'"):
        read_capacity(pd.DataFrame({"date": [], "units": []}))
    with pytest.raises(ConfigError, match="no capacity file"):
        read_capacity("nowhere.csv")
    with pytest.raises(ConfigError, match="given as int"):
        read_capacity(3)
