"""``contactopt ingest``: result, refusal, quarantine and exit codes of the command."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command_line import contactopt

from contactopt.contracts import Portfolio

MAPPING = """\
table: touches
read: {separator: semicolon, encoding: latin-1, decimal: ","}
time_zone: America/Bogota
format: "%d/%m/%Y %H:%M"
columns: {customer_id: CLIENTE, started_at: [FECHA, HORA], outcome: GESTIÓN, channel: CANAL}
constants: {vendor: Marcador}
codes:
  outcome: {NO: no_answer, SÍ: promise}
  channel: {VOZ: call_agent, TEXTO: rcs}
"""


def run(*args: object, cwd: Path) -> tuple[int, str, str]:
    done = contactopt(*args, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tables = {
        "customers": pd.DataFrame({"customer_id": ["C1", "C2"], "jurisdiction": "CO"}),
        "touches": pd.DataFrame(
            columns=["touch_id", "customer_id", "direction", "channel", "started_at", "outcome"]
        ),
    }
    for name in ("debts", "debt_snapshots", "contact_points", "consents", "holds"):
        tables[name] = pd.DataFrame()
    tables["promises"] = tables["payments"] = pd.DataFrame()
    Portfolio.from_frames(tables).to_folder(tmp_path / "portfolio")
    (tmp_path / "m.yaml").write_text(MAPPING.replace("TEXTO: rcs", "TEXTO: sms"), "utf-8")
    rows = ["C1;02/03/2026;09:15;sí;VOZ", "C2;02/03/2026;10:15;raro;texto", ""]
    text = "\n".join(["CLIENTE;FECHA;HORA;GESTIÓN;CANAL", *rows])
    (tmp_path / "calls.csv").write_bytes(text.encode("latin-1"))
    return tmp_path


def test_a_file_is_added_once(place: Path):
    args = ("ingest", "portfolio", "calls.csv", "--mapping", "m.yaml")
    code, out, err = run(*args, "--dry-run", cwd=place)
    assert code == 0 and "added touches 2" in out and "nothing was written" in out
    assert "UNMAPPED codes of outcome: raro 1" in out
    code, out, err = run(*args, "--received-at", "2026-03-03T06:00Z", "--json", cwd=place)
    result = json.loads(out)
    assert code == 0 and result["added"] == {"touches": 2} and err == ""
    assert result["written"] == ["touches.parquet"]
    assert result["file"]["unmapped_codes"] == {"raro": 1}
    code, out, _ = run(*args, cwd=place)
    assert code == 0 and "nothing is new" in out
    touches = Portfolio.from_folder(place / "portfolio").tables["touches"]
    assert touches["channel"].tolist() == ["call_agent", "sms"]
    assert touches["recorded_at"].notna().all()


def test_faulty_rows_refuse_the_file_and_are_written_where_asked(place: Path):
    text = "CLIENTE;FECHA;HORA;GESTIÓN;CANAL\nC9;02/03/2026;09:15;NO;VOZ\n"
    (place / "calls.csv").write_bytes(text.encode("latin-1"))
    args = ("ingest", "portfolio", "calls.csv", "--mapping", "m.yaml")
    code, out, err = run(*args, "--quarantine", "faulty", cwd=place)
    assert code == 1 and out == "" and "touches.customer_id not in customers" in err
    assert "--max-quarantined-share" in err and "C9" not in err
    assert "C9" in (place / "faulty" / "calls.quarantine.csv").read_text("utf-8")
    code, _, err = run(*args, "--max-quarantined-share", 1, "--json", cwd=place)
    assert code == 0


def test_a_faulty_mapping_is_a_fault_of_usage(place: Path):
    (place / "m.yaml").write_text(MAPPING, "utf-8")
    args = ("ingest", "portfolio", "calls.csv", "--mapping", "m.yaml")
    code, _, err = run(*args, cwd=place)
    assert code == 2 and "'rcs' is no word of channel" in err
    (place / "s.yaml").write_text("channels: {rcs: {like: sms}}\nfallback: cautious\n", "utf-8")
    code, _, err = run(*args, "--strategy", "s.yaml", "--dry-run", cwd=place)
    assert code == 0, err
    code, _, err = run(*args[:3], "--mapping", "none.yaml", cwd=place)
    assert code == 2 and "contactopt init" in err
