"""Core tables as Excel or a warehouse writes them: read faithfully, or told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract_tables import small_tables

from contactopt.contracts import Portfolio
from contactopt.errors import ContractError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "portfolio"
    place.mkdir()
    for name, frame in small_tables().items():
        frame = frame.copy()
        for column in frame:
            if str(frame[column].dtype).startswith("datetime"):
                frame[column] = frame[column].map(lambda t: t.isoformat(), na_action="ignore")
        frame.to_csv(place / f"{name}.csv", index=False)
    return place


@pytest.fixture(scope="module")
def wanted() -> str:
    return Portfolio.from_frames(small_tables()).content_hash


def change(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8", newline="")


def told(folder: Path) -> str:
    with pytest.raises(ContractError) as caught:
        Portfolio.from_folder(folder)
    return str(caught.value)


def test_marks_line_ends_and_empty_quotes_mean_nothing(folder, wanted):
    for path in folder.glob("*.csv"):
        text = path.read_text("utf-8").replace("\n", "\r\n").replace(",,", ',"",')
        path.write_text(text, "utf-8-sig", newline="")
    assert Portfolio.from_folder(folder).content_hash == wanted


@pytest.mark.parametrize("true", ["TRUE", "1", "yes", "t", "1.0"])
def test_truth_values_of_any_spelling(folder, wanted, true):
    change(folder / "touch_events.csv", ("True", true))
    assert Portfolio.from_folder(folder).content_hash == wanted


def test_ids_are_kept_as_they_are_written(folder):
    change(folder / "touches.csv", ("T1,", "007,"), ("T2,", "3.0,"), ("T4,", "1e5,"))
    change(folder / "promises.csv", (",T1", ",007"))
    change(folder / "touch_debts.csv", ("T2,", "3.0,"))
    touches = Portfolio.from_folder(folder).tables["touches"]
    assert sorted(touches["touch_id"]) == ["007", "1e5", "3.0", "T3"]


def test_quoted_fields_hold_commas_quotes_and_lines(folder):
    change(folder / "debts.csv", (",bank,", ',"Bank, S.A.\nBogotá ""x""",'))
    debts = Portfolio.from_folder(folder).tables["debts"]
    assert set(debts["creditor"]) == {'Bank, S.A.\nBogotá "x"'}


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
@pytest.mark.parametrize("table", ["payments", "holds"])
def test_another_separator_is_told_as_that_and_as_nothing_else(folder, table, sign, name):
    path = folder / f"{table}.csv"
    path.write_text(path.read_text("utf-8").replace(",", sign), "utf-8")
    message = told(folder)
    assert f"{table}.csv: separated by {name}" in message and "save it with commas" in message
    assert "1 kind(s) of fault" in message and "missing column" not in message
    assert ("contactopt ingest" in message) == (table == "payments")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_told_as_that(folder, encoding):
    path = folder / "customers.csv"
    path.write_text(path.read_text("utf-8").replace(",a,", ",ñ,"), encoding)
    message = told(folder)
    assert "customers.csv: not UTF-8" in message and "1 kind(s) of fault" in message


def test_local_times_are_told_with_the_way_on(folder):
    change(folder / "touches.csv", ("+00:00", ""))
    message = told(folder)
    assert "touches.started_at naive instants: no time zone" in message
    assert "contactopt ingest" in message
