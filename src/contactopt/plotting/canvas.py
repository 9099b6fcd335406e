"""What all charts share: axes to draw on, colours, plain labels, the note of an empty chart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "COLOURS",
    "GRID",
    "INK",
    "add_legend",
    "axes_for",
    "beside",
    "colours_of",
    "dress",
    "note_empty",
    "plain",
    "thousands",
]

#: text and lines; pages replace these two by colours of their own (light or dark)
INK, GRID = "#1f2328", "#d0d7de"
#: told apart by people with any colour vision (Okabe and Ito, 2008), dark and light alternating
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a800", "#7f7f7f")
#: beside the colour, so that charts survive a black-and-white printer and more series than colours
_HATCHES = ("", "////", "....", "xxxx")
_LONGEST = 30


def axes_for(ax: Any, *, height: float = 2.6) -> Any:
    """Return the axes given, or new ones on a figure of their own, narrow enough for a phone.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
    height : float
        Of a new figure, in inches.
    """
    if ax is not None:
        return ax
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.9, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def dress(ax: Any, *, title: str, x: str, y: str, grid: str = "y") -> None:
    """Set title and labels; leave only the lines that help reading (``grid``: "x" or "y")."""
    ax.set_title(plain(title, longest=60), fontsize=10, loc="left", color=INK)
    # of horizontal bars: labels stand left of the axes, the text needs their room
    where = "right" if grid == "x" else "center"
    ax.set_xlabel(plain(x, longest=60), fontsize=9, color=INK, loc=where)
    ax.set_ylabel(plain(y, longest=60), fontsize=9, color=INK)
    ax.tick_params(labelsize=8, colors=INK, length=3)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    ax.set_axisbelow(True)
    ax.grid(visible=True, axis=grid, color=GRID, linewidth=0.6)


def thousands(axis: Any) -> None:
    """Write the numbers of an axis with separators, never as powers of ten."""
    axis.set_major_formatter("{x:,.10g}")


def add_legend(ax: Any) -> None:
    """Name the series below the axes; nothing where there is only one."""
    handles, names = ax.get_legend_handles_labels()
    if len(names) < 2:
        return
    look = {"fontsize": 8, "frameon": False, "labelcolor": INK, "handlelength": 1.2}
    figure = ax.figure
    if len(figure.axes) == 1 and figure.get_layout_engine() is not None:
        figure.legend(handles, names, loc="outside lower center", ncols=3, **look)
    else:
        ax.legend(handles, names, loc="best", **look)


def beside(ax: Any, x: float, y: float, text: str) -> None:
    """Write beside the end of a bar."""
    ax.annotate(plain(text), (x, y), xytext=(3, 0), textcoords="offset points", va="center",
                fontsize=8, color=INK)  # fmt: skip


def note_empty(ax: Any, note: str) -> None:
    """Say why there is nothing to see."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.text(0.5, 0.5, plain(note, longest=60), transform=ax.transAxes, ha="center", va="center",
            fontsize=9, color=INK)  # fmt: skip


def plain(text: object, *, longest: int = _LONGEST) -> str:
    r"""Return text as one short line that is no mathematics to matplotlib.

    Examples
    --------
    >>> print(plain("cost in $ and in $"))
    cost in \$ and in \$
    >>> plain("a" * 40)[-5:]
    'aaaa…'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return line.replace("$", r"\$")


def colours_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour and hatch of each name: the same for the same list."""
    looks = {}
    for k, name in enumerate(names):
        turn, colour = divmod(k, len(COLOURS))
        looks[name] = {
            "facecolor": COLOURS[colour],
            "hatch": _HATCHES[turn % len(_HATCHES)],
            "edgecolor": "white",
            "linewidth": 0.0,
        }
    return looks
