"""A stranger's portfolio goes through the command line and through Python, unchanged."""

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
from outside.foreign_portfolio import AS_OF, CHANNELS, foreign_tables, write_foreign

from contactopt import ContactStrategy, Portfolio
from contactopt.cli import main

PLAN = """decision_id batch_id decided_at customer_id rank action_id channel pool slot_start
start_before slot_local_hour time_zone contact_point_id template_id language offer_id debt_id
debt_ids max_attempts priority propensity expected_value price currency p_reach p_pay p_pay_wait
amount lift cost harm segment policy_version rules_version"""
DECISIONS = """decision_id batch_id decided_at customer_id action_id channel slot_start
slot_local_hour template_id offer_id debt_id propensity n_eligible holdout dispatch_status
dispatched_at policy_version rules_version"""
ACTIONS = """decision_id action_id probability value priced_value spread p_reach p_pay p_pay_wait
amount lift cost harm reasons lawful_from"""
WHEN = ("--as-of", AS_OF.isoformat())
N = 300


def run(folder: Path, *args: object) -> dict[str, Any]:
    """Run a verb with --json in this process; return its result."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["contactopt", *map(str, args), "--json"]
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", argv),
    ):
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, err.getvalue()
    return json.loads(out.getvalue())


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def read(folder: Path, name: str) -> pd.DataFrame:
    parts = sorted((folder / name).glob("*.parquet"))
    return pd.concat([pd.read_parquet(p) for p in parts], ignore_index=True)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Path:
    """Validate, fit and register, rank twice with the model and twice on priors alone."""
    folder = tmp_path_factory.mktemp("foreign")
    shutil.copyfile(mlflow_template, folder / "mlflow.db")
    write_foreign(folder)
    report = run(folder, "validate", "portfolio", "--strategy", "strategy.yaml", *WHEN)
    (folder / "report.json").write_text(json.dumps(report))
    run(folder, "fit", "portfolio", "--strategy", "strategy.yaml", *WHEN, "--register", "s")
    for out in ("plan", "plan-again"):
        run(folder, "rank", "portfolio", "--model", "models:/s@champion", *WHEN, "--out", out)
    for out in ("cold", "cold-again"):
        run(folder, "rank", "portfolio", "--strategy", "strategy.yaml", *WHEN, "--out", out)
    return folder


def test_the_portfolio_is_valid(line: Path) -> None:
    portfolio = Portfolio.from_folder(line / "portfolio", extra_channels=("rcs",))
    assert portfolio.n_customers == N
    assert len(portfolio.quarantine) == 0
    assert portfolio.dropped_columns == {"customers": ["crm_owner"]}
    given = foreign_tables()
    for name, frame in given.items():
        assert len(portfolio.tables[name]) == len(frame), name
    assert set(portfolio.tables["customers"]["customer_id"]) == set(
        given["customers"]["customer_id"].astype(str)
    )
    old = portfolio.tables["decisions"].set_index("decision_id")["decided_at"]
    meant = given["decisions"].set_index("decision_id")["decided_at"]
    assert (old.loc[meant.index] == meant.dt.floor("us")).all()


@pytest.mark.parametrize("out", ["plan", "cold"])
def test_the_same_command_gives_the_same_bytes(line: Path, out: str) -> None:
    assert contents(line / out) == contents(line / f"{out}-again")


@pytest.mark.parametrize("out", ["plan", "cold"])
def test_columns_are_those_of_the_contract(line: Path, out: str) -> None:
    plan = pd.read_parquet(line / out / "plan.parquet")
    assert set(PLAN.split()) <= set(plan.columns)
    assert set(PLAN.split()) <= set(pd.read_csv(line / out / "plan.csv").columns)
    assert set(DECISIONS.split()) <= set(read(line / out, "decisions").columns)
    assert set(ACTIONS.split()) <= set(read(line / out, "decision_actions").columns)
    batch = read(line / out, "batches")
    assert len(batch) == 1
    assert {"batch_id", "as_of", "prices", "tau", "random_state", "capacity"} <= set(batch.columns)


@pytest.mark.parametrize("out", ["plan", "cold"])
def test_plan_and_log_hold_together(line: Path, out: str) -> None:  # 001-02
    plan = pd.read_parquet(line / out / "plan.parquet")
    log, actions = read(line / out, "decisions"), read(line / out, "decision_actions")
    assert len(log) == log["customer_id"].nunique() == log["decision_id"].nunique() == N
    assert not plan.duplicated(["customer_id", "rank"]).any()
    drawn = plan[plan["rank"] == 1].set_index("customer_id")
    told = log[log["action_id"] != "wait"].set_index("customer_id")
    assert set(drawn.index) == set(told.index)
    assert (told.loc[drawn.index, "action_id"] == drawn["action_id"]).all()
    units = actions["probability"] * 2**36
    assert (units == units.round()).all()
    assert (units.astype("int64").groupby(actions["decision_id"]).sum() == 2**36).all()
    blocked = actions["reasons"].map(len) > 0
    assert (actions.loc[blocked, "probability"] == 0).all()
    assert (actions.loc[~blocked, "probability"] > 0).all()  # every eligible arm has a chance
    probability = actions.set_index(["decision_id", "action_id"])["probability"]
    keys = pd.MultiIndex.from_frame(log[["decision_id", "action_id"]])
    assert (probability.loc[keys].to_numpy() == log["propensity"].to_numpy()).all()
    assert (log.loc[log["holdout"], "action_id"] == "wait").all()
    assert (log.loc[log["holdout"], "propensity"] == 1.0).all()


@pytest.mark.parametrize("out", ["plan", "cold"])
def test_the_plan_reaches_places_without_a_pack(line: Path, out: str) -> None:
    plan = pd.read_parquet(line / out / "plan.parquet")
    given = foreign_tables()
    place = given["customers"].set_index(given["customers"]["customer_id"].astype(str))
    used = set(place.loc[plan["customer_id"], "jurisdiction"])
    assert {"MX", "ES", "BR-SP", "PT", "GB", "US-TX", "CO"} <= used
    assert set(plan["channel"]) <= set(CHANNELS)
    assert "rcs" in set(plan["channel"])
    assert set(plan["currency"]) == {"USD"}


@pytest.mark.parametrize("out", ["plan", "cold"])
def test_capacity_and_templates_bind(line: Path, out: str) -> None:
    plan = pd.read_parquet(line / out / "plan.parquet")
    plan = plan[plan["rank"] == 1]
    desk = plan[plan["pool"] == "desk"]
    local = desk["slot_start"].dt.tz_convert("Europe/Madrid")
    per_hour = desk.groupby([local.dt.date.astype(str), local.dt.hour]).size()
    for (day, hour), used in per_hour.items():
        if day == "2026-06-02" and hour in (15, 16, 17, 18):
            assert used <= 3
    assert (local.dt.date.astype(str) == "2026-06-03").sum() <= 12
    sms = plan[plan["channel"] == "sms"]
    assert set(sms["template_id"]) <= {"t-sms-es", "t-sms-en"}
    assert (sms["template_id"].str[-2:] == sms["language"].str[:2]).all()


def test_python_gives_what_the_command_line_gave(line: Path) -> None:
    strategy = ContactStrategy.from_yaml(line / "strategy.yaml")
    portfolio = Portfolio.from_folder(line / "portfolio", extra_channels=("rcs",))
    plan = strategy.fit(portfolio, as_of=AS_OF).rank(portfolio, as_of=AS_OF)
    plan.write(line / "by-python")
    assert contents(line / "by-python") == contents(line / "plan")
    one = str(plan.to_frame()["customer_id"].iloc[0])
    assert plan.why(one).action_id == plan.to_frame()["action_id"].iloc[0]


def test_frames_and_files_are_the_same_portfolio(line: Path) -> None:
    frames = Portfolio.from_frames(foreign_tables(), extra_channels=("rcs",))
    files = Portfolio.from_folder(line / "portfolio", extra_channels=("rcs",))
    for name, table in frames.tables.items():
        pd.testing.assert_frame_equal(table, files.tables[name], obj=name)
