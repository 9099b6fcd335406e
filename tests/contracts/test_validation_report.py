"""What validate tells, and the typed errors behind it."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from contract_tables import T0, days, small_tables

from contactopt.config import StrategyConfig
from contactopt.contracts import TABLES, Portfolio, check_config, check_staleness
from contactopt.contracts.checks import as_instant, check_as_of, table_ages
from contactopt.contracts.usage import READERS, UNUSED_WORDS, readers
from contactopt.errors import ConfigError, ContractError, StalenessError

CONFIG = StrategyConfig.from_mapping({"exchange_rates": {"COP": 0.00025}})


@pytest.fixture(scope="module")
def small() -> Portfolio:
    return Portfolio.from_frames(small_tables())


def hours(n: float) -> pd.Timedelta:
    return pd.Timedelta(hours=n)


def test_a_sound_portfolio_is_ok(small):
    report = small.validate(CONFIG, T0 - days(1))
    assert report.ok and report.problems == ()
    report.raise_for_faults()
    assert report.rows["touches"] == 4
    assert json.loads(json.dumps(report.to_dict()))["customers"] == 3
    assert "customers: 3" in repr(report) and "<td>" in report._repr_html_()


def test_ages_by_newest_known_row_or_by_statement():
    tables = small_tables()
    tables["touches"]["recorded_at"] = T0 + hours(10)
    tables["promises"] = tables["promises"].iloc[:0]
    tables["payments"] = tables["payments"].iloc[:0]
    got = Portfolio.from_frames(tables, complete_to={"consents": T0, "holds": T0 - days(9)})
    ages = table_ages(got, None, T0 + hours(50)).set_index("table")
    assert ages["state"].to_dict() == {
        "touches": "warning",
        "payments": "empty",
        "debt_snapshots": "ok",
        "consents": "warning",
        "holds": "stale",
    }
    assert ages.loc["touches", "age_hours"] == 40.0
    # what is recorded later is not there yet: nothing of touches is known
    assert table_ages(got, None, T0).set_index("table").loc["touches", "state"] == "empty"


@pytest.mark.parametrize(
    ("as_of", "stale"),
    [
        (T0 - days(1) + hours(72), []),
        (T0 - days(1) + hours(73), ["payments"]),
        (T0 + days(3), ["payments", "touches"]),
        (T0 + days(45) + hours(1), ["debt_snapshots", "payments", "touches"]),
    ],
)
def test_stale_tables_are_refused_with_table_and_age(small, as_of, stale):
    config = CONFIG.model_copy(update={"max_staleness_hours": 72.0})
    tables = small_tables()
    tables["payments"].loc[0, "paid_at"] = T0 - days(1)
    tables["touches"].loc[3, "started_at"] = T0 - hours(1)
    got = Portfolio.from_frames(tables)
    if not stale:
        check_staleness(got, config, as_of)
        return
    with pytest.raises(StalenessError) as caught:
        check_staleness(got, config, as_of)
    assert sorted(t for t in TABLES if f"{t} is" in str(caught.value)) == stale
    report = got.validate(config, as_of)
    assert not report.ok
    with pytest.raises(StalenessError):
        report.raise_for_faults()


def test_complete_to_speaks_for_a_quiet_table(small):
    got = Portfolio.from_frames(
        small_tables(), complete_to={"touches": T0 + days(30), "payments": "2026-04-01T00:00Z"}
    )
    check_staleness(got, CONFIG, T0 + days(30))
    with pytest.raises(StalenessError):
        check_staleness(small, CONFIG, T0 + days(30))


def test_complete_to_must_be_an_instant_of_a_table():
    with pytest.raises(ContractError) as caught:
        Portfolio.from_frames(small_tables(), complete_to={"holds": "2026-01-01", "hols": T0})
    assert {(f.table, f.check) for f in caught.value.faults} == {
        ("holds", "naive or unreadable instant"),
        ("hols", "unknown table"),
    }


def test_an_instant_before_any_data_is_refused(small):
    with pytest.raises(ContractError, match="lies before any data"):
        check_as_of(small, "2020-01-01T00:00Z")
    with pytest.raises(ContractError, match="lies before any data"):
        small.validate(CONFIG, "2020-01-01T00:00Z").raise_for_faults()
    with pytest.raises(ConfigError, match="no time zone"):
        as_instant("2026-01-01T00:00")
    with pytest.raises(ConfigError, match="no instant"):
        as_instant("soon")


def test_missing_rates_and_unknown_pools_come_at_once():
    rows = {"pool": ["call_agnt", "email"], "date": ["2026-03-03"] * 2, "units": [1, 2]}
    got = Portfolio.from_frames(small_tables(), capacity=pd.DataFrame(rows))
    with pytest.raises(ConfigError) as caught:
        check_config(got, StrategyConfig())
    assert "no exchange rate for COP" in str(caught.value)
    assert "unknown pool(s) call_agnt (did you mean 'call_agent'?)" in str(caught.value)
    config = StrategyConfig.from_mapping(
        {"exchange_rates": {"COP": 0.1}, "pools": {"call_agnt": {"unit": "minutes"}}}
    )
    check_config(got, config)


def test_delays_are_measured_where_rows_say_when_they_were_recorded():
    tables = small_tables()
    paid = tables["payments"]["paid_at"]
    tables["payments"]["recorded_at"] = [paid[0] + hours(10), paid[1] + hours(30)]
    delays = Portfolio.from_frames(tables).validate().delays
    assert delays.to_dict("records") == [
        {"table": "payments", "rows": 2, "median_hours": 20.0, "p95_hours": 29.0}
    ]


def test_quarantine_is_counted(small):
    tables = small_tables()
    tables["holds"].loc[0, "debt_id"] = "D99"
    report = Portfolio.from_frames(tables, max_quarantined_share=0.5).validate(CONFIG)
    assert report.n_quarantined_customers == 1 and report.ok
    assert report.faults.to_dict("records") == [
        {"table": "holds", "column": "debt_id", "check": "not in debts", "rows": 1}
    ]
    assert "1 in quarantine" in repr(report)


def test_every_column_and_word_has_its_line_in_the_list_of_readers():
    assert {t: set(c) for t, c in READERS.items()} == {t: set(s.columns) for t, s in TABLES.items()}
    for (table, column), words in UNUSED_WORDS.items():
        assert set(words) <= set(TABLES[table].columns[column].words)
    listed = readers()
    assert not listed.duplicated(["table", "column", "word"]).any()
    assert len(listed[listed["word"] == "hung_up"]) == 2


def test_what_nobody_reads_is_named_only_where_the_data_fill_it(small):
    unread = {f"{t}.{c}" for t, cs in READERS.items() for c, r in cs.items() if r is None}
    named = set(small.validate().not_used_yet)
    assert named <= unread
    assert "notices.kind" not in named


def test_every_column_has_a_short_description_and_units_in_words():
    for spec in TABLES.values():
        assert spec.description
        for column in spec.columns.values():
            assert 2 < len(column.description) < 90, (spec.name, column.name)
            if column.name.endswith("_s"):
                assert "seconds" in column.description
            if column.name.endswith("_share") or column.name == "propensity":
                assert "share" in column.description
