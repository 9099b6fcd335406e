"""`contactopt rules`: check, list, diff, explain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contactopt.cli.app import app
from contactopt.datasets import load_demo
from contactopt.errors import ConfigError, ContractError, RulePackError

VECTORS = Path(__file__).parents[1] / "compliance" / "vectors.json"
run = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "portfolio"
    load_demo(n_customers=60, random_state=3).to_folder(path)
    return path


def told(*words: str, code: int = 0):
    found = run.invoke(app, ["rules", *words])
    assert found.exit_code == code, found.output
    return found


def test_check_prints_agreed_and_exits_0():
    found = told("check", str(VECTORS))
    assert found.stdout.startswith("agreed 100/100")


def test_check_exits_1_where_one_disagrees_and_names_it(tmp_path):
    vectors = json.loads(VECTORS.read_text("utf-8"))["vectors"][:3]
    vectors[0]["expected_rule"] = "us.regf.cease"
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({"vectors": vectors}), "utf-8")
    text = told("check", str(path), code=1).stdout
    assert "agreed 2/3" in text
    assert "V001: expected deny by us.regf.cease, found deny by us.regf.hours" in text
    plain = json.loads(told("check", str(path), "--json", code=1).stdout)
    assert (plain["agreed"], plain["total"]) == (2, 3)
    assert plain["disagreements"][0]["deciding_rule"] == "us.regf.hours"


def test_check_refuses_a_file_that_holds_none(tmp_path):
    found = run.invoke(app, ["rules", "check", str(tmp_path / "none.json")])
    assert found.exit_code != 0 and isinstance(found.exception, ContractError)


def test_list_shows_source_dates_confidence_and_duties():
    text = told("list", "--as-of", "2026-06-02T12:00Z", "--jurisdiction", "US-NY").stdout
    assert "us.regf.hours  US  hours  hard  2021-11-30 to ..." in text
    assert "seen: legal text" in text and "not checked: duty" in text
    assert "us-nyc.cap_old  US-NY (New York City)" in text
    assert "co.l2300.hours" not in text.split("rules ")[0] and "cautious.hours" not in text
    assert "Not legal advice" in text
    plain = json.loads(told("list", "--proposed", "--json").stdout)
    ids = {r["id"] for r in plain["rules"]}
    assert {"us-ny.dfs_call_cap_proposed", "in.rbi2026.draft"} <= ids
    assert all(p["disclaimer"] for p in plain["packs"])
    found = run.invoke(app, ["rules", "list", "--as-of", "noon"])
    assert isinstance(found.exception, ConfigError)


def test_diff_of_two_dates_and_of_rules_to_come(folder, tmp_path):
    out = tmp_path / "changes.csv"
    words = ("diff", str(folder), "--as-of", "latest", "--law-of", "2021-01-01", "2026-01-01")
    text = told(*words, "--out", str(out)).stdout
    assert text.startswith("law of 2021-01-01 -> law of 2026-01-01:")
    plain = json.loads(told(*words, "--json").stdout)
    assert plain["changed"] > 0 and plain["by_rule"]
    assert len(out.read_text("utf-8").splitlines()) == plain["changed"] + 1
    same = told("diff", str(folder), "--as-of", "latest", "--law-of", "2026-01-01", "2026-01-02")
    assert ": 0 of" in same.stdout
    told("diff", str(folder), "--as-of", "latest", "--law-of", "strategy", "proposed")
    found = run.invoke(
        app, ["rules", "diff", str(folder), "--as-of", "latest", "--law-of", "a", "b"]
    )
    assert isinstance(found.exception, RulePackError)


def test_explain_one_customer(folder):
    words = ("explain", str(folder), "--customer", "C-0000007", "--as-of", "latest")
    text = told(*words).stdout
    assert text.startswith("customer C-0000007 at ")
    plain = json.loads(told(*words, "--json").stdout)
    actions = {b["action_id"] for b in plain["blocked"]} | set(plain["allowed"])
    assert "call_agent@10" in actions
    assert all(b["rules"] for b in plain["blocked"])
    found = run.invoke(
        app, ["rules", "explain", str(folder), "--customer", "?", "--as-of", "latest"]
    )
    assert isinstance(found.exception, ContractError)
