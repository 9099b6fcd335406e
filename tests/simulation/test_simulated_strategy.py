"""A simulated portfolio comes with a strategy that is valid and capacities that bind."""

import datetime as dt

from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio
from contactopt.simulation import PRESETS, WORLD_CHANNELS, capacity_table, simulate


def test_simulate_writes_the_same_bytes_twice(tmp_path):
    first = simulate(120, 3, "mixed", 30, tmp_path / "a")
    simulate(120, 3, "mixed", 30, tmp_path / "b")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) > 10
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    loaded = Portfolio.from_folder(tmp_path / "a" / "portfolio")
    assert loaded.content_hash == first.content_hash
    assert loaded.capacity is not None
    assert set(loaded.capacity["date"].dt.date) == {dt.date(2025, 12, 31), dt.date(2026, 1, 1)}


def test_strategy_fits_the_world(tmp_path):
    simulate(10, 0, "late", 5, tmp_path)
    config = StrategyConfig.from_yaml(tmp_path / "strategy.yaml")
    assert len(config.action_space) == 61
    for name in config.channels:
        cost = PRESETS["late"].unit_cost[WORLD_CHANNELS.index(name)]
        assert config.channel(name).unit_cost == cost
    assert config.rules.fallback == "cautious"
    assert {c for p in config.pools.values() for c in p.serves.channels} == set(config.channels)


def test_capacity_binds():
    table = capacity_table(1000, dt.date(2026, 3, 11))
    units = table.drop_duplicates("pool").set_index("pool")["units"]
    assert units["agents"] == 480  # minutes for 8 % of the customers at six minutes each
    assert units["texts"] == 200
    assert len(capacity_table(0, dt.date(2026, 3, 11))) == 10
