"""polars and pyarrow frames at the door: the same portfolio as from pandas, whatever the types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest
from contract_tables import small_tables

from contactopt.contracts import Portfolio, ScoredBatch, read_capacity
from contactopt.errors import ContractError


def polars_of(frame: pd.DataFrame) -> pl.DataFrame:
    """Return a frame of polars' own types, made without pandas' help."""

    def plain(value: Any) -> Any:
        if value is None or value is pd.NaT or value != value:
            return None
        return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value

    return pl.DataFrame([pl.Series(str(c), [plain(v) for v in frame[c]]) for c in frame])


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    return {name: polars_of(frame) for name, frame in small_tables().items()}


@pytest.fixture(scope="module")
def wanted() -> str:
    return Portfolio.from_frames(small_tables()).content_hash


WAYS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "eager": lambda f: f,
    "lazy": lambda f: f.lazy(),
    "arrow": lambda f: f.to_arrow(),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_portfolio_from_polars(frames, wanted, way):
    given = {name: WAYS[way](frame) for name, frame in frames.items()}
    assert Portfolio.from_frames(given).content_hash == wanted


@pytest.mark.parametrize("way", WAYS)
def test_types_that_only_polars_has(frames, wanted, way):
    words = sorted(set(frames["touches"]["outcome"]))
    more = {
        "touches": frames["touches"].with_columns(
            pl.col("channel").cast(pl.Categorical),
            pl.col("outcome").cast(pl.Enum(words)),
            pl.col("cost").cast(pl.Decimal(10, 2)),
            pl.col("duration_s").cast(pl.Int32),
            pl.col("started_at").dt.cast_time_unit("ns"),
            pl.lit(None).alias("template_id"),
        ),
        "debts": frames["debts"].with_columns(
            pl.col("opened_at").str.to_date(),
            pl.col("delinquent_since").str.to_datetime(),
            pl.col("principal").cast(pl.Decimal(12, 2)),
        ),
        "customers": frames["customers"].with_columns(
            pl.col("jurisdiction").cast(pl.Categorical),
            pl.col("birth_year").cast(pl.Int16),
            pl.col("x_grade").cast(pl.Categorical),
        ),
        "promises": frames["promises"].with_columns(
            pl.col("due_at").str.to_date(),
            pl.col("made_at").dt.convert_time_zone("America/Bogota").dt.cast_time_unit("ms"),
        ),
        "holds": frames["holds"].with_columns(
            pl.col("detail").str.json_decode(
                pl.Struct({"from_hour": pl.Int64, "to_hour": pl.Int64})
            )
        ),
    }
    given = {name: WAYS[way](frame) for name, frame in {**frames, **more}.items()}
    portfolio = Portfolio.from_frames(given)
    assert portfolio.content_hash == wanted
    # a validity "to the end of time" is more than nanoseconds hold
    assert portfolio.tables["contact_points"]["valid_to"].max().year == 9999


def test_naive_instants_of_polars_are_a_fault(frames):
    naive = frames["touches"].with_columns(pl.col("started_at").dt.replace_time_zone(None))
    with pytest.raises(ContractError, match="started_at naive instants"):
        Portfolio.from_frames({**frames, "touches": naive})
    with pytest.raises(ContractError, match="table touches is given as dict"):
        Portfolio.from_frames({**frames, "touches": {"touch_id": ["T1"]}})


@pytest.mark.parametrize("way", WAYS)
def test_capacity_and_scores_from_polars(way):
    capacity = {"pool": ["a", "a"], "date": ["2026-03-02"] * 2, "hour": [9, None], "units": [3, 8]}
    given = WAYS[way](pl.DataFrame(capacity).with_columns(pl.col("date").str.to_date()))
    pd.testing.assert_frame_equal(read_capacity(given), read_capacity(pd.DataFrame(capacity)))
    scores = {
        "customer_id": ["C1", "C1", "C2", "C2"],
        "action_id": ["wait", "sms"] * 2,
        "channel": ["wait", "sms"] * 2,
        "allowed": [True, True, True, False],
        "reasons": ["", "", "", "consent"],
        "value": [0.0, 1.5, 0.0, 0.0],
        "cost": [0.0, 0.1, 0.0, 0.1],
    }
    asked: dict[str, Any] = {"as_of": "2026-06-02T12:00Z", "currency": "USD"}
    whole = ScoredBatch.from_frame(pd.DataFrame(scores), **asked).to_frame()
    frame = pl.DataFrame(scores).with_columns(pl.col("channel").cast(pl.Categorical))
    pd.testing.assert_frame_equal(
        ScoredBatch.from_frame(WAYS[way](frame), **asked).to_frame(), whole
    )
