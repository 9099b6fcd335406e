"""The demo portfolio is the simulated world, ready to use."""

import pandas as pd

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
