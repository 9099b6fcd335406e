"""How a score is spread in each slice, and what was observed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.errors import ConfigError
from contactopt.plotting.canvas import COLOURS, INK, add_legend, axes_for, dress, note_empty, plain
from contactopt.plotting.curves import percent_axis
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["score_slices_plot"]


def score_slices_plot(
    frame: pd.DataFrame,
    *,
    top: int = 20,
    ax: Any = None,
    title: str = "Scores by slice",
    score: str = "P(pays): middle half, 5 to 95 %",
) -> Plot:
    """Draw a row per slice: 5 % to 95 % as a line, quartiles as a bar, median, mean, observed.

    Parameters
    ----------
    frame : DataFrame
        As `contactopt.metrics.score_quantiles` returns it: group, p05, p25, p50, p75, p95, mean,
        n; optionally observed, low, high (share of the event and its interval). Slices that are
        not told (NaN) are drawn as a note.
    top : int
        Slices drawn, at least 1; the data keep all.
    ax : matplotlib.axes.Axes, optional
    title, score : str

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Raises
    ------
    ConfigError
        If ``top`` is less than 1.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame(
    ...     {
    ...         "group": ["early"],
    ...         "p05": [0.1],
    ...         "p25": [0.2],
    ...         "p50": [0.3],
    ...         "p75": [0.4],
    ...         "p95": [0.6],
    ...         "mean": [0.3],
    ...         "n": [90],
    ...     }
    ... )
    >>> [t.get_text() for t in score_slices_plot(rows).ax.get_yticklabels()]
    ['early (90)']
    """
    if top < 1:
        raise ConfigError("top is less than 1", hint="top is the number of slices to draw")
    shown = frame.head(top).iloc[::-1].reset_index(drop=True)
    ax = axes_for(ax, height=1.3 + 0.3 * max(len(shown), 2))
    left_out = len(frame) - len(shown)
    title += f": {len(shown)} of {len(frame)}" if left_out else ""
    dress(ax, title=title, x=score, y="slice", grid="x")
    if shown.empty:
        note_empty(ax, "nobody was scored")
        return Plot(ax, frame)
    y = np.arange(len(shown))
    ax.set_yticks(
        y, [plain(f"{g} ({n:,})") for g, n in zip(shown["group"], shown["n"], strict=True)]
    )
    told = shown["p50"].notna().to_numpy()
    rows = shown[told]
    ax.hlines(y[told], rows["p05"], rows["p95"], color=COLOURS[0], linewidth=1)
    width = rows["p75"] - rows["p25"]
    ax.barh(y[told], width, left=rows["p25"], height=0.5, facecolor=COLOURS[4], alpha=0.6)
    ax.plot(rows["p50"], y[told], "|", color=COLOURS[0], markersize=11, markeredgewidth=1.6,
            label="median")  # fmt: skip
    ax.plot(rows["mean"], y[told], "o", color=COLOURS[0], markersize=4, label="mean")
    if "observed" in rows:
        ends = [(rows["observed"] - rows["low"]).clip(lower=0),
                (rows["high"] - rows["observed"]).clip(lower=0)]  # fmt: skip
        ax.errorbar(rows["observed"], y[told] - 0.02, xerr=ends, fmt="D", color=COLOURS[5],
                    markersize=4, elinewidth=1, capsize=2, label="observed")  # fmt: skip
    for k in np.flatnonzero(~told):
        ax.text(0.02, y[k], "not enough data", va="center", fontsize=8, color=INK,
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.set_ylim(-0.6, len(shown) - 0.4)
    ax.set_xlim(left=0)
    percent_axis(ax.xaxis, ax.get_xlim()[1])
    add_legend(ax)
    return Plot(ax, frame)
