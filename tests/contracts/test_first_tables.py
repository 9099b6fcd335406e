"""Tables as a newcomer hands them in: read as the contract says, or told with the way on."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd
import pytest
from contract_tables import T0, days, small_tables

from contactopt.contracts import Portfolio
from contactopt.contracts.checks import as_instant, check_staleness
from contactopt.contracts.completeness import read_complete_to
from contactopt.contracts.instants import written_instant
from contactopt.errors import ConfigError, ContractError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "portfolio"
    place.mkdir()
    for name, frame in small_tables().items():
        frame.to_csv(place / f"{name}.csv", index=False)
    return place


def told(tables) -> str:
    with pytest.raises(ContractError) as caught:
        Portfolio.from_folder(tables) if isinstance(tables, Path) else Portfolio.from_frames(tables)
    return str(caught.value)


# ---- instants ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["05/06/2026 12:00Z", "5 June 2026 12:00Z", "06-05-2026 12:00Z", "2026-13-01T00:00Z", "1"],
)
def test_an_instant_is_iso_or_none(text):
    # pandas reads the first as the sixth of May, without a word
    assert written_instant(text) is None
    with pytest.raises(ConfigError, match="as_of is no instant"):
        as_instant(text)
    assert [f.table for f in read_complete_to({"touches": text})[1]] == ["touches"]


@pytest.mark.parametrize(
    "text",
    ["2026-06-05T12:00Z", " 2026-06-05 07:00-05:00", "20260605T1200Z", "2026-06-05T12:00:00+00"],
)
def test_iso_instants_of_any_form_are_the_same(text):
    assert as_instant(text) == pd.Timestamp("2026-06-05T12:00Z")


def test_instants_that_are_no_text_stay_what_they_are():
    when = pd.Timestamp("2026-06-05T07:00", tz="America/Bogota")
    assert as_instant(when) == as_instant(when.to_pydatetime()) == pd.Timestamp("2026-06-05T12:00Z")
    assert written_instant(None) is None


# ---- names ---------------------------------------------------------------------------------------


def test_a_missing_column_names_the_one_that_is_meant():
    tables = small_tables()
    tables["customers"] = tables["customers"].rename(columns={"jurisdiction": "juridiction"})
    assert "customers.jurisdiction missing column: is it `juridiction`?" in told(tables)
    tables["customers"] = small_tables()["customers"].rename(columns=str.upper)
    text = told(tables)
    assert "is it `CUSTOMER_ID`?" in text
    assert "is it `JURISDICTION`?" in text


def test_the_closing_of_a_debt_is_not_dropped_for_its_spelling():
    tables = small_tables()
    debts = tables["debts"].drop(columns="closed_at", errors="ignore")
    tables["debts"] = debts.assign(closedAt=T0)
    assert "debts.closedAt misspelt column: did you mean `closed_at`?" in told(tables)


def test_columns_left_out_are_named_once(caplog):
    tables = small_tables()
    tables["holds"] = tables["holds"].drop(columns="ends_at", errors="ignore").assign(end_at=T0)
    with caplog.at_level(logging.WARNING, "contactopt.contracts.load"):
        portfolio = Portfolio.from_frames(tables)
    assert len(caplog.messages) == 1
    assert "holds: end_at (is it `ends_at`?)" in caplog.messages[0]
    assert "shoe_size" in caplog.messages[0]
    assert "end_at (is it `ends_at`?)" in repr(portfolio.validate())


def test_capacity_may_lie_among_the_tables():
    capacity = pd.DataFrame({"pool": ["sms"], "date": ["2026-03-02"], "units": [5]})
    portfolio = Portfolio.from_frames({**small_tables(), "capacity": capacity})
    assert portfolio.capacity is not None
    assert portfolio.capacity["units"].tolist() == [5.0]
    other = capacity.assign(units=7)
    both = Portfolio.from_frames({**small_tables(), "capacity": capacity}, capacity=other)
    assert both.capacity["units"].tolist() == [7.0]
    none = Portfolio.from_frames({**small_tables(), "capacity": pd.DataFrame()})
    assert none.capacity is not None
    assert none.capacity.empty
    with pytest.raises(ContractError, match="tables are given as list"):
        Portfolio.from_frames([capacity])


# ---- folders -------------------------------------------------------------------------------------


def test_one_folder_too_high(folder):
    assert f"they lie in {folder}" in told(folder.parent)


@pytest.mark.parametrize("name", ["Touches.CSV", "touches.csv.gz", "touches.xlsx", "touches.tsv"])
def test_a_table_in_another_form_is_named(folder, name):
    (folder / "touches.csv").rename(folder / name)
    text = told(folder)
    assert f"{name}: give Parquet or text, named touches.parquet or touches.csv" in text
    assert "missing table" not in text


def test_an_optional_table_in_another_form_is_not_passed_over(folder):
    (folder / "touch_events.csv").rename(folder / "touch_events.csv.gz")
    assert "touch_events unreadable file: touch_events.csv.gz" in told(folder)


def test_unreadable_files_say_why(folder):
    (folder / "holds.csv").unlink()
    (folder / "holds.parquet").write_text("hello")
    (folder / "touches.csv").rename(folder / "parts.csv")
    (folder / "touches").mkdir()
    (folder / "parts.csv").rename(folder / "touches" / "a.csv")
    text = told(folder)
    assert "holds.parquet: no Parquet file, or a broken one" in text
    assert "touches: a folder without a Parquet part" in text


def test_separator_and_encoding_are_told_together(folder):
    path = folder / "customers.csv"
    text = path.read_text("utf-8").replace(",", ";").replace("C1;", "Señor;")
    path.write_bytes(text.encode("latin-1"))
    assert "separated by semicolons, where the contract has commas: save it with commas and as" in (
        told(folder)
    )


@pytest.mark.parametrize("nothing", ["NULL", "null", "None", "NaN", "<NA>", "\\N", "N/A"])
def test_words_for_nothing_are_nothing(folder, nothing):
    path = folder / "touches.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.assign(collector="").to_csv(path, index=False)
    wanted = Portfolio.from_folder(folder).content_hash
    # another collector's touches would count against none of our caps
    frame.assign(collector=nothing).to_csv(path, index=False)
    assert Portfolio.from_folder(folder).content_hash == wanted


def test_namibia_is_no_word_for_nothing(folder):
    path = folder / "customers.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.assign(jurisdiction="NA", time_zone="").to_csv(path, index=False)
    assert set(Portfolio.from_folder(folder).tables["customers"]["jurisdiction"]) == {"NA"}


def test_a_misspelt_statement_of_completeness_is_a_fault(folder):
    (folder / "portfolio.json").write_text(json.dumps({"completeto": {"holds": T0.isoformat()}}))
    assert "portfolio.json misspelt key: write `complete_to`" in told(folder)
    (folder / "portfolio.json").write_text(json.dumps({"made_by": "dwh"}))
    assert Portfolio.from_folder(folder).complete_to == {}


# ---- parts ---------------------------------------------------------------------------------------


def test_a_customer_who_has_not_paid_for_long_is_no_stale_table():
    tables = small_tables()
    payments = tables["payments"].iloc[:1].copy()
    old = payments.assign(payment_id="old", debt_id="D3", paid_at=T0 - days(40))
    new = payments.assign(payment_id="new", debt_id="D1", paid_at=T0)
    for name in ("promise_id", "reversed_at", "recorded_at"):
        old, new = (f.drop(columns=name, errors="ignore") for f in (old, new))
    tables["payments"] = pd.concat([old, new], ignore_index=True)
    portfolio = Portfolio.from_frames(tables)
    one = portfolio.subset(["C3"])
    check_staleness(one, None, T0 + days(1))
    check_staleness(portfolio.only(2), None, T0 + days(1))
    assert one.complete_to == {}
    for stale in (one, one.subset(["C3"]), portfolio):
        with pytest.raises(ContractError, match="payments is"):
            check_staleness(stale, None, T0 + days(30))
    # as old as the whole was by then, whatever it came to know later
    with pytest.raises(ContractError, match="payments is 240 hours old"):
        check_staleness(one, None, T0 - days(30))
    with pytest.raises(ContractError, match="payments is 240 hours old"):
        check_staleness(portfolio, None, T0 - days(30))
