"""Tidy frame in, axes and the same frame out: charts that know no table of ours.

matplotlib is imported when a chart is drawn, never before; no chart shows itself, sets a backend
or changes a setting.
"""

from contactopt.plotting.blocked import blocked_bars
from contactopt.plotting.capacity import capacity_bars
from contactopt.plotting.channel_value import value_bars
from contactopt.plotting.gain import gain_plot, lift_plot
from contactopt.plotting.hours import hour_curves
from contactopt.plotting.load import load_bars
from contactopt.plotting.plot import Plot
from contactopt.plotting.probability import probability_chart
from contactopt.plotting.reliability import reliability_plot
from contactopt.plotting.score_slices import score_slices_plot
from contactopt.plotting.stability import stability_bars
from contactopt.plotting.svg import default_look, inline_svg
from contactopt.plotting.uplift import uplift_plot

__all__ = [
    "Plot",
    "blocked_bars",
    "capacity_bars",
    "default_look",
    "gain_plot",
    "hour_curves",
    "inline_svg",
    "lift_plot",
    "load_bars",
    "probability_chart",
    "reliability_plot",
    "score_slices_plot",
    "stability_bars",
    "uplift_plot",
    "value_bars",
]
