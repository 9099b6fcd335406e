"""What every chart returns: where it was drawn and what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plot"]


class Plot(NamedTuple):
    """A chart: its axes and its data, ``ax, data = ...``.

    A notebook shows it as it stands; a script saves it with ``plot.ax.figure.savefig("a.png")``.
    The figure is nobody's current figure: give ``ax=`` to draw into one of your own.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where it was drawn.
    data : pandas.DataFrame
        Every number of the chart, tidy, and those left out of it for want of room.

    Examples
    --------
    >>> import pandas as pd
    >>> from contactopt.plotting import blocked_bars
    >>> ax, data = blocked_bars(pd.DataFrame({"rule": ["us.hours"], "pairs": [3]}))
    >>> ax.get_xlabel(), int(data["pairs"].sum())
    ('blocked (customer, action) pairs', 3)
    """

    ax: Any
    data: pd.DataFrame

    def __repr__(self) -> str:
        return f"Plot({self.ax.get_title(loc='left')!r}, {len(self.data)} rows of data)"

    def _repr_svg_(self) -> str:
        from contactopt.plotting.svg import svg_of

        return svg_of(self.ax.figure)
