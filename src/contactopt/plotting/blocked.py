"""What keeps contacts from being made: one horizontal bar per rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.errors import ConfigError
from contactopt.plotting.canvas import (
    COLOURS,
    axes_for,
    beside,
    dress,
    note_empty,
    plain,
    thousands,
)
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["blocked_bars"]


def blocked_bars(
    frame: pd.DataFrame,
    *,
    top: int = 15,
    ax: Any = None,
    title: str = "Blocked by rule",
) -> Plot:
    """Draw how many pairs each rule blocks, the largest first.

    Parameters
    ----------
    frame : DataFrame
        Columns ``rule`` and ``pairs``.
    top : int
        Rules drawn, at least 1; the data keep all.
    ax : matplotlib.axes.Axes, optional
    title : str

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
    >>> rules = pd.DataFrame({"rule": ["a", "b", "c"], "pairs": [1, 5, 3]})
    >>> ax, data = blocked_bars(rules, top=2)
    >>> [label.get_text() for label in ax.get_yticklabels()], len(data)
    (['c', 'b'], 3)
    """
    if top < 1:
        raise ConfigError("top is less than 1", hint="top is the number of rules to draw")
    ordered = frame.sort_values(["pairs", "rule"], ascending=[False, True])
    shown = ordered.head(top).iloc[::-1]
    ax = axes_for(ax, height=1.2 + 0.24 * max(len(shown), 2))
    left_out = len(ordered) - len(shown)
    title += f": {len(shown)} of {len(ordered)}" if left_out else ""
    dress(ax, title=title, x="blocked (customer, action) pairs", y="rule", grid="x")
    if shown.empty:
        note_empty(ax, "no rule blocks anything")
        return Plot(ax, frame)
    pairs = shown["pairs"].to_numpy(float)
    ax.barh(range(len(shown)), pairs, height=0.7, facecolor=COLOURS[5])
    ax.set_yticks(range(len(shown)), [plain(rule, longest=36) for rule in shown["rule"]])
    for k, count in enumerate(pairs):
        beside(ax, count, k, f"{int(count):,}")
    ax.margins(x=0.3)
    ax.set_xlim(left=0.0)
    ax.locator_params(axis="x", nbins=3)
    thousands(ax.xaxis)
    return Plot(ax, frame)
