"""``contactopt tune``: settings on stdout, a strategy file written whole, the user's own kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from command_line import contactopt

from contactopt.config import StrategyConfig
from contactopt.tuning.tasks import Task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world")
    options = ["--customers", 700, "--days", 80, "--preset", "early", "--out", "W"]
    done = contactopt("simulate", *options, cwd=place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def smooth(monkeypatch):
    def loss(self, fold, settings):
        return abs(settings["num_leaves"] - 20) / 100 if settings else 0.4

    monkeypatch.setattr(Task, "loss", loss)


ASKED = ["tune", "W/portfolio", "--config", "W/strategy.yaml", "--as-of", "latest", "--trials", 3]


def test_the_file_written_is_the_users_with_the_settings_found(smooth, folder):
    done = contactopt(*ASKED, "--out", "tuned.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert done.stderr == ""
    part = told["parts"]["payment"]
    assert part["best_value"] < part["baseline_value"] == pytest.approx(0.4)
    assert len(part["trials"]) == 3 and told["models"] == {"payment": part["parameters"]}
    tuned = StrategyConfig.from_yaml(folder / "tuned.yaml")
    assert tuned.models.payment.given == pytest.approx(part["parameters"])
    before = yaml.safe_load((folder / "W/strategy.yaml").read_text("utf-8"))
    after = yaml.safe_load((folder / "tuned.yaml").read_text("utf-8"))
    assert {k: v for k, v in after.items() if k != "models"} == before
    assert not list(folder.glob(".*writing"))
    again = contactopt(*ASKED, cwd=folder)
    assert "log-loss" in again.stdout and "wrote" not in again.stdout


def test_a_storage_is_continued_and_trials_can_be_logged(smooth, folder, tracking_uri):
    for _ in range(2):
        done = contactopt(
            *ASKED, "--storage", "t.db", "--tracking-uri", tracking_uri, "--json", cwd=folder
        )
        assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["parts"]["payment"]["trials"]) == 6
    from contactopt.tracking.store import open_store

    with open_store(tracking_uri) as store:
        runs = store.client.search_runs([store.experiment_id("contactopt")])
    assert len(runs) == 2 + 6


def test_faults_write_nothing(smooth, folder):
    wrong = contactopt(*ASKED, "--parts", "reach", "--out", "none.yaml", cwd=folder)
    assert wrong.returncode == 2 and "payment, amount" in wrong.stderr
    itself = contactopt(*ASKED, "--out", "W/strategy.yaml", cwd=folder)
    assert itself.returncode == 2 and "itself" in itself.stderr
    absent = contactopt(*ASKED, "--out", "no/where.yaml", "--json", cwd=folder)
    assert absent.returncode == 2 and json.loads(absent.stderr)["error"] == "ConfigError"
    assert absent.stdout == "" and not (folder / "none.yaml").exists()
