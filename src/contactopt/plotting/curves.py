"""Lines with bands, shared by the charts of models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from contactopt.plotting.canvas import COLOURS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LINES", "MARKERS", "looks", "percent_axis", "series_of"]

#: beside the colour, so that lines are told apart in black and white
LINES, MARKERS = ("-", "--", "-.", ":"), ("o", "s", "^", "D", "v", "P")


def series_of(frame: pd.DataFrame, name: str = "series") -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each series and its rows, in order of appearance; all rows where none is named."""
    if name not in frame:
        yield "", frame
        return
    for value in frame[name].astype(str).drop_duplicates():
        yield value, frame[frame[name].astype(str) == value]


def looks(k: int) -> dict[str, Any]:
    """Return colour, line and marker of the k-th series."""
    return {
        "color": COLOURS[k % len(COLOURS)],
        "linestyle": LINES[(k // len(COLOURS) + k) % len(LINES)],
        "marker": MARKERS[k % len(MARKERS)],
    }


def percent_axis(axis: Any, top: float) -> None:
    """Write shares as percentages, with a digit where the axis is short."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0 if top > 0.05 else 1, symbol=" %"))
