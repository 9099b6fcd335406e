"""How sure the draw was: a histogram, or the share at or below each probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.errors import ConfigError
from contactopt.plotting.canvas import (
    add_legend,
    axes_for,
    colours_of,
    dress,
    note_empty,
    plain,
    thousands,
)
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["probability_chart"]


def probability_chart(
    frame: pd.DataFrame,
    *,
    kind: str = "histogram",
    ax: Any = None,
    title: str = "Probability of the drawn action",
) -> Plot:
    """Draw a distribution of probabilities.

    Parameters
    ----------
    frame : DataFrame
        Columns ``series``, ``customers`` (a count), and for a histogram ``low`` and ``high``
        (edges of the bin), for an ECDF ``probability``.
    kind : {"histogram", "ecdf"}
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Raises
    ------
    ConfigError
        For another kind.

    Examples
    --------
    >>> import pandas as pd
    >>> bins = pd.DataFrame({"series": "contact", "low": [0.0], "high": [0.5], "customers": [3]})
    >>> probability_chart(bins).ax.get_ylabel()
    'customers'
    """
    if kind not in ("histogram", "ecdf"):
        raise ConfigError(f"no chart of kind {kind!r}", hint="kind is 'histogram' or 'ecdf'")
    ax = axes_for(ax)
    y = "customers" if kind == "histogram" else "share at or below"
    dress(ax, title=title, x="probability with which it was drawn", y=y)
    if frame.empty or not frame["customers"].sum() > 0:
        note_empty(ax, "nobody is in the batch")
        return Plot(ax, frame)
    (_histogram if kind == "histogram" else _ecdf)(ax, frame)
    ax.set_xlim(0.0, 1.0)
    add_legend(ax)
    return Plot(ax, frame)


def _histogram(ax: Any, frame: pd.DataFrame) -> None:
    lows, at = np.unique(frame["low"].to_numpy(float), return_inverse=True)
    width = (frame["high"] - frame["low"]).to_numpy(float)
    bottom = np.zeros(len(lows))
    series = frame["series"].astype(str)
    for name, look in colours_of(dict.fromkeys(series)).items():
        own = (series == name).to_numpy()
        height = np.bincount(
            at[own], weights=frame["customers"].to_numpy(float)[own], minlength=len(lows)
        )
        ax.bar(lows, height, bottom=bottom, width=width.max() * 0.92, align="edge",
               label=plain(name), **look)  # fmt: skip
        bottom += height
    thousands(ax.yaxis)


def _ecdf(ax: Any, frame: pd.DataFrame) -> None:
    styles = ("-", "--", ":", "-.")
    series = frame["series"].astype(str)
    for k, (name, look) in enumerate(colours_of(dict.fromkeys(series)).items()):
        own = frame[(series == name).to_numpy()].sort_values("probability")
        share = np.cumsum(own["customers"].to_numpy(float)) / own["customers"].sum()
        x = np.concatenate([[0.0], own["probability"].to_numpy(float), [1.0]])
        ax.step(x, np.concatenate([[0.0], share, [1.0]]), where="post", color=look["facecolor"],
                linestyle=styles[k % len(styles)], label=plain(name))  # fmt: skip
    ax.set_ylim(0.0, 1.02)
