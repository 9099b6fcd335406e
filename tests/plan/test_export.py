"""``contactopt export`` works from the plan's folder alone."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from scored import capacity, make_batch

from contactopt.cli import main
from contactopt.plan import rank, read_dispatch


def run(*args: object, fails: bool = False) -> dict[str, Any]:
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["contactopt", *map(str, args), "--json"]),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert bool(code) == fails, err.getvalue()
    return {**json.loads((err if fails else out).getvalue()), "code": code}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory):
    plan = rank(make_batch(120, seed=4), capacity=capacity(200), random_state=5)
    return plan, plan.write(tmp_path_factory.mktemp("export") / "plan")


def test_the_file_of_a_pool_is_the_plans(written, tmp_path: Path):
    plan, folder = written
    told = run("export", folder, "--pool", "sms", "--out", tmp_path / "sms.csv")
    assert (tmp_path / "sms.csv").read_text("utf-8") == plan.to_csv(pool="sms")
    frame = plan.to_frame()
    own = frame[frame["pool"] == "sms"]
    assert told["rows"] == len(own) > 0
    assert told["batch_id"] == plan.batch_id
    assert told["first_start_before"] == own["start_before"].min().isoformat()


def test_their_names_and_their_separator(written, tmp_path: Path):
    plan, folder = written
    run(
        *("export", folder, "--out", tmp_path / "all.csv", "--separator", "tab", "--excel"),
        *("--column", "decision_id=REF", "--column", "slot_start_local=WHEN", "--zone", "UTC"),
    )
    columns = {"decision_id": "REF", "slot_start_local": "WHEN"}
    assert (tmp_path / "all.csv").read_bytes().startswith(b'\xef\xbb\xbf"REF"\t"WHEN"\n')
    back = read_dispatch(tmp_path / "all.csv", separator="\t", columns=columns)
    assert sorted(back["decision_id"]) == sorted(plan.to_frame()["decision_id"])


def test_faults_say_the_way_on(written, tmp_path: Path):
    _, folder = written
    fault = run("export", folder, "--pool", "smss", "--out", tmp_path / "x.csv", fails=True)
    assert fault["code"] == 2 and "call_agent, email, letter, sms" in fault["hint"]
    fault = run("export", tmp_path, "--out", tmp_path / "x.csv", fails=True)
    assert fault["code"] == 2 and "contactopt rank" in fault["hint"]
    fault = run("export", folder, "--column", "REF", "--out", tmp_path / "x.csv", fails=True)
    assert fault["code"] == 2 and "decision_id=REF" in fault["hint"]
    assert list(tmp_path.iterdir()) == []


def test_an_idle_pool_is_no_fault(tmp_path: Path):
    plan = rank(make_batch(10, allowed_share=0.0))
    told = run("export", plan.write(tmp_path / "p"), "--pool", "sms", "--out", tmp_path / "x.csv")
    assert (told["rows"], told["batch_id"], told["first_start_before"]) == (0, None, None)
    assert len(read_dispatch(tmp_path / "x.csv")) == 0
