"""Tidy frame in, axes and the same frame out: charts that know no table of ours.

matplotlib is imported when a chart is drawn, never before; no chart shows itself, sets a backend
or changes a setting.
"""

from contactopt.plotting.blocked import blocked_bars
from contactopt.plotting.capacity import capacity_bars
from contactopt.plotting.channel_value import value_bars
from contactopt.plotting.load import load_bars
from contactopt.plotting.plot import Plot
from contactopt.plotting.probability import probability_chart
from contactopt.plotting.svg import default_look, inline_svg

__all__ = [
    "Plot",
    "blocked_bars",
    "capacity_bars",
    "default_look",
    "inline_svg",
    "load_bars",
    "probability_chart",
    "value_bars",
]
