"""What a score finds: captured share over share contacted, and how many times chance that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.plotting.canvas import INK, add_legend, axes_for, dress, note_empty, plain
from contactopt.plotting.curves import looks, percent_axis, series_of
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["gain_plot", "lift_plot"]


def gain_plot(
    frame: pd.DataFrame,
    *,
    capacity: float | None = None,
    ax: Any = None,
    title: str = "Gain",
    outcome: str = "payments",
) -> Plot:
    """Draw the captured share of the outcome over the share contacted, best scores first.

    Parameters
    ----------
    frame : DataFrame
        As `contactopt.metrics.gain_curve` returns it: share_contacted, captured, low, high,
        random, best; optionally ``series``.
    capacity : float, optional
        Share that can be contacted, marked by a line.
    ax : matplotlib.axes.Axes, optional
    title, outcome : str

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Examples
    --------
    >>> import pandas as pd
    >>> curve = pd.DataFrame(
    ...     {
    ...         "share_contacted": [0.0, 1.0],
    ...         "captured": [0.0, 1.0],
    ...         "low": [0.0, 1.0],
    ...         "high": [0.0, 1.0],
    ...         "random": [0.0, 1.0],
    ...         "best": [0.0, 1.0],
    ...     }
    ... )
    >>> gain_plot(curve, outcome="money").ax.get_ylabel()
    'captured share of money'
    """
    ax = axes_for(ax, height=3.2)
    dress(ax, title=title, x="share contacted, best scores first", y=f"captured share of {outcome}",
          grid="both")  # fmt: skip
    if frame.empty:
        note_empty(ax, "nothing to capture")
        return Plot(ax, frame)
    ax.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label="at random")
    for k, (name, own) in enumerate(series_of(frame)):
        look = looks(k)
        if k == 0:
            ax.plot(own["share_contacted"], own["best"], color=INK, linewidth=0.8, linestyle=":",
                    label="best possible")  # fmt: skip
        ax.fill_between(own["share_contacted"], own["low"], own["high"], color=look["color"],
                        alpha=0.2, linewidth=0)  # fmt: skip
        line = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 1.6}
        ax.plot(own["share_contacted"], own["captured"], label=plain(name or "score"), **line)
    _finish(ax, capacity)
    ax.set_ylim(0, 1.02)
    percent_axis(ax.yaxis, 1.0)
    return Plot(ax, frame)


def lift_plot(
    frame: pd.DataFrame,
    *,
    capacity: float | None = None,
    ax: Any = None,
    title: str = "Lift",
    outcome: str = "payments",
) -> Plot:
    """Draw how many times the outcome of contacts by lot the score captures; as `gain_plot`.

    Examples
    --------
    >>> import pandas as pd
    >>> curve = pd.DataFrame(
    ...     {
    ...         "share_contacted": [0.5, 1.0],
    ...         "captured": [0.8, 1.0],
    ...         "low": [0.7, 1.0],
    ...         "high": [0.9, 1.0],
    ...         "random": [0.5, 1.0],
    ...         "best": [1.0, 1.0],
    ...     }
    ... )
    >>> ax, _ = lift_plot(curve)
    >>> [float(y) for y in ax.lines[-1].get_ydata()]
    [1.6, 1.0]
    """
    ax = axes_for(ax, height=2.8)
    dress(ax, title=title, x="share contacted, best scores first", y=f"lift in {outcome}",
          grid="both")  # fmt: skip
    shown = frame[frame["share_contacted"] > 0]
    if shown.empty:
        note_empty(ax, "nothing to capture")
        return Plot(ax, frame)
    ax.axhline(1.0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label="at random")
    _finish(ax, capacity, legend=False)
    for k, (name, own) in enumerate(series_of(shown)):
        look, x = looks(k), own["share_contacted"].to_numpy(float)
        parts = (own[c].to_numpy(float) / x for c in ("captured", "low", "high"))
        lift, low, high = (np.asarray(part) for part in parts)
        ax.fill_between(x, low, high, color=look["color"], alpha=0.2, linewidth=0)
        ax.plot(x, lift, color=look["color"], linestyle=look["linestyle"], linewidth=1.6,
                label=plain(name or "score"))  # fmt: skip
    ax.set_ylim(bottom=0)
    add_legend(ax)
    return Plot(ax, frame)


def _finish(ax: Any, capacity: float | None, *, legend: bool = True) -> None:
    if capacity is not None:
        ax.axvline(capacity, color=INK, linewidth=0.8, label=f"capacity {100 * capacity:.3g} %")
    ax.set_xlim(0, 1)
    percent_axis(ax.xaxis, 1.0)
    if legend:
        add_legend(ax)
