"""Charts return what they drew, show nothing, change no setting, and survive an empty frame."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from contactopt.errors import ConfigError
from contactopt.plotting import (
    Plot,
    blocked_bars,
    capacity_bars,
    inline_svg,
    load_bars,
    probability_chart,
    value_bars,
)

LOAD = pd.DataFrame(
    {
        "series": ["sms", "call", "sms", "letter"],
        "hour": pd.array([9, 9, 12, None], dtype="Int64"),
        "contacts": [5, 2, 1, 4],
    }
)
VALUE = pd.DataFrame(
    {"channel": ["sms", "call", "none"], "expected_value": [5.0, -2.0, 0.0], "contacts": [7, 1, 0]}
)
BINS = pd.DataFrame(
    {
        "series": ["contact", "contact", "waits"],
        "low": [0.0, 0.5, 0.5],
        "high": [0.5, 1.0, 1.0],
        "customers": [3, 4, 2],
    }
)
STEPS = pd.DataFrame({"series": "contact", "probability": [0.25, 1.0], "customers": [1, 3]})
RULES = pd.DataFrame({"rule": ["a", "b$x$", "c"], "pairs": [1, 5, 3]})
ROWS = pd.DataFrame(
    {
        "row": ["agents 2026-06-02", "sms 2026-06-02 09h"],
        "unit": ["minutes", "contacts"],
        "units": [100.0, 4.0],
        "drawn": [25.0, 4.0],
        "price": [0.0, 1.25],
    }
)
DRAW = {
    "load": lambda f, **k: load_bars(f, **k),
    "value": lambda f, **k: value_bars(f, currency="USD", **k),
    "histogram": lambda f, **k: probability_chart(f, **k),
    "ecdf": lambda f, **k: probability_chart(f, kind="ecdf", **k),
    "blocked": lambda f, **k: blocked_bars(f, **k),
    "capacity": lambda f, **k: capacity_bars(f, currency="USD", **k),
}
DATA = {"load": LOAD, "value": VALUE, "histogram": BINS, "ecdf": STEPS, "blocked": RULES,
        "capacity": ROWS}  # fmt: skip


@pytest.mark.parametrize("name", DRAW)
def test_draws_into_the_axes_given_and_returns_them_with_the_data(name):
    ax = Figure().add_subplot()
    before = dict(matplotlib.rcParams)
    plot = DRAW[name](DATA[name].copy(), ax=ax)
    assert isinstance(plot, Plot)
    assert plot.ax is ax
    pd.testing.assert_frame_equal(plot.data, DATA[name])
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title(loc="left")
    plot.ax.figure.savefig(io.BytesIO(), format="png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", DRAW)
def test_an_empty_frame_gives_axes_with_a_note(name):
    plot = DRAW[name](DATA[name].iloc[:0])
    assert plot.data.empty
    assert len(plot.ax.texts) == 1 and not plot.ax.patches
    assert "<svg" in plot._repr_svg_()


def test_bars_stack_to_the_contacts_of_each_hour_with_empty_hours_between():
    ax, _ = load_bars(LOAD)
    tops: dict[int, float] = {}
    for bar in ax.patches:
        place = round(bar.get_x() + bar.get_width() / 2)
        tops[place] = max(tops.get(place, 0.0), bar.get_y() + bar.get_height())
    assert tops == {0: 7.0, 1: 0.0, 2: 0.0, 3: 1.0, 4: 4.0}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["09", "10", "11", "12", "any"]


def test_hours_of_two_days_follow_each_other_under_their_limits():
    frame = pd.DataFrame(
        {
            "series": "call",
            "date": ["2026-06-02", "2026-06-03"],
            "hour": pd.array([23, 1], dtype="Int64"),
            "contacts": [2, 3],
            "limit": [4.0, np.nan],
        }
    )
    ax, _ = load_bars(frame)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["23\n06-02", "00\n06-03", "01"]
    (lines,) = ax.collections
    (segment,) = lines.get_segments()
    assert segment[:, 1].tolist() == [4.0, 4.0]


def test_one_channel_keeps_its_colour_from_chart_to_chart():
    one = load_bars(LOAD[LOAD["series"] == "sms"], colours_for=["call", "letter", "sms"])
    all_ = load_bars(LOAD, colours_for=["call", "letter", "sms"])
    colour = {h.get_label(): h.patches[0].get_facecolor() for h in all_.ax.containers}
    assert one.ax.patches[0].get_facecolor() == colour["sms"]
    assert len(set(colour.values())) == 3


def test_money_bars_are_the_money_and_leave_out_what_is_nothing():
    ax, data = value_bars(VALUE, currency="EUR")
    assert [bar.get_width() for bar in ax.patches] == [-2.0, 5.0]
    assert "EUR" in ax.get_xlabel() and "estimate" in ax.get_xlabel()
    assert len(data) == 3


def test_histogram_stacks_and_the_ecdf_ends_at_one():
    ax, _ = probability_chart(BINS)
    assert sum(bar.get_height() for bar in ax.patches) == 9
    ax, _ = probability_chart(STEPS, kind="ecdf")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0, 0.25, 1, 1])
    with pytest.raises(ConfigError, match="kind"):
        probability_chart(BINS, kind="pie")


def test_the_largest_rules_are_drawn_and_the_rest_is_told():
    ax, data = blocked_bars(RULES, top=2)
    assert [bar.get_width() for bar in ax.patches] == [3.0, 5.0]
    assert ax.get_title(loc="left").endswith("2 of 3")
    assert len(data) == 3
    for chart in (lambda: blocked_bars(RULES, top=0),
                  lambda: capacity_bars(ROWS, currency="USD", top=0)):  # fmt: skip
        with pytest.raises(ConfigError, match="top"):
            chart()


def test_capacity_bars_are_shares_with_units_and_price_in_words():
    ax, _ = capacity_bars(ROWS, currency="USD")
    assert [bar.get_width() for bar in ax.patches[2:]] == [0.25, 1.0]
    assert [t.get_text() for t in ax.texts] == [
        "25 of 100 minutes · 0 USD",
        "4 of 4 contacts · 1.25 USD",
    ]


def test_svg_is_the_same_each_time_prefixed_and_loads_nothing():
    texts = [
        inline_svg(blocked_bars(RULES).ax.figure, name=name, title="<T>", description="d & e")
        for name in ("one", "one", "two")
    ]
    assert texts[0] == texts[1]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    assert ids[0].isdisjoint(ids[2]) and len(ids[0]) == texts[0].count(' id="')
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', texts[2])) <= ids[2]
    for text in texts:
        assert "http" not in text and "<style" not in text and "<metadata" not in text
        assert "&lt;T&gt;" in text and "d &amp; e" in text
        assert "b$x$" in text  # no mathematics


def test_hostile_names_are_text():
    names = ["<script>", "$\\frac{", "a\nb\tc", "日本", "x" * 99, "]]>", "--"]
    frame = pd.DataFrame({"rule": names, "pairs": range(len(names))})
    text = inline_svg(blocked_bars(frame).ax.figure, name="r", title="t", description="d")
    assert "<script" not in text
    assert "&lt;script&gt;" in text and "日本" in text


def test_the_users_settings_are_neither_needed_nor_changed():
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        plot = blocked_bars(RULES)
        assert "<text" in plot._repr_svg_()
        assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_not_loaded_before_a_chart_and_pyplot_never():
    code = (
        "import sys, contactopt, contactopt.plan, contactopt.plotting as p, pandas as pd\n"
        "assert 'matplotlib' not in sys.modules\n"
        "p.blocked_bars(pd.DataFrame({'rule': ['a'], 'pairs': [1]}))._repr_svg_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
