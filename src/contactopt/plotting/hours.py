"""When people are reached: share by hour with its interval, one line per channel or segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.plotting.canvas import add_legend, axes_for, dress, note_empty, plain
from contactopt.plotting.curves import looks, percent_axis, series_of
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["hour_curves"]


def hour_curves(
    frame: pd.DataFrame,
    *,
    ax: Any = None,
    title: str = "Reach by hour",
    share: str = "share reached",
    hour: str = "customers' local hour",
) -> Plot:
    """Draw a share over the hour of the day, with a band from low to high.

    Parameters
    ----------
    frame : DataFrame
        Columns hour (0 to 23), reach, and optionally low, high (interval; NaN where it is not
        known) and ``series`` (text). Hours without a row break the line.
    ax : matplotlib.axes.Axes, optional
    title, share, hour : str

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame(
    ...     {
    ...         "series": "call_agent",
    ...         "hour": [9, 10],
    ...         "reach": [0.2, 0.3],
    ...         "low": [0.1, 0.2],
    ...         "high": [0.3, 0.4],
    ...     }
    ... )
    >>> ax, data = hour_curves(rows)
    >>> ax.get_ylabel(), len(data)
    ('share reached', 2)
    """
    ax = axes_for(ax, height=2.9)
    dress(ax, title=title, x=hour, y=share, grid="both")
    told = frame.dropna(subset=["hour", "reach"])
    if told.empty:
        note_empty(ax, "no hour is known")
        return Plot(ax, frame)
    first, last = int(told["hour"].min()), int(told["hour"].max())
    for k, (name, own) in enumerate(series_of(told)):
        look = looks(k)
        # an hour that is missing is no number between its neighbours
        own = own.set_index(own["hour"].astype(int)).reindex(range(first, last + 1))
        if {"low", "high"} <= set(own.columns):
            ax.fill_between(own.index, own["low"].astype(float), own["high"].astype(float),
                            color=look["color"], alpha=0.18, linewidth=0)  # fmt: skip
        ax.plot(own.index, own["reach"].astype(float), color=look["color"], linewidth=1.4,
                linestyle=look["linestyle"], marker=look["marker"], markersize=3.5,
                label=plain(name or share))  # fmt: skip
    ax.set_xlim(first - 0.5, last + 0.5)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(bottom=0)
    percent_axis(ax.yaxis, ax.get_ylim()[1])
    add_legend(ax)
    return Plot(ax, frame)
