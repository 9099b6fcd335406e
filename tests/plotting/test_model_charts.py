"""Charts of models draw the numbers given, keep the data, survive empty frames and one row."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from contactopt.errors import ConfigError
from contactopt.metrics import gain_curve, reliability_table, score_quantiles
from contactopt.plotting import (
    Plot,
    gain_plot,
    hour_curves,
    lift_plot,
    reliability_plot,
    score_slices_plot,
    stability_bars,
    uplift_plot,
)


def _world() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.6, 400)
    return (rng.random(400) < p).astype(float), p


Y, P = _world()
CURVE = gain_curve(Y, P, n_points=4)
BY = np.where(np.arange(400) < 20, "tiny", np.where(np.arange(400) % 2, "a$b$", "late"))
HOURS = pd.DataFrame(
    {"series": "sms", "hour": [9, 10, 12], "reach": [0.2, 0.3, 0.25], "low": [0.1, 0.2, np.nan],
     "high": [0.3, 0.4, np.nan]}
)  # fmt: skip
DRIFT = pd.DataFrame(
    {"name": ["a", "b", "c"], "psi": [0.01, 0.4, np.nan], "low": [0.0, 0.3, np.nan],
     "high": [0.04, 0.5, np.nan], "limit": [0.03, 0.03, np.nan], "verdict": ["", "", ""]}
)  # fmt: skip
EFFECT = pd.DataFrame({"share": [0, 0.5, 1], "gain": [0, 0.03, 0.02], "random": [0, 0.01, 0.02]})
DRAW = {
    "reliability": (reliability_plot, reliability_table(Y, P)),
    "gain": (gain_plot, CURVE),
    "lift": (lift_plot, CURVE),
    "uplift": (uplift_plot, EFFECT),
    "slices": (score_slices_plot, score_quantiles(P, BY, Y)),
    "hours": (hour_curves, HOURS),
    "stability": (stability_bars, DRIFT),
}


@pytest.mark.parametrize("name", DRAW)
def test_draws_into_the_axes_given_and_keeps_the_data(name):
    draw, data = DRAW[name]
    before, ax = dict(matplotlib.rcParams), Figure().add_subplot()
    plot = draw(data.copy(), ax=ax)
    assert isinstance(plot, Plot) and plot.ax is ax
    pd.testing.assert_frame_equal(plot.data, data)
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title(loc="left")
    ax.figure.savefig(io.BytesIO(), format="png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", DRAW)
def test_empty_and_single_rows(name):
    draw, data = DRAW[name]
    empty = draw(data.iloc[:0])
    assert len(empty.ax.texts) == 1 and len(empty.data) == 0
    draw(data.iloc[-1:]).ax.figure.savefig(io.BytesIO(), format="png")
    assert draw(data)._repr_svg_() == draw(data)._repr_svg_()


@pytest.mark.parametrize("name", ["reliability", "gain", "lift", "uplift", "hours"])
def test_several_series_are_named_in_the_legend(name):
    draw, data = DRAW[name]
    both = pd.concat([data.assign(series="ours"), data.assign(series="peer $x$")])
    figure = draw(both).ax.figure
    told = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "ours" in told and r"peer \$x\$" in told


def test_numbers_are_those_of_the_frame():
    ax, _ = lift_plot(CURVE)
    lift = (CURVE["captured"] / CURVE["share_contacted"]).iloc[1:]
    assert ax.lines[-1].get_ydata().tolist() == pytest.approx(lift.tolist())
    bars, _ = stability_bars(DRIFT)
    assert [bar.get_width() for bar in bars.patches] == [0.01, 0.4]
    assert [t.get_text() for t in bars.get_yticklabels()] == ["a", "b"]
    line = hour_curves(HOURS).ax.lines[0].get_ydata()
    assert np.isnan(line[2]) and line[3] == 0.25  # eleven has no row: the line breaks
    slices, _ = score_slices_plot(score_quantiles(P, BY, Y))
    assert [t.get_text() for t in slices.texts] == ["not enough data"]
    assert r"a\$b\$ (190)" in [t.get_text() for t in slices.get_yticklabels()]
    marked = gain_plot(CURVE, capacity=0.125)
    assert "capacity 12.5 %" in [line.get_label() for line in marked.ax.lines]


@pytest.mark.parametrize("draw", [score_slices_plot, stability_bars])
def test_a_chart_of_nothing_at_all_is_refused(draw):
    with pytest.raises(ConfigError, match="top is less than 1"):
        draw(DRIFT, top=0)


def test_score_quantiles_are_those_of_each_slice():
    told = score_quantiles(P, BY, Y, groups=np.arange(400) // 2).set_index("group")
    own = BY == "late"
    assert told.loc["late", "p50"] == pytest.approx(np.quantile(P[own], 0.5))
    assert told.loc["late", "observed"] == Y[own].mean()
    assert told.loc["late", "low"] < Y[own].mean() < told.loc["late", "high"]
    assert np.isnan(told.loc["tiny", "p50"]) and told.loc["tiny", "n"] == 10
    assert list(score_quantiles([], []).columns) == [
        "group", "p05", "p25", "p50", "p75", "p95", "mean", "n",
    ]  # fmt: skip
