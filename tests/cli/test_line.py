"""The whole line through the command line: simulate, fit, register, rank; the same bytes twice."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from contactopt.cli import main


def run(*args: object, cwd: Path) -> dict[str, Any]:
    """Run a verb with --json in this process; return its result."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["contactopt", *map(str, args), "--json"]),
    ):
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, err.getvalue()
    return json.loads(out.getvalue())


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def line(folder: Path, mlflow_template: Path) -> dict[str, Any]:
    """Run the three commands that a newcomer copies, in one folder."""
    folder.mkdir()
    shutil.copyfile(mlflow_template, folder / "mlflow.db")
    run("simulate", "--customers", 300, "--days", 40, "--random-state", 3, "--out", "W", cwd=folder)
    fitted = run(
        *("fit", "W/portfolio", "--strategy", "W/strategy.yaml"),
        *("--as-of", "latest", "--register", "s"),
        cwd=folder,
    )
    ranked = run(
        *("rank", "W/portfolio", "--model", "models:/s@champion"),
        *("--as-of", "latest", "--out", "plan"),
        cwd=folder,
    )
    return {"fitted": fitted, "ranked": ranked}


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path):
    parent = tmp_path_factory.mktemp("line")
    return [(parent / name, line(parent / name, mlflow_template)) for name in ("one", "two")]


def test_same_commands_same_bytes(two_runs: Any) -> None:  # 002-05
    (one, _), (two, _) = two_runs
    first, second = contents(one / "plan"), contents(two / "plan")
    assert {"plan.parquet", "plan.csv"} <= set(first)
    assert first == second


def test_a_fit_goes_on_from_the_strategy_in_force(two_runs: Any) -> None:
    folder, result = two_runs[0]
    again = run(
        *("fit", "W/portfolio", "--strategy", "W/strategy.yaml", "--as-of", "latest"),
        *("--previous", "models:/s@champion", "--save", "next"),
        cwd=folder,
    )
    segments = again["fit"]["segments"]
    before = result["fitted"]["fit"]["segments"]
    n_names = len(before["behaviours"])
    assert n_names >= 2 and "ari_with_previous" not in before
    assert (segments["ari_with_previous"], segments["names_kept"]) == (1.0, n_names)


def test_registered_champion_made_the_plan(two_runs: Any) -> None:
    _, result = two_runs[0]
    registered, ranked = result["fitted"]["registered"], result["ranked"]
    assert (registered["name"], registered["alias"]) == ("s", "champion")
    assert ranked["policy_version"] == registered["content_hash"]


def test_result_names_what_an_operator_asks_for(two_runs: Any) -> None:
    folder, result = two_runs[0]
    ranked = result["ranked"]
    plan = pd.read_parquet(folder / "plan" / "plan.parquet")
    drawn = plan[plan["rank"] == 1]
    assert ranked["customers"] == 300
    assert ranked["planned"] == len(drawn) <= ranked["eligible"] <= 300
    by_channel = {c: k for c, k in ranked["planned_by_channel"].items() if k}
    assert by_channel == drawn["channel"].value_counts().to_dict()
    assert ranked["blocked_by_rule"]
    agents = [row for row in ranked["capacity"] if row["pool"] == "agents"]
    assert agents
    assert all(row["drawn"] <= row["units"] + row["margin"] for row in agents)
    assert any("not checked" in rule["why"] for rule in ranked["not_checked"])
    assert all((folder / path).is_file() for path in ranked["files"])


def test_ranking_again_changes_nothing(two_runs: Any) -> None:  # 003-31
    folder, result = two_runs[0]
    before = contents(folder / "plan")
    again = run(
        *("rank", "W/portfolio", "--model", "models:/s/1", "--as-of", "latest", "--out", "plan"),
        cwd=folder,
    )
    assert again["batch_id"] == result["ranked"]["batch_id"]
    assert contents(folder / "plan") == before


def test_second_fit_challenges_and_can_be_promoted(two_runs: Any) -> None:
    folder, _ = two_runs[1]
    fitted = run(
        *("fit", "W/portfolio", "--strategy", "W/strategy.yaml", "--as-of"),
        *("2026-01-05T08:05Z", "--register", "s", "--save", "bundle"),
        cwd=folder,
    )
    assert fitted["registered"]["alias"] == "challenger"
    assert fitted["saved"]["content_hash"] == fitted["registered"]["content_hash"]
    assert run("promote", "s", "challenger", cwd=folder)["version"] == "2"
    assert run("rollback", "s", cwd=folder)["version"] == "1"


def test_an_update_from_the_log_is_registered_as_challenger(two_runs: Any) -> None:
    """Tables, log and the command line are all that the loop needs."""
    folder, _ = two_runs[0]
    told = run(
        *("update", "W/portfolio", "--model", "models:/s@champion", "--log", "plan"),
        *("--as-of", "latest", "--register", "s", "--save", "next"),
        cwd=folder,
    )
    assert told["update"]["batches"] == 1
    assert told["update"]["decisions"] == 300
    assert told["registered"]["alias"] == "challenger"
    assert told["saved"]["content_hash"] == told["registered"]["content_hash"]
    again = run(
        *("update", "W/portfolio", "--model", "next", "--log", "plan", "--as-of", "latest"),
        *("--save", "again"),
        cwd=folder,
    )
    assert again["saved"]["content_hash"] == told["saved"]["content_hash"]


def test_a_strategy_file_alone_ranks_on_priors(two_runs: Any) -> None:
    folder, _ = two_runs[0]
    capacity = pd.DataFrame({"pool": ["agents"], "date": ["2026-01-10"], "units": [0]})
    capacity.to_csv(folder / "closed.csv", index=False)
    ranked = run(
        *("rank", "W/portfolio", "--strategy", "W/strategy.yaml", "--as-of", "latest"),
        *("--capacity", "closed.csv", "--batch-id", "cold", "--random-state", 5, "--out", "cold"),
        cwd=folder,
    )
    assert ranked["batch_id"] == "cold"
    assert ranked["planned"] > 0
    assert ranked["planned_by_channel"]["call_agent"] == 0


def test_demo_keeps_everything_in_its_folder(tmp_path: Path, mlflow_template: Path) -> None:
    (tmp_path / "small").mkdir()
    shutil.copyfile(mlflow_template, tmp_path / "small" / "mlflow.db")
    result = run("demo", "--customers", 200, "--out", "small", cwd=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["small"]
    assert {p.name for p in (tmp_path / "small").iterdir()} == {
        *("mlflow.db", "mlruns", "plan", "portfolio", "strategy.yaml")
    }
    assert result["version"] == "models:/contactopt-demo/1"
    assert result["customers"] == 200
    assert result["batch_id"] in (tmp_path / "small" / "plan" / "plan.html").read_text("utf-8")


def test_what_is_said_of_several_places_in_the_same_words_is_one_line() -> None:
    from contactopt.cli.rank import _alike

    said = ["US-GA: no hours", "no calendar", "US-TX: no hours", "CO: floor: lowered"]
    assert _alike(said) == ["US-GA, US-TX: no hours", "no calendar", "CO: floor: lowered"]
