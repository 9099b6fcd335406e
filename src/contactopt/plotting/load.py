"""Contacts by hour, stacked, with the hourly limit where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from contactopt.plotting.canvas import (
    INK,
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

__all__ = ["load_bars"]

#: where there are more bars than this, not each is labelled
_LABELS = 13
#: a wider range is not filled up with empty hours
_WIDEST = 72


def load_bars(
    frame: pd.DataFrame,
    *,
    ax: Any = None,
    amount: str = "contacts",
    unit: str = "contacts",
    hour: str = "hour",
    title: str = "Load by hour",
    colours_for: Sequence[str] = (),
) -> Plot:
    """Draw one stacked bar per hour, one colour per series.

    Parameters
    ----------
    frame : DataFrame
        Columns ``series`` (text), ``hour`` (0 to 23, null: at no set hour), the column named by
        ``amount``; optionally ``date`` (ISO text: bars then follow each other in time) and
        ``limit`` (the most that fits into the hour, null where nothing says; the same on each
        line of an hour).
    ax : matplotlib.axes.Axes, optional
    amount : str
        Column that is the height of the bars.
    unit, hour, title : str
        Labels: what is counted, whose hour it is, the title.
    colours_for : sequence of str
        Series in the order in which they take colours, so that several charts use the same.

    Returns
    -------
    Plot
        An empty frame gives axes with a note.

    Examples
    --------
    >>> import pandas as pd
    >>> load = pd.DataFrame({"series": ["sms", "call"], "hour": [9, 9], "contacts": [5, 2]})
    >>> ax, _ = load_bars(load, hour="customers' local hour")
    >>> [int(bar.get_height()) for bar in ax.patches]
    [2, 5]
    """
    ax = axes_for(ax)
    dress(ax, title=title, x=hour, y=unit)
    if frame.empty or not frame[amount].sum() > 0:
        note_empty(ax, "no contact is planned")
        return Plot(ax, frame)
    at, labels = _places(frame)
    bottom = np.zeros(len(labels))
    series = frame["series"].astype(str)
    for name, look in colours_of(dict.fromkeys([*colours_for, *sorted(series.unique())])).items():
        own = (series == name).to_numpy()
        if not own.any():
            continue
        height = np.bincount(
            at[own], weights=frame[amount].to_numpy(float)[own], minlength=len(labels)
        )
        ax.bar(range(len(labels)), height, bottom=bottom, width=0.8, label=plain(name), **look)
        bottom += height
    _limits(ax, frame, at, len(labels))
    ax.set_xticks(range(len(labels)), labels)
    ax.set_xlim(-0.6, len(labels) - 0.4)
    thousands(ax.yaxis)
    add_legend(ax)
    return Plot(ax, frame)


def _limits(ax: Any, frame: pd.DataFrame, at: np.ndarray, n: int) -> None:
    """Draw a short line over each bar that has a limit."""
    if "limit" not in frame or frame["limit"].isna().all():
        return
    limit = np.full(n, np.nan)
    limit[at] = frame["limit"].to_numpy(float)
    some = np.flatnonzero(~np.isnan(limit))
    ax.hlines(limit[some], some - 0.45, some + 0.45, colors=INK, linewidth=1.6, label="capacity")


def _places(frame: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return the place of each line on the axis, and the label of each place.

    Places follow each other hour by hour, empty hours included; lines without an hour stand last.
    """
    hour = frame["hour"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    day = np.zeros(len(frame))
    if "date" in frame:
        dates = np.array(frame["date"].fillna("1970-01-01").tolist(), dtype="M8[D]")
        day = dates.astype(np.int64).astype(float)
    at = day * 24 + hour
    timed = ~np.isnan(at)
    known = np.unique(at[timed])
    if known.size and known[-1] - known[0] < _WIDEST:
        known = np.arange(known[0], known[-1] + 1)
    place = np.where(timed, np.searchsorted(known, at), len(known))
    labels, last = [], None
    every = -(-len(known) // _LABELS)
    for k, moment in enumerate(known.astype(np.int64)):
        text, date = f"{moment % 24:02d}", str(np.datetime64(int(moment // 24), "D"))[5:]
        labels.append("" if k % every else text)
        if "date" in frame and k % every == 0 and date != last:
            labels[-1], last = f"{text}\n{date}", date
    return place.astype(np.int64), labels + ([] if timed.all() else ["any"])
