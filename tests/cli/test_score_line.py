"""``contactopt score`` writes what `ContactStrategy.score_customers` returns."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command_line import contactopt

import contactopt as co


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("score")
    for line in (
        ("simulate", "--customers", 60, "--days", 12, "--random-state", 4, "--out", "W"),
        ("fit", "W/portfolio", "--strategy", "W/strategy.yaml", "--as-of", "latest",
         "--save", "bundle"),
    ):  # fmt: skip
        done = contactopt(*line, cwd=path)
        assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("name", ["s.parquet", "s.csv", "new/s.csv"])
def test_file_holds_what_python_returns(folder: Path, name: str) -> None:
    done = contactopt(
        "score", "W/portfolio", "--model", "bundle", "--as-of", "latest", "--out", name,
        "--json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    portfolio = co.Portfolio.from_folder(folder / "W" / "portfolio")
    strategy = co.ContactStrategy.load(folder / "bundle")
    expected = strategy.score_customers(portfolio, as_of=portfolio.latest_instant())
    path = folder / name
    found = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    assert told["in_arrears"] == len(found) == len(expected)
    assert list(found["customer_id"]) == list(expected["customer_id"])
    pd.testing.assert_series_equal(found["p_pay"], expected["p_pay"])
    assert told["expected_recovery"] == pytest.approx(expected["expected_recovery"].sum())


def test_another_kind_of_file_is_refused_before_the_work(folder: Path) -> None:
    done = contactopt(
        "score", "W/portfolio", "--model", "bundle", "--as-of", "latest", "--out", "s.xlsx",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 2
    assert "neither CSV nor parquet" in done.stderr
    assert not (folder / "s.xlsx").exists()
