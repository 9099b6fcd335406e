"""The demo portfolio is the simulated world, ready to use."""

from pathlib import Path

import pandas as pd

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.datasets import load_demo


def test_demo_is_valid_and_repeats():
    demo = load_demo(150, random_state=9)
    assert demo.n_customers == 150
    assert demo.validate().ok
    assert demo.content_hash == load_demo(150, random_state=9).content_hash
    assert demo.content_hash != load_demo(150, random_state=10).content_hash
    assert demo.latest_instant() == pd.Timestamp("2026-03-11T08:05Z")
    newest = demo.tables["touches"]["started_at"].max()
    assert demo.latest_instant() - newest < pd.Timedelta(hours=24)


def test_progress_bar_changes_nothing(capsys):
    shown = load_demo(20, n_days=4, progress=True)
    assert "simulating" in capsys.readouterr().err
    assert shown.content_hash == load_demo(20, n_days=4).content_hash


def test_shipped_portfolio_is_small_and_ready():
    folder = Path(__file__).parents[2] / "datasets" / "small"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    assert size < 1 << 20
    small = Portfolio.from_folder(folder / "portfolio")
    assert small.n_customers == 300
    assert small.capacity is not None
    config = StrategyConfig.from_yaml(folder / "strategy.yaml")
    assert small.validate(config, small.latest_instant()).ok
    assert small.latest_instant() == pd.Timestamp("2026-03-11T08:05Z")
