"""Whether stated probabilities come true: observed against predicted share per bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.plotting.canvas import INK, add_legend, axes_for, dress, note_empty, plain
from contactopt.plotting.curves import looks, percent_axis, series_of
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["reliability_plot"]


def reliability_plot(
    frame: pd.DataFrame,
    *,
    ax: Any = None,
    title: str = "Reliability",
    event: str = "share that paid",
) -> Plot:
    """Draw the observed share over the predicted one, with intervals and the diagonal.

    Parameters
    ----------
    frame : DataFrame
        As `contactopt.metrics.reliability_table` returns it: predicted, observed, low, high, n;
        optionally ``series`` (text), for several models or slices.
    ax : matplotlib.axes.Axes, optional
    title : str
    event : str
        What is predicted.

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Examples
    --------
    >>> import pandas as pd
    >>> bins = pd.DataFrame(
    ...     {
    ...         "predicted": [0.1, 0.4],
    ...         "observed": [0.2, 0.4],
    ...         "low": [0.1, 0.3],
    ...         "high": [0.3, 0.5],
    ...         "n": [50, 50],
    ...     }
    ... )
    >>> reliability_plot(bins).ax.get_xlabel()
    'predicted share that paid'
    """
    ax = axes_for(ax, height=3.4)
    dress(ax, title=title, x=f"predicted {event}", y=f"observed {event}", grid="both")
    told = frame.dropna(subset=["predicted", "observed"])
    if told.empty:
        note_empty(ax, "nothing to compare")
        return Plot(ax, frame)
    top = float(told[["predicted", "high", "observed"]].to_numpy(float).max()) * 1.05 or 1.0
    ax.plot([0, top], [0, top], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label="perfect")
    for k, (name, own) in enumerate(series_of(told)):
        own = own.sort_values("predicted")
        look = looks(k)
        x, y = own["predicted"], own["observed"]
        ends = [(y - own["low"]).clip(lower=0), (own["high"] - y).clip(lower=0)]
        ax.errorbar(
            x, y, yerr=ends, color=look["color"], marker=look["marker"], markersize=4,
            linewidth=1.2, linestyle=look["linestyle"], elinewidth=0.9, capsize=2,
            label=plain(name or "observed, with interval"),
        )  # fmt: skip
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    for axis in (ax.xaxis, ax.yaxis):
        percent_axis(axis, top)
    add_legend(ax)
    return Plot(ax, frame)
