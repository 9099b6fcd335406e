"""What has moved since the fit: population stability index per column, beside what chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.errors import ConfigError
from contactopt.plotting.canvas import (
    COLOURS,
    GRID,
    INK,
    add_legend,
    axes_for,
    beside,
    dress,
    note_empty,
    plain,
)
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["stability_bars"]

#: conventional limits of the index in credit scoring (Siddiqi 2006)
_MOVED, _FAR = 0.1, 0.25


def stability_bars(
    frame: pd.DataFrame,
    *,
    top: int = 20,
    ax: Any = None,
    title: str = "Drift since the fit",
) -> Plot:
    """Draw one bar per column, the largest first, with its interval and the limit of chance.

    Parameters
    ----------
    frame : DataFrame
        As `contactopt.segments.BehaviourSegments.drift` returns it: name, psi, low, high, limit
        (index that samples of these sizes pass by chance in one of twenty cases), verdict.
    top : int
        Columns drawn, at least 1; the data keep all.
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    Plot
        An empty frame, and one without any index, give axes with a note.

    Raises
    ------
    ConfigError
        If ``top`` is less than 1.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame(
    ...     {
    ...         "name": ["a", "b"],
    ...         "psi": [0.02, 0.4],
    ...         "low": [0, 0.3],
    ...         "high": [0.1, 0.5],
    ...         "limit": [0.05, 0.05],
    ...         "verdict": ["", ""],
    ...     }
    ... )
    >>> [t.get_text() for t in stability_bars(rows).ax.get_yticklabels()]
    ['a', 'b']
    """
    if top < 1:
        raise ConfigError("top is less than 1", hint="top is the number of columns to draw")
    told = frame.dropna(subset=["psi"]).sort_values(["psi", "name"], ascending=[False, True])
    shown = told.head(top).iloc[::-1].reset_index(drop=True)
    ax = axes_for(ax, height=1.4 + 0.28 * max(len(shown), 2))
    left_out = len(told) - len(shown)
    title += f": {len(shown)} of {len(told)}" if left_out else ""
    dress(ax, title=title, x="population stability index (dashed: 0.1, 0.25)", y="column", grid="x")
    if shown.empty:
        note_empty(ax, "nothing to compare")
        return Plot(ax, frame)
    y, psi = np.arange(len(shown)), shown["psi"].to_numpy(float)
    chance = psi <= shown["limit"].to_numpy(float)
    for held, colour, label in ((chance, GRID, "as chance gives"), (~chance, COLOURS[1], "moved")):
        if held.any():
            ax.barh(y[held], psi[held], height=0.62, facecolor=colour, label=label)
    ends = [(psi - shown["low"]).clip(lower=0), (shown["high"] - psi).clip(lower=0)]
    ax.errorbar(psi, y, xerr=ends, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2)
    ax.plot(shown["limit"], y, "|", color=COLOURS[5], markersize=10, markeredgewidth=1.6,
            label="limit of chance")  # fmt: skip
    ax.set_yticks(y, [plain(name) for name in shown["name"]])
    ends_at = np.maximum(shown["high"].to_numpy(float), psi)
    for k, value in enumerate(psi):
        beside(ax, ends_at[k], k, f"{value:.2f}" if value >= 0.1 else f"{value:.3f}")
    top_at = max(float(ends_at.max()), float(shown["limit"].max()))
    for at in (_MOVED, _FAR):
        if at < top_at:
            ax.axvline(at, color=INK, linewidth=0.6, linestyle=(0, (4, 3)))
    ax.set_xlim(0, top_at * 1.25 or 1.0)
    add_legend(ax)
    return Plot(ax, frame)
