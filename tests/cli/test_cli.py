"""The command line: exit codes, streams, JSON, help, and no customer value in an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command_line import contactopt
from typer.main import get_command
from typer.testing import CliRunner

from contactopt.cli import app

VERBS = [
    "init",
    "schema",
    "doctor",
    "demo",
    "simulate",
    "ingest",
    "validate",
    "fit",
    "tune",
    "score",
    "rank",
    "recheck",
    "replan",
    "update",
    "export",
    "timeline",
    "why",
    "replay",
    "promote",
    "rollback",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    done = contactopt(
        "simulate", "--customers", 60, "--days", 12, "--random-state", 3, "--out", "W", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder / "W"


def test_exactly_the_verbs_that_exist() -> None:
    assert list(get_command(app).commands) == [*VERBS, "rules"]  # type: ignore[attr-defined]  # it is a group


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_commands_to_copy(verb: str) -> None:
    shown = CliRunner().invoke(app, [verb, "--help"])
    assert shown.exit_code == 0
    assert f"\n      contactopt {verb}" in shown.output
    assert "--json" in shown.output


def test_help_loads_no_library_of_ours() -> None:
    code = (
        "import sys; sys.argv = ['contactopt', '--help']\n"
        "from contactopt.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'pandas', 'mlflow', 'lightgbm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_simulate_is_the_same_bytes_again(world: Path, tmp_path: Path) -> None:
    options = ["--customers", 60, "--days", 12, "--random-state", 3, "--out", "W"]
    done = contactopt("simulate", *options, "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert result["rows"]["customers"] == 60
    again = tmp_path / "W"
    files = sorted(p.relative_to(world) for p in world.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for name in files:
        assert (world / name).read_bytes() == (again / name).read_bytes(), name


def test_simulate_keeps_an_edited_strategy(world: Path, tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_text("slots: [9]\n")
    done = contactopt("simulate", "--customers", 2, "--days", 1, "--out", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "strategy.yaml exists" in done.stderr
    assert (tmp_path / "strategy.yaml").read_text() == "slots: [9]\n"


def test_validate_reports_on_stdout(world: Path) -> None:
    options = ["portfolio", "--strategy", "strategy.yaml", "--as-of", "latest"]
    done = contactopt("validate", *options, cwd=world)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ValidationReport: ok")
    report = json.loads(contactopt("validate", *options, "--json", cwd=world).stdout)
    assert report["ok"] is True
    assert report["customers"] == 60


def test_stale_tables_are_a_failure_with_their_report(world: Path) -> None:
    done = contactopt("validate", "portfolio", "--as-of", "2027-01-01T00:00Z", cwd=world)
    assert done.returncode == 1
    assert "touches" in done.stdout


def test_faulty_rows_exit_1_and_name_no_value(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "portfolio", tmp_path / "portfolio")
    path = tmp_path / "portfolio" / "payments.parquet"
    payments = pd.read_parquet(path)
    payments.loc[0, "amount"] = -987654.25
    payments.to_parquet(path)
    done = contactopt("validate", "portfolio", "--json", cwd=tmp_path)
    fault = json.loads(done.stderr)
    assert done.returncode == 1
    assert (fault["error"], fault["exit_code"]) == ("ContractError", 1)
    assert "payments" in fault["message"]
    assert fault["hint"]
    assert "987654" not in done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert report["ok"] is False
    assert report["faults"] == [
        {"table": "payments", "column": "amount", "check": "not above zero", "rows": 1}
    ]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["nope"], 2, "No such command"),
        (["rank"], 2, "Missing argument"),
        (["rank", "portfolio", "--as-of", "latest", "--out", "p"], 2, "one of them"),
        (["validate", "nowhere"], 1, "no portfolio folder"),
        (["validate", "portfolio", "--as-of", "yesterday"], 2, "--as-of is no instant"),
        (["validate", "portfolio", "--as-of", "2026-03-01"], 2, "--as-of has no time zone"),
        (["validate", "portfolio", "--as-of", "1780401600"], 2, "--as-of"),
        (["validate", "portfolio", "--strategy", "none.yaml"], 2, "no strategy file"),
        (["promote", "s", "1", "--tracking-uri", "file:./mlruns"], 3, "file store"),
        (["rollback", "s", "--tracking-uri", "http://127.0.0.1:9"], 3, "cannot be reached"),
        (
            ["fit", "portfolio", "--strategy", "strategy.yaml", "--as-of", "latest"],
            2,
            "would be lost",
        ),
    ],
)
def test_exit_codes(world: Path, args: list[str], code: int, message: str) -> None:
    done = contactopt(*args, cwd=world)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_unexpected_error_shows_its_place_only(world: Path) -> None:
    code = (
        "import sys; sys.argv = ['contactopt', 'validate', 'portfolio']\n"
        "import contactopt.contracts as contracts\n"
        "class Broken:\n"
        "    @classmethod\n"
        "    def from_folder(cls, *a, **k): raise KeyError('customer C-1 owes 987654.25')\n"
        "contracts.Portfolio = Broken\n"
        "from contactopt.cli import main; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=world, capture_output=True, text=True)
    assert done.returncode == 1
    assert "unexpected KeyError in from_folder" in done.stderr
    assert "CONTACTOPT_DEBUG=1" in done.stderr
    assert "987654" not in done.stderr


def test_promote_and_rollback_speak_json(tracking_uri: str, tmp_path: Path) -> None:
    from contactopt.tracking.store import open_store

    with open_store(tracking_uri) as store:
        store.client.create_registered_model("s")
        for _ in range(2):
            store.client.create_model_version("s", source=(tmp_path / "m").as_uri())
    options = ["--tracking-uri", tracking_uri, "--json"]
    for version in ("1", "2"):
        done = contactopt("promote", "s", version, *options, cwd=tmp_path)
        assert json.loads(done.stdout)["version"] == version
    done = contactopt("rollback", "s", *options, cwd=tmp_path)
    assert (json.loads(done.stdout)["version"], done.stderr) == ("1", "")
    done = contactopt("rollback", "s", *options, cwd=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stderr)["error"] == "TrackingError"
