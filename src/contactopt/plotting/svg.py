"""A figure as SVG text: the same bytes each time, fit to stand inside a page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any

__all__ = ["default_look", "inline_svg", "svg_of"]

#: settings under which the same figure gives the same bytes, with text that stays text
_FIXED: Any = {"svg.hashsalt": "contactopt", "svg.fonttype": "none"}
_NO_METADATA: Any = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def default_look() -> Iterator[None]:
    """Draw as matplotlib comes, whatever the user's settings; they are put back after."""
    import matplotlib

    # a backend is chosen once per process and no matter of looks
    given: Any = {
        k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")
    }
    with matplotlib.rc_context(given):
        yield


def svg_of(figure: Any, *, transparent: bool = False) -> str:
    """Return a figure as an SVG document; no date, no version, no random ids.

    Settings of matplotlib are changed for the length of the call and put back.
    """
    import matplotlib

    out = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context(_FIXED):
        # a letter that our font lacks is drawn by the reader's own
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, format="svg", transparent=transparent, metadata=_NO_METADATA)
    return out.getvalue()


def inline_svg(
    figure: Any,
    *,
    name: str,
    title: str,
    description: str,
    colours: Mapping[str, str] | None = None,
) -> str:
    """Return a figure as an ``<svg>`` element for an HTML page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name : str
        Prefix of its ids, so that several may stand in one page.
    title, description : str
        For those who cannot see it.
    colours : mapping of str to str, optional
        Colours of the figure and what stands for them in the page,
        ``{"#1f2328": "var(--ink)"}``.

    Returns
    -------
    str
        Scales to the width of its box (``viewBox``); loads nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> from contactopt.plotting import blocked_bars
    >>> ax, _ = blocked_bars(pd.DataFrame({"rule": ["us.hours"], "pairs": [3]}))
    >>> text = inline_svg(ax.figure, name="b", title="Blocked", description="us.hours: 3")
    >>> text.startswith('<svg role="img"'), "http" in text
    (True, False)
    """
    text = svg_of(figure, transparent=True)
    text = text[text.index("<svg") :]
    head_end = text.index(">")
    box = re.search(r'viewBox="([^"]*)"', text[:head_end])
    assert box is not None
    body = text[head_end + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    # its style rule would hold for the whole page
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.S)
    body = body.replace("xlink:href", "href")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.S)
    body = re.sub(r"\n\s*", "\n", body)
    for colour, instead in (colours or {}).items():
        body = body.replace(colour, instead)
    return (
        f'<svg role="img" viewBox="{box.group(1)}" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>{body}'
    )
