"""A Spanish dialler's file: encodings, clocks, numbers, codes, and rows that cannot be used."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from contract_tables import small_tables
from vendor_files import DIALLER, DIALLER_HEADER, DIALLER_ROWS, dialler_file, with_keys

from contactopt.contracts import TABLES, Portfolio, VendorMapping, read_vendor_file
from contactopt.contracts.vendors.clock import instants_of
from contactopt.contracts.vendors.mapping import ReadOptions
from contactopt.contracts.vendors.values import numbers_of
from contactopt.errors import ConfigError, ContractError

MAPPING = VendorMapping.from_mapping(DIALLER)


@pytest.fixture(scope="module")
def small() -> Portfolio:
    return Portfolio.from_frames(small_tables())


def calls(small, tmp_path, rows=None, mapping=MAPPING, **more):
    path = dialler_file(tmp_path / "calls.csv", rows)
    return read_vendor_file(path, mapping, portfolio=small, **more)


def test_a_diallers_file_becomes_touches(small, tmp_path):  # 003-27
    file = calls(small, tmp_path, received_at="2026-03-04T06:00Z")
    touches = file.tables["touches"].sort_values("started_at", ignore_index=True)
    assert list(touches.columns) == list(TABLES["touches"].columns)
    assert touches["customer_id"].tolist() == ["C1", "C1", "C2", "C3"]
    assert touches["outcome"].tolist() == ["no_answer", "promise", "unknown", "asked_to_stop"]
    # 09:15 in Bogota is 14:15 UTC, 23:30 the next day
    assert touches["started_at"].dt.strftime("%d %H:%M").tolist() == [
        "02 14:15", "02 15:15", "03 16:00", "04 04:30",
    ]  # fmt: skip
    assert touches["duration_s"].tolist() == [12.5, 121.0, 5.0, 61.0]
    assert touches["cost"].tolist()[:2] == [0.35, 1234.5] and np.isnan(touches["cost"][2])
    assert set(touches["vendor"]) == {"Marcador Ñandú"}
    assert set(touches["recorded_at"]) == {pd.Timestamp("2026-03-04T06:00Z")}
    assert touches["touch_id"].is_unique and touches["touch_id"].str.len().eq(32).all()
    report = file.report
    assert (report.rows_read, report.rows_skipped, report.rows_quarantined) == (5, 1, 0)
    assert report.unmapped_codes == {"Código raro": 1}
    told = repr(file)
    assert "UNMAPPED codes of outcome: Código raro 1; they count as unknown" in told
    assert "PROMESA  DE PAGO" not in told or "promise 1" in told
    assert "<table>" in file._repr_html_() and json.loads(json.dumps(file.to_dict()))
    for secret in ("Pérez", "Núñez", "C1"):
        assert secret not in told
    file.raise_for_faults()


def test_ids_do_not_depend_on_the_format_of_the_file(small, tmp_path):
    ids = set(calls(small, tmp_path).tables["touches"]["touch_id"])
    text = "\r\n".join([DIALLER_HEADER, *DIALLER_ROWS])
    for name, data, encoding in (
        ("a.csv", text.encode("cp1252"), "cp1252"),
        ("b.csv", text.encode("utf-8-sig"), None),
        ("c.csv", text.encode("utf-16"), None),
        ("d.csv.gz", gzip.compress(text.encode("latin-1")), "latin-1"),
    ):
        (tmp_path / name).write_bytes(data)
        read = {**DIALLER["read"], "encoding": encoding}
        mapping = VendorMapping.from_mapping(with_keys(DIALLER, read=read))
        file = read_vendor_file(tmp_path / name, mapping, portfolio=small)
        assert set(file.tables["touches"]["touch_id"]) == ids, name
    frame = pd.read_csv(tmp_path / "a.csv", sep=";", encoding="cp1252", dtype="str")
    frame.to_parquet(tmp_path / "e.parquet")
    for source in (
        tmp_path / "e.parquet",
        frame,
        pl.from_pandas(frame),
        pl.from_pandas(frame).lazy(),
    ):
        file = read_vendor_file(source, MAPPING, portfolio=small)
        assert set(file.tables["touches"]["touch_id"]) == ids


def test_native_values_need_no_text(small):
    frame = pd.DataFrame(
        {
            "who": pd.Categorical(["C1", "C2"]),
            "at": pd.DatetimeIndex(["2026-03-01 09:00", "2026-03-01 10:00"]),
            "cost": [1.5, None],
            "s": pd.array([30, None], dtype="Int64"),
        }
    )
    mapping = {
        "table": "touches",
        "time_zone": "America/Bogota",
        "columns": {"customer_id": "who", "started_at": "at", "cost": "cost", "duration_s": "s"},
        "constants": {"channel": "sms", "outcome": "delivered"},
    }
    file = read_vendor_file(frame, mapping, portfolio=small)
    touches = file.tables["touches"].sort_values("customer_id", ignore_index=True)
    assert touches["started_at"].dt.hour.tolist() == [14, 15]
    assert touches["duration_s"].tolist()[0] == 30 and np.isnan(touches["cost"][1])
    zoned = frame.assign(at=frame["at"].dt.tz_localize("America/Bogota"))
    again = read_vendor_file(zoned, mapping, portfolio=small).tables["touches"]
    assert set(again["started_at"]) == set(touches["started_at"])


def test_clocks_that_change_and_times_with_an_offset():
    raw = pd.Series(
        ["2026-03-08 02:30", "2026-11-01 01:30", "2026-05-01T10:00-05:00", "", None, "today"],
        dtype="str",
    )
    times = instants_of(raw, (), "America/New_York")
    told = times.values.dt.strftime("%m-%d %H:%M")
    # skipped: the first instant after the gap; twice: the later; an offset is kept
    assert told.tolist()[:3] == ["03-08 07:00", "11-01 06:30", "05-01 15:00"]
    assert times.values.isna().tolist() == [False] * 3 + [True] * 3
    assert times.unreadable.tolist() == [False] * 5 + [True]
    nowhere = instants_of(raw, (), None)
    assert nowhere.no_zone.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("text", "formats", "wanted"),
    [
        ("31/12/2025 05:05 p. m.", ("%d/%m/%Y %I:%M %p",), "2025-12-31 17:05"),
        ("31.12.25 17:05", ("%Y-%m-%d", "%d.%m.%y %H:%M"), "2025-12-31 17:05"),
        ("1767200700", ("epoch_s",), "2025-12-31 17:05"),
        ("1767200700000", ("epoch_ms",), "2025-12-31 17:05"),
        ("46022.711805555555", ("excel",), "2025-12-31 17:05"),
        ("2025-12-31 12:05 -0500", ("%Y-%m-%d %H:%M %z",), "2025-12-31 17:05"),
        ("12/31/2025", ("%d/%m/%Y",), None),
        ("20251231", (), None),
        ("9999-12-31", (), None),
    ],
)
def test_formats_of_times(text, formats, wanted):
    found = instants_of(pd.Series([text], dtype="str"), formats, "UTC").values[0]
    assert found is pd.NaT if wanted is None else found == pd.Timestamp(wanted, tz="UTC")


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        ("1.234,50", ReadOptions(decimal=","), 1234.5),
        ("1.234.567", ReadOptions(decimal=","), 1234567.0),
        ("1.234", ReadOptions(decimal=","), None),
        ("1.234", ReadOptions(decimal=",", thousands="."), 1234.0),
        ("1,234.5", ReadOptions(), 1234.5),
        ("12,5", ReadOptions(), None),
        ("$ 12.50 USD", ReadOptions(), 12.5),
        ("-3", ReadOptions(), -3.0),
        ("1e5", ReadOptions(), None),
        ("twelve", ReadOptions(), None),
    ],
)
def test_numbers_are_read_by_the_files_signs_or_refused(text, options, wanted):
    values, bad = numbers_of(pd.Series([text, ""], dtype="str"), options)
    assert bad.tolist() == [wanted is None, False]
    assert np.isnan(values[0]) if wanted is None else values[0] == wanted


def test_times_without_a_zone_need_one(small, tmp_path):
    mapping = VendorMapping.from_mapping(with_keys(DIALLER, time_zone=None))
    with pytest.raises(ConfigError, match="carry no time zone"):
        calls(small, tmp_path, mapping=mapping)


def test_a_file_that_cannot_be_read_says_why_and_quotes_nothing(small, tmp_path):
    path = dialler_file(tmp_path / "calls.csv")
    for read, text in (
        ({"separator": ";"}, "is not encoded as utf-8"),
        ({"encoding": "latin-1"}, "6 semicolon sign"),
    ):
        mapping = VendorMapping.from_mapping(with_keys(DIALLER, read=read))
        with pytest.raises(ContractError, match=text) as caught:
            read_vendor_file(path, mapping, portfolio=small)
        assert "read: {" in str(caught.value) and "rez" not in str(caught.value)
    columns = {**DIALLER["columns"], "outcome": "GESTION"}
    mapping = VendorMapping.from_mapping(with_keys(DIALLER, columns=columns))
    with pytest.raises(ContractError, match="'GESTION' \\(did you mean 'GESTIÓN'\\?\\)"):
        read_vendor_file(path, mapping, portfolio=small)
    open_quote = [*DIALLER_ROWS, 'C1;"Pérez; Ana;02/03/2026;09:15:00;no contesta;12,5;0,35']
    with pytest.raises(ContractError, match="a quote is not closed"):
        calls(small, tmp_path, rows=open_quote)
    with pytest.raises(ContractError, match="no vendor's file"):
        read_vendor_file(tmp_path / "none.csv", MAPPING, portfolio=small)
    with pytest.raises(ConfigError, match="received_at"):
        calls(small, tmp_path, received_at="2026-03-04 06:00")


def test_an_empty_file_gives_empty_tables(small, tmp_path):
    file = calls(small, tmp_path, rows=[])
    assert file.tables["touches"].empty and file.report.quarantined_share == 0
    assert small.with_vendor_file(file) is small


def test_broken_lines_are_faults_of_their_own_and_protect(small, tmp_path):
    rows = [
        "C1;Ana;02/03/2026;09:15:00;No contesta;1;0",
        "C2;Ana; too;many;02/03/2026;09:16:00;No contesta;1;0",
        'C3;"Eva;02/03/2026;09:17:00;No llamar más;1;0',
        'C3;"Eva";02/03/2026;09:17:00;No llamar más;1;0',
    ]
    file = calls(small, tmp_path, rows=rows[:2])
    assert file.report.quarantine[["row", "check"]].values.tolist() == [[2, "broken line"]]
    touches = file.tables["touches"].set_index("customer_id")
    assert touches["started_at"].isna().to_dict() == {"C1": False, "C2": True}
    # a quote that swallows the next line
    swallowed = calls(small, tmp_path, rows=[rows[0], rows[2], rows[3]])
    assert swallowed.report.rows_quarantined == 1
    with pytest.raises(ContractError, match="broken line"):
        small.with_vendor_file(swallowed)


def test_what_cannot_be_used_refuses_the_file_and_protects_the_customer(small, tmp_path):
    rows = [
        DIALLER_ROWS[0],
        "C9;Nadie;03/03/2026;11:00:00;No llamar más;5;",
        "C3;Íñigo;32/03/2026;11:00:00;No contesta;5;",
        "C2;Núñez;02/03/2026;11:00:00;Promesa de pago;quince;",
    ]
    file = calls(small, tmp_path, rows=rows, received_at="2026-03-04T06:00Z")
    report = file.report
    assert report.stop_lost == {"asked_to_stop": 1} and report.unmatched == 1
    assert report.quarantine["check"].tolist() == [
        "not in customers", "not a time in this format", "not a number",
    ]  # fmt: skip
    assert report.quarantine["value"].tolist() == ["C9", "32/03/2026 11:00:00", "quince"]
    assert report.quarantined_by_code == {
        "No contesta": 1, "No llamar más": 1, "Promesa de pago": 1,
    }  # fmt: skip
    # a faulty touch stays as unknown
    touches = file.tables["touches"].set_index("customer_id")
    assert touches.loc["C2", "outcome"] == "unknown"
    with pytest.raises(ContractError) as caught:
        small.with_vendor_file(file)
    told = str(caught.value)
    assert "ATTENTION: 1 row(s) that stop contact are of nobody we know (asked_to_stop 1)" in told
    assert "3 of 4 row(s)" in told and "0.7500" in told and "Nadie" not in told
    with pytest.raises(ContractError):
        small.with_vendor_file(file, max_quarantined_share=0.74)
    # the customer is known and the instant is not: the customer is taken out
    allowed = small.with_vendor_file(file, max_quarantined_share=0.9)
    assert list(allowed.quarantined_customers) == ["C3"] and "C3" not in allowed.customer_ids
    assert small.with_vendor_file(file, 0.9).content_hash == allowed.content_hash


def test_a_stop_stays_a_stop_whatever_else_is_wrong_with_its_row(small, tmp_path):
    rows = ["C2;Núñez;02/03/2026;11:00:00;No llamar más;quince;"]
    file = calls(small, tmp_path, rows=rows)
    assert file.tables["touches"]["outcome"].tolist() == ["asked_to_stop"]


def test_an_event_after_the_receipt_of_the_file_was_misread(small, tmp_path):
    rows = ["C2;Núñez;03/12/2026;11:00:00;No contesta;5;"]
    file = calls(small, tmp_path, rows=rows, received_at="2026-03-12T20:00Z")
    assert file.report.faults["check"].tolist() == ["later than the file was received"]
    assert file.report.unprotected_customers == 1
    assert not len(calls(small, tmp_path, rows=rows).report.faults)


def test_a_column_that_holds_no_codes_is_not_printed(small):
    frame = pd.DataFrame(
        {
            "c": "C1",
            "t": "2026-03-01T10:00Z",
            "tel": [f"+57300{k:07d}" for k in range(100)],
        }
    )
    mapping = {
        "table": "touches",
        "columns": {"customer_id": "c", "started_at": "t", "outcome": "tel"},
        "constants": {"channel": "sms"},
        "codes": {"ok": "delivered"},
    }
    file = read_vendor_file(frame, mapping, portfolio=small)
    assert "100 different codes: is it the right column?" in repr(file)
    assert "+57300" not in repr(file) + json.dumps(file.to_dict())
