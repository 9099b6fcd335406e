"""The catalogue tells the contract as it is: its own examples load without a fault."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from contactopt.contracts import TABLES, Portfolio
from contactopt.contracts.capacity import read_capacity
from contactopt.contracts.catalogue import (
    CATALOGUE_TABLES,
    column_catalogue,
    json_schema,
    table_catalogue,
)
from contactopt.contracts.usage import READERS
from contactopt.errors import ConfigError


def example(table: str) -> pd.DataFrame:
    columns = column_catalogue(table)
    return pd.DataFrame([dict(zip(columns["column"], columns["example"], strict=True))])


def test_the_examples_are_one_sound_portfolio() -> None:
    portfolio = Portfolio.from_frames({name: example(name) for name in TABLES})
    assert list(portfolio.customer_ids) == ["C-17"]
    assert portfolio.dropped_columns == {}
    assert all(len(frame) == 1 for frame in portfolio.tables.values())
    assert len(read_capacity(example("capacity").drop(columns="hour"))) == 1


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_told_required_ones_first(table: str) -> None:
    columns = column_catalogue(table).set_index("column")
    spec = TABLES[table]
    assert set(columns.index) == set(spec.columns)
    assert columns["required"].is_monotonic_decreasing
    assert columns["required"].to_dict() == {n: c.required for n, c in spec.columns.items()}
    assert (columns["example"] != "").all() and (columns["description"] != "").all()


def test_null_and_words_are_told() -> None:
    holds = column_catalogue("holds").set_index("column")
    assert holds["null"].to_dict() == {
        **dict.fromkeys(("hold_id", "customer_id", "kind", "starts_at"), False),
        **dict.fromkeys(("debt_id", "channel", "contact_point_id", "ends_at"), True),
        **dict.fromkeys(("detail", "recorded_at"), True),
    }
    assert "breathing_space" in holds.loc["kind", "words"]
    assert holds.loc["detail", "reader"] == "compliance: suppression"
    assert column_catalogue("customers").set_index("column").loc["time_zone", "words"] == []


def test_json_schema_says_the_same() -> None:
    told = json_schema("consents")
    assert told["required"] == ["customer_id", "channel", "changed_at", "status"]
    assert told["x-key"] == ["customer_id", "channel", "changed_at", "contact_point_id"]
    assert told["properties"]["status"]["enum"] == ["granted", "revoked"]
    assert told["properties"]["contact_point_id"]["type"] == ["string", "null"]
    assert told["properties"]["changed_at"]["format"] == "date-time"
    assert json_schema("touches")["properties"]["cost"]["x-reader"] is READERS["touches"]["cost"]
    json.dumps({name: json_schema(name) for name in CATALOGUE_TABLES}, allow_nan=False)
    channel = json_schema("holds")["properties"]["channel"]
    assert None in channel["enum"]


def test_all_tables_stand_in_the_list() -> None:
    told = table_catalogue().set_index("table")
    assert list(told.index) == list(CATALOGUE_TABLES)
    assert set(told.index[told["needed"] == "yes"]) == {n for n, s in TABLES.items() if s.needed}
    assert told.loc["debt_snapshots", "key"] == "debt_id, observed_at"


def test_an_unknown_table_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'payments'"):
        column_catalogue("payment")
