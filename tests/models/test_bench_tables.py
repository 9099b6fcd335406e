"""The benchmark's own arithmetic: paired rows on the same folds, any table, time in windows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_are_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_paired_figures_agree_with_the_library_and_bars_look_the_right_way():
    from model_tasks.paired import meets, rows_of

    from contactopt.metrics import auc, log_loss

    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.95, 800).round(2)  # ties on purpose
    y = (rng.random(800) < p).astype(int)
    worse = np.clip(p + rng.normal(0, 0.3, 800), 0.01, 0.99)
    rows = rows_of(
        "t", y, {"contactopt": p, "peer": worse},
        bars={"AUC": 0.5}, groups=np.arange(800) // 2, seed=0, quick=True,
    )  # fmt: skip
    found = {(r["model"], r["metric"]): r for r in rows}
    assert found["contactopt", "AUC"]["value"] == pytest.approx(auc(y, p).value)
    assert found["peer", "log-loss"]["value"] == pytest.approx(log_loss(y, worse).value)
    gap = found["contactopt - peer", "AUC"]
    assert 0 < gap["low"] < gap["value"] < gap["high"]
    assert found["contactopt", "AUC"]["met"] is True and found["peer", "AUC"]["met"] is None
    assert meets("ECE", 0.0114, 0.011) and not meets("log-loss", 0.6326, 0.632)


def test_windows_expand_in_time_whatever_the_order_of_the_rows():
    from model_tasks.propensity import expanding_windows

    order = np.random.default_rng(1).permutation(60)
    folds = expanding_windows(order)
    assert len(folds) == 5
    for train, test in folds:
        assert order[train].max() < order[test].min()
        assert len(test) == 10


def test_any_table_is_scored_by_time_and_group(tmp_path):
    from model_tasks.any_table import run_table

    rng = np.random.default_rng(2)
    n = 360
    table = pd.DataFrame(
        {
            "paid": rng.choice(["no", "yes"], n),
            "day": pd.date_range("2026-01-01", periods=n, freq="h").strftime("%Y-%m-%d %H:%M"),
            "who": rng.integers(0, 60, n),
            "x": rng.normal(size=n),
            "book": rng.choice(["a", "b"], n),
            "after": 1.0,
        }
    )
    table["x"] += table["paid"] == "yes"
    table.to_csv(tmp_path / "own.csv", index=False)
    shared = {"target": "paid", "group": "who", "drop": ["after"], "seed": 0, "quick": True}
    by_time = run_table(tmp_path / "own.csv", positive=None, time="day", **shared)
    found = {(r["model"], r["metric"]): r for r in by_time}
    assert found["contactopt", "AUC"]["n"] == 300  # all but the first window
    assert found["contactopt", "AUC"]["value"] > 0.65
    with pytest.raises(SystemExit, match="has no column nope"):
        run_table(tmp_path / "own.csv", positive=None, time="nope", **shared)
