"""Into a portfolio folder: in the format that is there, all or nothing, and never twice."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_tables import small_tables
from vendor_files import DIALLER, DIALLER_ROWS, GATEWAY, dialler_file, gateway_frame

from contactopt.contracts import Portfolio, VendorMapping, ingest, read_vendor_file
from contactopt.contracts.vendors import ingestion
from contactopt.errors import ContractError

CALLS = VendorMapping.from_mapping(DIALLER)
RECEIPTS = VendorMapping.from_mapping(GATEWAY)
KNOWN = "2026-03-04T06:00Z"
PROMISES = {
    "table": "promises",
    "columns": {"debt_id": "loan", "made_at": "made", "due_at": "due", "amount": "sum"},
}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def as_csv(folder: Path, newline: str = "\n") -> Path:
    folder.mkdir()
    for name, frame in small_tables().items():
        frame = frame.copy()
        for column in frame:
            if str(frame[column].dtype).startswith("datetime"):
                frame[column] = frame[column].map(lambda t: t.isoformat(), na_action="ignore")
        frame.to_csv(folder / f"{name}.csv", index=False, lineterminator=newline)
    return folder


def as_parquet(folder: Path) -> Path:
    return Portfolio.from_frames(small_tables()).to_folder(folder)


def as_parts(folder: Path) -> Path:
    as_parquet(folder)
    for name in ("touches", "touch_events"):
        (folder / name).mkdir()
        (folder / f"{name}.parquet").rename(folder / name / "part-0.parquet")
    return folder


def as_numbers(folder: Path) -> Path:
    """Ids as numbers, days as dates, instants in nanoseconds: as a warehouse writes them."""
    tables = small_tables()
    tables["touches"]["touch_id"] = [1, 2, 3, 4]
    for name, column in (("touch_debts", "touch_id"), ("touch_events", "touch_id")):
        tables[name][column] = tables[name][column].str[1:].astype(int)
    tables["promises"]["touch_id"] = 1
    folder.mkdir()
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    touches = pq.ParquetFile(folder / "touches.parquet").read()
    touches = touches.set_column(
        5, "started_at", touches["started_at"].cast(pa.timestamp("ns", "UTC"))
    )
    touches = touches.set_column(4, "channel", touches["channel"].dictionary_encode())
    pq.write_table(touches, folder / "touches.parquet")
    promises = pd.read_parquet(folder / "promises.parquet")
    promises["due_at"] = pd.to_datetime(promises["due_at"]).dt.date
    promises.to_parquet(folder / "promises.parquet", index=False)
    return folder


KINDS = {"csv": as_csv, "parquet": as_parquet, "parts": as_parts, "numbers": as_numbers}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_holds_what_the_portfolio_would(tmp_path, kind):
    folder = KINDS[kind](tmp_path / "portfolio")
    calls = dialler_file(tmp_path / "calls.csv")
    frame = gateway_frame()
    promises = pd.DataFrame(
        {"loan": ["D2"], "made": "2026-03-01T10:00Z", "due": "2026-03-11", "sum": "50"}
    )
    steps = [(CALLS, calls), (RECEIPTS, frame[:4]), (RECEIPTS, frame), (PROMISES, promises)]
    steps = steps if kind in ("numbers", "parts") else steps[2:]
    wanted = Portfolio.from_folder(folder)
    for mapping, source in steps:
        file = read_vendor_file(source, mapping, portfolio=wanted, received_at=KNOWN)
        wanted = wanted.with_vendor_file(file)
        report = ingest(folder, source, mapping, received_at=KNOWN)
        assert report.written and not report.nothing_new
    assert Portfolio.from_folder(folder).content_hash == wanted.content_hash
    assert [p for p in folder.iterdir() if p.name.startswith(".")] == []
    before = contents(folder)
    for mapping, source in steps[-2:]:
        report = ingest(folder, source, mapping, received_at="2026-03-20T06:00Z")
        assert report.nothing_new and report.written == () and "nothing is new" in repr(report)
    assert contents(folder) == before
    suffix = ".csv" if kind == "csv" else ".parquet"
    assert {Path(name).suffix for name in before} == {suffix}
    assert len(list((folder / "touches").glob("*.parquet"))) == (4 if kind == "parts" else 0)


def test_lines_of_a_csv_file_stay_as_they_are(tmp_path):
    folder = as_csv(tmp_path / "portfolio", newline="\r\n")
    path = folder / "touches.csv"
    touches = small_tables()["touches"].assign(vendor=None, outcome_at=None, recorded_at=None)
    touches["handled_by"] = None
    text = touches.to_csv(index=False, lineterminator="\r\n").replace("120.0", '"120.00"')
    path.write_bytes(("\ufeff" + text.rstrip("\r\n")).encode())  # no end of the last line either
    ingest(folder, dialler_file(tmp_path / "calls.csv"), CALLS)
    now = path.read_bytes().decode()
    assert now.startswith("\ufeff" + text.rstrip("\r\n")) and '"120.00"' in now
    assert now.count("\r\n") == now.count("\n") == 9
    assert len(Portfolio.from_folder(folder).tables["touches"]) == 8


def test_a_table_that_is_not_there_takes_the_format_of_touches(tmp_path):
    for kind, name in (("csv", "touch_events.csv"), ("parts", "touch_events.parquet")):
        folder = KINDS[kind](tmp_path / kind)
        for there in (folder / "touch_events.csv", folder / "touch_events" / "part-0.parquet"):
            there.unlink(missing_ok=True)
        if (folder / "touch_events").is_dir():
            (folder / "touch_events").rmdir()
        assert name in ingest(folder, gateway_frame(), RECEIPTS).written
        assert len(Portfolio.from_folder(folder).tables["touch_events"]) == 7


def test_a_refused_file_changes_nothing_and_leaves_its_faulty_rows(tmp_path):
    folder = as_csv(tmp_path / "portfolio")
    before = contents(folder)
    rows = [*DIALLER_ROWS, "C9;Nadie;03/03/2026;11:00:00;No llamar más;5;"]
    calls = dialler_file(tmp_path / "calls.csv", rows)
    with pytest.raises(ContractError, match="nobody is protected by them"):
        ingest(folder, calls, CALLS, quarantine=tmp_path / "faulty")
    assert contents(folder) == before
    faulty = pd.read_csv(tmp_path / "faulty" / "calls.quarantine.csv")
    assert faulty[["row", "column", "value"]].values.tolist() == [[6, "customer_id", "C9"]]
    report = ingest(folder, calls, CALLS, max_quarantined_share=0.2, dry_run=True)
    assert report.added == {"touches": 4} and report.dry_run and contents(folder) == before
    assert ingest(folder, calls, CALLS, max_quarantined_share=0.2).written == ("touches.csv",)


@pytest.mark.parametrize("kind", ["csv", "parts"])
def test_a_customer_who_is_taken_out_stays_out_and_is_added_once(tmp_path, kind):
    folder = KINDS[kind](tmp_path / "portfolio")
    rows = [DIALLER_ROWS[0], "C3;Íñigo;99/03/2026;11:00:00;No contesta;5;"]
    calls = dialler_file(tmp_path / "calls.csv", rows)
    report = ingest(folder, calls, CALLS, max_quarantined_share=0.5)
    assert report.quarantined_customers == 1 and "taken out" in repr(report)
    with pytest.raises(ContractError, match=r"touches\.started_at is null in 1 row"):
        Portfolio.from_folder(folder)
    assert list(Portfolio.from_folder(folder, max_quarantined_share=0.5).customer_ids) == [
        "C1", "C2",
    ]  # fmt: skip
    before = contents(folder)
    assert ingest(folder, calls, CALLS, max_quarantined_share=0.5).written == ()
    assert contents(folder) == before


def test_nothing_is_left_half_written(tmp_path, monkeypatch):
    folder = as_parquet(tmp_path / "portfolio")
    before = contents(folder)
    put = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if Path(target).name == "touch_events.parquet" and not self.name.startswith("before"):
            raise OSError("no space left")
        return put(self, target)

    monkeypatch.setattr(ingestion.Path, "replace", fails)
    with pytest.raises(OSError, match="no space"):
        ingest(folder, gateway_frame(), RECEIPTS)
    assert contents(folder) == before
