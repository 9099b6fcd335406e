"""From an empty directory to a plan, and the first errors: what a new user types."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

from contactopt.cli import main
from contactopt.contracts import TABLES, Portfolio
from contactopt.errors import ConfigError
from contactopt.onboarding.starter import COMMANDS, start_folder


def run(command: str, cwd: Path) -> tuple[int, str, str]:
    """Type a command of the README in a folder."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", shlex.split(command)),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    code, out, _ = run("contactopt init 'my shop' --json", folder)
    assert code == 0
    told = json.loads(out)
    assert told["next"] == list(COMMANDS)
    assert {"mlflow.db", "strategy.yaml", "mapping.yaml", "README.txt"} <= set(told["files"])
    return folder / "my shop"


ROWS = {
    "customers": "customer_id,jurisdiction,time_zone\nC1,CO,America/Bogota\nC2,CO,\n",
    "debts": (
        "debt_id,customer_id,product,creditor,ownership,currency,principal,opened_at,"
        "delinquent_since\n"
        "D1,C1,credit_card,bank,first_party,USD,900,2024-01-10,2026-04-20\n"
        "D2,C2,telecom,bank,first_party,USD,300,2024-01-10,2026-04-20\n"
    ),
    "debt_snapshots": (
        "debt_id,observed_at,balance,past_due,days_past_due,status\n"
        "D1,2026-06-01T05:00:00Z,900,400,42,open\nD2,2026-06-01T05:00:00Z,300,200,42,open\n"
    ),
    "contact_points": (
        "contact_point_id,customer_id,kind,place,holder,valid_from\n"
        "P1,C1,mobile,home,customer,2024-01-10T00:00:00-05:00\n"
        "P2,C2,email,home,customer,2024-01-10T00:00:00-05:00\n"
    ),
    "consents": (
        "customer_id,channel,changed_at,status\n"
        "C1,sms,2025-01-10T09:00:00-05:00,granted\nC1,call_agent,2025-01-10T09:00:00-05:00,granted\n"
        "C2,email,2025-01-10T09:00:00-05:00,granted\n"
    ),
}


def test_every_command_of_the_readme_works_on_the_untouched_folder(shop: Path) -> None:
    readme = (shop / "README.txt").read_text("utf-8")
    for command in COMMANDS:
        assert f"\n   {command}\n" in readme
        code, out, err = run(command, shop)
        assert code == 0, err
    assert "registered" in out
    plan = pd.read_parquet(shop / "plan" / "plan.parquet")
    assert (len(plan), "contact_point_id" in plan.columns) == (0, True)
    assert not (shop / "mlruns").is_dir() or (shop / "mlflow.db").is_file()


def test_tables_have_all_columns_and_no_row(shop: Path) -> None:
    for name, spec in TABLES.items():
        frame = pd.read_csv(shop / "portfolio" / f"{name}.csv")
        assert (set(frame.columns), len(frame)) == (set(spec.columns), 0)
    empty = Portfolio.from_folder(shop / "portfolio")
    assert (empty.n_customers, len(empty.capacity)) == (0, 0)


def test_five_files_give_a_plan_and_an_empty_capacity_closes_nothing(shop: Path) -> None:
    for name, text in ROWS.items():
        (shop / "portfolio" / f"{name}.csv").write_text(text, encoding="utf-8")
    settings = (shop / "strategy.yaml").read_text("utf-8")
    (shop / "strategy.yaml").write_text(
        settings.replace("holdout_share: 0.02", "holdout_share: 0.0"), encoding="utf-8"
    )
    code, out, err = run("contactopt validate portfolio --strategy strategy.yaml --json", shop)
    assert code == 0, err
    ladder = json.loads(out)["ladder"]
    assert [s["reached"] for s in ladder] == [True, False, False, False, False]
    rank = "contactopt rank portfolio --strategy strategy.yaml --as-of latest --out p5 --json"
    code, out, err = run(rank, shop)
    assert code == 0, err
    log = pd.read_parquet(shop / "p5" / "decisions")
    assert set(log["customer_id"]) == {"C1", "C2"}
    assert "capacity.closed" not in out
    considered = pd.read_parquet(shop / "p5" / "decision_actions")
    open_to = considered[considered["probability"] > 0]
    assert {"sms", "call_agent"} & {a.split("@")[0] for a in open_to["action_id"]}


def test_init_never_replaces_anything(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        start_folder(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    code, out, err = run("contactopt init .", tmp_path)
    assert (code, out) == (2, "")
    assert "not empty" in err


def test_init_is_whole_or_nothing(tmp_path: Path) -> None:
    with (
        mock.patch("contactopt.onboarding.starter.open_store", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        start_folder(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


# ---- the first error -----------------------------------------------------------------------------


def test_a_refused_portfolio_is_reported_whole(shop: Path, tmp_path: Path) -> None:
    for name in TABLES:
        header = (shop / "portfolio" / f"{name}.csv").read_text("utf-8").partition("\n")[0]
        (tmp_path / f"{name}.csv").write_text(ROWS.get(name, header + "\n"), "utf-8")
    holds = "hold_id,customer_id,kind,starts_at\nH1,C1,cease letter of Maria,2026-05-01T00:00:00Z\n"
    (tmp_path / "holds.csv").write_text(holds, "utf-8")
    code, out, err = run("contactopt validate . --quarantine ../q --html ../r.html", tmp_path)
    assert code == 1
    assert "fault: holds.kind unknown word: 1 row(s) (H1)" in out
    assert "1 of 1 customers have a debt, its snapshot and a contact point" in out
    assert "max_quarantined_share=" in out
    assert "Maria" not in out + err
    values = pd.read_csv(tmp_path / ".." / "q" / "holds.csv")["value"].tolist()
    assert values == ["cease letter of Maria"]
    assert "unknown word" in (tmp_path / ".." / "r.html").read_text("utf-8")
    share = "contactopt validate . --max-quarantined-share 1"
    assert run(share, tmp_path)[0] == 0


def test_schema_prints_a_table(tmp_path: Path) -> None:
    code, out, _ = run("contactopt schema payments --csv", tmp_path)
    assert (code, out) == (
        0,
        "payment_id,debt_id,paid_at,amount,kind,method,promise_id,reversed_at,recorded_at\n",
    )
    code, out, _ = run("contactopt schema holds", tmp_path)
    assert "kind  [word; required, never null]" in out
    assert "breathing_space" in out
    code, out, _ = run("contactopt schema --json", tmp_path)
    assert {*TABLES, "capacity", "scored_batch"} == set(json.loads(out))
    code, out, err = run("contactopt schema contactpoints", tmp_path)
    assert (code, out) == (2, "")
    assert "did you mean 'contact_points'" in err
    assert run("contactopt schema --csv", tmp_path)[0] == 2


def test_doctor_speaks_json_and_makes_no_store(tmp_path: Path) -> None:
    code, out, _ = run("contactopt doctor --tracking-uri sqlite:///none.db --json", tmp_path)
    told = {c["check"]: c for c in json.loads(out)["checks"]}
    assert code == (0 if json.loads(out)["ok"] else 1)
    assert told["python"]["state"] == "ok"
    assert told["numpy"]["state"] == "ok"
    assert told["MLflow store"]["state"] == "warn"
    assert "contactopt init" in told["MLflow store"]["way_on"]
    assert list(tmp_path.iterdir()) == []
