"""What contact adds when the highest scores are contacted first: uplift and Qini curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.plotting.canvas import INK, add_legend, axes_for, dress, note_empty, plain
from contactopt.plotting.curves import looks, percent_axis, series_of
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["uplift_plot"]


def uplift_plot(
    frame: pd.DataFrame,
    *,
    ax: Any = None,
    title: str = "Uplift",
    gain: str = "gain per customer",
) -> Plot:
    """Draw the gain over contacting nobody, beside contacting as many by lot.

    Parameters
    ----------
    frame : DataFrame
        As `contactopt.metrics.uplift.uplift_curve` or ``qini_curve`` return it: share, gain,
        random; optionally low and high (a band) and ``series``.
    ax : matplotlib.axes.Axes, optional
    title, gain : str

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Examples
    --------
    >>> import pandas as pd
    >>> curve = pd.DataFrame(
    ...     {"share": [0, 0.5, 1], "gain": [0, 0.03, 0.02], "random": [0, 0.01, 0.02]}
    ... )
    >>> uplift_plot(curve).ax.get_xlabel()
    'share contacted, largest effects first'
    """
    ax = axes_for(ax, height=3.0)
    dress(ax, title=title, x="share contacted, largest effects first", y=gain, grid="both")
    if frame.empty:
        note_empty(ax, "no group to compare with")
        return Plot(ax, frame)
    ax.axhline(0.0, color=INK, linewidth=0.6)
    for k, (name, own) in enumerate(series_of(frame)):
        own, look = own.sort_values("share", kind="stable"), looks(k)
        if k == 0:
            ax.plot(own["share"], own["random"], color=INK, linewidth=0.8, linestyle=(0, (4, 3)),
                    label="as many by lot")  # fmt: skip
        if {"low", "high"} <= set(own.columns):
            ax.fill_between(own["share"], own["low"], own["high"], color=look["color"], alpha=0.2,
                            linewidth=0)  # fmt: skip
        ax.plot(own["share"], own["gain"], color=look["color"], linestyle=look["linestyle"],
                linewidth=1.4, label=plain(name or "by score"))  # fmt: skip
    ax.set_xlim(0, 1)
    percent_axis(ax.xaxis, 1.0)
    add_legend(ax)
    return Plot(ax, frame)
