"""What a newcomer mistypes at the command line: one message, the right exit code, no work lost."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from command_line import contactopt

from contactopt.contracts import TABLES

_DEBT = "D1,C1,telecom,bank,first_party,COP,900,2024-01-10,2026-04-20"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "portfolio"
    folder.mkdir()
    for name, spec in TABLES.items():
        if spec.needed:
            (folder / f"{name}.csv").write_text(",".join(spec.columns) + "\n", "utf-8")
    (folder / "customers.csv").write_text("customer_id,jurisdiction\nC1,CO\n", "utf-8")
    heads = "debt_id,customer_id,product,creditor,ownership,currency,principal,opened_at"
    (folder / "debts.csv").write_text(f"{heads},delinquent_since\n{_DEBT}\n", "utf-8")
    (tmp_path / "s.yaml").write_text("exchange_rates: {COP: 0.00025}\n", "utf-8")
    return tmp_path


RANK = ("rank", "portfolio", "--strategy", "s.yaml", "--as-of")


def test_a_day_first_date_is_no_instant(shop):
    done = contactopt("validate", "portfolio", "--as-of", "05/06/2026 12:00Z", cwd=shop)
    assert done.returncode == 2
    assert "--as-of is no instant" in done.stderr
    assert "ISO 8601" in done.stderr


def test_a_wrong_year_is_no_empty_plan(shop):
    done = contactopt(*RANK, "2020-06-05T12:00Z", "--out", "plan", cwd=shop)
    assert done.returncode == 1
    assert "lies before any data (the first is of 2024-01-10T05:00Z)" in done.stderr
    assert not (shop / "plan").exists()


def test_a_place_that_cannot_hold_a_plan_is_refused_before_the_work(shop):
    (shop / "taken").write_text("x")
    with mock.patch("contactopt.strategy.ContactStrategy.fit", side_effect=AssertionError):
        for place in ("taken", "taken/below"):
            done = contactopt(*RANK, "2026-06-05T12:00Z", "--out", place, cwd=shop)
            assert done.returncode == 2
            assert "taken is a file, not a folder" in done.stderr
        with mock.patch.object(os, "access", lambda _, mode: not mode & os.W_OK):
            done = contactopt(*RANK, "2026-06-05T12:00Z", "--out", "new", cwd=shop)
        assert done.returncode == 2
        assert "may not be written to" in done.stderr


def test_what_the_system_refuses_is_no_fault_of_ours(shop):
    full = OSError(28, "No space left on device", "out/plan.parquet")
    with mock.patch("contactopt.contracts.Portfolio.from_folder", side_effect=full):
        done = contactopt("validate", "portfolio", cwd=shop)
    assert done.returncode == 2
    assert "Error: No space left on device: out/plan.parquet" in done.stderr
    assert "report it" not in done.stderr


def test_every_currency_without_a_rate_is_named_with_what_a_rate_is(shop):
    with (shop / "portfolio" / "debts.csv").open("a") as file:
        file.write(_DEBT.replace("D1", "D2").replace("COP", "MXN") + "\n")
    (shop / "s.yaml").write_text("currency: USD\n")
    done = contactopt("validate", "portfolio", "--strategy", "s.yaml", cwd=shop)
    assert done.returncode == 2
    assert "{COP: <rate>, MXN: <rate>}" in done.stdout
    assert "the value of one unit in the strategy's currency" in done.stdout


def test_an_unknown_zone_of_an_export_is_a_usage_error(shop):
    done = contactopt("export", "plan", "--out", "x.csv", "--zone", "Bogota", cwd=shop)
    assert done.returncode == 2
    assert "unknown time zone 'Bogota'" in done.stderr


def test_a_refused_file_of_a_vendor_names_the_codes_without_meaning_too(shop):
    (shop / "calls.csv").write_text(
        "who,at,code\nC1,2026-06-04T15:00Z,NO LLAMAR\nC9,2026-06-04T15:00Z,NC\n"
    )
    (shop / "m.yaml").write_text(
        "table: touches\ncolumns: {customer_id: who, started_at: at, outcome: code}\n"
        "constants: {channel: call_agent, vendor: v}\ncodes: {NC: no_answer}\n"
    )
    done = contactopt("ingest", "portfolio", "calls.csv", "--mapping", "m.yaml", cwd=shop)
    assert done.returncode == 1
    assert "not in customers in 1 row(s)" in done.stderr
    assert "UNMAPPED codes of outcome: NO LLAMAR 1; they count as unknown" in done.stderr


def test_a_faulty_mapping_is_told_of_a_faulty_portfolio(shop):
    (shop / "portfolio" / "holds.csv").unlink()
    (shop / "m.yaml").write_text("table: calls\n")
    done = contactopt("ingest", "portfolio", "calls.csv", "--mapping", "m.yaml", cwd=shop)
    assert done.returncode == 2
    assert "'calls' cannot be mapped" in done.stderr
