"""How full each capacity is, and what one more unit would be worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.errors import ConfigError
from contactopt.plotting.canvas import COLOURS, GRID, INK, axes_for, dress, note_empty, plain
from contactopt.plotting.plot import Plot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["capacity_bars"]


def capacity_bars(
    frame: pd.DataFrame,
    *,
    currency: str,
    top: int = 20,
    ax: Any = None,
    title: str = "Capacity used",
) -> Plot:
    """Draw the used share of each row, with units and price beside it, the fullest first.

    Parameters
    ----------
    frame : DataFrame
        Columns ``row`` (label), ``unit``, ``units``, ``drawn``, ``price`` (money per unit).
    currency : str
    top : int
        Rows drawn, at least 1; the data keep all.
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    Plot
        An empty frame (nothing is limited) gives axes with a note.

    Raises
    ------
    ConfigError
        If ``top`` is less than 1.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame(
    ...     {"row": ["sms 1"], "unit": ["contacts"], "units": [4], "drawn": [3], "price": [0.5]}
    ... )
    >>> ax, _ = capacity_bars(rows, currency="USD")
    >>> [text.get_text() for text in ax.texts]
    ['3 of 4 contacts · 0.5 USD']
    """
    if top < 1:
        raise ConfigError("top is less than 1", hint="top is the number of rows to draw")
    units, drawn = frame["units"].to_numpy(float), frame["drawn"].to_numpy(float)
    share = np.divide(drawn, units, out=np.zeros(len(frame)), where=units > 0)
    order = np.lexsort((frame["row"].astype(str).to_numpy(), -share))[:top][::-1]
    ax = axes_for(ax, height=1.2 + 0.34 * max(len(order), 2))
    left_out = len(frame) - len(order)
    title += f": {len(order)} of {len(frame)} rows" if left_out else ""
    dress(ax, title=title, x="used share of units, price per unit", y="pool and time", grid="x")
    if not len(order):
        note_empty(ax, "nothing is limited")
        return Plot(ax, frame)
    y = np.arange(len(order))
    ax.barh(y, np.ones(len(order)), height=0.72, facecolor=GRID, alpha=0.5)
    # half transparent: the text on it stays readable on light and on dark paper
    ax.barh(y, share[order], height=0.72, facecolor=COLOURS[4], alpha=0.5)
    ax.set_yticks(y, [plain(label) for label in frame["row"].iloc[order]])
    for k, row in enumerate(frame.iloc[order].to_dict(orient="records")):
        text = f"{_short(row['drawn'])} of {_short(row['units'])} {row['unit']}"
        text += f" · {row['price']:,.3g} {currency}"
        ax.text(0.02, k, plain(text, longest=60), va="center", fontsize=8, color=INK)
    ax.set_xlim(0.0, max(1.0, float(share.max(initial=0.0))) * 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    return Plot(ax, frame)


def _short(amount: float) -> str:
    """Write an amount with at most one decimal, small ones with three digits."""
    return f"{amount:,.1f}".removesuffix(".0") if amount >= 10 else f"{amount:.3g}"
