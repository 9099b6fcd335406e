"""Money by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contactopt.plotting.canvas import (
    COLOURS,
    INK,
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

__all__ = ["value_bars"]


def value_bars(
    frame: pd.DataFrame,
    *,
    currency: str,
    ax: Any = None,
    title: str = "Expected value by channel",
) -> Plot:
    """Draw a horizontal bar of money per channel, with the number of contacts beside it.

    Parameters
    ----------
    frame : DataFrame
        Columns ``channel``, ``expected_value`` (money), ``contacts``.
    currency : str
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    Plot
        An empty frame, and one without any contact, give axes with a note.

    Examples
    --------
    >>> import pandas as pd
    >>> money = pd.DataFrame({"channel": ["sms"], "expected_value": [12.5], "contacts": [7]})
    >>> ax, _ = value_bars(money, currency="USD")
    >>> ax.get_xlabel()
    'expected value over waiting, USD (an estimate)'
    """
    shown = frame[(frame["contacts"] > 0) | (frame["expected_value"] != 0)].sort_values(
        ["expected_value", "channel"], ascending=[True, False]
    )
    ax = axes_for(ax, height=1.2 + 0.3 * len(shown))
    unit = f"expected value over waiting, {currency} (an estimate)"
    dress(ax, title=title, x=unit, y="channel", grid="x")
    if shown.empty:
        note_empty(ax, "no channel is planned")
        return Plot(ax, frame)
    money = shown["expected_value"].to_numpy(float)
    ax.barh(range(len(shown)), money, height=0.7, facecolor=COLOURS[0])
    ax.set_yticks(range(len(shown)), [plain(c) for c in shown["channel"]])
    for k, (value, contacts) in enumerate(zip(money, shown["contacts"], strict=True)):
        beside(ax, max(value, 0.0), k, f"{value:,.0f} · {int(contacts):,} contacts")
    ax.margins(x=0.75)
    ax.set_xlim(left=min(0.0, money.min() * 1.05))
    ax.axvline(0.0, color=INK, linewidth=0.8)
    ax.locator_params(axis="x", nbins=4)
    thousands(ax.xaxis)
    return Plot(ax, frame)
